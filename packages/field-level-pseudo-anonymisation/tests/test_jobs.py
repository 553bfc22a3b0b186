import csv
import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import ExecuteInProcessResult

from field_level_pseudo_anonymisation.key_stores import key_store
from field_level_pseudo_anonymisation.repository import defs
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME
from util_services.servers import KeyServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES = Path(__file__).parents[3] / "examples"
PATIENTS = EXAMPLES / "patients.csv"
FORWARD, BACK = "anonymise_pseudonymise_structured", "depseudonymise_structured"
ROUND_TRIP = "anonymise_pseudonymise_depseudonymise_structured_job"
PSEUDONYMS = [
    {"encrypt": {"columns": ["Name"], "key_name": "jobs"}},
    {"deterministic_encrypt": {"columns": ["disease"], "key_name": "jobs"}},
    {"deterministic_encrypt": {"columns": ["age"], "key_name": "jobs", "policy": "document_randomised"}},
    {"encrypt": {"columns": ["gender"], "key_name": "jobs", "policy": "document_randomised"}},
    {"format_preserving": {"columns": ["id"], "key_name": "jobs", "alphabet": "letters_and_digits"}},
]
UNDO = [
    {"type": "format_preserving_decrypt", "columns": ["id"], "key_name": "jobs", "alphabet": "letters_and_digits"},
    {"type": "decrypt", "columns": ["Name", "gender"], "key_name": "jobs"},
    {"type": "deterministic_decrypt", "columns": ["disease", "age"], "key_name": "jobs"},
]


def steps(techniques: list[dict[str, Any]]) -> dict[str, Any]:
    return {"config": {"used_function": [{"technique": technique} for technique in techniques]}}


def run(job: str, ops: dict[str, Any]) -> ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(run_config={"ops": ops} if ops else None, raise_on_error=False)


def run_locally(op: str, source: Path, target: Path, techniques: list[dict[str, Any]]) -> ExecuteInProcessResult:
    ops = {
        "read_csv_to_df": {"config": {"input_path": str(source)}},
        "write_df_to_csv": {"config": {"output_path": str(target)}},
    }
    return run(f"{op}_job", ops | {op: steps(techniques)})


def run_on_s3(op: str, bucket: str, keys: tuple[str, str], techniques: list[dict[str, Any]]) -> ExecuteInProcessResult:
    ops = {
        name: {"config": {"bucket_name": bucket, "file_key": key}}
        for name, key in zip(("read_csv_from_s3", "write_csv_to_s3"), keys, strict=True)
    }
    return run(f"{op}_job_s3", ops | {op: steps(techniques)})


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def report(result: ExecuteInProcessResult, op: str) -> str:
    return next(
        str(event.step_output_data.metadata["report"].value)
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics" and event.step_key == op
    )


@pytest.fixture
def key(vault: KeyServer) -> str:
    store = key_store()
    if "jobs" not in store.names():
        store.create("jobs")
    return "jobs"


def test_techniques_without_key_need_no_key_store_and_leave_other_columns_as_they_are(tmp_path: Path) -> None:
    techniques = [
        {"hash": {"columns": ["id"], "algorithm": "sha512"}},
        {"redact": {"columns": ["Name"]}},
        {"replace": {"columns": ["gender"], "new_value": "*"}},
        {"drop": {"columns": ["age"]}},
        {"mask": {"columns": ["disease"], "keep_first": 1}},
    ]
    result = run_locally(FORWARD, PATIENTS, tmp_path / "out.csv", techniques)
    assert result.success
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [row["disease"] for row in rows][:2] == ["F**", "C***"]
    assert {row["Name"] for row in rows} == {"[REDACTED]"}
    assert list(rows[0]) == ["id", "Name", "gender", "disease"]
    metrics = result.output_for_node(FORWARD, "metrics")
    assert metrics["rows_processed"] == 12
    assert metrics["columns_transformed"] == ["id", "Name", "gender", "age", "disease"]
    assert metrics["techniques_applied"] == ["hash", "redact", "replace", "drop", "mask"]
    assert metrics["execution_time_seconds"] >= 0
    assert "| 1 | hash | id | yes | no | |" in report(result, FORWARD)
    assert "**Warning:** The hash of 'id' can be undone by trying every value" in report(result, FORWARD)


def test_every_reversible_technique_round_trips_locally(key: str, tmp_path: Path) -> None:
    tokens = {"columns": ["Name"], "key_name": "jobs", "mapping_table": str(tmp_path / "tokens")}
    forward = [{"tokenise": tokens}, *PSEUDONYMS]  # a token is encrypted in turn
    assert run_locally(FORWARD, PATIENTS, tmp_path / "there.csv", forward).success
    assert "Albert" not in (tmp_path / "there.csv").read_text() + (tmp_path / "tokens").read_bytes().decode("latin-1")
    back = [*UNDO, {"type": "detokenise", **tokens}]
    result = run_locally(BACK, tmp_path / "there.csv", tmp_path / "back.csv", back)
    assert result.success
    assert (tmp_path / "back.csv").read_bytes() == PATIENTS.read_bytes()
    assert "| 2 | undo encrypt | Name, gender | values restored | reversed | |" in report(result, BACK)


def test_every_reversible_technique_round_trips_on_s3(key: str, bucket: str, s3: "S3Client") -> None:
    s3.upload_file(str(PATIENTS), bucket, "in.csv")
    tokens = {"columns": ["Name"], "key_name": "jobs", "mapping_table": f"s3://{bucket}/tokens"}
    assert run_on_s3(FORWARD, bucket, ("in.csv", "there.csv"), [{"tokenise": tokens}, *PSEUDONYMS]).success
    assert b"Albert" not in s3.get_object(Bucket=bucket, Key="there.csv")["Body"].read()
    assert run_on_s3(BACK, bucket, ("there.csv", "back.csv"), [*UNDO, {"type": "detokenise", **tokens}]).success
    assert s3.get_object(Bucket=bucket, Key="back.csv")["Body"].read() == PATIENTS.read_bytes()


def test_the_round_trip_job_ends_with_identical_data(key: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,note\n1,"a ""b"", c"\n2,\n3,""\n4,😀é\n5,"two\nlines"\n')
    ops = {
        "read_csv_to_df": {"config": {"input_path": str(tmp_path / "in.csv")}},
        FORWARD: steps([{"encrypt": {"columns": ["id", "note"], "key_name": "jobs"}}]),
        BACK: steps([{"type": "decrypt", "columns": ["note", "id"], "key_name": "jobs"}]),
        "write_df_to_csv": {"config": {"output_path": str(tmp_path / "out.csv")}},
    }
    assert run(ROUND_TRIP, ops).success
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "in.csv").read_bytes()


def test_a_rotated_key_still_restores_what_was_made_before(vault: KeyServer, tmp_path: Path) -> None:
    key_store().create("jobs-rotated")
    there = [{"encrypt": {"columns": ["Name"], "key_name": "jobs-rotated"}}]
    there += [{"deterministic_encrypt": {"columns": ["id"], "key_name": "jobs-rotated"}}]
    back = [{"type": "decrypt", "columns": ["Name"], "key_name": "jobs-rotated"}]
    back += [{"type": "deterministic_decrypt", "columns": ["id"], "key_name": "jobs-rotated"}]
    assert run_locally(FORWARD, PATIENTS, tmp_path / "old.csv", there).success
    key_store().rotate("jobs-rotated")
    assert run_locally(FORWARD, PATIENTS, tmp_path / "new.csv", there).success
    assert (tmp_path / "old.csv").read_text().splitlines()[1][:28] != (tmp_path / "new.csv").read_text().splitlines()[
        1
    ][:28]
    for version in ("old", "new"):
        assert run_locally(BACK, tmp_path / f"{version}.csv", tmp_path / "back.csv", back).success
        assert (tmp_path / "back.csv").read_bytes() == PATIENTS.read_bytes()


def test_a_wrong_key_fails_with_column_and_count_and_nothing_is_written_or_left(
    key: str, vault: KeyServer, tmp_path: Path
) -> None:
    vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
    source = EXAMPLES / "patients_pseudonymised.csv"
    wrong = [{"type": "decrypt", "columns": ["Name"], "key_name": key}]
    sentence = "Of 12 rows, some have values that the key does not authenticate (12 in the column 'Name'): give the key"
    assert failure(run_locally(BACK, source, tmp_path / "out.csv", wrong)).startswith(sentence)
    assert not (tmp_path / "out.csv").exists()
    assert not list((tmp_path / "staging").rglob("*checkpoint*"))
    kept = run_locally(BACK, source, tmp_path / "out.csv", [wrong[0] | {"on_error": "keep"}])
    assert kept.success
    assert "12 values of Name kept as they were" in report(kept, BACK)
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()


def test_a_revoked_token_is_one_sentence(
    key: str, vault: KeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{vault.address}/v1/auth/token/{path}", json.dumps(body).encode(), {"X-Vault-Token": token}
        )
        with urllib.request.urlopen(request) as answer:
            return dict(json.loads(answer.read() or b"{}"))

    token = ask("create", vault.token, {})["auth"]["client_token"]
    monkeypatch.setenv("VAULT_TOKEN", token)
    assert run_locally(FORWARD, PATIENTS, tmp_path / "out.csv", PSEUDONYMS).success
    (tmp_path / "out.csv").unlink()
    ask("revoke", vault.token, {"token": token})
    said = failure(run_locally(FORWARD, PATIENTS, tmp_path / "out.csv", PSEUDONYMS))
    assert "\n" not in said
    assert "VAULT_TOKEN" in said
    assert token not in said
    assert not (tmp_path / "out.csv").exists()


def test_the_bundled_pseudonymised_sample_is_the_sample(
    vault: KeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    result = run("depseudonymise_structured_job", {})
    assert result.success
    assert (tmp_path / "output/patients_restored.csv").read_bytes() == PATIENTS.read_bytes()
    assert run(ROUND_TRIP, {}).success
    assert (tmp_path / "output/patients_round_trip.csv").read_bytes() == PATIENTS.read_bytes()


@pytest.mark.parametrize("job", ["depseudonymise_structured_job", ROUND_TRIP])
def test_defaults_that_need_a_key_say_so_where_there_is_no_key_store(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    assert failure(run(job, {})) == "No key store is configured: set VAULT_ADDR, or KEY_FILE for development."
    assert not (tmp_path / "output").exists()


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    (FORWARD, {"hash": {"columns": ["Nam"]}}, "The column 'Nam' in step 1 (hash) does not exist: did you mean 'Name'?"),
    (FORWARD, {"hash": {"columns": ["id"], "algorithm": "md5"}}, "The algorithm 'md5' is unknown: choose one of"),
    (FORWARD, {"hash": {"columns": ["id", "id"]}}, "The column 'id' is named twice in step 1 (hash): name it once."),
    (
        FORWARD,
        {"keyed_hash": {"columns": ["id"], "key_name": "jobs", "policy": "random"}},
        "The policy 'random' is unknown: did you mean 'randomised'?",
    ),
    (FORWARD, {"encrypt": {"columns": ["id"], "key_name": "no-such"}}, "The key 'no-such' does not exist"),
    (FORWARD, {"encrypt": {"columns": ["id"], "key_name": "../x"}}, "The key name '../x' is malformed"),
    (
        FORWARD,
        {"surrogate": {"columns": ["Name"], "key_name": "jobs", "kind": "nam"}},
        "The kind 'nam' of surrogate is unknown: did you mean 'name'?",
    ),
    (FORWARD, {"mask": {"columns": ["id"], "preset": "mail"}}, "The preset 'mail' of mask is unknown: did you mean 'e"),
    (FORWARD, {"round_number": {"columns": ["age"], "step": -1.0}}, "The step -1.0 of round_number is not a number"),
    (
        FORWARD,
        {"round_number": {"columns": ["Name"], "step": 10}},
        "At least ",
    ),
    (
        FORWARD,
        {"shift_date": {"columns": ["Name"], "key_name": "jobs", "max_days": 9, "owner": "agee"}},
        "The column 'agee' in step 1 (shift_date) does not exist: did you mean 'age'?",
    ),
    (
        FORWARD,
        {"tokenise": {"columns": ["Name"], "key_name": "jobs", "mapping_table": str(PATIENTS)}},
        f"The mapping_table {str(PATIENTS)!r} is the input of this run: choose another file.",
    ),
    (
        FORWARD,
        {"tokenise": {"columns": ["Name"], "key_name": "jobs", "mapping_table": "s3://bucket"}},
        "The location 's3://bucket' is malformed: give s3://bucket/key or a path.",
    ),
    (
        BACK,
        {"type": "detokenise", "columns": ["id"], "key_name": "jobs"},
        "The mapping_table of tokenise is empty: give a path or s3://bucket/key.",
    ),
    (BACK, {"type": "decrypted", "columns": ["id"], "key_name": "jobs"}, "The type 'decrypted' is unknown: did you"),
    (
        BACK,
        {"type": "decrypt", "columns": ["id"], "key_name": "jobs", "on_error": "skip"},
        "The on_error 'skip' of step 1 (encrypt) is unknown: choose fail or keep.",
    ),
]


@pytest.mark.parametrize(("op", "technique", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    key: str, tmp_path: Path, op: str, technique: dict[str, Any], sentence: str
) -> None:
    said = failure(run_locally(op, PATIENTS, tmp_path / "out.csv", [technique]))
    assert said.startswith(sentence)
    assert "\n" not in said
    assert not (tmp_path / "out.csv").exists()
