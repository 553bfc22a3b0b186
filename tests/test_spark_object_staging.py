"""Runs on a real Spark cluster whose machines share no folder: tables and files between steps are in object storage."""

import gzip
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterInstance, JobDefinition, ReexecutionOptions, execute_job, reconstructable
from spark_cluster import Cluster, connect_server, end_jvm, missing_s3a, settings_of, with_s3a
from spark_runs import elsewhere, failure, outcome_of, outputs, run
from spark_sessions import logging_to

from template_code_location.repository import defs
from util_services import csv_files, engine_files, engine_tables, objects, ops, parts, staging
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import EngineSettings, start
from util_services.object_staging import object_staging
from util_services.servers import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STAGING = "staging"
CASES = [
    "k_anonymity_job_s3",
    "anonymise_job.yaml",
    "clean_data_job.yaml",
    "anonymise_pseudonymise_structured_job_s3",
    "anonymise_pseudonymise_unstructured_job",
    "profile_data_job",
    "remove_duplicates_job",
]


@dataclass(frozen=True)
class Choice:
    """What an operator sets.

    Attributes:
        environment: Environment variables.
        event_logs: The folder to which Spark writes its event log.
        s3a: Settings of Spark that load S3A.
    """

    environment: Mapping[str, str]
    event_logs: Path
    s3a: Mapping[str, str]


@pytest.fixture(scope="module")
def choice(spark_cluster: Cluster, _store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choice]:
    """The cluster, and a bucket for what is between steps."""
    if lack := missing_s3a():
        pytest.skip(lack)
    home = tmp_path_factory.mktemp("objects")
    s3a = with_s3a(home)
    own = {name.replace(".", "_"): value for name, value in s3a.items()} | logging_to(home / "events")
    _store.client().create_bucket(Bucket=STAGING)
    environment = settings_of(spark_cluster, home, **own) | {"STAGING_URI": f"s3a://{STAGING}/runs"}
    end_jvm()  # that of another file, which has no S3A
    yield Choice(environment, home / "events", s3a)
    end_jvm()


@pytest.fixture(scope="module")
def settings(choice: Choice) -> Mapping[str, str]:
    """Environment variables that on_spark sets."""
    return choice.environment


@pytest.fixture(autouse=True)
def _emptied(choice: Choice, store: ObjectStore) -> Iterator[None]:
    """Leaves nothing of a test in the bucket."""
    del choice
    yield
    for key in staged(store):
        store.client().delete_object(Bucket=STAGING, Key=key)


def staged(store: ObjectStore) -> list[str]:
    return [entry["Key"] for entry in store.client().list_objects_v2(Bucket=STAGING).get("Contents", [])]


@pytest.mark.parametrize("case", CASES)
def test_a_job_gives_the_same(
    case: str, samples: None, here: Path, on_spark: Callable[[], None], store: ObjectStore
) -> None:
    del samples, here
    expected = outcome_of(case)
    assert expected.failure is None
    on_spark()
    assert outcome_of(case) == expected
    assert staged(store) == []


def test_spark_connect_gives_the_same(
    choice: Choice, spark_cluster: Cluster, samples: None, here: Path, store: ObjectStore
) -> None:
    del samples
    expected = outcome_of("k_anonymity_job")
    with connect_server(spark_cluster, choice.s3a) as remote:
        environment = {**choice.environment, "SPARK_REMOTE": remote, "SPARK_MASTER": ""}
        assert elsewhere(["k_anonymity_job"], here, environment) == {"k_anonymity_job": expected}
    assert staged(store) == []


def test_spark_without_s3a_is_told_in_one_sentence(
    choice: Choice,
    spark_cluster: Cluster,
    samples: None,
    here: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    del samples
    bare = settings_of(spark_cluster, tmp_path_factory.mktemp("bare")) | {
        "STAGING_URI": choice.environment["STAGING_URI"]
    }
    outcome = elsewhere(["k_anonymity_job"], here, bare)["k_anonymity_job"]
    assert outcome.failure is not None
    assert outcome.failure.startswith("Spark cannot reach STAGING_URI, as it has no S3A: add hadoop-aws")
    assert outcome.files == {}


ROWS = "".join(f'{number},"{number % 7}, ""x"""\n' for number in range(3000))
COPY = {
    "clean_data": {"steps": [{"step": {"select_columns": {"columns": ["a", "b"]}}}]},
    "write_df_to_csv": {"output_path": "output/out.csv"},
}


@pytest.mark.parametrize(
    ("name", "content", "reading"),
    [
        ("in.csv", f"a,b\n{ROWS}".encode(), {}),
        ("in.csv", f"a,b\n{ROWS}".encode(), {"limit_rows": 2000}),
        ("in.csv", b'a,b\n1,"two\nlines"\n' * 400, {}),
        ("in.csv.gz", gzip.compress(f"a,b\n{ROWS}".encode()), {}),
        ("in.jsonl", b'{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n', {}),
        ("in.csv", b"a,b\n", {}),
    ],
)
def test_files_are_read_by_the_cluster_from_copies(
    name: str,
    content: bytes,
    reading: dict[str, Any],
    on_spark: Callable[[], None],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 4096)  # several pieces
    (here / name).write_bytes(content)
    copy = {"read_csv_to_df": {"input_path": name} | reading, **COPY}
    assert run("clean_data_job", **copy).success
    expected = outputs(here)
    on_spark()
    assert run("clean_data_job", **copy).success
    assert outputs(here) == expected


def test_an_object_is_read_by_the_cluster_itself(
    on_spark: Callable[[], None],
    here: Path,
    bucket: str,
    s3: "S3Client",
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del here
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(engine_files, "_SMALL_BYTES", 4096)
    content = f"a,b\n{ROWS}".encode()
    s3.put_object(Bucket=bucket, Key="in.csv", Body=content)
    copy = {
        "read_csv_from_s3": {"bucket_name": bucket, "file_key": "in.csv"},
        "clean_data": COPY["clean_data"],
        "write_csv_to_s3": {"bucket_name": bucket, "file_key": "out.csv"},
    }
    on_spark()
    fetched: list[str] = []
    monkeypatch.setattr(ops, "download", lambda *given: fetched.append(given[2]) or objects.download(*given))
    assert run("clean_data_job_s3", **copy).success
    assert s3.get_object(Bucket=bucket, Key="out.csv")["Body"].read() == content
    assert fetched == []
    assert staged(store) == []


def test_an_object_that_is_replaced_while_it_is_read_is_told_in_one_sentence(
    on_spark: Callable[[], None], here: Path, bucket: str, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    del here
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(engine_files, "_SMALL_BYTES", 4096)
    s3.put_object(Bucket=bucket, Key="in.csv", Body=f"a,b\n{ROWS}".encode())
    parsed_in_pieces = engine_files._parsed_in_pieces

    def replaced(*given: Any) -> Any:
        s3.put_object(Bucket=bucket, Key="in.csv", Body=f"a,b\n{ROWS.replace('x', 'y')}".encode())
        return parsed_in_pieces(*given)

    monkeypatch.setattr(engine_files, "_parsed_in_pieces", replaced)
    on_spark()
    copy = {
        "read_csv_from_s3": {"bucket_name": bucket, "file_key": "in.csv"},
        "clean_data": COPY["clean_data"],
        "write_csv_to_s3": {"bucket_name": bucket, "file_key": "out.csv"},
    }
    told = failure(run("clean_data_job_s3", **copy))
    assert told.startswith(f"The object 'in.csv' in the bucket '{bucket}' changed while it was read")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["in.csv"]


def test_parts_are_those_of_a_run_without_spark(
    on_spark: Callable[[], None], here: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_ROWS_A_PART", 900)
    (here / "in.csv").write_text(f"a,b\n{ROWS}")
    copy = {"read_csv_to_df": {"input_path": "in.csv"}, **COPY}
    copy["write_df_to_csv"] = {"output_path": "parts.csv", "single_object": False}
    assert run("clean_data_job", **copy).success
    expected = {path.name: path.read_bytes() for path in (here / "parts.csv").iterdir()}
    shutil.rmtree(here / "parts.csv")
    on_spark()
    assert run("clean_data_job", **copy).success
    assert {path.name: path.read_bytes() for path in (here / "parts.csv").iterdir()} == expected
    assert len(expected) == 5  # with the mark that all are there
    assert staged(store) == []


def test_a_table_is_staged_again_over_what_an_attempt_before_has_left(
    on_spark: Callable[[], None], here: Path, store: ObjectStore
) -> None:
    (here / "in.csv").write_text(f"a,b\n{ROWS}")
    on_spark()
    run_id = "0dd6d1c6-2f0b-4e5d-9a55-9d6c2c0a7f11"
    engine = start(EngineSettings.of(os.environ), run_id)
    table = engine.scan(here / "in.csv", COMMA_SEPARATED)
    place = staging.run_folder(run_id) / "op.result"
    store.client().put_object(Bucket=STAGING, Key=f"runs/{run_id}/op.result.spark/part-00000-x.parquet", Body=b"torn")
    for _ in range(2):
        folder = engine_tables.stage(table, place)
        assert (engine_tables.rows(folder), engine_tables.columns(folder)) == (3000, 2)
    linked = engine_tables.stage(engine_tables.load(table.sparkSession, folder), place.with_name("next.result"))
    engine_tables.remove(folder)
    assert engine_tables.rows(linked) == 3000
    engine_tables.remove(linked)
    assert [key for key in staged(store) if key.endswith(".parquet")] == []


def test_a_fault_in_a_file_is_told_in_one_sentence(on_spark: Callable[[], None], here: Path) -> None:
    (here / "in.csv").write_text("a,b\n1,2\n3\n")
    on_spark()
    told = failure(run("clean_data_job", read_csv_to_df={"input_path": "in.csv"}, **COPY))
    assert told.startswith("Row 3 of the input file has 1 cells where the header has 2: mend that row")
    assert outputs(here) == {}


def test_a_missing_bucket_is_told_in_one_sentence(
    on_spark: Callable[[], None], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "in.csv").write_text("a,b\n1,2\n")
    on_spark()
    monkeypatch.setenv("STAGING_URI", "s3a://not-there/runs")
    result = run("clean_data_job", read_csv_to_df={"input_path": "in.csv"}, **COPY)
    told = [str(event.event_specific_data) for event in result.all_events if event.is_failure]
    assert any(
        "What STAGING_URI names cannot be used, as the bucket 'not-there' does not exist" in each for each in told
    )


def test_credentials_are_in_no_event_log(
    choice: Choice, on_spark: Callable[[], None], here: Path, store: ObjectStore
) -> None:
    (here / "in.csv").write_text("a,b\n1,2\n")
    on_spark()
    assert run("clean_data_job", read_csv_to_df={"input_path": "in.csv"}, **COPY).success
    written = "".join(path.read_text() for path in choice.event_logs.iterdir())
    assert f"s3a://{STAGING}/runs" in written
    assert store.secret_key not in written


def cleaning() -> JobDefinition:
    return defs.resolve_job_def("clean_data_job")


def test_a_failed_run_is_executed_again_from_its_failure_by_another_pod(
    on_spark: Callable[[], None],
    here: Path,
    store: ObjectStore,
    instance: DagsterInstance,
) -> None:
    (here / "in.csv").write_text("a,b\n1,2\n")
    (here / "output").write_text("in the way of a folder")
    config = {
        "ops": {name: {"config": op} for name, op in {"read_csv_to_df": {"input_path": "in.csv"}, **COPY}.items()}
    }
    on_spark()
    failed = execute_job(reconstructable(cleaning), instance, run_config=config, raise_on_error=False)
    assert not failed.success
    assert any(re.search(rf"runs/{failed.run_id}/.*\.parquet$", key) for key in staged(store))
    shutil.rmtree(staging.staging_root())  # the other pod has a folder of its own
    (here / "output").unlink()
    (here / "in.csv").unlink()
    again = ReexecutionOptions.from_failure(failed.run_id, instance)
    with execute_job(reconstructable(cleaning), instance, run_config=config, reexecution_options=again) as result:
        assert result.success
    assert outputs(here)["out.csv"] == b"a,b\n1,2\n"
    storage = object_staging()
    assert storage is not None
    store.client().put_object(Bucket=STAGING, Key="runs/of-somebody-else/in.csv", Body=b"")
    staging.sweep(staging.staging_root(), instance, 24, storage)
    assert any(failed.run_id in key for key in staged(store))
    staging.sweep(staging.staging_root(), instance, 0, storage)
    assert staged(store) == ["runs/of-somebody-else/in.csv"]
