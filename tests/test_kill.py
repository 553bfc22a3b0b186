"""A killed run leaves no partial output under the target name, and the next run succeeds."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import run_process
from run_process import kill_when

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def start(job: str, ops: dict[str, Any], tmp_path: Path) -> "subprocess.Popen[bytes]":
    service = {
        "ident": [],
        "quasi_identifiers": ["age"],
        "sensitive_attributes": [],
        "k": 2,
        "supp_level": 0.0,
        "generalisation_hierarchies": {"age": "simpl_age"},
    }
    return run_process.start(job, ops | {"apply_k_anonymity": service}, tmp_path / "home")


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


def test_parts_below_a_prefix_are_whole_or_marked_as_incomplete(
    table: Path, bucket: str, s3: "S3Client", tmp_path: Path
) -> None:
    s3.upload_file(str(table), bucket, "in.csv")
    ops = {
        "read_csv_from_s3": {"bucket_name": bucket, "file_key": "in.csv"},
        "write_csv_to_s3": {"bucket_name": bucket, "file_key": "out.csv", "single_object": False},
    }

    def names() -> list[str]:
        return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="out.csv/").get("Contents", [])]

    kill_when(start("k_anonymity_job_s3", ops, tmp_path), lambda: "out.csv/_INCOMPLETE" in names())
    assert "out.csv/_SUCCESS" not in names()
    assert start("k_anonymity_job_s3", ops, tmp_path).wait() == 0
    assert names() == ["out.csv/_SUCCESS", "out.csv/part-00000.csv", "out.csv/part-00001.csv"]
