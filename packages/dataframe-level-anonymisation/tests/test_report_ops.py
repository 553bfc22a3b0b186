import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from dagster import Config, Definitions, ExecuteInProcessResult, Out, op

from dataframe_level_anonymisation import report
from dataframe_level_anonymisation.report_ops import REPORTS
from dataframe_level_anonymisation.risk import assess_risk
from util_services.jobs import report_jobs, table_jobs
from util_services.resources import s3_resource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Settings(Config):
    report_path: str | None = None
    report_key: str | None = None
    report_bucket: str | None = None


def figures(df: pl.LazyFrame) -> dict[str, Any]:
    return report.risk_document(assess_risk(df, quasi_identifiers=["age"]))


@op(out={"metrics": Out()})
def assess(config: Settings, df: pl.LazyFrame) -> dict[str, Any]:
    return figures(df)


@op(out={"data": Out(), "metrics": Out()})
def keep(config: Settings, df: pl.LazyFrame) -> tuple[pl.LazyFrame, dict[str, Any]]:
    return df, figures(df)


def defs(default: dict[str, Any] | None = None) -> Definitions:
    common: dict[str, Any] = {"business_operation": "TEST", "config": default or {}, "sample_input": "in.csv"}
    jobs = [
        *report_jobs(assess, REPORTS, name="assess_job", description="Assesses.", **common),
        *table_jobs(keep, name="keep_job", description="Keeps.", sample_output="out.csv", reports=REPORTS, **common),
    ]
    return Definitions(jobs=jobs, resources={"s3": s3_resource.configured({"resource_name": "selfS3"})})


def run(job: str, **steps: dict[str, Any]) -> ExecuteInProcessResult:
    config = {"ops": {name: {"config": settings} for name, settings in steps.items()}}
    return defs().resolve_job_def(job).execute_in_process(run_config=config, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "in.csv").write_text("age\n1\n1\n2\n")
    return folder


def keep_locally(report_path: str, output_path: str = "out.csv") -> ExecuteInProcessResult:
    return run(
        "keep_job",
        read_csv_to_df={"input_path": "in.csv"},
        write_df_to_csv={"output_path": output_path},
        keep={"report_path": report_path},
    )


@pytest.mark.parametrize("report_path", ["new/r.html", "new/r.json", "new/r", "new/r.HTML"])
def test_the_report_is_written_beside_the_output_as_html_and_json(folder: Path, report_path: str) -> None:
    result = keep_locally(report_path)
    assert result.success
    assert sorted(path.name for path in (folder / "new").iterdir()) == ["r.html", "r.json"]
    assert json.loads((folder / "new" / "r.json").read_text()) == result.output_for_node("keep", "metrics")
    assert (folder / "new" / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert (folder / "out.csv").read_text() == (folder / "in.csv").read_text()


def test_a_name_with_a_dot_keeps_it(folder: Path) -> None:
    assert keep_locally("report.v1").success
    assert (folder / "report.v1.html").exists()
    assert (folder / "report.v1.json").exists()


def test_without_a_path_nothing_is_written(folder: Path) -> None:
    assert run("assess_job", read_csv_to_df={"input_path": "in.csv"}, assess={}).success
    assert [path.name for path in folder.iterdir()] == ["in.csv"]


def test_a_job_that_changes_nothing_writes_the_report(folder: Path) -> None:
    assert run("assess_job", read_csv_to_df={"input_path": "in.csv"}, assess={"report_path": "r.html"}).success
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "r.html", "r.json"]


def test_the_path_of_a_default_configuration_counts(folder: Path) -> None:
    job = defs({"report_path": "r.html"}).resolve_job_def("assess_job")
    assert job.execute_in_process().success
    assert (folder / "r.json").exists()


@pytest.mark.parametrize(
    ("report_path", "sentence"),
    [
        ("in.json", "The report_path 'in.json' is the input of this run: choose another file."),
        ("out.html", "The report_path 'out.json' is the output of this run: choose another file."),
        ("folder/", "The report_path 'folder/' names no file: give one such as 'output/report.html'."),
        (".html", "The report_path '.html' names no file"),
        ("../out.html", "The path '../out.html' lies outside the folder that DATA_ROOT allows"),
    ],
)
def test_a_mistake_is_one_sentence_and_neither_file_appears(
    folder: Path, monkeypatch: pytest.MonkeyPatch, report_path: str, sentence: str
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(folder))
    link, output = folder / "in.json", folder / "out.json"
    link.symlink_to("in.csv")
    output.symlink_to("out.csv")
    assert failure(keep_locally(report_path)).startswith(sentence)
    assert not list(folder.rglob("*.html"))
    assert (folder / "in.csv").read_text() == (folder / "out.csv").read_text() == "age\n1\n1\n2\n"


def test_a_report_that_cannot_be_finished_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "r.html").write_text("old")

    def fail(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr("util_services.report_ops.json.dumps", fail)
    assert not keep_locally("r.html").success
    assert (folder / "r.html").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "out.csv", "r.html"]


def keep_on_s3(bucket: str, s3: "S3Client", **settings: str) -> ExecuteInProcessResult:
    s3.put_object(Bucket=bucket, Key="in.csv", Body=b"age\n1\n1\n2\n")
    return run(
        "keep_job_s3",
        read_csv_from_s3={"bucket_name": bucket, "file_key": "in.csv"},
        write_csv_to_s3={"bucket_name": bucket, "file_key": "out.csv"},
        keep=settings,
    )


def test_the_report_is_stored_with_its_content_types(bucket: str, s3: "S3Client") -> None:
    result = keep_on_s3(bucket, s3, report_key="reports/r.html")
    assert result.success
    page, data = (s3.get_object(Bucket=bucket, Key=f"reports/r.{ending}") for ending in ("html", "json"))
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert data["ContentType"] == "application/json"
    assert json.loads(data["Body"].read()) == result.output_for_node("keep", "metrics")
    assert page["Body"].read().startswith(b"<!DOCTYPE html>")


def test_the_report_goes_to_another_bucket_if_one_is_named(bucket: str, s3: "S3Client") -> None:
    s3.create_bucket(Bucket="reports-elsewhere")
    assert keep_on_s3(bucket, s3, report_key="r", report_bucket="reports-elsewhere").success
    listed = s3.list_objects_v2(Bucket="reports-elsewhere")["Contents"]
    assert [entry["Key"] for entry in listed if "Key" in entry] == ["r.html", "r.json"]


def test_without_a_write_step_the_report_goes_to_the_bucket_of_the_input(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="in.csv", Body=b"age\n1\n")
    reading = {"bucket_name": bucket, "file_key": "in.csv"}
    assert run("assess_job_s3", read_csv_from_s3=reading, assess={"report_key": "r.html"}).success
    assert s3.head_object(Bucket=bucket, Key="r.json")


def test_without_a_key_nothing_is_stored(bucket: str, s3: "S3Client") -> None:
    assert keep_on_s3(bucket, s3).success
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed if "Key" in entry] == ["in.csv", "out.csv"]


def test_a_bucket_that_is_not_allowed_or_not_there_is_named(
    bucket: str, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    said = failure(keep_on_s3(bucket, s3, report_key="r", report_bucket="no-such-bucket"))
    assert said.startswith("The bucket 'no-such-bucket' does not exist")
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", bucket)
    said = failure(keep_on_s3(bucket, s3, report_key="r", report_bucket="no-such-bucket"))
    assert said.startswith("The bucket 'no-such-bucket' is not one that S3_ALLOWED_BUCKETS allows")
