"""The location's jobs on a real Spark cluster: the same configuration, the same output."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
import pytest
from dagster import ExecuteInProcessResult
from spark_cluster import SETTINGS, Cluster, cluster, connect_server, missing

from template_code_location.repository import defs
from util_services import engine_tables
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import EngineSettings, start
from util_services.frames import map_batches
from util_services.sample_keys import SAMPLE_KEY_NAME

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[1]
JOBS = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
REFUSED = ("anonymise_pseudonymise_text_columns_job", "depseudonymise_text_columns_job")
LOCAL = [name for name in JOBS if not name.endswith("_s3") and name not in {*REFUSED, "data_processing_job"}]
TO_OUTPUT = {"write_df_to_csv": {"output_path": "output/out.csv"}}
BUCKET = "dagster-workflow-bucket"


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of this file."""
    if lack := missing():
        pytest.skip(lack)
    with cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture(scope="module")
def settings(spark_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Environment variables that choose the cluster, as an operator sets them."""
    home = tmp_path_factory.mktemp("engine")
    (home / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in SETTINGS.items()))
    yield {
        "ENGINE": "spark",
        "SPARK_MASTER": spark_cluster.master,
        "SPARK_CONF_DIR": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "STAGING_URI": (home / "staging").as_uri(),
        "PYSPARK_PYTHON": sys.executable,
    }
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the samples, and what jobs write."""
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def on_spark(settings: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Switches the test over to Spark."""
    with pytest.MonkeyPatch.context() as patch:
        yield lambda: [patch.setenv(name, value) for name, value in settings.items()] and None


def run(job: str, **ops: Mapping[str, Any]) -> ExecuteInProcessResult:
    run_config = {"ops": {name: {"config": config} for name, config in ops.items()}} if ops else None
    return defs.resolve_job_def(job).execute_in_process(run_config=run_config, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [
        event for event in result.all_events if event.is_step_failure and event.step_failure_data.user_failure_data
    ]
    return str(event.step_failure_data.user_failure_data.description)


def outputs(folder: Path) -> dict[str, bytes]:
    """Take what runs have written, and remove it."""
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("output/*"))}
    shutil.rmtree(folder / "output", ignore_errors=True)
    return files


def figures(result: ExecuteInProcessResult) -> dict[str, Any]:
    """Give the metrics of each op without what depends on the clock."""
    ops = [
        event.step_key
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    ]
    return {op: timeless(result.output_for_node(op, "metrics")) for op in ops}


def timeless(value: Any) -> Any:
    """Leave seconds out, and figures beyond their tenth digit: sums depend on the order of the summands."""
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if "seconds" not in str(key)}
    if isinstance(value, list | tuple):
        return [timeless(each) for each in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


@pytest.mark.parametrize("job", LOCAL)
def test_a_job_gives_the_same_output_and_figures_on_spark(
    job: str, on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    before = run(job)
    assert before.success
    expected = outputs(here)
    on_spark()
    result = run(job)
    assert result.success
    assert outputs(here) == expected
    assert figures(result) == figures(before)


@pytest.mark.parametrize("job", REFUSED)
def test_a_job_that_does_not_run_on_spark_yet_says_so(
    job: str, on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    on_spark()
    assert failure(run(job)) == (
        "Finding personal data in text columns does not run on Spark yet: start the run with ENGINE=polars."
    )
    assert outputs(here) == {}


def test_an_object_is_anonymised_on_spark(on_spark: Callable[[], None], samples: None, s3: "S3Client") -> None:
    del samples
    assert run("k_anonymity_job_s3").success
    key = "output/patients_k4.csv"
    expected = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.delete_object(Bucket=BUCKET, Key=key)
    on_spark()
    assert run("k_anonymity_job_s3").success
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == expected


TOO_MANY = {
    "read_csv_to_df": {"input_path": "examples/visits.csv"},
    "apply_k_anonymity": {
        "ident": [],
        "quasi_identifiers": ["sex", "postcode", "admitted"],
        "sensitive_attributes": ["diagnosis"],
        "generalisation_hierarchies": {
            "sex": "suppress",
            "postcode": {"mask": {}},
            "admitted": {"dates": {"levels": ["week"]}},
        },
        "k": 3,
        "supp_level": 5.0,
        "quality": "non_uniform_entropy",
    },
    "write_df_to_csv": {"output_path": "output/out.csv"},
}


def test_too_many_tuples_are_generalised_first_on_spark_too(
    on_spark: Callable[[], None], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("k_anonymity_job", **TOO_MANY)
    assert whole.success
    expected = outputs(here)
    monkeypatch.setenv("HISTOGRAM_TUPLES", "300")
    before = run("k_anonymity_job", **TOO_MANY)
    assert before.success
    assert outputs(here) == expected
    on_spark()
    result = run("k_anonymity_job", **TOO_MANY)
    assert result.success
    metrics = result.output_for_node("apply_k_anonymity", "metrics")
    assert metrics["pregeneralisation"]["levels"] == {"admitted": 2}
    assert metrics["classes"] == whole.output_for_node("apply_k_anonymity", "metrics")["classes"]
    assert outputs(here) == expected


# Cells that CSV readers disagree on: quotes, delimiters and line ends in cells, missing and empty ones, zeros, spaces.
CELLS = b'plz,note,x\n01234,"a, ""b""",\n00007,"two\nlines",""\n" 8 ",\xc3\xa9\xe4\xbd\xa0,\\N\n,,NULL\n'


@pytest.mark.parametrize(
    ("name", "content", "reading", "expected"),
    [
        ("in.csv", CELLS, {}, CELLS.replace(b'" 8 "', b" 8 ")),
        ("in.csv", CELLS, {"limit_rows": 1}, b'plz,note,x\n01234,"a, ""b""",\n'),
        (
            "in.csv",
            "a;b\r\nñ;2\r\n".encode("latin-1"),
            {"encoding": "latin-1", "delimiter": ";"},
            "a,b\nñ,2\n".encode(),
        ),
        ("in.csv.gz", gzip.compress(b"1,2\n3,4\n"), {"header": None}, b"column_0,column_1\n1,2\n3,4\n"),
        ("in.csv", b"a,b\n", {}, b"a,b\n"),
        ("in.jsonl", b'{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n', {}, b"a,b\n1,x\n,y\n"),
    ],
)
def test_cells_come_out_of_spark_as_they_were(
    name: str, content: bytes, reading: dict[str, Any], expected: bytes, on_spark: Callable[[], None], here: Path
) -> None:
    (here / name).write_bytes(content)
    copy = {
        "read_csv_to_df": {"input_path": name} | reading,
        "clean_data": {"steps": [{"step": {"select_columns": {"columns": columns_of(expected)}}}]},
        "write_df_to_csv": {"output_path": "output/out.csv"},
    }
    assert run("clean_data_job", **copy).success
    assert outputs(here)["out.csv"] == expected
    on_spark()
    assert run("clean_data_job", **copy).success
    assert outputs(here)["out.csv"] == expected


def columns_of(table: bytes) -> list[str]:
    return table.partition(b"\n")[0].decode().split(",")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n3\n", "Row 3 of the input file has 1 cells where the header has 2: mend that row"),
        (b"a,b\n1,\xff\n", "The input file is not valid utf-8"),
        (b"a.b,c\n1,2\n", "The column 'a.b' has a name that Spark cannot take"),
    ],
)
def test_a_fault_in_a_file_is_told_in_one_sentence(
    content: bytes, sentence: str, on_spark: Callable[[], None], here: Path
) -> None:
    (here / "in.csv").write_bytes(content)
    on_spark()
    told = failure(
        run("remove_duplicates_job", read_csv_to_df={"input_path": "in.csv"}, **TO_OUTPUT, remove_duplicates={})
    )
    assert told.startswith(sentence)
    assert outputs(here) == {}


def test_tokens_of_another_key_are_counted_and_nothing_is_written(
    on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    (here / "in.csv").write_text("id,name\n1,no token\n2,\n3,none either\n")
    on_spark()
    decrypt = {"technique": {"type": "decrypt", "columns": ["name"], "key_name": SAMPLE_KEY_NAME}}
    told = failure(
        run(
            "depseudonymise_structured_job",
            read_csv_to_df={"input_path": "in.csv"},
            depseudonymise_structured={"used_function": [decrypt]},
            **TO_OUTPUT,
        )
    )
    assert told.startswith("Of 3 rows, some have values that the key does not authenticate (2 in the column 'name')")
    assert outputs(here) == {}


def test_a_technique_with_one_table_for_all_rows_says_that_it_does_not_run_on_spark_yet(
    on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    on_spark()
    tokenise = {"tokenise": {"columns": ["Name"], "key_name": SAMPLE_KEY_NAME, "mapping_table": "output/table"}}
    told = failure(
        run(
            "anonymise_pseudonymise_structured_job",
            read_csv_to_df={"input_path": "examples/patients.csv"},
            anonymise_pseudonymise_structured={"used_function": [{"technique": tokenise}]},
            **TO_OUTPUT,
        )
    )
    assert told.startswith("The technique tokenise keeps one mapping table for all rows, which does not run on Spark")
    assert outputs(here) == {}


def test_jobs_run_through_spark_connect(
    spark_cluster: Cluster, settings: Mapping[str, str], samples: None, here: Path
) -> None:
    del samples
    jobs = ["depseudonymise_structured_job", "remove_duplicates_job"]
    assert all(run(job).success for job in jobs)
    expected = outputs(here)
    with connect_server(spark_cluster) as remote:
        environment = {**os.environ, **settings, "SPARK_REMOTE": remote}
        del environment["SPARK_MASTER"]  # a process has either a session of its own or a remote one
        program = [sys.executable, "-c", RUN_JOBS, *jobs]
        done = subprocess.run(program, env=environment, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert outputs(here) == expected


RUN_JOBS = """
import sys
from template_code_location.repository import defs
for job in sys.argv[1:]:
    assert defs.resolve_job_def(job).execute_in_process().success
result = defs.resolve_job_def("k_anonymity_job").execute_in_process(raise_on_error=False)
(failed,) = [event for event in result.all_events if event.is_step_failure]
assert failed.step_failure_data.user_failure_data.description.startswith(
    "The run has a step that does not run through Spark Connect yet: set SPARK_MASTER"
)
"""


def test_a_run_whose_worker_is_killed_ends_well(
    spark_cluster: Cluster, settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of this file, as it takes a worker away."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    session = start(EngineSettings.of()).session
    sleep = time.sleep  # what is sent to the workers must not refer to this file, which they do not have
    halfway, goes_on = tmp_path / "halfway", tmp_path / "goes-on"

    def slow(rows: pl.DataFrame) -> pl.DataFrame:
        halfway.touch()
        while not goes_on.exists():
            sleep(0.05)
        return rows.select(pl.col("a").str.to_uppercase())

    (tmp_path / "in.csv").write_text("a\n" + "".join(f"x{number}\n" for number in range(1000)))
    read = engine_tables.load(
        session,
        engine_tables.stage(engine_tables.read(session, tmp_path / "in.csv", COMMA_SEPARATED, None), tmp_path / "read"),
    )
    computed = map_batches(nw.from_native(read), slow, ["a"], {"a": nw.String}).to_native()
    with ThreadPoolExecutor(1) as pool:
        staged = pool.submit(engine_tables.fetched, computed, tmp_path / "computed")
        while not halfway.exists() and not staged.done():
            sleep(0.05)
        os.killpg(spark_cluster.workers[0], signal.SIGKILL)
        goes_on.touch()
        rows = staged.result().collect()
    assert rows["a"].to_list() == [f"X{number}" for number in range(1000)]
