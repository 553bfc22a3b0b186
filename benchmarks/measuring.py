"""Running a job with the seconds of its steps, and a call with its peak memory, for the benchmarks beside this file."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def own_peak_megabytes() -> float:
    """Give the peak resident set of this process; not getrusage, whose maximum is inherited from the one before it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def prepared(package: str, job: str, ops: dict[str, dict[str, Any]]) -> Callable[[], dict[str, float]]:
    """Load a job and a Dagster instance; gives a function that runs it and tells the seconds of each step."""
    from importlib import import_module

    from dagster import DagsterEventType, DagsterInstance

    instance = DagsterInstance.ephemeral()
    loaded = import_module(f"{package}.repository").defs.resolve_job_def(job)
    run_config = {"ops": {name: {"config": config} for name, config in ops.items()}}

    def run() -> dict[str, float]:
        result = loaded.execute_in_process(run_config=run_config, instance=instance)
        events = instance.all_logs(result.run_id, of_type=DagsterEventType.STEP_SUCCESS)
        return {str(event.step_key): event.get_dagster_event().step_success_data.duration_ms / 1000 for event in events}

    return run


def peak_megabytes(statement: str, source: Path, target: Path) -> float:
    """Run a statement about ``source`` and ``target`` in a process of its own and give its peak resident set."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[3]); from pathlib import Path; import measuring\n"
        f"source, target = Path(sys.argv[1]), Path(sys.argv[2])\n{statement}\n"
        "print(measuring.own_peak_megabytes())"
    )
    command = [sys.executable, "-c", code, str(source), str(target), str(Path(__file__).parent)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
