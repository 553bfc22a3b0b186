import datetime as dt
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation import Reversal, Step, depseudonymise, pseudonymise
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques import (
    DeterministicEncrypt,
    Drop,
    Encrypt,
    Hash,
    KeyedHash,
    Mask,
    Redact,
    Replace,
    ShiftDate,
)
from field_level_pseudo_anonymisation.techniques.session import Session
from util_services import staged_tables
from util_services.errors import DataServiceError
from util_services.revisions import levels_of
from util_services.summaries import summarise

KEYS = MemoryKeyStore({name: {1: Fernet.generate_key().decode()} for name in ("patients", "other")})
ROWS = {"id": ["1", "2", "1"], "name": ["Ann", None, "Bo"], "age": ["25", "", None]}
ENGINES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pandas": lambda rows: pd.DataFrame(rows, index=[7, 7, 3]),
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "arrow": pa.table,
}


def table(frame: Any) -> dict[str, list[Any]]:
    data = nw.from_native(frame).lazy().collect("polars")
    return dict(data.to_polars().to_dict(as_series=False))


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_gets_back_what_it_gave(engine: str) -> None:
    frame = ENGINES[engine](ROWS)
    steps = [Step(Encrypt("patients"), ["name"]), Step(DeterministicEncrypt("patients"), ["id"])]
    there = pseudonymise(frame, steps, keys=KEYS)
    assert type(there.frame) is type(frame)
    there_once = there.frame.collect().lazy() if engine == "lazy" else there.frame
    assert table(there_once)["name"][1] is None
    undo = [Reversal(Encrypt("patients"), ["name"]), Reversal(DeterministicEncrypt("patients"), ["id"])]
    back = depseudonymise(there_once, undo, keys=KEYS)
    assert type(back.frame) is type(frame)
    assert table(back.frame) == table(frame)
    back.finish()
    assert back.metrics["rows_processed"] == 3


def test_pandas_keeps_its_index() -> None:
    frame = pseudonymise(ENGINES["pandas"](ROWS), [Step(Redact(), ["name"])]).frame
    assert frame.index.tolist() == [7, 7, 3]
    assert frame["name"].tolist()[0::2] == ["[REDACTED]"] * 2


def test_a_lazy_frame_is_not_evaluated_before_it_is_asked_for() -> None:
    frame = pl.LazyFrame(ROWS).with_columns(pl.col("name").map_elements(lambda _: 1 / 0, return_dtype=pl.String))
    result = pseudonymise(frame, [Step(Redact(), ["name"])])
    assert result.metrics["rows_processed"] == 0
    with pytest.raises(ZeroDivisionError):
        result.frame.collect()


def test_steps_on_one_column_follow_each_other_and_other_columns_stay() -> None:
    steps = [Step(Hash(), ["name"]), Step(Hash("sha512"), ["name", "id"]), Step(Replace("x"), ["age"])]
    frame = pl.DataFrame({**ROWS, "other": [1.5, None, 2.0]})
    result = pseudonymise(frame, steps).frame
    once = pseudonymise(frame, steps[:1]).frame
    assert result["name"].to_list() == pseudonymise(once, [Step(Hash("sha512"), ["name"])]).frame["name"].to_list()
    assert result["age"].to_list() == ["x", "x", None]  # an empty text is a value, a missing one is not
    assert result.columns == frame.columns
    assert result["other"].equals(frame["other"])


def test_columns_that_are_no_text_become_text() -> None:
    frame = pl.DataFrame({"n": [1, None], "d": [dt.date(2026, 1, 2), None]})
    steps = [Step(DeterministicEncrypt("patients"), ["n", "d"])]
    there = pseudonymise(frame, steps, keys=KEYS).frame
    back = depseudonymise(there, [Reversal(DeterministicEncrypt("patients"), ["n", "d"])], keys=KEYS).frame
    assert back.rows() == [("1", "2026-01-02"), (None, None)]


@pytest.mark.parametrize("dtype", [pl.List(pl.String), pl.Binary])
def test_columns_that_hold_more_than_single_values_are_refused(dtype: pl.DataType) -> None:
    frame = pl.DataFrame({"tags": pl.Series([None], dtype=dtype)})
    with pytest.raises(DataServiceError, match="The column 'tags' holds lists, records or bytes, not single values"):
        pseudonymise(frame, [Step(Redact(), ["tags"])])
    assert pseudonymise(frame, [Step(Drop(), ["tags"])]).frame.columns == []


def test_a_dropped_column_is_gone_and_its_rows_are_counted() -> None:
    result = pseudonymise(pl.LazyFrame(ROWS), [Step(Drop(), ["name"])])
    assert result.frame.collect().columns == ["id", "age"]
    assert result.metrics["rows_processed"] == 3
    both = pseudonymise(pl.DataFrame(ROWS), [Step(Hash(), ["name"]), Step(Drop(), ["name"])])
    assert both.frame.columns == ["id", "age"]


def test_columns_are_linkable_only_where_they_share_a_name() -> None:
    frame = pl.DataFrame({"a": ["Ann"], "b": ["Ann"]})
    apart = pseudonymise(frame, [Step(KeyedHash("patients"), ["a", "b"])], keys=KEYS).frame
    together = pseudonymise(frame, [Step(KeyedHash("patients"), ["a", "b"], share_as="person")], keys=KEYS).frame
    assert apart["a"][0] != apart["b"][0]
    assert together["a"][0] == together["b"][0]
    other_run = pseudonymise(frame, [Step(KeyedHash("patients"), ["b"], share_as="person")], keys=KEYS).frame
    assert other_run["b"][0] == together["b"][0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.text(), min_size=1, max_size=20))
def test_equal_values_get_equal_results_exactly_where_a_technique_is_linkable(cells: list[str | None]) -> None:
    frame = pl.DataFrame({"a": pl.Series(cells, dtype=pl.String)})
    present = [cell for cell in cells if cell is not None]
    for technique in (Hash(), KeyedHash("patients"), DeterministicEncrypt("patients"), Encrypt("patients")):
        result = pseudonymise(frame, [Step(technique, ["a"])], keys=KEYS).frame["a"]
        assert result.is_null().to_list() == [cell is None for cell in cells]
        expected = len(set(present)) if technique.linkable else len(present)
        assert result.drop_nulls().n_unique() == expected


MISTAKES: list[tuple[list[Step], str]] = [
    ([], "The used_function is empty: give at least one technique."),
    ([Step(Hash(), [])], "The step 1 (hash) names no columns: give at least one."),
    ([Step(Hash(), ["nam"])], "The column 'nam' in step 1 (hash) does not exist: did you mean 'name'?"),
    ([Step(Hash(), ["id", "id"])], "The column 'id' is named twice in step 1 (hash): name it once."),
    (
        [Step(Drop(), ["id"]), Step(Hash(), ["id"])],
        "The column 'id' in step 2 (hash) was dropped by an earlier step: put this step before that one.",
    ),
    ([Step(Encrypt("no"), ["id"])], "The key 'no' is not among the keys given: choose one of 'patients', 'other'."),
    (
        [Step(KeyedHash("patients"), ["id"], share_as="")],
        "The share_as of step 1 (keyed_hash) is empty: give a name, or leave it out.",
    ),
    (
        [Reversal(Encrypt("patients"), ["id"], on_error="ignore")],
        "The on_error 'ignore' of step 1 (encrypt) is unknown: choose fail or keep.",
    ),
]


@pytest.mark.parametrize(("steps", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(steps: list[Step], sentence: str) -> None:
    with pytest.raises(DataServiceError) as raised:
        pseudonymise(pl.LazyFrame(ROWS), steps, keys=KEYS)
    assert str(raised.value) == sentence


def test_values_that_do_not_authenticate_fail_with_column_and_count_once_evaluated() -> None:
    there = pseudonymise(pl.DataFrame(ROWS), [Step(Encrypt("patients"), ["name", "id"])], keys=KEYS).frame
    there = there.with_columns(name=pl.lit("SECRET"))
    sentence = "Of 3 rows, some have values that the key does not authenticate (3 in the column 'name'): give the key,"
    undo = [Reversal(Encrypt("patients"), ["name", "id"])]
    with pytest.raises(DataServiceError) as at_once:
        depseudonymise(there, undo, keys=KEYS)
    lazy = depseudonymise(there.lazy(), undo, keys=KEYS)
    lazy.frame.collect()
    with pytest.raises(DataServiceError) as later:
        lazy.finish()
    for raised in (at_once, later):
        assert str(raised.value).startswith(sentence)
        assert "SECRET" not in str(raised.value)


def test_values_that_do_not_authenticate_are_kept_where_that_is_asked_for() -> None:
    there = pseudonymise(pl.DataFrame(ROWS), [Step(Encrypt("patients"), ["name"])], keys=KEYS).frame
    frame = pl.concat([there, pl.DataFrame(ROWS)])
    back = depseudonymise(frame, [Reversal(Encrypt("patients"), ["name"], on_error="keep")], keys=KEYS)
    assert back.frame["name"].to_list() == ROWS["name"] * 2
    assert back.tally.kept == {"name": 2}


def test_another_key_restores_nothing() -> None:
    for technique in (Encrypt, DeterministicEncrypt):
        there = pseudonymise(pl.DataFrame(ROWS), [Step(technique("patients"), ["id"])], keys=KEYS).frame
        with pytest.raises(DataServiceError, match="3 in the column 'id'"):
            depseudonymise(there, [Reversal(technique("other"), ["id"])], keys=KEYS)


def test_a_session_is_finished_only_if_all_is_well() -> None:
    finished: list[str] = []

    class Shared:
        def finish(self) -> None:
            finished.append("done")

    session = Session()
    session.shared("one", Shared, Shared)
    with pytest.raises(DataServiceError):
        depseudonymise(pl.DataFrame(ROWS), [Reversal(Encrypt("other"), ["id"])], keys=KEYS, session=session)
    assert finished == []
    pseudonymise(pl.DataFrame(ROWS), [Step(Redact(), ["id"])], session=session)
    assert finished == ["done"]


def test_no_rows_are_no_problem() -> None:
    frame = pl.DataFrame(ROWS).clear()
    steps = [Step(technique, ["name"]) for technique in (Hash(), KeyedHash("patients"), Encrypt("patients"))]
    result = pseudonymise(frame, [*steps, Step(DeterministicEncrypt("patients"), ["id"])], keys=KEYS)
    assert result.frame.schema == frame.with_columns(pl.col("name").cast(pl.String)).schema
    undo = [Reversal(DeterministicEncrypt("patients"), ["id"])]
    assert depseudonymise(result.frame, undo, keys=KEYS).frame.height == 0


def test_a_hash_of_few_values_is_warned_of() -> None:
    frame = pl.DataFrame({"sex": ["F", "M"] * 100, "email": [f"person.{n}.long.name@example.org" for n in range(200)]})
    (caution,) = pseudonymise(frame, [Step(Hash(), ["sex", "email"])]).cautions
    assert caution.startswith("The hash of 'sex' can be undone by trying every value, since it has about 2 distinct")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.text(max_size=3), max_size=20))
def test_the_preview_of_pseudonyms_is_that_of_counting_them_anew(cells: list[str | None]) -> None:
    frame = pl.LazyFrame(dict.fromkeys("abcd", cells), schema=dict.fromkeys("abcd", pl.String))
    steps = [
        Step(Hash(), ["a", "d"]),
        Step(KeyedHash("patients"), ["b"]),
        Step(DeterministicEncrypt("patients"), ["b", "c"]),
        Step(Mask(), ["d"]),
    ]
    with TemporaryDirectory() as folder:
        staged = staged_tables.scan(staged_tables.stage(frame, Path(folder) / "in"))
        staged_tables.summary_of(nw.from_native(staged))
        result = pseudonymise(staged, steps, keys=KEYS).frame
        out = nw.from_native(staged_tables.scan(staged_tables.stage(result, Path(folder) / "out")))
        assert staged_tables.summary_of(out) == summarise(out)


STEPS: dict[str, Step] = {
    "hash": Step(Hash(), ["a", "b"]),
    "keyed_hash": Step(KeyedHash("patients"), ["b"]),
    "keyed_hash of few": Step(KeyedHash("patients"), ["c"], share_as="x"),
    "deterministic_encrypt": Step(DeterministicEncrypt("patients"), ["c", "a"]),
    "encrypt": Step(Encrypt("patients"), ["d"]),
    "shift_date": Step(ShiftDate("patients", max_days=30, owner="b"), ["e"]),
    "mask": Step(Mask(), ["a", "c"]),
    "redact": Step(Redact(), ["d"]),
    "hash of few": Step(Hash(), ["d"]),
    "drop": Step(Drop(), ["f"]),
}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5), st.booleans())
def test_a_table_in_files_becomes_what_one_in_memory_does(names: list[str], by_level: bool) -> None:
    rows = 300
    frame = pl.DataFrame(
        {
            "a": [f"visit {number}" if number % 7 else None for number in range(rows)],
            "b": [f"patient {number % 90}" for number in range(rows)],
            "c": [["ward 1", "ward 2", None, ""][number % 4] for number in range(rows)],
            "d": [str(number % 5) for number in range(rows)],
            "e": [["2026-01-03", "1999-12-31"][number % 2] for number in range(rows)],
            "f": ["as it is"] * rows,
        }
    )
    steps = [STEPS[name] for number, name in enumerate(names) if name != "drop" or "drop" not in names[:number]]
    random = {"d"} if "encrypt" in names else set()
    expected = pseudonymise(frame, steps, keys=KEYS)
    with TemporaryDirectory() as folder:
        place = Path(folder) / "in"
        staged = staged_tables.scan(staged_tables.stage(frame.lazy(), place))
        if by_level:
            frame.write_parquet(f"{place}.lazy.parquet", row_group_size=100)  # with dictionaries
            staged = staged_tables.scan(Path(f"{place}.lazy.parquet"))
            assert set(levels_of(nw.from_native(staged), list("bcde"))) == set("bcde")
        result = pseudonymise(staged, steps, keys=KEYS)
        after = staged_tables.scan(staged_tables.stage(result.frame, Path(folder) / "out"))
        result.finish()
        assert result.metrics["rows_processed"] == rows
        assert after.drop(random).collect().equals(expected.frame.drop(random))
        assert staged_tables.in_steps(after).drop(random).collect().equals(expected.frame.drop(random))
        assert after.select(pl.all().is_null()).collect().equals(expected.frame.select(pl.all().is_null()))
        assert {column.name: column.nulls for column in staged_tables.summary_of(nw.from_native(after)).columns} == {
            name: expected.frame[name].null_count() for name in expected.frame.columns
        }


@pytest.mark.parametrize("on_error", ["keep", "fail"])
def test_values_of_a_table_in_files_that_do_not_authenticate_are_counted_by_row(on_error: str) -> None:
    tokens = pseudonymise(pl.DataFrame({"a": ["Ann"]}), [Step(DeterministicEncrypt("patients"), ["a"])], keys=KEYS)
    token = tokens.frame["a"][0]
    frame = pl.DataFrame({"a": [token, "no token", None, "no token", "nor this"] * 100})
    undo = [Reversal(DeterministicEncrypt("patients"), ["a"], on_error=on_error)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in.lazy.parquet"
        frame.write_parquet(path)
        staged = staged_tables.scan(path)
        assert levels_of(nw.from_native(staged), ["a"])
        result = depseudonymise(staged, undo, keys=KEYS)
        after = staged_tables.scan(staged_tables.stage(result.frame, Path(folder) / "out"))
        if on_error == "fail":
            with pytest.raises(DataServiceError, match=r"Of 500 rows, .*\(300 in the column 'a'\)"):
                result.finish()
            return
        result.finish()
        assert result.tally.kept == {"a": 300}
        assert after.collect()["a"].to_list() == ["Ann", "no token", None, "no token", "nor this"] * 100


def test_fingerprints_of_a_table_in_files_are_not_stored(tmp_path: Path) -> None:
    frame = pl.LazyFrame({"a": [f"visit {number}" for number in range(1000)]})
    staged = staged_tables.scan(staged_tables.stage(frame, tmp_path / "in"))
    result = pseudonymise(staged, [Step(Hash(), ["a"]), Step(KeyedHash("patients"), ["a"])], keys=KEYS)
    path = staged_tables.stage(result.frame, tmp_path / "out")
    files = {file.stat().st_ino for file in tmp_path.iterdir()}
    assert len(files) == 1
    assert not path.exists()
    assert staged_tables.scan(path).collect().equals(result.frame.collect())
