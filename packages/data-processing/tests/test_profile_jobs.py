import json
import re
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml
from dagster import DagsterInstance, DagsterInvalidConfigError, ExecuteInProcessResult, validate_run_config

from data_processing.profile_config import ExpectationConfig
from data_processing.quality import EXPECTATIONS
from data_processing.repository import defs
from util_services.failures import InvalidRunConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TABLE = "id,age\n1,17\n2,30\n2,\n"
UNMET = [
    {"expectation": {"unique": {"columns": ["id"]}}},
    {"expectation": {"not_null": {"column": "age", "severity": "warn"}}},
]
SENTENCE = "1 of 2 expectations are not met: unique: id is unique (found 2 rows share 1 values)."


def run(name: str, op: str, read: dict[str, Any], **config: Any) -> ExecuteInProcessResult:
    reader = "read_csv_from_s3" if name.endswith("_s3") else "read_csv_to_df"
    ops = {reader: {"config": read}, op: {"config": config}}
    return defs.resolve_job_def(name).execute_in_process(run_config={"ops": ops}, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> tuple[str, str]:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_key), str(event.step_failure_data.user_failure_data.description)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "in.csv").write_text(TABLE)
    return folder


def test_a_profile_is_metadata_and_a_file_and_nothing_else_is_written(table: Path) -> None:
    result = run("profile_data_job", "profile_table", {"input_path": "in.csv"}, report_path="profile.html")
    assert result.success
    document = result.output_for_node("profile_table", "metrics")
    assert [(each["name"], each["role"]) for each in document["columns"]] == [
        ("id", "identifier"),
        ("age", "quasi-identifier"),
    ]
    assert json.loads((table / "profile.json").read_text()) == document
    assert sorted(path.name for path in table.iterdir()) == ["in.csv", "profile.html", "profile.json"]
    metadata = next(
        event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    )
    assert "data:image/svg+xml;base64," in str(metadata["report"].value)


def test_unmet_expectations_fail_the_run_after_the_report_is_written(table: Path) -> None:
    read = {"input_path": "in.csv"}
    result = run("data_quality_job", "check_expectations", read, expectations=UNMET, report_path="q.html")
    assert failure(result) == ("require_expectations", SENTENCE)
    assert json.loads((table / "q.json").read_text())["errors"] == 1
    assert "not met (warn)" in (table / "q.html").read_text()


def test_warnings_alone_do_not_fail_the_run(table: Path) -> None:
    assert run("data_quality_job", "check_expectations", {"input_path": "in.csv"}, expectations=UNMET[1:]).success


def test_a_reference_is_read_from_a_file(table: Path) -> None:
    (table / "ids.csv").write_text("id\n1\n2\n")
    known = {"column": "id", "reference": "ids.csv", "reference_column": "id"}
    expectations = [{"expectation": {"referential": known}}]
    assert run("data_quality_job", "check_expectations", {"input_path": "in.csv"}, expectations=expectations).success
    (table / "ids.csv").write_text("id\n1\n")
    result = run("data_quality_job", "check_expectations", {"input_path": "in.csv"}, expectations=expectations)
    assert "id occurs as id in the other table (found 33.3% (1 of 3))" in failure(result)[1]


@pytest.mark.parametrize(
    ("expectation", "sentence"),
    [
        ({"not_null": {"column": "agee"}}, "The column 'agee' of an expectation does not exist: did you mean 'age'?"),
        (
            {"referential": {"column": "id", "reference": "no.csv", "reference_column": "id"}},
            "The input file 'no.csv' does not exist: check reference",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    table: Path, expectation: dict[str, Any], sentence: str
) -> None:
    read = {"input_path": "in.csv"}
    expectations = [{"expectation": expectation}]
    result = run("data_quality_job", "check_expectations", read, expectations=expectations, report_path="q.html")
    step, said = failure(result)
    assert step == "check_expectations"
    assert said.startswith(sentence)
    assert [path.name for path in table.iterdir()] == ["in.csv"]


OUTSIDE = {
    "open('x') == 'y'": "The function 'open' does not exist in expressions: choose one of",
    "__import__('os') == 1": "The function '__import__' does not exist in expressions: choose one of",
    "env('HOME') == 'x'": "The function 'env' does not exist in expressions: did you mean 'len'?",
    "age.__class__ == 'x'": "The expression is malformed at character 4, where '.' stands: columns have no attributes",
    "[x for x in age] == 1": "The expression is malformed at character 1, where '[' stands: a list stands only after",
}


@pytest.mark.parametrize("expression", OUTSIDE)
@pytest.mark.parametrize("name", ["data_quality_job", "data_quality_job_s3"])
def test_an_expression_that_reaches_outside_the_row_is_refused_before_the_run_starts(
    name: str, expression: str, instance: DagsterInstance
) -> None:
    reader = "read_csv_from_s3" if name.endswith("_s3") else "read_csv_to_df"
    read = {"bucket_name": "b", "file_key": "k.csv"} if name.endswith("_s3") else {"input_path": "in.csv"}
    expectations = [{"expectation": {"expression": {"expression": expression}}}]
    config = {"ops": {reader: {"config": read}, "check_expectations": {"config": {"expectations": expectations}}}}
    job = defs.resolve_job_def(name)
    for start in (partial(validate_run_config, job, config), partial(job.execute_in_process, config, instance)):
        with pytest.raises(InvalidRunConfigError) as refused:
            start()
        assert str(refused.value).startswith(OUTSIDE[expression])
    assert instance.get_runs() == []


@pytest.mark.parametrize(
    ("expectation", "sentence"),
    [
        ({"not_null": {"column": "age", "share": 2}}, "The share 2 of an expectation is out of range: give 0 to 1."),
        ({"matches": {"column": "age", "pattern": "(?=x)"}}, "The pattern '(?=x)' is no regular expression"),
        ({"mean": {"column": "age"}}, "The expectation mean has no bound: give minimum or maximum."),
        ({"not_null": {"column": "age", "severity": "note"}}, "The severity 'note' is unknown: choose one of 'error'"),
    ],
)
def test_a_mistake_in_parameters_is_found_before_the_run_starts(expectation: dict[str, Any], sentence: str) -> None:
    expectations = [{"expectation": expectation}]
    config = {
        "ops": {
            "read_csv_to_df": {"config": {"input_path": "in.csv"}},
            "check_expectations": {"config": {"expectations": expectations}},
        }
    }
    with pytest.raises(InvalidRunConfigError) as refused:
        validate_run_config(defs.resolve_job_def("data_quality_job"), config)
    assert str(refused.value).startswith(sentence)


def test_what_dagster_checks_itself_is_left_to_it(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDITION", "number(id) > 0")
    expression = {"expression": {"expression": {"env": "CONDITION"}}}
    expectations = [{"expectation": expression}]
    assert run("data_quality_job", "check_expectations", {"input_path": "in.csv"}, expectations=expectations).success
    with pytest.raises(DagsterInvalidConfigError):
        run("data_quality_job", "check_expectations", {"input_path": "in.csv"}, expectations=[{"expectation": {}}])


def test_on_s3_the_report_goes_to_the_bucket_of_the_input(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="in.csv", Body=TABLE.encode())
    s3.put_object(Bucket=bucket, Key="ids.csv", Body=b"id\n1\n2\n")
    read = {"bucket_name": bucket, "file_key": "in.csv"}
    assert run("profile_data_job_s3", "profile_table", read, report_key="reports/p.html").success
    known = {"column": "id", "reference": f"s3://{bucket}/ids.csv", "reference_column": "id"}
    expectations = [*UNMET, {"expectation": {"referential": known}}]
    result = run("data_quality_job_s3", "check_expectations", read, expectations=expectations, report_key="reports/q")
    assert failure(result)[1].startswith("1 of 3 expectations are not met: unique")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="reports/")["Contents"]
    assert [each["Key"] for each in listed if "Key" in each] == [
        f"reports/{name}" for name in ("p.html", "p.json", "q.html", "q.json")
    ]


def test_every_expectation_can_be_configured_with_its_parameters() -> None:
    configured = get_args(ExpectationConfig.model_fields["expectation"].annotation)
    assert {each.model_fields["kind"].default for each in configured} == set(EXPECTATIONS)
    for each in configured:
        parameters = set(each.model_fields) - {"kind"}
        assert parameters == {own.name for own in fields(EXPECTATIONS[each.model_fields["kind"].default])}, each


def test_the_manuals_configuration_runs(table: Path) -> None:
    manual = (Path(__file__).parents[1] / "docs" / "quality.md").read_text()
    example = re.findall(r"```yaml\n(.*?)```", manual, flags=re.DOTALL)[0]
    (table / "examples").symlink_to(Path(__file__).parents[3] / "examples")
    result = defs.resolve_job_def("data_quality_job").execute_in_process(run_config=yaml.safe_load(example))
    assert result.success
