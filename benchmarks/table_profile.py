"""Time and memory of a profile, and of expectations, on visits of many patients, against a copy of the file.

Run: ``uv run python benchmarks/table_profile.py --rows 1000000``. Each figure is of a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from measuring import own_peak_megabytes

from data_processing.profile import profile
from data_processing.quality import DistinctCount, Holds, InRange, InSet, Matches, NotNull, Unique, assess
from util_services.formats import scan

EXPECTATIONS = [
    NotNull(column="sex"),
    InSet(column="sex", values=["F", "M"]),
    InRange(column="cost", minimum=0, maximum=20_000),
    InRange(column="admitted", minimum="2020-01-01"),
    Matches(column="postcode", pattern="[0-9]{5}"),
    Holds(expression="date(admitted) >= date(birth_date)"),
    DistinctCount(column="diagnosis", maximum=50),
    Unique(columns=["patient"]),
]


def write(path: Path, rows: int) -> None:
    numbers = np.random.default_rng(7)
    days = np.datetime64("1930-01-01") + numbers.integers(0, 30_000, rows)
    pl.DataFrame(
        {
            "patient": [f"P{number:08}" for number in range(rows)],
            "birth_date": days.astype(str),
            "sex": numbers.choice(["F", "M"], rows),
            "postcode": (80_000 + numbers.integers(0, 900, rows)).astype(str),
            "admitted": (np.datetime64("2020-01-01") + numbers.integers(0, 2_000, rows)).astype(str),
            "diagnosis": numbers.choice([f"diagnosis {number}" for number in range(40)], rows),
            "cost": numbers.integers(1, 20_000, rows).astype(str),
            "email": [f"person{number}@example.org" for number in range(rows)],
        }
    ).write_csv(path)


def copied(path: Path) -> None:
    scan(path).sink_csv(path.with_suffix(".copy"))


TASKS: dict[str, Callable[[Path], object]] = {
    "copy": copied,
    "profile": lambda path: profile(scan(path)),
    "expectations": lambda path: assess(scan(path), EXPECTATIONS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.task:
        started = time.perf_counter()
        TASKS[options.task](options.table)
        print(time.perf_counter() - started, own_peak_megabytes())
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "visits.csv"
        write(table, options.rows)
        print(f"{options.rows:,} rows, {table.stat().st_size / 1e6:,.0f} MB")
        seconds: dict[str, float] = {}
        for task in TASKS:
            command = [sys.executable, __file__, "--task", task, "--table", str(table)]
            ended = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds[task], memory = map(float, ended.stdout.split())
            ratio = seconds[task] / seconds["copy"]
            print(f"{task:<14}{seconds[task]:8.2f} s  {ratio:5.1f} copies  {memory:7.0f} MB")


if __name__ == "__main__":
    main()
