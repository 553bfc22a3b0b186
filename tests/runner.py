"""Runs the workflows as a Gitea runner does, with act on this machine; see https://nektosact.com."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
WORKFLOWS = PROJECT / ".gitea" / "workflows"
_SECONDS = 1800


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        succeeded: Whether all jobs did.
        steps: Result of each step that was executed, by job and name of the step.
        log: Everything the steps printed.
    """

    succeeded: bool
    steps: dict[tuple[str, str], str]
    log: str

    def failed(self) -> list[tuple[str, str]]:
        """Job and name of the steps that failed."""
        return [step for step, result in self.steps.items() if result == "failure"]


def program() -> str:
    """Find act, which comes with the development dependencies."""
    return str(Path(sysconfig.get_path("scripts")) / "act")


def run_blocks(workflow: str) -> set[tuple[str, str]]:
    """Job and name of every step of a workflow that runs commands."""
    jobs = yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"]
    return {(job, step["name"]) for job, parts in jobs.items() for step in parts["steps"] if "run" in step}


def run(
    workflow: str,
    event: str,
    clone: Path,
    *,
    job: str,
    context: Mapping[str, str],
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    environment: dict[str, str],
    cache: Path,
) -> Outcome:
    """Run a workflow.

    Args:
        workflow: File name.
        event: What started it.
        clone: Git clone whose HEAD is the commit it runs for.
        job: The only job to run; empty for all.
        context: GITHUB_… values that come from the event.
        variables: Variables of the repository's settings.
        secrets: Secrets of the repository's settings.
        environment: What the runner's machine has in its environment.
        cache: Where the runner makes the workspaces of jobs; its log lies beside it.
    """
    command = [program(), event, "--json", "-W", f".gitea/workflows/{workflow}", "-P", "ubuntu-latest=-self-hosted"]
    command += ["--container-daemon-socket", "-", "--no-cache-server", "--action-cache-path", str(cache)]
    command += ["--job", job] if job else []
    for option, values in (("--env", context), ("--var", variables), ("--secret", secrets)):
        for name, value in values.items():
            command += [option, f"{name}={value}"]
    log = cache.with_suffix(".log")
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=clone,
            env={name: value for name, value in (os.environ | environment).items() if name != "VIRTUAL_ENV"},
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    return _outcome(done.returncode, log.read_text())


def _outcome(code: int, output: str) -> Outcome:
    steps: dict[tuple[str, str], str] = {}
    log: list[str] = []
    for line in output.splitlines():
        record = _record(line)
        if record.get("stage") == "Main" and record.get("stepResult") in {"success", "failure"}:
            steps[record["jobID"], record["step"]] = record["stepResult"]
        log.append(f"[{record.get('jobID', '')}] {record['msg'].rstrip()}")
    return Outcome(code == 0, steps, "\n".join(log))


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return {"msg": line}
    return record if isinstance(record, dict) and "msg" in record else {"msg": line}
