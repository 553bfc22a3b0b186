"""How long `remove_duplicates_job` and `fill_missing_values_job` take end to end, and how much memory, beside pandas.

    uv run python benchmarks/cleaning.py [--rows 5000000] [--repeats 1]

The peer reads the same CSV as text, drops duplicates or fills missing cells, and writes a CSV: what a data engineer
would write. Both run in processes of their own, in turn, so that the ratio holds on a noisy machine; start-up (imports,
loading the jobs) is not counted in the time. Memory is the peak resident set (VmHWM), and both outputs are compared.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measuring import own_peak_megabytes

CITIES = ["Roma", "Kraków", "Lisboa", "München", "Paris", "", "", "Łódź"]
DUPLICATES = {"columns": [], "keep": "first"}
FILLS = {
    "age": {"method": "median"},
    "weight": {"method": "mean"},
    "city": {"method": "mode"},
    "comment": {"method": "constant", "value": "none"},
}
SERVICES: dict[str, dict[str, Any]] = {"remove_duplicates": DUPLICATES, "fill_missing_values": {"columns": FILLS}}


def generate(rows: int, path: Path) -> None:
    """Write registrations of 8 columns, a tenth of the rows repeated, a tenth of four columns' cells missing."""
    random = np.random.default_rng(1)
    number = pl.int_range(rows, eager=True)
    number = pl.when(pl.Series(random.random(rows)) < 0.1).then(number // 2).otherwise(number)
    key = pl.select(number).to_series()

    def pick(choices: list[str], seed: int) -> pl.Series:
        return pl.Series(choices).gather(key.hash(seed) % len(choices))

    def gaps(cells: pl.Series, seed: int) -> pl.Series:
        return pl.select(pl.when(key.hash(seed) % 10 > 0).then(cells)).to_series()

    text = key.cast(pl.String).str.zfill(9)
    pl.DataFrame(
        {
            "registration": "R" + text,
            "name": pick(["Anna Novák", "Béla Schmidt", "Carla García", "Dmitri Rossi"], 2),
            "email": "person." + text + "@clinic.example.org",
            "age": gaps((key.hash(3) % 90).cast(pl.String), 4),
            "weight": gaps(((key.hash(5) % 900) / 10 + 40).cast(pl.String), 6),
            "city": gaps(pick(CITIES[:5], 7), 8),
            "registered": (pl.Series([1_262_304_000] * rows) + key.cast(pl.Int64))
            .cast(pl.Datetime("ms"))
            .cast(pl.String),
            "comment": gaps(pick(["call back, after noon", 'asked for "Dr. No"', "ok"], 9), 10),
        }
    ).write_csv(path)


def prepared_job(service: str, source: str, target: str) -> Callable[[], object]:
    from dagster import DagsterInstance

    from data_processing.repository import defs

    instance = DagsterInstance.ephemeral()
    job = defs.resolve_job_def(f"{service}_job")
    ops = {
        "read_csv_to_df": {"config": {"input_path": source}},
        service: {"config": SERVICES[service]},
        "write_df_to_csv": {"config": {"output_path": target}},
    }
    return lambda: job.execute_in_process(run_config={"ops": ops}, instance=instance)


def prepared_pandas(service: str, source: str, target: str) -> Callable[[], object]:
    import pandas as pd

    def remove_duplicates(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.drop_duplicates()

    def fill_missing_values(frame: pd.DataFrame) -> pd.DataFrame:
        values = {
            "age": f"{pd.to_numeric(frame['age']).median():g}",
            "weight": str(float(pd.to_numeric(frame["weight"]).mean())),
            "city": frame["city"].mode()[0],
            "comment": "none",
        }
        return frame.fillna(values)

    action = {"remove_duplicates": remove_duplicates, "fill_missing_values": fill_missing_values}[service]
    return lambda: action(pd.read_csv(source, dtype=str)).to_csv(target, index=False)


def measure(who: str, service: str, source: str, target: str) -> None:
    """Run one contender in this process and print its seconds and its peak memory in MB."""
    logging.disable(logging.CRITICAL)
    run = {"job": prepared_job, "pandas": prepared_pandas}[who](service, source, target)
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "megabytes": own_peak_megabytes()}))


def contend(who: str, service: str, source: Path, target: Path) -> dict[str, float]:
    target.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--measure", who, service, str(source), str(target)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def differing_cells(one: Path, other: Path) -> int:
    """Count cells that two CSV files do not share; numbers count as equal up to the last digits of a mean."""
    tables = [pl.read_csv(path, infer_schema=False) for path in (one, other)]
    if tables[0].shape != tables[1].shape:
        return max(table.height * table.width for table in tables)
    count = 0
    for mine, theirs in zip(*tables, strict=True):
        numbers = [cells.cast(pl.Float64, strict=False) for cells in (mine, theirs)]
        close = ((numbers[0] - numbers[1]).abs() <= 1e-9).fill_null(value=False)
        count += int((mine.ne_missing(theirs) & ~close).sum())
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.environ["STAGING_DIR"] = f"{folder}/staging"
        source, mine, theirs = (Path(folder) / name for name in ("in.csv", "job.csv", "pandas.csv"))
        generate(options.rows, source)
        print(f"{options.rows:,} rows x 8 columns, {source.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores\n")
        print("| job | job (s) | pandas (s) | times faster | job (MB) | pandas (MB) | cells that differ |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for service in SERVICES:
            pairs = [
                (contend("job", service, source, mine), contend("pandas", service, source, theirs))
                for _ in range(options.repeats)
            ]
            job, peer = ([pair[side] for pair in pairs] for side in (0, 1))
            seconds = [statistics.median(each["seconds"] for each in side) for side in (job, peer)]
            peaks = [max(each["megabytes"] for each in side) for side in (job, peer)]
            ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in pairs)
            print(
                f"| `{service}_job` | {seconds[0]:.1f} | {seconds[1]:.1f} | {ratio:.1f} "
                f"| {peaks[0]:.0f} | {peaks[1]:.0f} | {differing_cells(mine, theirs)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
