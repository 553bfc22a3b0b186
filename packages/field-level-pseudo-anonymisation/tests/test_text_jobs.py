import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import spacy
from cryptography.fernet import Fernet
from dagster import Definitions, ExecuteInProcessResult, graph, op

from field_level_pseudo_anonymisation.key_stores import key_store
from field_level_pseudo_anonymisation.repository import defs
from field_level_pseudo_anonymisation.unstructured_ops import anonymise_pseudonymise_unstructured
from util_services.jobs import service_job
from util_services.ops import read_txt_to_string, write_string_to_txt
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME
from util_services.servers import KeyServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES = Path(__file__).parents[3] / "examples"
LETTER, NOTES = EXAMPLES / "letter.txt", EXAMPLES / "notes.csv"
FORWARD, BACK = "anonymise_pseudonymise_unstructured", "depseudonymise_unstructured"
COLUMNS_FORWARD, COLUMNS_BACK = "anonymise_pseudonymise_text_columns", "depseudonymise_text_columns"
DIGITS = {"alphabet": "digits", "keep_other": True}


def pseudonyms(table: str) -> list[dict[str, Any]]:
    """Every reversible technique."""
    return [
        {"encrypt": {"pii": ["EMAIL"], "key_name": "texts"}},
        {"deterministic_encrypt": {"pii": ["URL", "DATE_OF_BIRTH"], "key_name": "texts"}},
        {"format_preserving": {"pii": ["PHONE_NUMBERS", "CREDIT_CARD"], "key_name": "texts"} | DIGITS},
        {"tokenise": {"pii": ["IBAN", "CREDENTIALS"], "key_name": "texts", "mapping_table": table}},
    ]


def undo(table: str) -> list[dict[str, Any]]:
    return [
        {"decrypt": {"key_name": "texts"}},
        {"deterministic_decrypt": {"key_name": "texts"}},
        {"format_preserving_decrypt": {"key_name": "texts"} | DIGITS},
        {"detokenise": {"key_name": "texts", "mapping_table": table}},
    ]


THERE: dict[str, Any] = {"names": False}


def steps(techniques: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    used = {"used_function": [{"technique": technique} for technique in techniques]}
    return {"config": {"language": "en"} | used | more}


def run(job: str, ops: dict[str, Any] | None = None) -> ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(run_config={"ops": ops} if ops else None, raise_on_error=False)


def run_locally(
    service: str, source: Path, target: Path, techniques: list[dict[str, Any]], **more: Any
) -> ExecuteInProcessResult:
    read, write = ("read_csv_to_df", "write_df_to_csv") if "columns" in service else TEXT
    ops = {read: {"config": {"input_path": str(source)}}, write: {"config": {"output_path": str(target)}}}
    return run(f"{service}_job", ops | {service: steps(techniques, **more)})


TEXT = ("read_txt_to_string", "write_string_to_txt")


def run_on_s3(
    service: str, bucket: str, keys: tuple[str, str], techniques: list[dict[str, Any]], **more: Any
) -> ExecuteInProcessResult:
    names = ("read_csv_from_s3", "write_csv_to_s3") if "columns" in service else ("read_txt_from_s3", "write_txt_to_s3")
    ops = {name: {"config": {"bucket_name": bucket, "file_key": key}} for name, key in zip(names, keys, strict=True)}
    return run(f"{service}_job_s3", ops | {service: steps(techniques, **more)})


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def report(result: ExecuteInProcessResult, service: str) -> str:
    return next(
        str(event.step_output_data.metadata["report"].value)
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics" and event.step_key == service
    )


@pytest.fixture
def key(vault: KeyServer) -> str:
    store = key_store()
    if "texts" not in store.names():
        store.create("texts")
    return "texts"


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    return tmp_path


def test_the_default_needs_neither_a_key_store_nor_a_language_model(at_home: Path) -> None:
    result = run(f"{FORWARD}_job")
    assert result.success
    written = (at_home / "output/letter_pseudonymised.txt").read_text()
    for value in ("Whitcombe", "Okonkwo", "Achterberg", "@", "7946", "4111", "GB82", "1957", "Knee-Pain"):
        assert value not in written
    assert "https://www.example.org/visitors/parking" in written
    assert "| EMAIL | hash | 3 |" in report(result, FORWARD)
    assert "(language: en)" in report(result, FORWARD)
    metrics = result.output_for_node(FORWARD, "metrics")
    assert metrics["texts_processed"] == 1
    assert metrics["characters_before"] == len(LETTER.read_text())
    assert metrics["characters_after"] == len(written)


def test_the_default_on_columns_needs_neither(at_home: Path) -> None:
    assert run(f"{COLUMNS_FORWARD}_job").success
    written = (at_home / "output/notes_pseudonymised.csv").read_text()
    assert written.startswith('visit,note\nV001,"[PERSON] called from [REDACTED], pain')
    assert '\nV003,\nV004,"No change.\nNext visit in May' in written


def test_the_bundled_pseudonymised_samples_are_the_samples(vault: KeyServer, at_home: Path) -> None:
    vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
    assert run(f"{BACK}_job").success
    assert (at_home / "output/letter_restored.txt").read_bytes() == LETTER.read_bytes()
    assert run(f"{COLUMNS_BACK}_job").success
    assert (at_home / "output/notes_restored.csv").read_bytes() == NOTES.read_bytes()


@pytest.mark.parametrize("service", [BACK, COLUMNS_BACK])
def test_defaults_that_need_a_key_say_so_where_there_is_no_key_store(service: str, at_home: Path) -> None:
    assert failure(run(f"{service}_job")).startswith("No key store is configured: set VAULT_ADDR")
    assert not (at_home / "output").exists()


def test_texts_round_trip_locally_with_their_line_ends_and_compressed(key: str, tmp_path: Path) -> None:
    source, table = tmp_path / "in.txt", str(tmp_path / "table")
    more = "\r\n[[x]] [[EMAIL:encrypt:y]] +44 20 7946 0018\rend"
    source.write_bytes(("\ufeff" + LETTER.read_text() + more).encode())
    there, back = tmp_path / "there.txt.gz", tmp_path / "back.txt"
    forward = run_locally(FORWARD, source, there, pseudonyms(table), **THERE)
    assert forward.success
    techniques = {"encrypt", "deterministic_encrypt", "format_preserving", "tokenise"}
    assert set(forward.output_for_node(FORWARD, "metrics")["techniques"]) == techniques
    result = run_locally(BACK, there, back, undo(table))
    assert result.success
    assert back.read_bytes() == source.read_bytes()
    assert "| passages that look like pseudonyms but are text | 1 |" in report(result, BACK)


def test_texts_round_trip_on_s3(key: str, bucket: str, s3: "S3Client") -> None:
    s3.upload_file(str(LETTER), bucket, "in.txt")
    table = f"s3://{bucket}/table"
    assert run_on_s3(FORWARD, bucket, ("in.txt", "there.txt"), pseudonyms(table), **THERE).success
    assert b"@" not in s3.get_object(Bucket=bucket, Key="there.txt")["Body"].read()
    assert run_on_s3(BACK, bucket, ("there.txt", "back.txt"), undo(table)).success
    assert s3.get_object(Bucket=bucket, Key="back.txt")["Body"].read() == LETTER.read_bytes()


def test_text_columns_round_trip_on_s3(key: str, bucket: str, s3: "S3Client") -> None:
    s3.upload_file(str(NOTES), bucket, "in.csv")
    table, columns = f"s3://{bucket}/table", {"text_columns": ["note"]}
    assert run_on_s3(
        COLUMNS_FORWARD, bucket, ("in.csv", "there.csv"), pseudonyms(table)[:3], **columns, **THERE
    ).success
    result = run_on_s3(COLUMNS_BACK, bucket, ("there.csv", "back.csv"), undo(table)[:3], **columns)
    assert result.success
    assert s3.get_object(Bucket=bucket, Key="back.csv")["Body"].read() == NOTES.read_bytes()
    assert result.output_for_node(COLUMNS_BACK, "metrics")["texts_processed"] == 3


def test_a_number_that_is_too_short_to_encrypt_in_its_format_is_one_sentence(key: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("room 12")
    techniques = [{"format_preserving": {"pii": ["ROOM"], "key_name": key}}]
    more = THERE | {"patterns": {"ROOM": ["[0-9]+"]}}
    said = failure(run_locally(FORWARD, tmp_path / "in.txt", tmp_path / "out.txt", techniques, **more))
    assert said.startswith("At least 1 values of 'ROOM' have fewer than 6 characters of the alphabet 'digits'")
    assert said.endswith("use another technique, such as deterministic_encrypt.")
    assert not (tmp_path / "out.txt").exists()


def test_a_mapping_table_is_written_only_with_the_text(key: str, tmp_path: Path) -> None:
    techniques = [{"tokenise": {"pii": ["EMAIL"], "key_name": key, "mapping_table": str(tmp_path / "table")}}]
    techniques += [{"shift_date": {"pii": ["DATE"], "key_name": key, "max_days": 9}}]  # fails: not ISO dates
    source = tmp_path / "in.txt"
    source.write_text("bo@example.org, 3 May 2026\n")
    assert not run_locally(FORWARD, source, tmp_path / "out.txt", techniques, **THERE).success
    assert not (tmp_path / "table").exists()


def test_a_stand_in_a_mask_and_a_shifted_date_read_like_text(key: str, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("Bo wrote to bo@example.org on 2026-03-05, card 4111 1111 1111 1111\n")
    techniques = [
        {"mask": {"pii": ["CREDIT_CARD"], "preset": "card"}},
        {"surrogate": {"pii": ["EMAIL"], "key_name": key, "kind": "email"}},
        {"shift_date": {"pii": ["DATE"], "key_name": key, "max_days": 9}},
        {"drop": {"pii": ["PERSON"]}},
    ]
    more = THERE | {"words": {"PERSON": ["Bo"]}}
    assert run_locally(FORWARD, tmp_path / "in.txt", tmp_path / "out.txt", techniques, **more).success
    written = (tmp_path / "out.txt").read_text()
    form = r" wrote to \S+@\S+ on 2026-0[23]-[0-9]{2}, card \*{4} \*{4} \*{4} 1111\n"
    assert re.fullmatch(form, written)
    assert "bo@example.org" not in written


def test_a_text_that_another_tool_encrypted_is_restored_also_after_rotation(
    key: str, vault: KeyServer, tmp_path: Path
) -> None:
    key_store().create("others")
    (stored,) = key_store().key("others").fernet_keys()
    (tmp_path / "in.txt").write_bytes(b"Dear " + Fernet(stored).encrypt("Zoë".encode()) + b",\n")
    key_store().rotate("others")
    assert run_locally(BACK, tmp_path / "in.txt", tmp_path / "out.txt", [{"decrypt": {"key_name": "others"}}]).success
    assert (tmp_path / "out.txt").read_text() == "Dear Zoë,\n"


def test_a_wrong_key_fails_with_the_number_and_nothing_is_written_or_left(
    key: str, vault: KeyServer, tmp_path: Path
) -> None:
    vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
    source, target = EXAMPLES / "letter_pseudonymised.txt", tmp_path / "out.txt"
    steps_back = [{"decrypt": {"key_name": key}}, {"deterministic_decrypt": {"key_name": SAMPLE_KEY_NAME}}]
    said = failure(run_locally(BACK, source, target, steps_back))
    assert re.match(r"Of 13 pseudonyms in the text, 9 are not authenticated by the keys given: give the key", said)
    assert not target.exists()
    assert not list((tmp_path / "staging").rglob("*checkpoint-*.text*"))  # four names had been restored in it
    kept = run_locally(BACK, source, target, steps_back, on_error="keep")
    assert kept.success
    assert "| pseudonyms of other keys kept as they were | 9 |" in report(kept, BACK)
    assert "Agnes Whitcombe" in target.read_text()


def test_an_op_on_strings_of_ones_own_fits_in_between(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("TO ANN@EXAMPLE.ORG\n")

    @op
    def quieter(text: str) -> str:
        return text.lower()

    @graph
    def own() -> None:
        data, _ = anonymise_pseudonymise_unstructured(quieter(read_txt_to_string()))
        write_string_to_txt(quieter(data))

    ops = {
        "read_txt_to_string": {"config": {"input_path": str(tmp_path / "in.txt")}},
        FORWARD: steps([{"redact": {"pii": ["EMAIL"]}}], **THERE),
        "write_string_to_txt": {"config": {"output_path": str(tmp_path / "out.txt")}},
    }
    job = Definitions(jobs=[service_job(own, tags={}, default_ops=ops)]).resolve_job_def("own")
    assert job.execute_in_process().success
    assert (tmp_path / "out.txt").read_text() == "to [redacted]\n"


def test_names_are_found_by_a_model_from_a_folder_that_the_operator_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    for folder in ("data/model", "model"):
        pipeline = spacy.blank("en")
        pipeline.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Agnes Whitcombe"}])
        pipeline.to_disk(tmp_path / folder)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    (tmp_path / "data/in.txt").write_text("To Agnes Whitcombe and Bo\n")
    techniques = [{"redact": {"pii": ["PERSON"]}}]
    source, target = Path("in.txt"), Path("out.txt")
    assert run_locally(FORWARD, source, target, techniques, model="./model").success
    assert (tmp_path / "data/out.txt").read_text() == "To [REDACTED] and Bo\n"
    said = failure(run_locally(FORWARD, source, target, techniques, model="../model"))
    assert said.startswith("The path '../model' lies outside the folder that DATA_ROOT allows")


MISTAKES: list[tuple[str, list[dict[str, Any]], dict[str, Any], str]] = [
    (FORWARD, [{"redact": {"pii": ["EMIAL"]}}], THERE, "The entity 'EMIAL' is unknown: did you mean 'EMAIL'?"),
    (FORWARD, [{"redact": {"pii": []}}], THERE, "The step 1 (redact) names no pii"),
    (FORWARD, [], THERE, "The used_function is empty"),
    (FORWARD, [{"redact": {"pii": ["EMAIL"]}}], THERE | {"language": "xx"}, "The language 'xx' is"),
    (FORWARD, [{"encrypt": {"pii": ["EMAIL"], "key_name": "no-such"}}], THERE, "The key 'no-such' does not exist"),
    (FORWARD, [{"redact": {"pii": ["PERSON"]}}], THERE | {"words": {"person": ["x"]}}, "The entity name 'person' is"),
    (
        BACK,
        [{"decrypt": {"key_name": "texts"}}],
        {"on_error": "skip"},
        "The on_error 'skip' is unknown: choose fail or keep.",
    ),
    (BACK, [{"decrypt": {"key_name": "../x"}}], {}, "The key name '../x' is malformed"),
    (
        FORWARD,
        [{"tokenise": {"pii": ["EMAIL"], "key_name": "texts", "mapping_table": str(LETTER)}}],
        THERE,
        f"The mapping_table {str(LETTER)!r} is the input of this run: choose another file.",
    ),
    (
        FORWARD,
        [{"tokenise": {"pii": ["EMAIL"], "key_name": "texts", "mapping_table": "s3://bucket"}}],
        THERE,
        "The location 's3://bucket' is malformed: give s3://bucket/key or a path.",
    ),
]


@pytest.mark.parametrize(("service", "techniques", "more", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    key: str, tmp_path: Path, service: str, techniques: list[dict[str, Any]], more: dict[str, Any], sentence: str
) -> None:
    said = failure(run_locally(service, LETTER, tmp_path / "out.txt", techniques, **more))
    assert said.startswith(sentence)
    assert "\n" not in said
    assert not (tmp_path / "out.txt").exists()


def test_a_text_column_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    more = {"text_columns": ["notes"]} | THERE
    said = failure(run_locally(COLUMNS_FORWARD, NOTES, tmp_path / "o.csv", [{"redact": {"pii": ["EMAIL"]}}], **more))
    assert said == "The text column 'notes' does not exist: did you mean 'note'?"
