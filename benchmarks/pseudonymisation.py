"""How fast columns are pseudonymised, as a multiple of the loop a user would write, and how memory grows with the rows.

    uv run python benchmarks/pseudonymisation.py [--rows 1000000] [--repeats 3] [--no-memory]

Each technique is compared with a loop over the values with the same library (hashlib, hmac, cryptography), run in turn
in the same process, so that the ratio holds on a noisy machine. Values are e-mail addresses, once all distinct and once
with 10 % distinct ones in random order. Memory is the peak resident set of a process of its own that runs
`anonymise_pseudonymise_structured_job` on a Parquet file with 10 times the rows, as a multiple of that with 2.5 times.
"""

import argparse
import base64
import hashlib
import hmac
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from field_level_pseudo_anonymisation import Reversal, Step, depseudonymise, pseudonymise
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques import DeterministicEncrypt, Encrypt, Hash, KeyedHash

KEY = Fernet.generate_key().decode()
KEYS = MemoryKeyStore({"key": {1: KEY}})
FERNET, SIV = Fernet(KEY), AESSIV(os.urandom(64))
SECRET = os.urandom(32)

LOOPS: dict[str, Callable[[str], str]] = {
    "hash": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "keyed_hash": lambda value: hmac.new(SECRET, value.encode(), hashlib.sha256).hexdigest(),
    "encrypt": lambda value: FERNET.encrypt(value.encode()).decode(),
    "deterministic_encrypt": lambda value: base64.urlsafe_b64encode(SIV.encrypt(value.encode(), [b"email"])).decode(),
}
TECHNIQUES = {
    "hash": Hash(),
    "keyed_hash": KeyedHash("key"),
    "encrypt": Encrypt("key"),
    "deterministic_encrypt": DeterministicEncrypt("key"),
}
STEPS = [
    {"hash": {"columns": ["email"]}},
    {"keyed_hash": {"columns": ["mail_2"], "key_name": "key"}},
    {"encrypt": {"columns": ["mail_3"], "key_name": "key"}},
    {"deterministic_encrypt": {"columns": ["mail_4"], "key_name": "key"}},
]


def emails(rows: int, distinct: int) -> pl.Series:
    """Give e-mail addresses in random order, with a fixed seed."""
    number = pl.Series(np.random.default_rng(1).permutation(rows) % distinct)
    return "person." + number.cast(pl.String).str.zfill(8) + "@hospital.example.org"


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Give the time that passed, and that of all processors."""
    started, used = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - started, time.process_time() - used


def ratios(ours: Callable[[], object], loop: Callable[[], object], repeats: int) -> list[float]:
    """Give the median seconds of both, the median ratio of pairs, and that of their processor times."""
    pairs = [(*seconds(loop), *seconds(ours)) for _ in range(repeats)]
    median = statistics.median
    return [
        median(pair[0] for pair in pairs),
        median(pair[2] for pair in pairs),
        median(pair[0] / pair[2] for pair in pairs),
        median(pair[1] / pair[3] for pair in pairs),
    ]


def compare(rows: int, distinct: int, repeats: int) -> None:
    frame = emails(rows, distinct).alias("email").to_frame()
    print(f"\n{rows:,} e-mail addresses, {frame['email'].n_unique():,} distinct\n")
    print("| | loop (s) | ours (s) | times faster | times less processor time |\n|---|---:|---:|---:|---:|")
    for name, technique in TECHNIQUES.items():
        step = Step(technique, ["email"])
        value = LOOPS[name]
        loop_frame = pl.col("email").map_elements(value, return_dtype=pl.String)
        report(
            name,
            ratios(
                lambda step=step: pseudonymise(frame, [step], keys=KEYS),  # type: ignore[misc]
                lambda cells=loop_frame: frame.with_columns(cells),  # type: ignore[misc]
                repeats,
            ),
        )
    tokens = pseudonymise(frame, [Step(Encrypt("key"), ["email"])], keys=KEYS).frame
    undo = pl.col("email").map_elements(lambda token: FERNET.decrypt(token).decode(), return_dtype=pl.String)
    back = [Reversal(Encrypt("key"), ["email"])]
    report(
        "decrypt",
        ratios(lambda: depseudonymise(tokens, back, keys=KEYS), lambda: tokens.with_columns(undo), repeats),
    )


def report(name: str, measured: list[float]) -> None:
    theirs, mine, faster, less = measured
    print(f"| {name} | {theirs:.2f} | {mine:.2f} | {faster:.1f} | {less:.1f} |", flush=True)


def run_job(source: Path, target: Path) -> None:
    """Run the job as the platform does, on four columns with a technique each."""
    from dagster import DagsterInstance

    from field_level_pseudo_anonymisation.repository import defs

    ops = {
        "read_csv_to_df": {"config": {"input_path": str(source)}},
        "anonymise_pseudonymise_structured": {"config": {"used_function": [{"technique": each} for each in STEPS]}},
        "write_df_to_csv": {"config": {"output_path": str(target)}},
    }
    job = defs.resolve_job_def("anonymise_pseudonymise_structured_job")
    with DagsterInstance.local_temp(str(target.parent)) as instance:
        assert job.execute_in_process(run_config={"ops": ops, "loggers": {}}, instance=instance).success


def peak_megabytes(rows: int, folder: Path) -> tuple[float, float]:
    """Run the job in a process of its own; give its seconds and its peak resident set."""
    source = folder / "in.parquet"
    column = emails(rows, rows)
    names = ["email", "mail_2", "mail_3", "mail_4"]
    pl.DataFrame(dict.fromkeys(names, column) | {"amount": range(rows)}).write_parquet(source)
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[3]); from pathlib import Path\n"
        "import measuring, pseudonymisation\n"
        "started = time.perf_counter(); pseudonymisation.run_job(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(time.perf_counter() - started)\n"
        "print(measuring.own_peak_megabytes())"
    )
    command = [sys.executable, "-c", code, str(source), str(folder / "out.parquet"), str(Path(__file__).parent)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return float(said[-2]), float(said[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of the job on 10 times the rows")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, medians of {options.repeats} pairs")
    compare(options.rows, options.rows, options.repeats)
    compare(options.rows, options.rows // 10, options.repeats)
    if options.no_memory:
        return
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        keys = Path(folder) / "keys.json"
        keys.touch(mode=0o600)
        keys.write_text(f'{{"key": {{"1": "{KEY}"}}}}')
        os.environ |= {"STAGING_DIR": f"{folder}/staging", "KEY_FILE": str(keys)}
        os.environ.pop("VAULT_ADDR", None)
        print("\n| rows | job (s) | peak memory (MB) | growth |\n|---:|---:|---:|---:|")
        first = 0.0
        for rows in (options.rows * 5 // 2, options.rows * 10):
            spent, peak = peak_megabytes(rows, Path(folder))
            first = first or peak
            print(f"| {rows:,} | {spent:.1f} | {peak:.0f} | {peak / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
