"""The location as the Asset Orchestrator sees it: served over gRPC, driven through GraphQL."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from served import LOCATION, Webserver

from template_code_location.repository import defs
from util_services.jobs import SAMPLE_BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[1]
JOBS = sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__"))
LAUNCHED = (  # of each package, on tables and texts, local and on S3, changing data and not
    "data_processing_job",
    "clean_data_job",
    "risk_report_job_s3",
    "depseudonymise_structured_job_s3",
    "anonymise_pseudonymise_unstructured_job",
)


def test_the_jobs_are_listed(webserver: Webserver) -> None:
    nodes = webserver.query(
        "{ repositoriesOrError { ... on RepositoryConnection "
        "{ nodes { name location { name } pipelines { name } } } } }"
    )["repositoriesOrError"]["nodes"]
    (node,) = nodes
    assert node["location"]["name"] == LOCATION
    assert sorted(each["name"] for each in node["pipelines"] if not each["name"].startswith("__")) == JOBS


def test_every_default_configuration_is_complete_and_valid_and_runs(
    webserver: Webserver, samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del samples
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    for job in JOBS:  # in this process, as each process of its own loads Dagster for seconds
        config = yaml.safe_load(webserver.default_config(job))
        assert webserver.is_valid(job, config) == "PipelineConfigValidationValid", job
        assert defs.resolve_job_def(job).execute_in_process(run_config=config).success, job


@pytest.mark.parametrize("job", LAUNCHED)
def test_a_run_that_is_launched_with_the_default_configuration_succeeds(
    webserver: Webserver, samples: None, job: str
) -> None:
    del samples
    assert webserver.run(job, yaml.safe_load(webserver.default_config(job)))[1] == "SUCCESS"


def test_the_defaults_name_the_sample_bucket_and_leave_the_golden_result(
    webserver: Webserver, samples: None, s3: "S3Client"
) -> None:
    del samples
    config = yaml.safe_load(webserver.default_config("k_anonymity_job_s3"))
    assert config["ops"]["read_csv_from_s3"]["config"]["bucket_name"] == SAMPLE_BUCKET
    config["ops"]["write_csv_to_s3"]["config"]["file_key"] = "golden.csv"
    assert webserver.run("k_anonymity_job_s3", config)[1] == "SUCCESS"
    written = s3.get_object(Bucket=SAMPLE_BUCKET, Key="golden.csv")["Body"].read()
    assert written.startswith(b'id,Name,age,gender,disease\n145B,*,"[20, 30)",M,Flu\n')


def test_a_forgotten_key_is_invalid(webserver: Webserver) -> None:
    for key in ("k", "ident", "quasi_identifiers", "sensitive_attributes", "supp_level", "generalisation_hierarchies"):
        config = yaml.safe_load(webserver.default_config("k_anonymity_job"))
        del config["ops"]["apply_k_anonymity"]["config"][key]
        assert webserver.is_valid("k_anonymity_job", config) == "RunConfigValidationInvalid"


@pytest.mark.parametrize("path", ["/etc/passwd", "../dagster.yaml"])
def test_an_outsiders_value_reaches_no_file_outside_the_data_root(webserver: Webserver, path: str) -> None:
    config = yaml.safe_load(webserver.default_config("k_anonymity_job"))
    config["ops"]["read_csv_to_df"]["config"]["input_path"] = path
    run_id, status = webserver.run("k_anonymity_job", config)
    assert status == "FAILURE"
    events = str(
        webserver.query(
            "query($r: ID!) { logsForRun(runId: $r, limit: 1000) { ... on EventConnection { events "
            "{ ... on ExecutionStepFailureEvent { failureMetadata { description } error { message } } } } } }",
            r=run_id,
        )
    )
    assert "lies outside the folder that DATA_ROOT allows" in events


OUTSIDE = 'open("/etc/passwd") == "x"'
CHECKED = {
    "clean_data_job": ("clean_data", {"steps": [{"step": {"filter_rows": {"condition": OUTSIDE}}}]}),
    "data_quality_job": (
        "check_expectations",
        {"expectations": [{"expectation": {"expression": {"expression": OUTSIDE}}}]},
    ),
}
REFUSED = "The function 'open' does not exist in expressions"


@pytest.mark.parametrize("job", CHECKED)
def test_an_expression_that_reaches_outside_the_row_is_refused_before_a_run_exists(
    webserver: Webserver, job: str
) -> None:
    op, service = CHECKED[job]
    config = yaml.safe_load(webserver.default_config(job))
    config["ops"][op]["config"] = service
    parameters = {"selector": webserver.selector(job), "runConfigData": config, "mode": "default"}
    runs = "{ runsOrError { ... on Runs { results { runId } } } }"
    before = webserver.query(runs)
    for answer in (
        webserver.query(
            "query($s: PipelineSelector!, $c: RunConfigData!) { executionPlanOrError(pipeline: $s, runConfigData: $c, "
            'mode: "default") { __typename ... on PythonError { message } } }',
            s=webserver.selector(job),
            c=config,
        )["executionPlanOrError"],
        webserver.query(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) "
            "{ __typename ... on PythonError { message } } }",
            p=parameters,
        )["launchRun"],
    ):
        assert answer["__typename"] == "PythonError"
        assert REFUSED in answer["message"]
    assert webserver.query(runs) == before
    # The webserver compares with the shape of the configuration alone and never asks the code location.
    assert webserver.is_valid(job, config) == "PipelineConfigValidationValid"
