"""How the cost of `k_anonymity_job` goes with the rows: time per row of the job, time of the search alone.

    uv run --with matplotlib python benchmarks/cost_curve.py [--rows 20000000] [--figure curve.svg]

From 100,000 rows on, threefold each time, the register has the same 6,000 combinations of quasi-identifiers. Job and
peer, a plain CSV to CSV copy with Polars' streaming engine, run in turn in the same process, and medians are told;
start-up is not counted. Without memory limit; see `scale.py` for that.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import end_to_end
from registers import write_visits

FEWEST_ROWS = 100_000
IDENTIFIERS = ["visit", "patient", "name", "email"]


@dataclass(frozen=True)
class Point:
    """Medians for one size.

    Attributes:
        rows: How many rows.
        tuples: Distinct combinations of quasi-identifiers.
        copy: Seconds of the copy.
        job: Seconds of the job.
        search: Seconds of the search within the job.
    """

    rows: int
    tuples: int
    copy: float
    job: float
    search: float

    def line(self) -> str:
        """Write it in Markdown."""
        copy, job = (1e6 * spent / self.rows for spent in (self.copy, self.job))
        return (
            f"| {self.rows:,} | {self.tuples:,} | {copy:.3f} | {job:.3f} | {job / copy:.2f} | {1e3 * self.search:.1f} |"
        )


def sizes(most: int) -> list[int]:
    """Give the numbers of rows: powers of 10 and three times those, up to the most, which is the last.

    Examples:
        >>> sizes(500_000)
        [100000, 300000, 500000]
    """
    steps = sorted(factor * 10**power for power in range(5, 10) for factor in (1, 3))
    return [rows for rows in steps if FEWEST_ROWS <= rows < most] + [most]


def measure(rows: int, repeats: int, folder: Path) -> Point:
    from dagster import DagsterInstance

    from dataframe_level_anonymisation.repository import defs

    source, target = folder / "in.csv", folder / "out.csv"
    write_visits(rows, source)
    config: dict[str, Any] = end_to_end.CONFIG | {"ident": IDENTIFIERS}
    ops = {
        "read_csv_to_df": {"config": {"input_path": str(source)}},
        "apply_k_anonymity": {"config": config},
        "write_df_to_csv": {"config": {"output_path": str(target)}},
    }
    job, instance = defs.resolve_job_def("k_anonymity_job"), DagsterInstance.ephemeral()
    copies, jobs, searches, tuples = [], [], [], 0
    for number in range(repeats + 1):
        target.unlink(missing_ok=True)
        copied = time.perf_counter()
        end_to_end.copy(source, target)
        copied = time.perf_counter() - copied
        target.unlink()
        started = time.perf_counter()
        result = job.execute_in_process(run_config={"ops": ops}, instance=instance)
        spent = time.perf_counter() - started
        if number:  # the first of a size warms up
            metrics = result.output_for_node("apply_k_anonymity", "metrics")
            copies.append(copied)
            jobs.append(spent)
            searches.append(metrics["seconds"]["search"])
            tuples = metrics["classes"]["before"]["number"]
    target.unlink()
    return Point(rows, tuples, *(statistics.median(each) for each in (copies, jobs, searches)))


def draw(points: list[Point], path: Path) -> None:
    """Draw both curves; equal points give equal bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams |= {"svg.hashsalt": "cost-curve", "svg.fonttype": "none"}
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    per_row, search = figure.subplots(1, 2)
    rows = [point.rows for point in points]
    per_row.plot(rows, [1e6 * point.job / point.rows for point in points], "o-", label="k_anonymity_job")
    per_row.plot(rows, [1e6 * point.copy / point.rows for point in points], "s--", label="copy, Polars streaming")
    per_row.set_ylabel("µs per row")
    per_row.legend()
    search.plot(rows, [1e3 * point.search for point in points], "o-")
    search.set_ylabel("search, ms")
    for axes in (per_row, search):
        axes.set_xscale("log")
        axes.set_xlabel("rows")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="of the largest table")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--figure", type=Path, help="where to draw the curves, such as curve.svg; needs matplotlib")
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logging.disable(logging.CRITICAL)
    print(f"{os.cpu_count()} cores, medians of {options.repeats}\n")
    print("| rows | distinct tuples | copy (µs a row) | job (µs a row) | ratio | search (ms) |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    points = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        os.environ["STAGING_DIR"] = f"{folder}/staging"
        for rows in sizes(options.rows):
            points.append(measure(rows, options.repeats, Path(folder)))
            print(points[-1].line(), flush=True)
    if options.figure:
        draw(points, options.figure)


if __name__ == "__main__":
    main()
