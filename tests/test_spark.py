"""The location's jobs on a real Spark cluster: the same configuration, the same output."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from spark_cluster import SETTINGS, Cluster, spark_cluster

from template_code_location.repository import defs

__all__ = ["spark_cluster"]

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def spark(spark_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Environment variables that choose the cluster, as an operator sets them."""
    home = tmp_path_factory.mktemp("engine")
    (home / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in SETTINGS.items()))
    yield {
        "ENGINE": "spark",
        "SPARK_MASTER": spark_cluster.master,
        "SPARK_CONF_DIR": str(home),
        "STAGING_URI": (home / "staging").as_uri(),
        "PYSPARK_PYTHON": sys.executable,
    }
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


def run(job: str, ops: Mapping[str, Mapping[str, Any]]) -> None:
    run_config = {"ops": {name: {"config": settings} for name, settings in ops.items()}}
    assert defs.resolve_job_def(job).execute_in_process(run_config=run_config).success


def test_k(spark, tmp_path, monkeypatch):
    for name, value in spark.items():
        monkeypatch.setenv(name, value)
    run(
        "k_anonymity_job",
        {
            "read_csv_to_df": {"input_path": str(PROJECT / "examples" / "patients.csv")},
            "apply_k_anonymity": {
                "ident": ["Name"],
                "quasi_identifiers": ["age", "gender"],
                "sensitive_attributes": ["disease"],
                "k": 4,
                "supp_level": 0,
                "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
            },
            "write_df_to_csv": {"output_path": str(tmp_path / "out.csv")},
        },
    )
    print((tmp_path / "out.csv").read_text())
    assert (tmp_path / "out.csv").read_bytes() == Path("/work/shared/contract/golden/patients_k4.csv").read_bytes()
