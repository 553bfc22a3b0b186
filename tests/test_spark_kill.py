"""A run on Spark whose process is killed leaves no partial output under the target, and the next run succeeds."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import run_process
from run_process import kill_when
from spark_cluster import Cluster, settings_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS = 600_000
NO_CHANGE = {"clean_data": {"steps": [{"step": {"select_columns": {"columns": ["id", "text"]}}}]}}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that takes a while to be written, and as an object several parts."""
    path = tmp_path_factory.mktemp("table") / "in.csv"
    pl.select(id=pl.int_range(ROWS)).with_columns(pl.lit("x" * 120).alias("text")).write_csv(path)
    return path


@pytest.fixture
def environment(spark_cluster: Cluster, tmp_path: Path) -> Mapping[str, str]:
    """Settings of this test's runs."""
    return settings_of(spark_cluster, tmp_path)


def start(job: str, ops: dict[str, Any], tmp_path: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return run_process.start(job, ops | NO_CHANGE, tmp_path / "home", environment)


def test_a_local_output_is_whole_or_absent(table: Path, environment: Mapping[str, str], tmp_path: Path) -> None:
    target = tmp_path / "out" / "out.csv"
    ops = {"read_csv_to_df": {"input_path": str(table)}, "write_df_to_csv": {"output_path": str(target)}}

    def in_a_stage() -> bool:
        """Whether a task has begun to write rows."""
        return any(tmp_path.glob("staging/*/*.spark/_temporary/**/part-*"))

    def partly_written() -> bool:
        sizes = [path.stat().st_size for path in target.parent.glob(".out.csv.*.partial")]
        return any(0 < size < table.stat().st_size / 2 for size in sizes)

    kill_when(start("clean_data_job", ops, tmp_path, environment), in_a_stage)
    assert not target.parent.exists()
    kill_when(start("clean_data_job", ops, tmp_path, environment), partly_written)
    assert len(list(target.parent.iterdir())) == 1  # what the killed run had written, hidden and private
    assert not target.exists()
    assert start("clean_data_job", ops, tmp_path, environment).wait() == 0
    assert list(target.parent.iterdir()) == [target]
    assert target.read_bytes() == table.read_bytes()


def test_an_object_is_whole_or_absent(
    table: Path, environment: Mapping[str, str], bucket: str, s3: "S3Client", tmp_path: Path
) -> None:
    s3.upload_file(str(table), bucket, "in.csv")
    ops = {
        "read_csv_from_s3": {"bucket_name": bucket, "file_key": "in.csv"},
        "write_csv_to_s3": {"bucket_name": bucket, "file_key": "out.csv"},
    }
    run = start("clean_data_job_s3", ops, tmp_path, environment)
    kill_when(run, lambda: "Uploads" in s3.list_multipart_uploads(Bucket=bucket))
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["in.csv"]
    assert start("clean_data_job_s3", ops, tmp_path, environment).wait() == 0
    assert s3.get_object(Bucket=bucket, Key="out.csv")["Body"].read() == table.read_bytes()
