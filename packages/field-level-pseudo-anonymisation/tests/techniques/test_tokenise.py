import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from cryptography.fernet import Fernet, InvalidToken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.local_storage import LocalStorage
from field_level_pseudo_anonymisation.object_storage import AnyStorage
from field_level_pseudo_anonymisation.techniques import token_table
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.session import Session
from field_level_pseudo_anonymisation.techniques.technique import Scope
from field_level_pseudo_anonymisation.techniques.tokenise import Tokenise
from util_services.errors import DataServiceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VERSIONS = {number: Fernet.generate_key().decode() for number in (1, 2)}


class Keys:
    def __init__(self, *versions: int) -> None:
        self.versions = {version: VERSIONS[version] for version in versions or (1,)}

    def key(self, name: str) -> Key:
        return Key(name, self.versions)


class Run:
    """One run on a table: a session, and the transforms in it."""

    def __init__(self, table: Path | str, policy: Policy = Policy.DETERMINISTIC, keys: Keys | None = None) -> None:
        self.session = Session(AnyStorage())
        self.technique = Tokenise("k", str(table), policy)
        self.keys = keys or Keys()

    def tokens(self, texts: list[str], field: str = "name") -> list[str]:
        return self._of(self.technique.transform, texts, field)

    def values(self, tokens: list[str], field: str = "name") -> list[str]:
        return self._of(self.technique.restore, tokens, field)

    def _of(self, make: Callable[[Scope], Callable[[pl.Series], pl.Series]], texts: list[str], field: str) -> list[str]:
        transform = make(Scope(field, self.keys, session=self.session))
        return transform(pl.Series(texts, dtype=pl.String)).to_list()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), max_size=20), st.sampled_from(Policy))
def test_tokens_are_turned_back_by_a_later_run(tmp_path: Path, texts: list[str], policy: Policy) -> None:
    run = Run(tmp_path / "table", policy)
    tokens = run.tokens([*texts, "x"])
    run.session.finish()
    assert Run(tmp_path / "table").values(tokens) == [*texts, "x"]
    assert all(len(token) == 32 and set(token) <= set("0123456789abcdef") for token in tokens)


def test_equal_values_get_equal_tokens_as_the_policy_says(tmp_path: Path) -> None:
    def tokens_of_a_run(policy: Policy) -> list[str]:
        run = Run(tmp_path / "table", policy)
        tokens = run.tokens(["a", "b", "a"]) + run.tokens(["a"])
        run.session.finish()
        return tokens

    by_policy = {policy: [tokens_of_a_run(policy) for _ in range(2)] for policy in Policy}
    first, second = by_policy[Policy.DETERMINISTIC]
    assert first == second
    assert first[0] == first[2] == first[3] != first[1]
    first, second = by_policy[Policy.DOCUMENT_RANDOMISED]
    assert first[0] == first[2] == first[3] != first[1]
    assert not set(first) & set(second)
    assert len(set(by_policy[Policy.RANDOMISED][0] + by_policy[Policy.RANDOMISED][1])) == 8
    everything = [token for runs in by_policy.values() for each in runs for token in each]
    assert Run(tmp_path / "table").values(everything) == ["a", "b", "a", "a"] * 6


def test_fields_have_tokens_of_their_own(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    tokens = run.tokens(["a"], "first") + run.tokens(["a"], "second")
    assert tokens[0] != tokens[1]
    run.session.finish()
    assert Run(tmp_path / "table").values(tokens, "first") == ["a", None]


def test_what_is_no_token_of_the_table_is_missing(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    run.tokens(["a"])
    run.session.finish()
    assert run.values(["", "a", "0" * 32]) == [None, None, None]


def test_batches_in_parallel_agree(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    texts = [str(number) for number in range(3000)]
    barrier = threading.Barrier(4)

    def batch(_: int) -> list[str]:
        barrier.wait()
        return run.tokens(texts)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(batch, range(4)))
    assert results == [results[0]] * 4
    run.session.finish()
    assert Run(tmp_path / "table").values(results[0]) == texts


def test_a_run_that_fails_leaves_no_table(tmp_path: Path) -> None:
    Run(tmp_path / "table").tokens(["a"])
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_new_values_leaves_the_table_alone(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    run.tokens(["a"])
    run.session.finish()
    before = (tmp_path / "table").read_bytes()
    again = Run(tmp_path / "table")
    again.tokens(["a"])
    again.session.finish()
    assert (tmp_path / "table").read_bytes() == before


def test_values_and_tokens_are_not_readable_in_the_table(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    (token,) = run.tokens(["Ann Lee Example"])
    run.session.finish()
    content = (tmp_path / "table").read_bytes()
    assert b"Ann Lee Example" not in content
    assert token.encode() not in content
    assert (tmp_path / "table").stat().st_mode & 0o777 == 0o600


def test_a_table_outlives_a_rotation_and_is_written_with_the_newest_key(tmp_path: Path) -> None:
    run = Run(tmp_path / "table", keys=Keys(1))
    (before,) = run.tokens(["a"])
    run.session.finish()
    rotated = Run(tmp_path / "table", keys=Keys(1, 2))
    assert rotated.tokens(["a", "b"])[0] == before
    rotated.session.finish()
    assert Run(tmp_path / "table", keys=Keys(2)).values([before]) == ["a"]
    with pytest.raises(DataServiceError, match="The key 'k' has no version 2"):
        Run(tmp_path / "table", keys=Keys(1)).values([before])


def test_two_runs_at_once_do_not_lose_tokens(tmp_path: Path) -> None:
    first, second = Run(tmp_path / "table"), Run(tmp_path / "table")
    (token,) = first.tokens(["a"])
    second.tokens(["b"])
    first.session.finish()
    with pytest.raises(DataServiceError, match="was changed by another run meanwhile: run this one again"):
        second.session.finish()
    assert Run(tmp_path / "table").values([token]) == ["a"]


def test_a_session_can_be_finished_more_than_once(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    tokens = run.tokens(["a"])
    run.session.finish()
    tokens += run.tokens(["b"])
    run.session.finish()
    assert Run(tmp_path / "table").values(tokens) == ["a", "b"]


@pytest.mark.parametrize("change", ["cut", "flip", "append", "swap"])
def test_a_damaged_table_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(token_table, "_PIECE_BYTES", 64)
    run = Run(tmp_path / "table")
    run.tokens([str(number) for number in range(50)])
    run.session.finish()
    path = tmp_path / "table"
    content, header = path.read_bytes(), 14 + 4 + 16
    assert (len(content) - header) > 3 * 80
    first, second = content[header : header + 80], content[header + 80 : header + 160]
    damaged = {
        "cut": content[: header + 80],
        "flip": content[:-1] + bytes([content[-1] ^ 1]),
        "append": content + first,
        "swap": content[:header] + second + first + content[header + 160 :],
    }
    path.write_bytes(damaged[change])
    with pytest.raises(DataServiceError, match="The key 'k' does not authenticate the mapping table"):
        Run(path).tokens(["a"])


def test_another_key_does_not_open_the_table(tmp_path: Path) -> None:
    run = Run(tmp_path / "table")
    run.tokens(["a"])
    run.session.finish()

    class Others:
        def key(self, name: str) -> Key:
            return Key(name, {1: Fernet.generate_key().decode()})

    other = Run(tmp_path / "table", keys=Others())  # type: ignore[arg-type]
    with pytest.raises(DataServiceError, match="does not authenticate the mapping table"):
        other.values(["x"])


def test_another_file_is_never_taken_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("name\nAnn\n")
    with pytest.raises(DataServiceError, match="is no table of tokens: check its location"):
        Run(tmp_path / "data.csv").tokens(["a"])
    assert (tmp_path / "data.csv").read_text() == "name\nAnn\n"


def test_a_missing_table_restores_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="does not exist: give the one that the tokens were made with"):
        Run(tmp_path / "none").values(["x"])


def test_a_session_without_storage_keeps_no_table() -> None:
    with pytest.raises(DataServiceError, match="tokenise keeps a file: give the session a storage"):
        Tokenise("k", "table").transform(Scope("name", Keys()))


@pytest.mark.parametrize("bits", [0, 88, 100, 1024])
def test_tokens_have_96_bits_at_least(bits: int) -> None:
    with pytest.raises(DataServiceError, match=f"The bits {bits} of tokenise"):
        Tokenise("k", "table", bits=bits)


def test_a_table_can_be_an_object(bucket: str, s3: "S3Client") -> None:
    location = f"s3://{bucket}/tables/tokens"
    run, late = Run(location), Run(location)
    tokens = run.tokens(["a"])
    late.tokens(["b"])
    run.session.finish()
    with pytest.raises(DataServiceError, match="was changed by another run"):
        late.session.finish()
    more = Run(location)
    tokens += more.tokens(["a", "c"])
    more.session.finish()
    assert Run(location).values(tokens) == ["a", "a", "c"]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["tables/tokens"]


def test_the_storage_itself_refuses_an_object_that_changed(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, location = AnyStorage(), f"s3://{bucket}/table"
    before = storage.write(location, b"1", replacing=None)
    storage.write(location, b"2", replacing=before)
    for seen in (before, None):
        monkeypatch.setattr(storage, "_version", lambda *_, version=seen: version)  # another run came in between
        with pytest.raises(DataServiceError, match="was changed by another run"):
            storage.write(location, b"3", replacing=seen)


def test_a_bucket_that_does_not_exist_is_told(store: object) -> None:
    with pytest.raises(DataServiceError, match="The bucket 'no-such-bucket' does not exist"):
        Run("s3://no-such-bucket/table").tokens(["a"])


@pytest.mark.parametrize("location", ["s3://", "s3://bucket", "s3:///key"])
def test_a_malformed_location_is_told(location: str) -> None:
    with pytest.raises(DataServiceError, match=r"is malformed: give s3://bucket/key"):
        Run(location).tokens(["a"])


def test_a_local_table_stays_inside_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    with pytest.raises(DataServiceError, match="lies outside the folder that DATA_ROOT allows"):
        Run("/tmp/elsewhere").tokens(["a"])
    with pytest.raises(DataServiceError, match="cannot be read"):
        LocalStorage().read(str(tmp_path))


def copied(run: Run) -> Run:
    """As on another machine, once the table is open."""
    run.tokens([])
    copy: Run = pickle.loads(pickle.dumps(run))
    return copy


@pytest.mark.parametrize("policy", Policy)
def test_tokens_that_copies_of_a_run_made_are_turned_back_by_a_later_run(tmp_path: Path, policy: Policy) -> None:
    run = Run(tmp_path / "table", policy)
    (before,) = run.tokens(["a"])
    copies = [copied(run) for _ in range(2)]
    made = [copy.tokens(["a", "b", text]) for copy, text in zip(copies, "cd", strict=True)]
    taken = [copy.session.taken() for copy in copies]
    for each in taken:
        run.session.add_taken(each)
    run.session.finish()
    later = Run(tmp_path / "table", policy)
    assert later.values([before, *made[0], *made[1]]) == ["a", "a", "b", "c", "a", "b", "d"]
    if policy is Policy.RANDOMISED:
        assert len({before, *made[0], *made[1]}) == 7
    else:
        assert [tokens[0] for tokens in made] == [before, before]
        assert made[0][1] == made[1][1]
        assert run.tokens(["b", "c", "d"]) == [*made[0][1:], made[1][2]]


def test_tokens_of_copies_differ_from_run_to_run_and_by_field_and_come_back_encrypted(tmp_path: Path) -> None:
    copy, other = (copied(Run(tmp_path / name)) for name in ("table", "other"))
    tokens = [*copy.tokens(["Example Name"]), *copy.tokens(["Example Name"], "second"), *other.tokens(["Example Name"])]
    assert len(set(tokens)) == 3
    (taken,) = copy.session.taken()
    assert "Example" not in taken
    with pytest.raises(InvalidToken):
        other.session.add_taken([taken])
