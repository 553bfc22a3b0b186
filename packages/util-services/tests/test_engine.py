import subprocess
import sys
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from dagster import Failure, build_init_resource_context

from util_services.engine import EngineSettings, PolarsEngine, engine_of, running, start
from util_services.engine_rows import is_spark
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.resources import connect
from util_services.servers import ObjectStore
from util_services.staging import engine_staging_io_manager, staging_root


def test_a_run_is_evaluated_by_polars_unless_something_else_is_asked_for() -> None:
    assert EngineSettings.of({}) == EngineSettings("polars")
    assert isinstance(start(EngineSettings.of({})), PolarsEngine)


@pytest.mark.parametrize(
    ("environment", "given", "expected"),
    [
        ({"ENGINE": "spark", "SPARK_MASTER": "spark://a:7077"}, {}, EngineSettings("spark", None, "spark://a:7077")),
        ({"ENGINE": "spark", "SPARK_REMOTE": "sc://a:15002"}, {}, EngineSettings("spark", "sc://a:15002")),
        ({"ENGINE": "spark"}, {"kind": "polars"}, EngineSettings("polars")),
        (
            {"SPARK_REMOTE": "sc://a:15002"},
            {"kind": "spark", "master": "local[2]", "spark": {"spark.cores.max": 4}},
            EngineSettings("spark", None, "local[2]", {"spark.cores.max": "4"}),
        ),
    ],
)
def test_what_a_definition_gives_comes_before_the_environment(
    environment: dict[str, str], given: dict[str, Any], expected: EngineSettings
) -> None:
    assert EngineSettings.of(environment, **given) == expected


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ENGINE": "dask"}, "The engine 'dask' (ENGINE) is unknown: choose polars or spark."),
        ({"ENGINE": "spark"}, "The engine spark needs either SPARK_REMOTE (sc://host:port) or SPARK_MASTER"),
        ({"ENGINE": "spark", "SPARK_REMOTE": "sc://a:1", "SPARK_MASTER": "local[1]"}, "set one of them alone."),
        (
            {"ENGINE": "spark", "SPARK_REMOTE": "http://a:15002"},
            "SPARK_REMOTE is not the URL of a Spark Connect server",
        ),
        ({"ENGINE": "spark", "SPARK_MASTER": "a:7077"}, "SPARK_MASTER is not the URL of a Spark cluster"),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence_that_names_the_variable(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Failure) as caught:
        list(engine_staging_io_manager.resource_fn(build_init_resource_context(config=DEFAULTS)))  # type: ignore[arg-type]
    assert sentence in str(caught.value.description)


DEFAULTS = {"kind": None, "remote": None, "master": None, "spark": {}}


def test_without_pyspark_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(DataServiceError, match=r"needs PySpark: install util-services\[spark\]"):
        start(EngineSettings("spark", master="local[1]"))


def test_pyspark_is_not_imported_before_it_is_asked_for() -> None:
    program = "import sys, util_services.jobs, util_services.engine_tables; sys.exit('pyspark' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_run_has_its_engine_as_long_as_it_lasts() -> None:
    own = PolarsEngine()
    with running("run-1", own):
        assert engine_of("run-1") is own
        assert engine_of("run-2") is not own
    assert engine_of("run-1") is not own


def test_only_tables_of_pyspark_are_tables_of_spark() -> None:
    frames = (pd.DataFrame(), pl.DataFrame(), pl.LazyFrame(), nw.from_native(pl.LazyFrame()), None)
    assert not any(map(is_spark, frames))


def test_staging_is_on_a_folder_that_all_machines_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("STAGING_URI", (tmp_path / "shared").as_uri())
    assert staging_root() == tmp_path / "shared"
    assert staging_root().stat().st_mode & 0o777 == 0o700
    for uri, sentence in (
        ("hdfs://host/staging", "STAGING_URI is not a folder that all machines share: give file:///path, or s3a://"),
        ("s3a:///staging", "STAGING_URI names no place in object storage: give s3a://bucket/prefix"),
    ):
        monkeypatch.setenv("STAGING_URI", uri)
        with pytest.raises(DataServiceError, match=sentence):
            staging_root()


def test_the_bucket_of_what_is_between_steps_is_not_for_jobs(
    store: ObjectStore, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del store
    client = connect("selfS3").meta.client
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    monkeypatch.setenv("STAGING_URI", f"s3a://{bucket}/runs")
    for request in (
        lambda: client.list_objects_v2(Bucket=bucket),
        lambda: client.copy_object(Bucket="another", Key="x", CopySource=f"{bucket}/runs/x"),
    ):
        with pytest.raises(DataServiceError, match=f"'{bucket}' is that of STAGING_URI, which no job may use"):
            request()


def test_a_sentence_from_a_worker_is_told_as_it_is() -> None:
    with pytest.raises(Failure) as caught, reported():
        raise RuntimeError("Job aborted: Traceback\nutil_services.errors.DataServiceError: Row 2 is ragged.\n at org.x")
    assert caught.value.description == "Row 2 is ragged."
