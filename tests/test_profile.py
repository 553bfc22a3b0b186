"""The configurations that a profile proposes are ones that the anonymisation jobs take."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from data_processing.profile import profile
from data_processing.profile_page import profile_figures
from template_code_location.repository import defs

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = {
    "risk_report_job": {"read_csv_to_df": {"config": {"input_path": "in.csv"}}},
    "k_anonymity_job": {
        "read_csv_to_df": {"config": {"input_path": "in.csv"}},
        "write_df_to_csv": {"config": {"output_path": "out.csv"}},
    },
}


@pytest.mark.parametrize("job", FILES)
def test_the_proposed_configuration_runs(job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = pl.read_csv(EXAMPLES / "visits.csv", infer_schema=False)
    table.write_csv("in.csv")
    proposed = yaml.safe_load(profile_figures(profile(table), show_values=False)["configuration"][job])
    proposed["ops"] |= FILES[job]
    assert defs.resolve_job_def(job).execute_in_process(run_config=proposed).success
