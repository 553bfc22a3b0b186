"""Runs of the location's jobs on Polars, on a Spark cluster and through Spark Connect, and what they leave behind."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import ExecuteInProcessResult
from spark_cluster import Cluster, cluster, connect_server, missing, settings_of

from template_code_location.repository import defs
from util_services.local_stack import fill_bucket
from util_services.resources import connect
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME
from util_services.servers import KeyServer, ObjectStore

TESTS = Path(__file__).parent
EXAMPLES = TESTS.parent / "examples"
_OF_THE_RUN = re.compile("seconds|staged")
BUCKET = "dagster-workflow-bucket"


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind.

    Attributes:
        failure: The sentence it ends with, if it fails.
        figures: Metrics of each op, without what depends on the clock.
        files: Files and objects below ``output/``, by their names; reports without what depends on the clock.
    """

    failure: str | None
    figures: Mapping[str, Any]
    files: Mapping[str, Any]


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of a file."""
    if lack := missing():
        pytest.skip(lack)
    with cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture(scope="module")
def settings(spark_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Environment variables that choose the cluster, as an operator sets them."""
    yield settings_of(spark_cluster, tmp_path_factory.mktemp("engine"))
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the samples, and what jobs write."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def on_spark(settings: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Switches the test over to Spark."""
    with pytest.MonkeyPatch.context() as patch:
        yield lambda: [patch.setenv(name, value) for name, value in settings.items()] and None


@pytest.fixture(scope="module")
def through_connect(
    spark_cluster: Cluster,
    settings: Mapping[str, str],
    _store: ObjectStore,
    _vault: KeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Sequence[str]], Mapping[str, Outcome]]:
    """Runs jobs in a process of their own, as a process has either a session of its own or a remote one."""
    home = tmp_path_factory.mktemp("connect")
    (home / "examples").symlink_to(EXAMPLES)

    def run_all(cases: Sequence[str]) -> Mapping[str, Outcome]:
        _vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
        fill_bucket(_store, EXAMPLES)
        with connect_server(spark_cluster) as remote:
            environment = {
                **_store.environment,
                **_vault.environment,
                **settings,
                "SPARK_REMOTE": remote,
                "SPARK_MASTER": "",
                "SIMPL_LOG_DIR": str(home / "logs"),
            }
            return elsewhere(cases, home, environment)

    return run_all


def elsewhere(cases: Sequence[str], home: Path, environment: Mapping[str, str]) -> Mapping[str, Outcome]:
    """Run jobs in a process of their own in a folder, which has a Spark session of its own."""
    program = [sys.executable, "-c", "import spark_runs; spark_runs.write_outcomes()", *cases]
    whole = {**os.environ, **environment, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(program, env=whole, cwd=home, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    outcomes: Mapping[str, Outcome] = pickle.loads((home / "outcomes").read_bytes())
    return outcomes


def write_outcomes() -> None:
    """Run the jobs that the command line names, and write what they leave behind into the file ``outcomes``."""
    Path("outcomes").write_bytes(pickle.dumps({case: outcome_of(case) for case in sys.argv[1:]}))


def outcome_of(case: str) -> Outcome:
    """Run a job by its name in its default configuration, or an example by the name of its file, in this folder."""
    config = yaml.safe_load((EXAMPLES / case).read_text()) if case.endswith(".yaml") else None
    job = defs.resolve_job_def(case.removesuffix(".yaml"))
    result = job.execute_in_process(run_config=config, raise_on_error=False)
    files = outputs(Path.cwd()) | objects()
    return Outcome(
        None if result.success else failure(result),
        figures(result),
        {name: comparable(name, content) for name, content in files.items()},
    )


def comparable(name: str, content: bytes) -> Any:
    """Leave out of a report what depends on the clock."""
    if name.endswith(".json"):
        return timeless(json.loads(content))
    return [line for line in content.splitlines() if b"seconds" not in line] if name.endswith(".html") else content


def run(job: str, **ops: Mapping[str, Any]) -> ExecuteInProcessResult:
    """Run a job."""
    run_config = {"ops": {name: {"config": config} for name, config in ops.items()}} if ops else None
    return defs.resolve_job_def(job).execute_in_process(run_config=run_config, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    """Give the sentence that a run ended with."""
    assert not result.success
    (event,) = [
        event for event in result.all_events if event.is_step_failure and event.step_failure_data.user_failure_data
    ]
    return str(event.step_failure_data.user_failure_data.description)


def outputs(folder: Path) -> dict[str, bytes]:
    """Take what runs have written, and remove it."""
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("output/*")) if path.is_file()}
    shutil.rmtree(folder / "output", ignore_errors=True)
    return files


def objects() -> dict[str, bytes]:
    """Take the objects that runs have written, and remove them."""
    client = connect("selfS3").meta.client
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="output/").get("Contents", [])
    found = {}
    for key in [entry["Key"] for entry in listed]:
        found[key] = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        client.delete_object(Bucket=BUCKET, Key=key)
    return found


def figures(result: ExecuteInProcessResult) -> dict[str, Any]:
    """Give the metrics of each op without what depends on the clock."""
    ops = [
        event.step_key
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    ]
    return {op: timeless(result.output_for_node(op, "metrics")) for op in ops}


def timeless(value: Any) -> Any:
    """Leave out seconds, places of staged files, and digits beyond the tenth: sums depend on the order of summands."""
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if not _OF_THE_RUN.search(str(key))}
    if isinstance(value, list | tuple):
        return [timeless(each) for each in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value
