import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from dagster import Definitions, ExecuteInProcessResult, graph

from util_services import ops, parts, prefixes
from util_services.errors import DataServiceError
from util_services.files import whole_folder
from util_services.jobs import service_job
from util_services.prefixes import upload_parts
from util_services.resources import s3_resource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN = "a,b\n" + "".join(f"{number},x\n" for number in range(7))


@graph
def copy_table() -> None:
    ops.write_df_to_csv(ops.read_csv_to_df())


@graph
def copy_table_s3() -> None:
    ops.write_csv_to_s3(ops.read_csv_from_s3())


def run(steps: Any, reading: dict[str, Any], writing: dict[str, Any]) -> ExecuteInProcessResult:
    names = ("read_csv_from_s3", "write_csv_to_s3") if steps is copy_table_s3 else ("read_csv_to_df", "write_df_to_csv")
    configs = (reading, writing | {"single_object": False})
    config = {"ops": {name: {"config": each} for name, each in zip(names, configs, strict=True)}}
    job = service_job(steps, tags={}, default_ops=config["ops"])
    defs = Definitions(jobs=[job], resources={"s3": s3_resource.configured({"resource_name": "selfS3"})})
    return defs.resolve_job_def(steps.name).execute_in_process(run_config=config, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


@pytest.fixture(autouse=True)
def three_rows_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_ROWS_A_PART", 3)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(IN)
    return path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["a,b\n0,x\n1,x\n2,x\n", "a,b\n3,x\n4,x\n5,x\n", "a,b\n6,x\n"]),
        ({"header": False}, ["0,x\n1,x\n2,x\n", "3,x\n4,x\n5,x\n", "6,x\n"]),
        ({"index": True}, [",a,b\n0,0,x\n1,1,x\n2,2,x\n", ",a,b\n3,3,x\n4,4,x\n5,5,x\n", ",a,b\n6,6,x\n"]),
    ],
)
def test_parts_follow_each_other_in_the_order_of_their_names(
    settings: dict[str, Any], expected: list[str], table: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "my.table.csv"
    assert run(copy_table, {"input_path": str(table)}, {"output_path": str(target)} | settings).success
    names = [f"part-0000{number}.csv" for number in range(3)]
    assert sorted(path.name for path in target.iterdir()) == ["_SUCCESS", *names]
    assert [(target / name).read_text() for name in names] == expected
    assert list(target.parent.iterdir()) == [target]


def test_parts_have_the_ending_of_the_target(table: Path, tmp_path: Path) -> None:
    for name in ("out.csv.gz", "out.parquet"):
        assert run(copy_table, {"input_path": str(table)}, {"output_path": str(tmp_path / name)}).success
    assert gzip.decompress((tmp_path / "out.csv.gz" / "part-00001.csv.gz").read_bytes()) == b"a,b\n3,x\n4,x\n5,x\n"
    assert pl.read_parquet(tmp_path / "out.parquet" / "part-*.parquet")["a"].to_list() == list("0123456")


def test_a_table_without_rows_is_one_part(table: Path, tmp_path: Path) -> None:
    reading = {"input_path": str(table), "limit_rows": 0}
    assert run(copy_table, reading, {"output_path": str(tmp_path / "out.csv")}).success
    assert sorted(path.name for path in (tmp_path / "out.csv").iterdir()) == ["_SUCCESS", "part-00000.csv"]
    assert (tmp_path / "out.csv" / "part-00000.csv").read_text() == "a,b\n"


def test_parts_are_not_mixed_with_what_is_there(table: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.mkdir()
    told = failure(run(copy_table, {"input_path": str(table)}, {"output_path": str(target)}))
    assert told.startswith("The output 'out.csv' exists, and parts are not mixed with what is there")
    assert list(target.iterdir()) == []


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "out.csv") as folder:
            (folder / "part-00000.csv").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".out.csv.1.partial").touch()
    (tmp_path / ".out.csv.1.parts").mkdir()
    (tmp_path / ".out.csv.1.parts" / "part-00000.csv").touch()
    with whole_folder(tmp_path / "out.csv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def keys(s3: "S3Client", bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_prefix_gets_parts_and_then_the_mark_that_they_are_all(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="in.csv", Body=IN.encode())
    writing = {"bucket_name": bucket, "file_key": "out/table.csv"}
    assert run(copy_table_s3, {"bucket_name": bucket, "file_key": "in.csv"}, writing).success
    assert keys(s3, bucket) == [
        "in.csv",
        "out/table.csv/_SUCCESS",
        *(f"out/table.csv/part-0000{number}.csv" for number in range(3)),
    ]
    assert s3.get_object(Bucket=bucket, Key="out/table.csv/part-00002.csv")["Body"].read() == b"a,b\n6,x\n"
    told = failure(run(copy_table_s3, {"bucket_name": bucket, "file_key": "in.csv"}, writing))
    assert told.startswith(
        f"There are objects below 'out/table.csv/' in the bucket '{bucket}', and parts are not mixed"
    )


def test_what_a_killed_upload_left_is_removed(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    for name in ("_INCOMPLETE", "part-00000.csv", "part-00007.csv"):
        s3.put_object(Bucket=bucket, Key=f"out.csv/{name}", Body=b"old")
    part = tmp_path / "part-00000.csv"
    part.write_text("new")
    upload_parts(s3, [part], bucket, "out.csv", print)
    assert keys(s3, bucket) == ["out.csv/_SUCCESS", "out.csv/part-00000.csv"]
    assert s3.get_object(Bucket=bucket, Key="out.csv/part-00000.csv")["Body"].read() == b"new"


def test_a_failed_upload_leaves_nothing(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    part = tmp_path / "part-00000.csv"
    part.touch()
    with pytest.raises(FileNotFoundError):
        upload_parts(s3, [part, tmp_path / "part-00001.csv"], bucket, "out.csv", print)
    assert keys(s3, bucket) == []


def test_another_run_below_the_same_prefix_is_noticed(
    bucket: str, s3: "S3Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, upload = tmp_path / "part-00000.csv", prefixes.upload
    part.touch()

    def both_upload(*args: Any) -> Any:
        done = upload(*args)
        s3.put_object(Bucket=bucket, Key="out.csv/part-00001.csv")
        return done

    monkeypatch.setattr(prefixes, "upload", both_upload)
    with pytest.raises(DataServiceError, match="changed while it was written"):
        upload_parts(s3, [part], bucket, "out.csv", print)
    assert "out.csv/_INCOMPLETE" in keys(s3, bucket)
    assert "out.csv/_SUCCESS" not in keys(s3, bucket)
