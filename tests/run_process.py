"""A run in a process of its own, as on the platform, which a test can kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

_SECONDS = 300
_SCRIPT = """
import sys, yaml
from dagster import DagsterInstance
from template_code_location.repository import defs
result = defs.resolve_job_def(sys.argv[1]).execute_in_process(
    run_config=yaml.safe_load(sys.argv[2]), instance=DagsterInstance.get(), raise_on_error=False
)
if session := "pyspark" in sys.modules and sys.modules["pyspark.sql"].SparkSession.getActiveSession():
    session.stop()
sys.exit(0 if result.success else 1)
"""


def start(
    job: str, ops: Mapping[str, Any], home: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a run.

    Args:
        job: Name of a job of the location.
        ops: Configuration of each op.
        home: Dagster's folder, made if it is missing; the process's output is added to ``run.log`` in it.
        environment: Variables beside those of this process.
    """
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    config = {"ops": {name: {"config": each} for name, each in ops.items()}}
    with (home / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, job, yaml.safe_dump(config)],
            env={**os.environ, "DAGSTER_HOME": str(home), **(environment or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def kill_when(process: "subprocess.Popen[bytes]", working: Callable[[], bool]) -> None:
    """Kill a process as soon as it does something."""
    deadline = time.monotonic() + _SECONDS
    while not working():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
