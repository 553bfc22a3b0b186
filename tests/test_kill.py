"""A killed run leaves no partial output under the target name, and the next run succeeds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCRIPT = """
import sys, yaml
from dagster import DagsterInstance
from dataframe_level_anonymisation.repository import defs
result = defs.resolve_job_def(sys.argv[1]).execute_in_process(
    run_config=yaml.safe_load(sys.argv[2]), instance=DagsterInstance.get(), raise_on_error=False
)
sys.exit(0 if result.success else 1)
"""


def start(job: str, ops: dict[str, Any], tmp_path: Path) -> "subprocess.Popen[bytes]":
    service = {
        "ident": [],
        "quasi_identifiers": ["age"],
        "sensitive_attributes": [],
        "k": 2,
        "supp_level": 0.0,
        "generalisation_hierarchies": {"age": "simpl_age"},
    }
    config = {"ops": {name: {"config": each} for name, each in (ops | {"apply_k_anonymity": service}).items()}}
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, job, yaml.safe_dump(config)],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when(process: "subprocess.Popen[bytes]", writing: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not writing():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = 600_000
    path = tmp_path / "in.csv"
    frame = pl.LazyFrame({"age": pl.int_range(rows, eager=True) % 90}).with_columns(
        pl.lit("x" * 120).alias("text"), pl.int_range(rows).alias("id")
    )
    frame.sink_csv(path)
    return path


def test_a_local_output_is_whole_or_absent(table: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "out.csv"
    ops = {"read_csv_to_df": {"input_path": str(table)}, "write_df_to_csv": {"output_path": str(target)}}

    def partly_written() -> bool:
        sizes = [path.stat().st_size for path in target.parent.glob(".out.csv.*.partial")]
        return any(0 < size < table.stat().st_size / 2 for size in sizes)

    kill_when(start("k_anonymity_job", ops, tmp_path), partly_written)
    assert not target.exists()
    assert len(list(target.parent.iterdir())) == 1  # what the killed run had written, hidden and private
    assert start("k_anonymity_job", ops, tmp_path).wait() == 0
    assert list(target.parent.iterdir()) == [target]
    assert pl.scan_csv(target).select(pl.len()).collect().item() == 600_000


def test_an_object_is_whole_or_absent(table: Path, bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    s3.upload_file(str(table), bucket, "in.csv")
    ops = {
        "read_csv_from_s3": {"bucket_name": bucket, "file_key": "in.csv"},
        "write_csv_to_s3": {"bucket_name": bucket, "file_key": "out.csv"},
    }
    kill_when(start("k_anonymity_job_s3", ops, tmp_path), lambda: "Uploads" in s3.list_multipart_uploads(Bucket=bucket))
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["in.csv"]
    assert start("k_anonymity_job_s3", ops, tmp_path).wait() == 0
    assert s3.head_object(Bucket=bucket, Key="out.csv")["ContentLength"] > 70_000_000
