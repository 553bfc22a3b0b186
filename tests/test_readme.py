"""What the README tells a newcomer to do works as it is written."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dagster import Definitions

from template_code_location.repository import defs
from util_services.jobs import SAMPLE_BUCKET
from util_services.resources import s3_resource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
GOLDEN = PROJECT / "packages/dataframe-level-anonymisation/tests/golden/patients_k4.csv"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not on the path")
def test_line_one_leaves_the_golden_output_and_prints_the_report() -> None:
    output = PROJECT / "output" / "patients_k4.csv"
    output.unlink(missing_ok=True)
    command = blocks("bash")[0]
    ended = subprocess.run(command, shell=True, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "met, verified on the output" in ended.stdout + ended.stderr
    assert output.read_bytes() == GOLDEN.read_bytes()


def test_line_two_is_what_ci_runs() -> None:
    assert blocks("bash")[1].strip() == "uv run pytest"
    assert "\nuv run pytest\n" in (PROJECT / ".ci" / "run").read_text()


@pytest.mark.parametrize("example", sorted((PROJECT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_configuration_runs(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    config = yaml.safe_load(example.read_text())
    assert defs.resolve_job_def(example.stem).execute_in_process(run_config=config).success
    assert list((tmp_path / "output").glob("*.*"))
    assert list((tmp_path / "output" / "logs").glob("simpl_run_*.json"))


def test_the_op_and_the_job_of_ones_own_run(samples: None, s3: "S3Client") -> None:
    del samples
    ops, jobs = blocks("python")[:2]
    namespace: dict[str, Any] = {}
    exec(ops, namespace)
    exec(jobs.replace("from template_code_location.ops.ops import add_decade\n", ""), namespace)
    own = Definitions(
        jobs=[namespace["decade_job"]], resources={"s3": s3_resource.configured({"resource_name": "selfS3"})}
    )
    assert own.resolve_job_def("decade_job").execute_in_process().success
    written = s3.get_object(Bucket=SAMPLE_BUCKET, Key="output/decades.csv")["Body"].read().decode()
    assert written.startswith("id,Name,age,gender,disease,decade\n145B,Albert,25,M,Flu,20\n")
