"""Tables larger than memory: three jobs under a hard limit, as multiples of a copy under the same limit.

    uv run python benchmarks/scale.py [--rows 20000000] [--megabytes 2500] [--repeats 1]

Each job and the peer, a plain CSV to CSV copy with Polars' streaming engine, run in a process of their own, in turn, in
a memory cgroup whose limit counts the page cache, too. Files are dropped from the page cache before each, so that all
begin alike. Start-up (imports, loading the location) is not counted in the time. Peak memory is the largest resident
set (VmHWM) of a process; it is told for a quarter of the rows, too. Needs about 13 GB of disk for the default size.
"""

import argparse
import json
import logging
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from measuring import own_peak_megabytes, prepared
from memory_limit import memory_limit
from registers import write_visits

KEY = "benchmark"
SERVICES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "k_anonymity_job": (
        "dataframe_level_anonymisation",
        "apply_k_anonymity",
        {
            "ident": ["visit", "patient", "name", "email"],
            "quasi_identifiers": ["age", "gender", "weight"],
            "sensitive_attributes": ["diagnosis"],
            "k": 5,
            "supp_level": 1.0,
            "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender", "weight": "simpl_age"},
        },
    ),
    "anonymise_pseudonymise_structured_job": (
        "field_level_pseudo_anonymisation",
        "anonymise_pseudonymise_structured",
        {
            "used_function": [
                {"technique": {"hash": {"columns": ["visit"]}}},
                {"technique": {"keyed_hash": {"columns": ["patient"], "key_name": KEY}}},
                {"technique": {"deterministic_encrypt": {"columns": ["name"], "key_name": KEY}}},
            ]
        },
    ),
    "clean_data_job": (
        "data_processing",
        "clean_data",
        {
            "steps": [
                {"step": {"normalise_missing_markers": {}}},
                {"step": {"standardise_text": {"columns": ["name", "diagnosis"]}}},
                {"step": {"format_dates": {"columns": ["admitted"], "formats": ["%Y-%m-%dT%H:%M:%S"]}}},
                {"step": {"fill_missing_values": {"columns": {"diagnosis": {"method": "constant", "value": "none"}}}}},
            ]
        },
    ),
}
COPY = "copy CSV to CSV, Polars streaming"


def contender(who: str, source: Path, target: Path) -> Callable[[], object]:
    if who == COPY:
        return lambda: pl.scan_csv(source, infer_schema=False).sink_csv(target, engine="streaming")
    package, op, config = SERVICES[who]
    reading, writing = {"input_path": str(source)}, {"output_path": str(target)}
    return prepared(package, who, {"read_csv_to_df": reading, op: config, "write_df_to_csv": writing})


def measure(who: str, source: Path, target: Path) -> None:
    """Run one contender in this process and print its seconds and its peak memory in MB."""
    logging.disable(logging.CRITICAL)
    run = contender(who, source, target)
    started = time.perf_counter()
    steps = run()
    spent = time.perf_counter() - started
    print(json.dumps({"seconds": spent, "megabytes": own_peak_megabytes(), "steps": steps}))


def drop_from_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def contend(who: str, source: Path, prefix: list[str]) -> dict[str, Any]:
    """Run one contender in a limited process of its own."""
    target = source.with_name("out.csv")
    drop_from_cache(source)
    command = [*prefix, sys.executable, __file__, "--measure", who, str(source), str(target)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{who}: ended with {ended.returncode}\n{ended.stderr[-3000:]}")
    target.unlink()
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--megabytes", type=int, default=2500, help="of 10⁶ bytes")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if options.measure:
        who, source, target = options.measure
        measure(who, Path(source), Path(target))
        return
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        memory_limit(options.megabytes) as (limiter, prefix),
    ):
        keys = Path(folder) / "keys.json"
        keys.touch(mode=0o600)
        keys.write_text(json.dumps({KEY: {"1": secrets.token_urlsafe(32) + "="}}))
        os.environ |= {"STAGING_DIR": f"{folder}/staging", "KEY_FILE": str(keys)}
        os.environ.pop("VAULT_ADDR", None)
        peaks: dict[str, float] = {}
        print(f"limit {options.megabytes:,} MB ({limiter}), {os.cpu_count()} cores, {options.repeats} rounds")
        for rows in (options.rows // 4, options.rows):
            source = Path(folder) / "in.csv"
            write_visits(rows, source)
            print(f"\n{rows:,} rows x 12 columns, {source.stat().st_size / 1e6:,.0f} MB\n")
            print("| | seconds (median) | ratio | peak memory (MB) | growth |\n|---|---:|---:|---:|---:|", flush=True)
            rounds = [{who: contend(who, source, prefix) for who in (COPY, *SERVICES)} for _ in range(options.repeats)]
            for who in (COPY, *SERVICES):
                spent = statistics.median(each[who]["seconds"] for each in rounds)
                ratio = statistics.median(each[who]["seconds"] / each[COPY]["seconds"] for each in rounds)
                peak = max(each[who]["megabytes"] for each in rounds)
                growth = peak / peaks.setdefault(who, peak)
                print(f"| {who} | {spent:.1f} | {ratio:.2f} | {peak:.0f} | {growth:.2f} |")
            for who in SERVICES:
                steps = rounds[-1][who]["steps"]
                print(f"\n{who}: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items()))


if __name__ == "__main__":
    main()
