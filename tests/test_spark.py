"""The location's jobs on a real Spark cluster: the same configuration, the same output."""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from dagster import ExecuteInProcessResult
from spark_cluster import SETTINGS, Cluster, cluster, missing

from template_code_location.repository import defs

PROJECT = Path(__file__).parents[1]
JOBS = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
REFUSED = ("anonymise_pseudonymise_text_columns_job", "depseudonymise_text_columns_job")
LOCAL = [name for name in JOBS if not name.endswith("_s3") and name not in {*REFUSED, "data_processing_job"}]
# Fernet tokens differ from run to run; the job that turns them back shows that they are right.
RANDOM = {"anonymise_pseudonymise_structured_job": ["Name"]}


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


def run(job: str, run_config: Any = None) -> ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(run_config=run_config, raise_on_error=False)


def outputs(folder: Path) -> dict[str, bytes]:
    """Take what a run has written, and remove it."""
    files = {path.name: path.read_bytes() for path in sorted((folder / "output").rglob("*")) if path.is_file()}
    for name in files:
        (folder / "output" / name).unlink()
    return files


def figures(result: ExecuteInProcessResult) -> Any:
    """Give the metrics of a job without what depends on the clock."""
    (service,) = [
        event.step_key
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    ]
    return timeless(result.output_for_node(service, "metrics"))


def timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if "seconds" not in str(key)}
    return [timeless(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("job", LOCAL)
def test_a_job_gives_the_same_output_and_figures_on_spark(
    job: str, settings: Mapping[str, str], samples: None, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del samples
    assert run(job).success
    (here / "output").mkdir(exist_ok=True)
    expected = outputs(here)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    t = time.time()
    result = run(job)
    for e in result.all_events:
        if e.is_step_failure:
            print("FAIL", job, e.step_key, e.step_failure_data.user_failure_data)
    assert result.success
    print("TIME", job, round(time.time() - t, 1))
    got = outputs(here)
    for k in expected:
        if expected[k] != got[k]:
            print("DIFF", job, k, expected[k][:600], got[k][:600])
    try:
        print("FIGS", job, figures(result))
    except Exception as e:
        print("NOFIG", job, repr(e))
