from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult, JobDefinition, graph, op

from util_services import ops
from util_services.jobs import service_job
from util_services.resources import s3_resource
from util_services.staging import staging_root

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@graph
def copy_table() -> None:
    ops.write_df_to_csv(ops.preview_dataframe(ops.read_csv_to_df()))


@graph
def copy_table_s3() -> None:
    ops.write_csv_to_s3(ops.preview_dataframe(ops.read_csv_from_s3()))


@graph
def copy_text() -> None:
    ops.write_string_to_txt(ops.read_txt_to_string())


@graph
def copy_text_s3() -> None:
    ops.write_txt_to_s3(ops.read_txt_from_s3())


def run(steps: Any, config: dict[str, Any], instance: DagsterInstance | None = None) -> ExecuteInProcessResult:
    run_config = {"ops": {name: {"config": settings} for name, settings in config.items()}}
    job = service_job(steps, tags={}, default_ops=run_config["ops"])
    defs = Definitions(jobs=[job], resources={"s3": s3_resource.configured({"resource_name": "selfS3"})})
    bound: JobDefinition = defs.resolve_job_def(steps.name)
    return bound.execute_in_process(run_config=run_config, instance=instance, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def metadata(result: ExecuteInProcessResult, step: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in result.all_events:
        if event.step_key == step and event.event_type_value in {"STEP_OUTPUT", "HANDLED_OUTPUT"}:
            found |= {name: value.value for name, value in event.event_specific_data.metadata.items()}  # type: ignore[union-attr]
    return found


def test_a_local_table_is_copied_and_described(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "new" / "out.csv"
    source.write_bytes(b'plz,note\n01234,"a, b"\n00007,\n')
    result = run(
        copy_table,
        {"read_csv_to_df": {"input_path": str(source)}, "write_df_to_csv": {"output_path": str(target)}},
    )
    assert result.success
    assert target.read_bytes() == source.read_bytes()
    assert metadata(result, "read_csv_to_df") == {"path": str(source), "bytes": 29, "rows": 2, "columns": 2}
    written = metadata(result, "write_df_to_csv")
    assert written.pop("seconds") >= 0
    assert written == {"path": str(target), "bytes": 29, "rows": 2, "columns": 2}


def test_an_s3_table_is_copied_and_described(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=b"plz\n01234\n")
    objects = {"bucket_name": bucket}
    result = run(
        copy_table_s3,
        {
            "read_csv_from_s3": objects | {"file_key": "in/a.csv"},
            "write_csv_to_s3": objects | {"file_key": "out/a.jsonl.gz"},
        },
    )
    assert result.success
    head = s3.head_object(Bucket=bucket, Key="out/a.jsonl.gz")
    written = metadata(result, "write_csv_to_s3")
    assert written.pop("transfer_seconds") >= 0
    assert written == {
        "object": f"s3://{bucket}/out/a.jsonl.gz",
        "etag": head["ETag"].strip('"'),
        "bytes": head["ContentLength"],
        "rows": 1,
        "columns": 1,
    }
    read = metadata(result, "read_csv_from_s3")
    assert (read["object"], read["bytes"], read["rows"]) == (f"s3://{bucket}/in/a.csv", 10, 1)
    assert list(staging_root().iterdir()) == []


def test_the_download_is_gone_once_the_frame_is_staged(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"a\n1\n")
    seen: list[str] = []

    @op
    def look(df: pd.DataFrame) -> None:
        assert df["a"].tolist() == ["1"]
        seen.extend(path.name for path in staging_root().glob("*/*"))

    @graph
    def looking() -> None:
        look(ops.read_csv_from_s3())

    assert run(looking, {"read_csv_from_s3": {"bucket_name": bucket, "file_key": "a.csv"}}).success
    assert seen == []  # the table itself is small enough to be in memory


def test_texts_are_copied_locally_and_on_s3(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes("é\r\n".encode("latin-1"))
    local = {
        "read_txt_to_string": {"input_path": str(tmp_path / "in.txt"), "encoding": "latin-1"},
        "write_string_to_txt": {"output_path": str(tmp_path / "out.txt")},
    }
    assert run(copy_text, local).success
    assert (tmp_path / "out.txt").read_bytes() == "é\r\n".encode()
    s3.put_object(Bucket=bucket, Key="in.txt", Body="é\r\n".encode())
    remote = {
        "read_txt_from_s3": {"bucket_name": bucket, "file_key": "in.txt"},
        "write_txt_to_s3": {"bucket_name": bucket, "file_key": "out.txt", "encoding": "latin-1"},
    }
    assert run(copy_text_s3, remote).success
    assert s3.get_object(Bucket=bucket, Key="out.txt")["Body"].read() == "é\r\n".encode("latin-1")


def test_an_op_that_takes_and_returns_a_string_fits_between_reading_and_writing(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("quiet\n")

    @op
    def shout(text: str) -> str:
        return text.upper()

    @op
    def untyped(text):  # type: ignore[no-untyped-def]
        return text + "!"

    @graph
    def shouting() -> None:
        ops.write_string_to_txt(untyped(shout(ops.read_txt_to_string())))

    config = {
        "read_txt_to_string": {"input_path": str(tmp_path / "in.txt")},
        "write_string_to_txt": {"output_path": str(tmp_path / "out.txt")},
    }
    assert run(shouting, config).success
    assert (tmp_path / "out.txt").read_text() == "QUIET\n!"


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ({"limit_rows": 1}, "a,b\n01,True\n"),
        ({"limit_rows": 0}, "a,b\n"),
        ({"infer_types": True}, "a,b\n1,True\n2,False\n"),
        ({"header": 1, "limit_rows": 1}, "01,True\n02,False\n"),
        ({"header": None}, "column_0,column_1\na,b\n01,True\n02,False\n"),
    ],
)
def test_reading_options(tmp_path: Path, reading: dict[str, Any], expected: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("a,b\n01,True\n02,False\n")
    config = {
        "read_csv_to_df": {"input_path": str(source)} | reading,
        "write_df_to_csv": {"output_path": str(target)},
    }
    assert run(copy_table, config).success
    assert target.read_text() == expected


def test_writing_options(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("a,b\né,x\n")
    writing = {"delimiter": ";", "encoding": "latin-1", "header": False, "index": True}
    config = {
        "read_csv_to_df": {"input_path": str(source)},
        "write_df_to_csv": {"output_path": str(target)} | writing,
    }
    assert run(copy_table, config).success
    assert target.read_bytes() == "0;é;x\n".encode("latin-1")


@pytest.mark.parametrize(
    ("reading", "writing", "sentence"),
    [
        ({"input_path": "missing.csv"}, {}, "The input file 'missing.csv' does not exist: check input_path."),
        ({"limit_rows": -1}, {}, "The limit_rows -1 is negative"),
        ({"delimiter": "ab"}, {}, "The delimiter 'ab' cannot be used"),
        ({}, {"output_path": "in.csv"}, "The output_path 'in.csv' is the input of this run: choose another file."),
        ({}, {"output_path": "."}, "The output_path '.' is a folder: give the path of a file."),
        ({}, {"output_path": "a.xlsx"}, "The file name 'a.xlsx' does not end in a supported format"),
        ({}, {"encoding": "ascii"}, "The table has a character that the encoding 'ascii' cannot express"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: dict[str, Any], writing: dict[str, Any], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("a,b\né,x\n")
    config = {
        "read_csv_to_df": {"input_path": "in.csv"} | reading,
        "write_df_to_csv": {"output_path": "out.csv"} | writing,
    }
    assert failure(run(copy_table, config)).startswith(sentence)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["in.csv"]
    assert (tmp_path / "in.csv").read_text() == "a,b\né,x\n"


def test_an_object_is_never_written_over_the_input(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"a\n1\n")
    place = {"bucket_name": bucket, "file_key": "a.csv"}
    result = run(copy_table_s3, {"read_csv_from_s3": place, "write_csv_to_s3": place})
    assert failure(result).endswith("is the input of this run: choose another key.")


def test_values_show_only_when_they_are_asked_for(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("a\nVALUE\n")
    config = {
        "read_csv_to_df": {"input_path": str(source)},
        "write_df_to_csv": {"output_path": str(tmp_path / "out.csv")},
    }
    for show in (False, True):
        result = run(copy_table, config | {"preview_dataframe": {"show_values": show}})
        assert ("VALUE" in metadata(result, "preview_dataframe")["preview"]) is show
        assert "| a | String | 0 | 1 |  |  |" in metadata(result, "preview_dataframe")["preview"]


def test_a_fault_in_the_engine_shows_its_place_and_not_its_text(tmp_path: Path) -> None:
    import polars as pl

    source = tmp_path / "in.csv"
    source.write_text("a\nSECRET\n")

    @op
    def cast_wrongly(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.with_columns(pl.col("a").cast(pl.Int64))

    @graph
    def casting() -> None:
        ops.write_df_to_csv(cast_wrongly(ops.read_csv_to_df()))

    config = {
        "read_csv_to_df": {"input_path": str(source)},
        "write_df_to_csv": {"output_path": str(tmp_path / "out.csv")},
    }
    with DagsterInstance.ephemeral() as instance:
        result = run(casting, config, instance)
        text = failure(result)
        stored = str(instance.all_logs(result.run_id))
    assert "InvalidOperationError" in text
    assert "parquet_files.py line" in text
    assert "SECRET" not in stored
