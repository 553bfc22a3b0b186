"""Columns of lists and records, which Parquet can hold, pass through the jobs for tables."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dagster import ExecuteInProcessResult

from template_code_location.repository import defs

PROJECT = Path(__file__).parents[1]
REQUIREMENT = {
    "ident": ["Name"],
    "quasi_identifiers": ["age", "gender"],
    "sensitive_attributes": ["disease"],
    "k": 4,
    "supp_level": 0.0,
    "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
}
SERVICES: dict[str, dict[str, Any]] = {
    "k_anonymity_job": {"apply_k_anonymity": {"config": REQUIREMENT}},
    "remove_duplicates_job": {"remove_duplicates": {"config": {}}},
    "anonymise_pseudonymise_structured_job": {
        "anonymise_pseudonymise_structured": {
            "config": {"used_function": [{"technique": {"redact": {"columns": ["Name"]}}}]}
        }
    },
}
NESTED = [
    pl.concat_list("disease", "gender").alias("tags"),
    pl.struct("age", history=pl.concat_list("disease")).alias("record"),
]


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    monkeypatch.chdir(tmp_path)
    patients = pl.read_csv(PROJECT / "examples" / "patients.csv", infer_schema=False).with_columns(NESTED)
    patients.write_parquet("patients.parquet")
    return patients


def run(job: str, output: str) -> ExecuteInProcessResult:
    ops = {
        "read_csv_to_df": {"config": {"input_path": "patients.parquet"}},
        **SERVICES[job],
        "write_df_to_csv": {"config": {"output_path": output}},
    }
    return defs.resolve_job_def(job).execute_in_process(run_config={"ops": ops}, raise_on_error=False)


@pytest.mark.parametrize("job", SERVICES)
def test_they_come_out_of_a_job_as_they_went_in(job: str, table: pl.DataFrame) -> None:
    assert run(job, "out.parquet").success
    assert pl.read_parquet("out.parquet").select("tags", "record").equals(table.select("tags", "record"))


def test_csv_refuses_them_in_one_sentence_and_nothing_is_written() -> None:
    (failure,) = run("k_anonymity_job", "out.csv").filter_events(lambda event: event.is_step_failure)
    told = failure.step_failure_data.user_failure_data
    assert told
    assert told.description == "The column 'tags' holds lists or records, which CSV cannot: write .parquet or .jsonl."
    assert not Path("out.csv").exists()


def test_a_profile_counts_them_and_combines_other_columns() -> None:
    ops = {"read_csv_to_df": {"config": {"input_path": "patients.parquet"}}}
    profiled = defs.resolve_job_def("profile_data_job").execute_in_process(run_config={"ops": ops})
    assert profiled.success
