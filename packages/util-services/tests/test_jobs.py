from pathlib import Path
from typing import Any

import pytest
from dagster import (
    DagsterInvalidConfigError,
    Definitions,
    In,
    JobDefinition,
    Nothing,
    OpExecutionContext,
    Out,
    ResourceDefinition,
    graph,
    op,
)

from util_services.jobs import ReportOps, TableJobs, report_jobs, service_job, table_jobs
from util_services.resources import s3_resource


@op(config_schema={"k": int}, required_resource_keys={"s3"})
def needs_k(context: OpExecutionContext) -> int:
    return int(context.op_config["k"])


@op(config_schema={"p": str})
def needs_p(context: OpExecutionContext, value: int) -> str:
    return f"{value}{context.op_config['p']}"


@graph
def small() -> None:
    needs_p(needs_k())


DEFAULT = {"needs_k": {"config": {"k": 4}}, "needs_p": {"config": {"p": "x"}}}


@pytest.fixture
def job() -> JobDefinition:
    defined = service_job(small, tags={"business_operation": "TEST"}, default_ops=DEFAULT)
    defs = Definitions(jobs=[defined], resources={"s3": ResourceDefinition.hardcoded_resource("mine")})
    return defs.resolve_job_def("small")


def test_the_default_configuration_runs(job: JobDefinition) -> None:
    assert job.execute_in_process().output_for_node("needs_p") == "4x"


@pytest.mark.parametrize(
    "ops",
    [
        {},
        {"needs_k": {"config": {"k": 1}}},
        {"needs_k": {"config": {}}, "needs_p": {"config": {"p": "y"}}},
        {"needs_k": {"config": {"k": 1}}, "needs_p": {}},
    ],
)
def test_a_forgotten_key_is_an_error_and_never_a_silent_default(job: JobDefinition, ops: Any) -> None:
    with pytest.raises(DagsterInvalidConfigError, match="Missing required config entr"):
        job.execute_in_process(run_config={"ops": ops})


def test_the_json_logger_can_be_switched_on_where_definitions_bring_only_s3(job: JobDefinition) -> None:
    config = {"ops": DEFAULT, "loggers": {"simpl": {"config": {"log_level": "INFO"}}}}
    assert job.execute_in_process(run_config=config).success


def test_a_run_config_cannot_replace_resources(job: JobDefinition) -> None:
    with pytest.raises(DagsterInvalidConfigError):
        job.execute_in_process(run_config={"ops": DEFAULT, "resources": {"s3": {"config": {"resource_name": "x"}}}})


def test_jobs_run_in_one_process_and_the_definitions_resource_wins(job: JobDefinition) -> None:
    assert job.executor_def.name == "in_process"
    assert job.resource_defs["io_manager"].description.startswith("Private")  # type: ignore[union-attr]
    assert job.tags["business_operation"] == "TEST"


def test_a_service_op_becomes_two_jobs_with_complete_defaults() -> None:
    @op(out={"data": Out(), "metrics": Out()}, config_schema={"x": int})
    def service(df: Any):  # type: ignore[no-untyped-def]
        return df, {}

    jobs = table_jobs(
        service,
        name="thing_job",
        description="Does a thing.",
        business_operation="THING",
        config={"x": 1},
        sample_input="examples/a.csv",
        sample_output="output/b.csv",
    )
    assert isinstance(jobs, TableJobs)
    assert [job.name for job in jobs] == ["thing_job", "thing_job_s3"]
    steps = ["preview_dataframe", "preview_dataframe_2", "service"]
    assert sorted(jobs.local.graph.node_dict) == sorted([*steps, "read_csv_to_df", "write_df_to_csv"])
    assert sorted(jobs.s3.graph.node_dict) == sorted([*steps, "read_csv_from_s3", "write_csv_to_s3"])
    assert "s3" not in jobs.local.required_resource_keys
    Definitions(jobs=[*jobs], resources={"s3": s3_resource.configured({"resource_name": "selfS3"})}).resolve_job_def(
        "thing_job_s3"
    )


SAID: list[Any] = []


@op(ins={"metrics": In(), "written": In(Nothing)})
def tell(metrics):  # type: ignore[no-untyped-def]
    SAID.append(metrics)


@op(ins={"metrics": In(), "written": In(Nothing)}, required_resource_keys={"s3"})
def tell_s3(metrics):  # type: ignore[no-untyped-def]
    SAID.append(metrics)


COMMON: dict[str, Any] = {
    "name": "thing_job",
    "description": "Does a thing.",
    "business_operation": "THING",
    "config": {"x": 1},
    "sample_input": "in.csv",
}


def local_defs(jobs: TableJobs) -> Definitions:
    return Definitions(jobs=[*jobs], resources={"s3": s3_resource.configured({"resource_name": "selfS3"})})


def test_a_report_is_written_after_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @op(out={"data": Out(), "metrics": Out()}, config_schema={"x": int})
    def service(df: Any):  # type: ignore[no-untyped-def]
        return df, {"rows": 1}

    jobs = table_jobs(service, **COMMON, sample_output="out.csv", reports=ReportOps(tell, tell_s3))
    for job, writer, reporter in ((jobs.local, "write_df_to_csv", "tell"), (jobs.s3, "write_csv_to_s3", "tell_s3")):
        (upstream,) = [inputs for node, inputs in job.graph.dependencies.items() if node.name == reporter]
        assert {name: source.node for name, source in upstream.items()} == {"metrics": "service", "written": writer}
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("a\n1\n")
    SAID.clear()
    assert local_defs(jobs).resolve_job_def("thing_job").execute_in_process().success
    assert SAID == [{"rows": 1}]


def test_a_service_that_changes_nothing_becomes_two_jobs_that_write_a_report_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @op(out={"metrics": Out()}, config_schema={"x": int})
    def assess(df: Any):  # type: ignore[no-untyped-def]
        return {"rows": len(df.collect())}

    jobs = report_jobs(assess, ReportOps(tell, tell_s3), **COMMON)
    assert sorted(jobs.local.graph.node_dict) == ["assess", "preview_dataframe", "read_csv_to_df", "tell"]
    assert sorted(jobs.s3.graph.node_dict) == ["assess", "preview_dataframe", "read_csv_from_s3", "tell_s3"]
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("a\n1\n2\n")
    SAID.clear()
    assert local_defs(jobs).resolve_job_def("thing_job").execute_in_process().success
    assert SAID == [{"rows": 2}]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["in.csv"]
