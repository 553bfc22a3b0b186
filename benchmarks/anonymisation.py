"""What the exact search costs, next to one Polars `group_by` of the same tuples and next to ANJANA; and its memory.

    uv run python benchmarks/anonymisation.py [--quick] [--profile] [--no-anjana] [--rows 30000] [--large-rows 1000000]

Two registers with fixed seeds (`census.py`): one in the shape of the Adult data, and one with about a million distinct
tuples. Every peer runs in turn with the search, so that the ratios of the medians hold on a noisy machine:

- one `group_by` of the distinct tuples on all quasi-identifiers, as text (the limits are for this one) and as codes;
- ANJANA, which pins its dependencies exactly, in an environment of its own (`anjana_peer.py`); only its call is timed.

What each of the two gives out is checked here, from the released cells alone: k, l, t and the loss. Memory is the peak
resident set of a process of its own, less what the same process held after a warm-up with a few rows.
"""

import argparse
import cProfile
import json
import logging
import math
import os
import pstats
import signal
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from census import SENSITIVE, Levels, Register, census, fine_census

if TYPE_CHECKING:
    from dataframe_level_anonymisation import PrivacyModel, Result

ANJANA = ["uv", "run", "--quiet", "--isolated", "--no-project", "--with", "anjana", "python"]
GROUP_BYS_A_ROUND = 5  # a group_by is short next to a search
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    """A requirement and what it may cost.

    Attributes:
        suppression: Limit, in per cent of the rows.
        k: For k-anonymity.
        l: For distinct l-diversity of the diagnosis, or None.
        t: For t-closeness of the diagnosis, or None.
    """

    suppression: float
    k: int = 5
    l: int | None = None  # noqa: E741 - the literature's name
    t: float | None = None

    @property
    def name(self) -> str:
        """The requirement in words."""
        more = f", l = {self.l}" if self.l else f", t = {self.t:g}" if self.t else ""
        return f"k = {self.k}{more}, suppression {self.suppression:g} %"

    @property
    def group_bys(self) -> int:
        """How many times a `group_by` of the tuples the search may cost."""
        return 500 if self.t else 100

    @property
    def times_faster(self) -> int:
        """How many times faster than ANJANA search and application are to be."""
        return 10 if self.t else 20

    def models(self) -> list["PrivacyModel"]:
        """Build the privacy models."""
        import dataframe_level_anonymisation as library

        models: list[PrivacyModel] = [library.KAnonymity(self.k)]
        if self.l:
            models.append(library.DistinctLDiversity(self.l, SENSITIVE))
        if self.t:
            models.append(library.TCloseness(self.t, SENSITIVE))
        return models

    def is_met(self, reached: dict[str, float]) -> bool:
        """Whether what an output reaches is enough."""
        return (
            reached["k"] >= self.k
            and reached["l"] >= (self.l or 1)
            and reached["t"] <= (self.t or 1) + TOLERANCE
            and reached["suppressed"] <= self.suppression + TOLERANCE
        )


CASES = [Case(0.0), Case(5.0), Case(0.0, l=3), Case(5.0, l=3), Case(0.0, t=0.2), Case(5.0, t=0.2)]


@dataclass
class Measured:
    """What was measured of one case, a number a repeat; and the last outputs."""

    search: list[float] = field(default_factory=list)
    search_and_apply: list[float] = field(default_factory=list)
    call: list[float] = field(default_factory=list)
    anjana: list[float] = field(default_factory=list)
    anjana_note: str = ""
    result: "Result | None" = None
    anjana_output: pl.DataFrame | None = None


@dataclass(frozen=True)
class Written:
    """A register and where it is written."""

    register: Register
    folder: Path
    data: Path
    hierarchies: dict[str, str]


def write(register: Register, folder: Path) -> Written:
    return Written(register, folder, *register.write(folder))


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def run(frame: pl.DataFrame | pl.LazyFrame, hierarchies: dict[str, str], case: Case) -> "Result":
    """Anonymise with the library under test."""
    from dataframe_level_anonymisation import anonymise

    return anonymise(
        frame,
        quasi_identifiers=list(hierarchies),
        hierarchies=hierarchies,
        models=case.models(),
        sensitive_attributes=[SENSITIVE],
        suppression_limit=case.suppression,
    )


def warm_up(written: Written, cases: Sequence[Case]) -> None:
    for case in cases:
        run(written.register.frame, written.hierarchies, case)


# --- peers ---------------------------------------------------------------------------------------------------------


def group_by_peers(register: Register) -> dict[str, Callable[[], object]]:
    """One `group_by` of the distinct tuples, on the text columns and on the same columns as integer codes."""
    columns = register.quasi_identifiers
    text = register.frame.select(columns).unique()
    codes = text.with_columns(pl.col(column).rank("dense").cast(pl.Int32) for column in columns)
    return {"text": lambda: text.group_by(columns).len(), "codes": lambda: codes.group_by(columns).len()}


def run_anjana(written: Written, case: Case, limit: float, measured: Measured) -> None:
    """Run ANJANA in a process of its own, which is ended at the time limit."""
    table, output = written.folder / "hierarchies.json", written.folder / "anjana.csv"
    table.write_text(json.dumps(written.hierarchies))
    options = {"data": written.data, "hierarchies": table, "output": output, "sensitive": SENSITIVE}
    options |= {"k": case.k, "l": case.l, "t": case.t, "suppression": case.suppression}
    arguments = [f"--{name}={value}" for name, value in options.items() if value is not None]
    process = subprocess.Popen(
        [*ANJANA, str(Path(__file__).with_name("anjana_peer.py")), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that uv and the Python it starts are ended together
    )
    try:
        printed, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        measured.anjana.append(limit)
        measured.anjana_note = "cut off"
        return
    if process.returncode:
        measured.anjana_note = f"fails: {errors.strip().splitlines()[-1]}"
        return
    report = json.loads(printed.splitlines()[-1])
    measured.anjana.append(report["seconds"])
    measured.anjana_note = f"version {report['version']}"
    measured.anjana_output = pl.read_csv(output, infer_schema=False) if report["rows"] else pl.DataFrame()


# --- checks of an output, from its cells alone ---------------------------------------------------------------------


def guarantees(output: pl.DataFrame, register: Register) -> dict[str, float]:
    """What an output reaches: k, l, t (against the diagnoses of the output) and the per cent of rows suppressed."""
    suppressed = 100 * (1 - output.height / register.frame.height)
    if output.is_empty():
        return {"k": math.inf, "l": math.inf, "t": 0.0, "suppressed": suppressed}
    columns = register.quasi_identifiers
    classes = output.group_by(columns).agg(pl.len().alias("rows"), pl.col(SENSITIVE).n_unique().alias("values"))
    overall = output.group_by(SENSITIVE).agg((pl.len() / output.height).alias("overall"))
    distances = (
        output.group_by(*columns, SENSITIVE)
        .len()
        .join(overall, on=SENSITIVE)
        .with_columns(share=pl.col("len") / pl.col("len").sum().over(columns))
        # all values are equally far apart, so the distance is the sum of what is too much
        .group_by(columns)
        .agg((pl.col("share") - pl.col("overall")).clip(lower_bound=0).sum().alias("t"))
    )
    return {
        "k": classes["rows"].min(),
        "l": classes["values"].min(),
        "t": distances["t"].max(),
        "suppressed": suppressed,
    }


def loss(output: pl.DataFrame, register: Register) -> float:
    """Mean over all quasi-identifier cells of the input of (m - 1) / (M - 1); a cell of a suppressed row costs 1.

    M is the number of distinct input values of the column, m of those in the cell's group at the level it has.
    """
    rows, columns = register.frame.height, register.quasi_identifiers
    if output.is_empty():
        return 1.0
    cost = 0.0
    for column in columns:
        group_sizes = _group_sizes(output[column], register.frame[column].unique(), register.hierarchies[column])
        others = sum(group_sizes.values()) - 1
        cells = output[column].value_counts()
        cost += sum((group_sizes[label] - 1) / max(others, 1) * count for label, count in cells.iter_rows())
    return (cost + len(columns) * (rows - output.height)) / (len(columns) * rows)


def _group_sizes(released: pl.Series, values: pl.Series, levels: Levels) -> dict[str, int]:
    """Count the input values behind each label of the one level that the released labels belong to."""
    labels = set(released.unique())
    for level in range(1 + len(levels[values[0]])):
        sizes: dict[str, int] = defaultdict(int)
        for value in values:
            sizes[(value, *levels[value])[level]] += 1
        if labels <= sizes.keys():
            return sizes
    raise ValueError(f"The released labels of {released.name!r} are not of one level of its hierarchy.")


# --- measuring -----------------------------------------------------------------------------------------------------


def measure(
    written: Written, repeats: int, anjana_limit: float | None
) -> tuple[dict[str, list[float]], dict[Case, Measured]]:
    """Time the peers and the library in turn; without a time limit, ANJANA is left out."""
    peers = group_by_peers(written.register)
    group_bys: dict[str, list[float]] = defaultdict(list)
    measured = {case: Measured() for case in CASES}
    warm_up(written, CASES)
    for _ in range(repeats):
        for case, of_case in measured.items():
            for _ in range(GROUP_BYS_A_ROUND):
                for name, peer in peers.items():
                    group_bys[name].append(seconds(peer))
            started = time.perf_counter()
            result = of_case.result = run(written.register.frame, written.hierarchies, case)
            of_case.call.append(time.perf_counter() - started)
            of_case.search.append(result.seconds["search"])
            of_case.search_and_apply.append(result.seconds["search"] + result.seconds["apply"])
            if anjana_limit is not None and of_case.anjana_note != "cut off":
                run_anjana(written, case, anjana_limit, of_case)
    return group_bys, measured


def print_group_bys(written: Written, group_bys: dict[str, list[float]], measured: dict[Case, Measured]) -> None:
    register = written.register
    text, codes = (statistics.median(group_bys[name]) for name in ("text", "codes"))
    nodes = math.prod(1 + len(next(iter(levels.values()))) for levels in register.hierarchies.values())
    print(
        f"{register.frame.height:,} rows, {len(register.quasi_identifiers)} quasi-identifiers, "
        f"{register.distinct_tuples:,} distinct tuples, {nodes:,} nodes; one group_by of the tuples: "
        f"{1000 * text:.2f} ms as text, {1000 * codes:.2f} ms as codes\n"
    )
    print("| requirement | search (s, median) | nodes checked | group_bys of text | at most | of codes | loss |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for case, of_case in measured.items():
        if of_case.result:
            spent, result = statistics.median(of_case.search), of_case.result
            print(
                f"| {case.name} | {spent:.3f} | {result.nodes_checked:,} | {spent / text:.0f} | "
                f"{_verdict(case.group_bys, met=spent / text <= case.group_bys)} | {spent / codes:.0f} | "
                f"{result.loss:.4f} |"
            )
    print()


def print_anjana(written: Written, measured: dict[Case, Measured]) -> None:
    print("Search and application, and the whole call (histogram and verification included), next to ANJANA:\n")
    print("| requirement | search and apply (s) | whole call (s) | ANJANA (s) | times faster | at least | whole call |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for case, of_case in measured.items():
        if of_case.anjana:
            ours, call, peer = map(statistics.median, (of_case.search_and_apply, of_case.call, of_case.anjana))
            more = "> " if of_case.anjana_note == "cut off" else ""
            print(
                f"| {case.name} | {ours:.3f} | {call:.3f} | {more}{peer:.2f} | {more}{peer / ours:.1f} | "
                f"{_verdict(case.times_faster, met=peer / ours >= case.times_faster)} | {more}{peer / call:.1f} |"
            )
    print("\nWhat the outputs reach, recomputed from their cells:\n")
    print("| requirement | by | k | l | t | suppressed (%) | meets it | loss | no worse than ANJANA |")
    print("|---|---|---:|---:|---:|---:|---|---:|---|")
    for case, of_case in measured.items():
        peer = _print_output(case, f"ANJANA, {of_case.anjana_note}", of_case.anjana_output, written.register, None)
        ours = of_case.result.frame if of_case.result else None
        _print_output(case, "this library", ours, written.register, peer)
    print()


def _print_output(
    case: Case, name: str, output: pl.DataFrame | None, register: Register, peer: float | None
) -> float | None:
    """Print what an output reaches and give its loss, if there is an output."""
    if output is None:
        print(f"| {case.name} | {name}: no output | | | | | | | |")
        return None
    reached, lost = guarantees(output, register), loss(output, register)
    compared = "" if peer is None else "yes" if lost <= peer + TOLERANCE else "**no**"
    print(
        f"| {case.name} | {name} | {reached['k']} | {reached['l']} | {reached['t']:.3f} | "
        f"{reached['suppressed']:.2f} | {'yes' if case.is_met(reached) else '**no**'} | {lost:.4f} | {compared} |"
    )
    return lost


def _verdict(limit: int, *, met: bool) -> str:
    return f"{limit}" if met else f"{limit} **missed**"


# --- memory --------------------------------------------------------------------------------------------------------


def resident(kind: str) -> int:
    """Bytes of this process: `VmRSS` now or `VmHWM` at the peak (not getrusage, whose maximum is inherited)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024


def peak(data: Path, hierarchies: dict[str, str], case: Case) -> tuple[int, int]:
    """Resident bytes after a warm-up, and at the peak of anonymising a Parquet file. For a process of its own."""
    run(pl.scan_parquet(data).head(100), hierarchies, case)
    before = resident("VmRSS")
    run(pl.scan_parquet(data), hierarchies, case)
    return before, resident("VmHWM")


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def print_memory(small: Written, large: Written, case: Case) -> None:
    """Peak memory for few and many tuples, and for as many rows with few tuples."""
    print(f"Peak memory, {case.name}:\n")
    print("| rows | distinct tuples | peak (MB) | above warm-up (MB) | bytes a tuple |\n|---:|---:|---:|---:|---:|")
    copies = max(1, large.register.frame.height // small.register.frame.height)
    repeated = small.folder / "repeated.parquet"
    pl.concat([small.register.frame] * copies).write_parquet(repeated)
    tasks = [
        (small, small.data.with_suffix(".parquet"), 1),
        (small, repeated, copies),
        (large, large.data.with_suffix(".parquet"), 1),
    ]
    figures = []
    for written, data, times in tasks:
        before, highest = in_own_process(peak, data, written.hierarchies, case)
        tuples, rows = written.register.distinct_tuples, times * written.register.frame.height
        figures.append((tuples, highest))
        above = highest - before
        print(f"| {rows:,} | {tuples:,} | {highest / 1e6:.0f} | {above / 1e6:.0f} | {above / tuples:,.0f} |")
    (few, low), _, (many, high) = figures
    print(f"\nEach tuple more costs {(high - low) / (many - few):,.0f} bytes.\n")


# --- profile -------------------------------------------------------------------------------------------------------


def print_profile(written: Written, case: Case, functions: int = 12) -> None:
    """Name the functions with the most time of their own."""
    profile = cProfile.Profile()
    profile.runcall(run, written.register.frame, written.hierarchies, case)
    stats = pstats.Stats(profile)
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])  # type: ignore[attr-defined]
    total = sum(row[1][2] for row in rows)
    print(f"{written.register.distinct_tuples:,} distinct tuples, {case.name}, {total:.2f} s under the profiler:\n")
    print("| function | calls | own time (s) | share (%) |\n|---|---:|---:|---:|")
    for (file, line, name), (_, calls, own, *_) in rows[:functions]:
        place = f"{Path(file).name}:{line} {name}" if line else name
        print(f"| `{place}` | {calls:,} | {own:.3f} | {100 * own / total:.1f} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--large-rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--large-repeats", type=int, default=3)
    parser.add_argument("--anjana-limit", type=float, default=600.0, help="seconds after which a run is cut off")
    parser.add_argument("--no-anjana", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of the large register, and fewer repeats")
    parser.add_argument("--profile", action="store_true", help="only name the functions that take the time")
    options = parser.parse_args()
    if options.quick:
        options.large_rows = min(options.large_rows, 100_000)
        options.repeats, options.large_repeats = 3, 1
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        small = write(census(options.rows), folder / "small")
        if options.profile:
            warm_up(small, CASES)
            for case in CASES:
                print_profile(small, case)
            return
        if not options.no_anjana:
            subprocess.run([*ANJANA, "-c", "import anjana"], check=True)  # installed before anything is timed
        print(f"{os.cpu_count()} cores, {options.repeats} repeats, {options.large_repeats} of the large register\n")
        group_bys, measured = measure(small, options.repeats, None if options.no_anjana else options.anjana_limit)
        print_group_bys(small, group_bys, measured)
        if not options.no_anjana:
            print_anjana(small, measured)
        large = write(fine_census(options.large_rows), folder / "large")
        print_group_bys(large, *measure(large, options.large_repeats, None))
        for case in (Case(0.0), Case(0.0, t=0.2)):
            print_memory(small, large, case)


if __name__ == "__main__":
    main()
