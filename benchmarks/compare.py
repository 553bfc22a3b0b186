"""All comparisons with others in one table: a copy, pandas, Polars, ANJANA, Python loops, and Spark.

    uv run python benchmarks/compare.py [--rows 1000000] [--repeats 3]

Ours and the peer run in turn, and the ratio is the median of the pairs', so that it holds on a noisy machine; start-up
is not counted. What a peer needs and is not there (a network for ANJANA's own environment, Java for Spark) is said in
its line. Each line's benchmark beside this file tells more.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anonymisation
import cleaning
import end_to_end
import polars as pl
import pseudonymisation
from census import census
from measuring import seconds

from field_level_pseudo_anonymisation import Step, pseudonymise

TESTS = Path(__file__).parents[1] / "tests"
ANJANA_LIMIT = 600.0


@dataclass(frozen=True)
class Comparison:
    """A line of the table.

    Attributes:
        ours: What of ours.
        peer: What it is compared with.
        size: Of the data.
        pairs: Seconds of ours and of the peer, or why there are none.
        limit: The largest ratio that is acceptable, if one was agreed.
    """

    ours: str
    peer: str
    size: str
    pairs: list[tuple[float, float]] | str
    limit: float | None = None

    def line(self) -> str:
        """Write it in Markdown."""
        limit = "" if self.limit is None else f"{self.limit:g}"
        if isinstance(self.pairs, str):
            return f"| {self.ours} | {self.peer} | {self.size} | {self.pairs} | | | {limit} |"
        ours, peer = (statistics.median(side) for side in zip(*self.pairs, strict=True))
        ratio = statistics.median(mine / theirs for mine, theirs in self.pairs)
        missed = self.limit is not None and ratio > self.limit
        figures = f"{ours:.3g} | {peer:.3g} | {f'**{ratio:.3g}**' if missed else f'{ratio:.3g}'}"
        return f"| {self.ours} | {self.peer} | {self.size} | {figures} | {limit} |"


def in_turn(ours: Callable[[], object], peer: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    """Measure pairs, after a first call of each that does not count."""
    ours()
    peer()
    return [(seconds(ours), seconds(peer)) for _ in range(repeats)]


def copies(folder: Path, rows: int, repeats: int) -> Iterator[Comparison]:
    """Compare the whole job with a copy of its input."""
    source, target, plain = (folder / name for name in ("in.csv", "out.csv", "copy.csv"))
    for times, columns in ((1, 10), (5, 12)):
        end_to_end.generate(times * rows, source, columns)
        job = end_to_end.prepared_job(source, target)

        def ours(job: Callable[[], object] = job) -> None:
            target.unlink(missing_ok=True)
            job()

        def peer() -> None:
            plain.unlink(missing_ok=True)
            end_to_end.copy(source, plain)

        size = f"{times * rows:,} rows × {columns} columns"
        yield Comparison("k_anonymity_job", "copy, Polars streaming", size, in_turn(ours, peer, repeats), 2.5)


def pandas_scripts(folder: Path, rows: int, repeats: int) -> Iterator[Comparison]:
    """Compare cleaning jobs with pandas, each in a process of its own."""
    source, target = folder / "registrations.csv", folder / "cleaned.csv"
    cleaning.generate(rows, source)
    for service in cleaning.SERVICES:
        pairs = [
            (
                cleaning.contend("job", service, source, target)["seconds"],
                cleaning.contend("pandas", service, source, target)["seconds"],
            )
            for _ in range(repeats)
        ]
        yield Comparison(f"{service}_job", "pandas", f"{rows:,} rows × 8 columns", pairs)


def searches(folder: Path, repeats: int) -> Iterator[Comparison]:
    """Compare the search for anonymity with one group_by of Polars, and with ANJANA."""
    written = anonymisation.write(census(30_000), folder / "census")
    case = anonymisation.Case(5.0)
    size = f"30,000 rows, {written.register.distinct_tuples:,} tuples, {len(written.hierarchies)} quasi-identifiers"
    group_by = anonymisation.group_by_peers(written.register)["text"]
    anonymisation.warm_up(written, [case])
    results = [anonymisation.run(written.register.frame, written.hierarchies, case) for _ in range(repeats)]
    pairs = [(result.seconds["search"], seconds(group_by)) for result in results]
    yield Comparison(f"search, {case.name}", "one group_by, Polars", size, pairs, case.group_bys)
    ours = [result.seconds["search"] + result.seconds["apply"] for result in results]
    measured = anonymisation.Measured()
    installed = subprocess.run([*anonymisation.ANJANA, "-c", "import anjana"], check=False, capture_output=True)
    if not installed.returncode:
        anonymisation.run_anjana(written, case, ANJANA_LIMIT, measured)
    anjana: list[tuple[float, float]] | str = [(statistics.median(ours), peer) for peer in measured.anjana]
    note = measured.anjana_note or "cannot be installed"
    yield Comparison(f"search and application, {case.name}", "ANJANA", size, anjana or note, 1 / case.times_faster)


def loops(rows: int, repeats: int) -> Iterator[Comparison]:
    """Compare techniques with a loop over the values with the same library."""
    frame = pseudonymisation.emails(rows, rows).alias("email").to_frame()
    for name, technique in pseudonymisation.TECHNIQUES.items():
        step = Step(technique, ["email"])
        loop = pl.col("email").map_elements(pseudonymisation.LOOPS[name], return_dtype=pl.String)
        pairs = in_turn(
            lambda step=step: pseudonymise(frame, [step], keys=pseudonymisation.KEYS),  # type: ignore[misc]
            lambda loop=loop: frame.with_columns(loop),  # type: ignore[misc]
            repeats,
        )
        yield Comparison(name, "Python loop, same library", f"{rows:,} distinct texts", pairs)


def engines(folder: Path, rows: int, repeats: int) -> Iterator[Comparison]:
    """Compare Polars in this process with a Spark cluster of two workers on this machine."""
    source, target = folder / "spark.csv", folder / "out.csv"
    end_to_end.generate(rows, source)
    command = [sys.executable, __file__, "--spark", str(source), str(target), "--repeats", str(repeats)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    said = ended.stdout.splitlines()[-1] if ended.stdout else json.dumps("ended with an error")
    pairs = json.loads(said)
    size = f"{rows:,} rows × 10 columns"
    yield Comparison("k_anonymity_job, Polars", "k_anonymity_job, Spark", size, pairs)


def measure_engines(source: Path, target: Path, repeats: int) -> list[tuple[float, float]] | str:
    """Run the job on both engines in turn; each has its session already."""
    sys.path.insert(0, str(TESTS))
    from spark_cluster import cluster, missing, settings_of

    if lack := missing():
        return lack
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, cluster(Path(folder)) as spark:
        generated = {"spark_sql_codegen_wholeStage": "true", "spark_sql_codegen_factoryMode": "FALLBACK"}
        os.environ |= settings_of(spark, Path(folder), **generated)
        job = end_to_end.prepared_job(source, target)

        def on(engine: str) -> Callable[[], object]:
            def run() -> None:
                os.environ["ENGINE"] = engine
                job()

            return run

        return in_turn(on("polars"), on("spark"), repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--spark", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if options.spark:
        source, target = options.spark
        print(json.dumps(measure_engines(Path(source), Path(target), options.repeats)))
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        os.environ["STAGING_DIR"] = f"{folder}/staging"
        print(f"{os.cpu_count()} cores, medians of {options.repeats} pairs\n")
        print("| ours | peer | size | ours (s) | peer (s) | ours ÷ peer | at most |\n|---|---|---|---:|---:|---:|---:|")
        for comparisons in (
            copies(folder, options.rows, options.repeats),
            pandas_scripts(folder, options.rows, options.repeats),
            searches(folder, options.repeats),
            loops(options.rows, options.repeats),
            engines(folder, options.rows, options.repeats),
        ):
            for comparison in comparisons:
                print(comparison.line(), flush=True)


if __name__ == "__main__":
    main()
