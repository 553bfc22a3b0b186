"""Memory and time of an anonymisation with all distinct tuples and with few allowed (HISTOGRAM_TUPLES), side by side.

    uv run python benchmarks/pregeneralisation.py [--rows 4000000]

The table has a time of admission to the minute, an age, a weight and a sex: nearly every row is a tuple of its own.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from measuring import peak_megabytes

EVERY, FEW = 10**9, 500_000
HIERARCHIES = {
    "admitted": {"intervals": {"widths": [1440, 43200]}},
    "age": "simpl_age",
    "weight": "simpl_age",
    "sex": "suppress",
}


def generate(rows: int, path: Path) -> None:
    """Write a table with about 20 rows a minute."""
    random = np.random.default_rng(1)
    pl.DataFrame(
        {
            "admitted": random.integers(0, max(rows // 20, 1), rows),
            "age": random.integers(0, 100, rows),
            "weight": random.normal(75, 15, rows).clip(30, 180).astype(int),
            "sex": random.choice(["F", "M"], rows),
        }
    ).write_parquet(path)


def run(source: Path, target: Path, most: int) -> None:
    """Anonymise with so many tuples allowed; the levels found and the seconds go to the target."""
    import os
    import time

    from dataframe_level_anonymisation import KAnonymity, anonymise

    os.environ["HISTOGRAM_TUPLES"] = str(most)
    started = time.perf_counter()
    result = anonymise(
        pl.scan_parquet(source),
        quasi_identifiers=list(HIERARCHIES),
        hierarchies=HIERARCHIES,
        models=[KAnonymity(100)],
        suppression_limit=1.0,
    )
    before = "" if result.pregeneralisation is None else f", before {result.pregeneralisation.levels}"
    target.write_text(f"{len(result.classes_before):,}|{time.perf_counter() - started:.1f}|{result.levels}{before}")


def measured(source: Path, target: Path, most: int) -> float:
    """Peak memory in MB of a process that does so."""
    statement = f"import pregeneralisation; pregeneralisation.run(source, target, {most})"
    return peak_megabytes(statement, source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        source, target = Path(folder) / "in.parquet", Path(folder) / "outcome"
        generate(options.rows, source)
        print("| tuples allowed | peak memory (MB) | ratio | distinct tuples | seconds | levels |")
        print("|---:|---:|---:|---:|---:|---|")
        whole = 0.0
        for most in (EVERY, FEW):
            peak = measured(source, target, most)
            whole = whole or peak
            tuples, spent, levels = target.read_text().split("|")
            print(f"| {most:,} | {peak:.0f} | {peak / whole:.2f} | {tuples} | {spent} | {levels} |")


if __name__ == "__main__":
    main()
