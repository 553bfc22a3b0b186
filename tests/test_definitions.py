"""The location's definitions: what is registered, what the guide promises, what a bare Definitions can do."""

import importlib
import re
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dagster import DagsterInstance, Definitions, JobDefinition, job, op

from template_code_location.repository import defs
from util_services.ops import read_csv_from_s3
from util_services.resources import s3_resource

GUIDE = Path(__file__).parent / "data" / "development-guide.md"
BUSINESS_OPERATIONS = {
    "template_code_location": {"DATA_PROCESSING"},
    "data_processing": {"DATA_PROCESSING"},
    "dataframe_level_anonymisation": {"ANONYMISATION"},
    "field_level_pseudo_anonymisation": {"ANONYMISATION_PSEUDONYMISATION", "DEPSEUDONYMISATION"},
}


def jobs() -> list[JobDefinition]:
    return [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]


def test_every_job_of_the_packages_is_registered() -> None:
    services = ("remove_duplicates_job", "fill_missing_values_job", "clean_data_job")
    services += ("profile_data_job", "data_quality_job")
    services += ("k_anonymity_job", "l_diversity_job", "t_closeness_job", "anonymise_job", "risk_report_job")
    services += ("anonymise_pseudonymise_structured_job", "depseudonymise_structured_job")
    services += ("anonymise_pseudonymise_unstructured_job", "depseudonymise_unstructured_job")
    services += ("anonymise_pseudonymise_text_columns_job", "depseudonymise_text_columns_job")
    assert {job.name for job in jobs()} == {
        "data_processing_job",
        "anonymise_pseudonymise_depseudonymise_structured_job",
        *services,
        *(f"{name}_s3" for name in services),
    }
    assert {sensor.name for sensor in defs.sensors or []} == {"notify_success", "notify_failure", "notify_canceled"}
    assert set(defs.resources or {}) >= {"s3"}
    assert set(defs.loggers or {}) == {"simpl"}


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.name)
def test_every_job_runs_in_one_process_with_private_staging_and_a_business_operation(job: JobDefinition) -> None:
    assert job.executor_def.name == "in_process"
    assert "simpl" in job.loggers
    assert (job.resource_defs["io_manager"].description or "").startswith("Private")
    assert job.tags["business_operation"] in set().union(*BUSINESS_OPERATIONS.values())


@pytest.mark.parametrize(
    "package",
    ["util_services", "data_processing", "dataframe_level_anonymisation", "field_level_pseudo_anonymisation"],
)
def test_each_package_can_be_served_alone(package: str) -> None:
    alone: Definitions = importlib.import_module(f"{package}.repository").defs
    assert isinstance(alone.resolve_all_job_defs(), list | tuple)
    Definitions.validate_loadable(alone)


def test_definitions_that_supply_nothing_but_s3_run_every_job(
    samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del samples
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(Path(__file__).parents[1] / "examples")
    modules = [
        "template_code_location.jobs.jobs",
        "data_processing.jobs",
        "dataframe_level_anonymisation.jobs",
        "field_level_pseudo_anonymisation.jobs",
    ]
    found = {
        name: value
        for module in modules
        for name, value in vars(importlib.import_module(module)).items()
        if isinstance(value, JobDefinition)
    }
    bare = Definitions(jobs=list(found.values()), resources={"s3": s3_resource.configured({"resource_name": "selfS3"})})
    assert set(found) == {job.name for job in jobs()}
    for name in found:
        assert bare.resolve_job_def(name).execute_in_process().success, name


def test_a_bare_job_with_pandas_ops_gets_staging_and_executor_from_the_location(
    samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del samples
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    seen: list[list[str]] = []

    @op
    def look(df: pd.DataFrame) -> pd.DataFrame:
        seen.append(df["Name"].tolist()[:1])
        return df

    @job
    def own_job() -> None:
        look(look(read_csv_from_s3()))

    bound = Definitions(jobs=[own_job], resources=defs.resources, executor=defs.executor).resolve_job_def("own_job")
    source = {"bucket_name": "dagster-workflow-bucket", "file_key": "examples/patients.csv"}
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_config = {"ops": {"read_csv_from_s3": {"config": source}}}
        assert bound.execute_in_process(run_config=run_config, instance=instance).success
    assert seen == [["Albert"], ["Albert"]]
    assert bound.executor_def.name == "in_process"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"Albert" in path.read_bytes()]


def blocks() -> dict[str, str]:
    """The guide's Python blocks by the file that their heading names; the guide shows bodies without indentation."""
    text = GUIDE.read_text()
    return dict(re.findall(r"\*\*\d\. [^(]*\(`([^`]+)`\)\*\*.*?```python\n(.*?)```", text, flags=re.DOTALL))


def indented(source: str) -> str:
    """Indent what follows a line that opens a function, up to the next empty line."""
    lines, inside = [], False
    for line in source.splitlines():
        inside = inside and bool(line)
        lines.append(textwrap.indent(line, "    ") if inside else line)
        inside = inside or line.startswith("def ")
    return "\n".join(lines)


def test_the_guides_ops_and_job_are_ours() -> None:
    namespace: dict[str, Any] = {}
    exec(indented(blocks()["ops/ops.py"]), namespace)
    source = indented(blocks()["jobs/jobs.py"].replace("from ..ops.ops", "from template_code_location.ops.ops"))
    exec(source, namespace)
    ours = importlib.import_module("template_code_location.ops.ops")
    for name in ("fetch_data", "process_data"):
        assert namespace[name].description == getattr(ours, name).description
    theirs = namespace["data_processing_job"].execute_in_process()
    mine = defs.resolve_job_def("data_processing_job").execute_in_process()
    assert theirs.output_for_node("process_data") == {"count": 2, "status": "success"}
    assert mine.success
    assert ours.process_data(ours.fetch_data()) == theirs.output_for_node("process_data")
    assert list(mine.job_def.graph.node_dict) == list(theirs.job_def.graph.node_dict)


def test_the_guides_repository_runs_against_our_packages() -> None:
    imported = re.findall(r"\b\w+_job_s3\b", blocks()["repository.py"])
    source = blocks()["repository.py"].replace(", ...]", f", {', '.join(imported[1:])}]")
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    built: Definitions = namespace["defs"]
    assert {job.name for job in built.resolve_all_job_defs()} >= {"data_processing_job", *imported}
    Definitions.validate_loadable(built)
