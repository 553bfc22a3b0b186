"""How long `k_anonymity_job` takes end to end, as a multiple of copying the same CSV, and how its memory grows.

    uv run python benchmarks/end_to_end.py [--rows 1000000] [--columns 10] [--repeats 5] [--no-memory]
    uv run python benchmarks/end_to_end.py --rows 5000000 --columns 12 --no-memory

The peer is a plain CSV to CSV copy with Polars' streaming engine, run in turn with the job in the same process, so that
the ratio holds on a noisy machine. Start-up (imports, loading the location) is not counted. Memory is the peak resident
set of a process of its own.
"""

import argparse
import logging
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from measuring import peak_megabytes, prepared, seconds

CONFIG = {
    "ident": ["name", "email"],
    "quasi_identifiers": ["age", "gender", "weight"],
    "sensitive_attributes": ["diagnosis"],
    "k": 5,
    "supp_level": 1.0,
    "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender", "weight": "simpl_age"},
}
FIRST = ["Anna", "Béla", "Carla", "Dmitri", "Eva", "Franz", "Gina", "Hugo", "Inês", "Jan"]
LAST = ["Novák", "Schmidt", "García", "Rossi", "Kowalski", "Jansen", "Nielsen", "Horvat", "Silva", "Dupont"]
NOTES = [
    "follow-up in two weeks, bring the list of medication",
    'see "chart" of ward 7, patient reports pain',
    "",
    "none",
]


def generate(rows: int, path: Path, columns: int = 10) -> None:
    """Write a patient register of 10 or 12 columns, about 160 or 180 bytes a row, with a fixed seed."""
    random = np.random.default_rng(1)
    first, last = (np.array(names)[random.integers(0, 10, rows)] for names in (FIRST, LAST))
    number = pl.int_range(rows, eager=True).cast(pl.String).str.zfill(9)
    frame = pl.DataFrame(
        {
            "record": pl.Series(random.integers(2**60, 2**62, rows)).cast(pl.String) + "-" + number,
            "name": pl.Series(first) + " " + pl.Series(last),
            "email": pl.Series(first).str.to_lowercase() + "." + number + "@hospital.example.org",
            "age": random.integers(0, 100, rows),
            "gender": random.choice(["female", "male", "diverse"], rows, p=[0.5, 0.49, 0.01]),
            "weight": random.normal(75, 15, rows).clip(30, 180).round(0).astype(int),
            "admitted": pl.Series(random.integers(1_262_304_000, 1_767_225_600, rows))
            .cast(pl.Datetime("ms"))
            .dt.to_string("%Y-%m-%dT%H:%M:%S"),
            "diagnosis": random.choice(["Influenza", "Common cold", "Malignant neoplasm, lung", "Asthma"], rows),
            "cost": pl.Series(random.random(rows) * 10_000).round(2).cast(pl.String),
            "note": random.choice(NOTES, rows),
        }
    )
    more = frame.select(
        pl.Series("ward", random.integers(1, 400, rows)).cast(pl.String).str.zfill(4),
        pl.Series("invoice", random.integers(10**11, 10**12, rows)).cast(pl.String),
    )
    pl.concat([frame, more[:, : columns - 10]], how="horizontal").write_csv(path)


def copy(source: Path, target: Path) -> None:
    pl.scan_csv(source, infer_schema=False).sink_csv(target, engine="streaming")


def prepared_job(source: Path, target: Path) -> Callable[[], dict[str, float]]:
    ops = {
        "read_csv_to_df": {"input_path": str(source)},
        "apply_k_anonymity": CONFIG,
        "write_df_to_csv": {"output_path": str(target)},
    }
    return prepared("dataframe_level_anonymisation", "k_anonymity_job", ops)


def peak(source: Path, target: Path) -> float:
    return peak_megabytes("import end_to_end; end_to_end.prepared_job(source, target)()", source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=10, choices=[10, 12])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of the job on 4 times the rows")
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.environ["STAGING_DIR"] = f"{folder}/staging"
        source, target, plain = (Path(folder) / name for name in ("in.csv", "out.csv", "copy.csv"))
        generate(options.rows, source, options.columns)
        copy(source, plain)
        run_job = prepared_job(source, target)
        steps = run_job()
        pairs = []
        for _ in range(options.repeats):  # both into a file that does not exist yet
            plain.unlink(missing_ok=True)
            target.unlink(missing_ok=True)
            peer = seconds(lambda: copy(source, plain))
            job = seconds(lambda: steps.update(run_job()))
            pairs.append((peer, job))
        copies, jobs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(job / peer for peer, job in pairs)
        size = source.stat().st_size / 1e6
        shape = f"{options.rows:,} rows x {options.columns} columns, {size:.0f} MB"
        print(f"{shape}, {options.repeats} pairs, {os.cpu_count()} cores\n")
        print("| | seconds (median) | ratio |\n|---|---:|---:|")
        print(f"| copy CSV to CSV, Polars streaming | {copies:.2f} | 1.00 |")
        print(f"| k_anonymity_job, end to end | {jobs:.2f} | {ratio:.2f} |")
        print("\nsteps: " + ", ".join(f"{name} {spent:.2f}" for name, spent in steps.items()) + "\n")
        if options.no_memory:
            return
        small = peak(source, target)
        generate(4 * options.rows, source, options.columns)
        large = peak(source, target)
        print("| rows | peak memory (MB) | growth |\n|---:|---:|---:|")
        print(f"| {options.rows:,} | {small:.0f} | 1.00 |")
        print(f"| {4 * options.rows:,} | {large:.0f} | {large / small:.2f} |")


if __name__ == "__main__":
    main()
