"""How long loading the code location takes, compared with the libraries that it cannot do without.

    uv run python benchmarks/start_up.py --pairs 9

Both are loaded in turn, each by a new interpreter. Other work of the machine disturbs the ratio of a pair less than the
seconds, and processor seconds less than those on the clock. Ends with 1 if a median ratio is above the limit.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

LIBRARIES = "import dagster, dagster_aws.s3"
LOCATION = "from template_code_location.repository import defs; assert defs.resolve_all_job_defs()"
LIMIT = 1.5


@dataclass(frozen=True)
class Load:
    """Seconds of one load."""

    clock: float
    processor: float


def load(statement: str) -> Load:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", statement])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{statement!r} failed.")
    return Load(time.perf_counter() - started, used.ru_utime + used.ru_stime)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    pairs = parser.parse_args().pairs
    for statement in (LIBRARIES, LOCATION):
        load(statement)  # files come from memory from here on
    loads = [(load(LIBRARIES), load(LOCATION)) for _ in range(pairs)]
    print(f"| median of {pairs} pairs | libraries (s) | location (s) | ratio | lowest | highest |")
    print("|---|---:|---:|---:|---:|---:|")
    medians = []
    for name in ("clock", "processor"):
        libraries, location = ([getattr(pair[side], name) for pair in loads] for side in (0, 1))
        ratios = [b / a for a, b in zip(libraries, location, strict=True)]
        medians.append(statistics.median(ratios))
        seconds = f"{statistics.median(libraries):.2f} | {statistics.median(location):.2f}"
        print(f"| {name} | {seconds} | {medians[-1]:.2f} | {min(ratios):.2f} | {max(ratios):.2f} |")
    return int(max(medians) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
