"""No cell value and no credential may be anywhere but in the output and, while a run goes on, in staging."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from util_services.servers import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CANARY = "CANARY"
ROWS = "".join(f"{CANARY}{n:03},{CANARY}-name-{n},{20 + n % 40},{CANARY}-sex-{n % 2},{CANARY}-flu\n" for n in range(60))
TABLE = f"id,Name,age,gender,disease\n{ROWS}"
# The run is executed as the platform does, in a process of its own, so that its output can be searched too.
SCRIPT = """
import sys, yaml
from dagster import DagsterInstance
from template_code_location.repository import defs
with DagsterInstance.get() as instance:
    result = defs.resolve_job_def(sys.argv[1]).execute_in_process(
        run_config=yaml.safe_load(sys.stdin), instance=instance, raise_on_error=False
    )
print("ENDED", result.success)
"""
BROKEN = {
    "ragged row": TABLE + f"{CANARY},too,few\n",
    "wrong encoding": TABLE.encode() + f"{CANARY},".encode() + b"\xff,1,2,3\n",
    "open quote": TABLE + f'"{CANARY},1,2,3,4\n',
    "age that is no number": TABLE + f"{CANARY},x,{CANARY},y,z\n",
}


def run(
    job: str,
    read: dict[str, Any],
    write: dict[str, Any],
    tmp_path: Path,
    op: str = "apply_k_anonymity",
    more_ops: dict[str, Any] | None = None,
    **changed: Any,
) -> tuple[bool, str]:
    """Run a job on a table; as :func:`execute`."""
    reader, writer = (
        ("read_csv_from_s3", "write_csv_to_s3") if job.endswith("_s3") else ("read_csv_to_df", "write_df_to_csv")
    )
    service = {
        "ident": ["Name"],
        "quasi_identifiers": ["age", "gender"],
        "sensitive_attributes": ["disease"],
        "k": 3,
        "supp_level": 10.0,
        "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
    }
    ops = {
        reader: {"config": read},
        **({writer: {"config": write}} if write else {}),
        op: {"config": changed if op != "apply_k_anonymity" else service | changed},
        **(more_ops or {}),
    }
    return execute(job, ops, tmp_path)


def execute(job: str, ops: dict[str, Any], tmp_path: Path) -> tuple[bool, str]:
    """Run a job with every log switched on; tells success and gives all that was said or left behind."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    loggers = {name: {"config": {"log_level": "DEBUG"}} for name in ("simpl", "console")}
    config = {"ops": ops, "loggers": loggers}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, job],
        input=yaml.safe_dump(config).encode(),
        env={**os.environ, "DAGSTER_HOME": str(home), "TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    said = (ended.stdout + ended.stderr).decode()
    assert "ENDED" in said, said
    left = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if is_elsewhere(path, tmp_path))
    assert b"STEP_START" in left  # the event log was searched
    assert (tmp_path / "logs").exists()  # and the JSON log
    return "ENDED True" in said, said + left.decode("utf-8", "replace") + str(left)


def is_elsewhere(path: Path, tmp_path: Path) -> bool:
    return path.is_file() and path.parent.name != "data" and not path.is_relative_to(tmp_path / "staging")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_a_successful_run_leaves_no_cell_anywhere(data: Path, tmp_path: Path) -> None:
    (data / "in.csv").write_text(TABLE)
    read, write = {"input_path": str(data / "in.csv")}, {"output_path": str(data / "out.csv")}
    succeeded, everything = run("k_anonymity_job", read, write, tmp_path)
    assert succeeded
    assert CANARY in (data / "out.csv").read_text()  # what is kept is in the output
    assert CANARY not in everything
    assert list((tmp_path / "staging").iterdir()) == []
    assert list((tmp_path / "tmp").rglob("*.parquet")) == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_failed_run_leaves_no_cell_but_in_staging(data: Path, tmp_path: Path, fault: str) -> None:
    content = BROKEN[fault]
    (data / "in.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    read, write = {"input_path": str(data / "in.csv")}, {"output_path": str(data / "out.csv")}
    succeeded, everything = run("k_anonymity_job", read, write, tmp_path)
    assert not succeeded
    assert not (data / "out.csv").exists()
    assert CANARY not in everything


def test_an_infeasible_requirement_leaves_no_cell(data: Path, tmp_path: Path) -> None:
    (data / "in.csv").write_text(TABLE)
    read, write = {"input_path": str(data / "in.csv")}, {"output_path": str(data / "out.csv")}
    succeeded, everything = run("k_anonymity_job", read, write, tmp_path, k=500)
    assert not succeeded
    assert "cannot be met" in everything
    assert CANARY not in everything


@pytest.mark.parametrize("covered", [True, False])
def test_models_hierarchy_files_and_reports_leave_no_cell_but_in_the_reports_files(
    data: Path, tmp_path: Path, covered: bool
) -> None:
    (data / "in.csv").write_text(TABLE)
    sexes = f"{CANARY}-sex-0;{CANARY}-any\n" + f"{CANARY}-sex-1;{CANARY}-any\n" * covered
    (data / "sex.csv").write_text(sexes)
    read, write = {"input_path": str(data / "in.csv")}, {"output_path": str(data / "out.csv")}
    succeeded, everything = run(
        "anonymise_job",
        read,
        write,
        tmp_path,
        op="apply_privacy_models",
        ident=["Name", "id"],
        quasi_identifiers=["age", "gender"],
        sensitive_attributes=["disease"],
        models=[
            {"model": {"k_anonymity": {"k": 7}}},
            {"model": {"t_closeness": {"t": 0.5, "sensitive_attribute": "disease"}}},
        ],
        supp_level=10.0,
        recoding="local",
        generalisation_hierarchies={
            "age": {"ordered_groups": {"sizes": [3, 9]}},
            "gender": str(data / "sex.csv"),
        },
        report_path=str(data / "report"),
    )
    assert succeeded is covered
    assert CANARY not in everything
    assert (data / "report.html").exists() is covered
    if covered:
        assert f"{CANARY}-flu" in (data / "report.json").read_text()  # as the released table has it
        assert f"{CANARY}-name" not in (data / "report.json").read_text()


def test_a_risk_report_leaves_no_cell(data: Path, tmp_path: Path) -> None:
    (data / "in.csv").write_text(TABLE)
    succeeded, everything = run(
        "risk_report_job",
        {"input_path": str(data / "in.csv")},
        {},
        tmp_path,
        op="assess_table_risk",
        quasi_identifiers=["age", "gender"],
        sensitive_attributes=["disease"],
        population=str(data / "in.csv"),
    )
    assert succeeded
    assert CANARY not in everything


@pytest.mark.parametrize("wrong_target", [False, True])
def test_s3_runs_leave_neither_cells_nor_credentials(
    data: Path, tmp_path: Path, bucket: str, s3: "S3Client", store: ObjectStore, wrong_target: bool
) -> None:
    del data
    s3.put_object(Bucket=bucket, Key="in.csv", Body=TABLE.encode())
    read = {"bucket_name": bucket, "file_key": "in.csv"}
    write = {"bucket_name": "no-such-bucket" if wrong_target else bucket, "file_key": "out.csv"}
    succeeded, everything = run("k_anonymity_job_s3", read, write, tmp_path)
    assert succeeded is not wrong_target
    assert CANARY not in everything
    assert store.secret_key not in everything
    assert bucket in everything  # the search finds what is there


def test_a_profile_leaves_no_cell(data: Path, tmp_path: Path) -> None:
    (data / "in.csv").write_text(TABLE)
    read = {"input_path": str(data / "in.csv")}
    report = {"report_path": str(data / "report")}
    succeeded, everything = run("profile_data_job", read, {}, tmp_path, op="profile_table", **report)
    assert succeeded
    assert CANARY not in everything
    assert CANARY not in (data / "report.html").read_text() + (data / "report.json").read_text()


def test_unmet_expectations_leave_no_cell(data: Path, tmp_path: Path) -> None:
    (data / "in.csv").write_text(TABLE)
    (data / "known.csv").write_text(f"id\n{CANARY}-other\n")
    known = {"column": "id", "reference": str(data / "known.csv"), "reference_column": "id"}
    expectations = [
        {"expectation": {"unique": {"columns": ["gender"]}}},
        {"expectation": {"in_range": {"column": "Name", "minimum": "1"}}},
        {"expectation": {"expression": {"expression": "date(Name) is not null"}}},
        {"expectation": {"referential": known}},
    ]
    succeeded, everything = run(
        "data_quality_job",
        {"input_path": str(data / "in.csv")},
        {},
        tmp_path,
        op="check_expectations",
        expectations=expectations,
    )
    assert not succeeded
    assert "4 of 4 expectations are not met" in everything
    assert CANARY not in everything
