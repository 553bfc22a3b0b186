"""Tables whose changed columns are computed whenever they are read."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster import DagsterInstance, In, OpExecutionContext, ReexecutionOptions, execute_job, job, op, reconstructable

from util_services import shelf, staged_tables
from util_services.formats import scan
from util_services.frames import KEPT, amended, map_batches, recoded, selected
from util_services.jobs import bindings
from util_services.revisions import levels_of
from util_services.staging import checkpoint, discard_checkpoints, run_folder, staging_root
from util_services.summaries import summarise

FLAG, AMENDED_BEFORE = "FAIL_DOWNSTREAM", "AMENDED_BEFORE"
ROWS = 100_000
CALLS: list[int] = []
SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    shelf.forget(run_folder("run"))
    staged_tables.forget_figures(run_folder("run"))


def deferred() -> list[Path]:
    return [path for path in shelf._DEFERRED if staging_root() in path.parents]


def reverse(rows: pl.DataFrame) -> pl.DataFrame:
    CALLS.append(rows.height)
    return rows.select(pl.col("name").str.reverse())


def numbered(rows: int = ROWS) -> pl.LazyFrame:
    number = pl.int_range(rows).cast(pl.String)
    return pl.select(name="n" + number, ward=pl.int_range(rows) % 7, note="ä," + number).lazy().with_columns(
        ward=pl.concat_str(pl.lit("w"), pl.col("ward")), note=pl.when(pl.col("ward") > 2).then("note")
    )  # fmt: skip


def reversed_(frame: nw.LazyFrame[Any], *, again: bool = True) -> nw.LazyFrame[Any]:
    return map_batches(frame, reverse, ["name"], {"name": nw.String}, one_to_one=["name"], again=again)


def loud(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    known = levels_of(frame, ["ward"])
    assert known
    new = {name: levels.recoded(levels.cells.str.to_uppercase()) for name, levels in known.items()}
    return recoded(frame, known, new)


def fewer(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return amended(frame, {"note": "-"}, nw.col("ward") != "w3")


def staged(frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    return nw.from_native(staged_tables.scan(staged_tables.stage(nw.to_native(frame), run_folder("run") / name)))


BASES: dict[str, Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]] = {
    "one file": lambda frame: frame,
    "recoded": loud,
    "amended": lambda frame: staged(fewer(frame), "fewer"),
    "deferred": lambda frame: staged(reversed_(frame), "reversed"),
    "selected": lambda frame: staged(selected(frame, ["note", "name"]), "selected"),
}
QUESTIONS: list[Callable[[pl.LazyFrame], pl.LazyFrame]] = [
    lambda frame: frame,
    lambda frame: frame.head(70_000),
    lambda frame: frame.slice(40_000, 10),
    lambda frame: frame.select("note", "name"),
    lambda frame: frame.select("ward"),
    lambda frame: frame.filter(pl.col("name").str.ends_with("9n")),
    lambda frame: frame.select(pl.len()),
]


@pytest.mark.parametrize("base", BASES)
def test_is_what_the_function_makes_of_the_other_table_in_steps_or_not(base: str) -> None:
    before = BASES[base](staged(nw.from_native(numbered()), "in"))
    expected = before.collect("polars").to_native().with_columns(pl.col("name").str.reverse()).lazy()
    CALLS.clear()
    after = staged(reversed_(before), "out")
    rows = staged_tables.height(after)
    summary = staged_tables.summary_of(after)
    assert CALLS == []  # nothing was computed yet
    native = nw.to_native(after)
    steps = staged_tables.in_steps(native)
    assert steps is not native
    for question in QUESTIONS if base != "selected" else QUESTIONS[:4]:
        assert question(native).collect().equals(question(expected).collect())
        assert question(steps).collect(engine="streaming").equals(question(expected).collect())
    assert rows == expected.collect().height
    figures = {column.name: (column.nulls, column.distinct) for column in summarise(after).columns}
    for column in summary.columns:
        assert (column.nulls, column.distinct) == figures[column.name]
    assert max(CALLS) <= staged_tables._SLICE_ROWS


@pytest.mark.parametrize("before", [*BASES, "computed", "in memory"])
def test_fewer_columns_cost_nothing(tmp_path: Path, before: str) -> None:
    source = staged(nw.from_native(numbered()), "in")
    if before == "in memory":
        table = tmp_path / "in.csv"
        numbered(3).collect().write_csv(table)
        frame = staged(nw.from_native(scan(table)), "small")
    else:
        frame = reversed_(source) if before == "computed" else BASES[before](source)
    expected = frame.collect("polars").to_native().select("note", "name").lazy()
    CALLS.clear()
    inodes = {path.stat().st_ino for path in run_folder("run").iterdir()}
    after = staged(selected(frame, ["note", "name"]), "out")
    assert staged_tables.height(after) == expected.collect().height
    assert [column.name for column in staged_tables.summary_of(after).columns] == ["note", "name"]
    assert CALLS == []
    more = {path.stat().st_ino for path in run_folder("run").iterdir()} - inodes
    assert len(more) == (2 if before == "recoded" else 0)  # its own changes
    native = nw.to_native(after)
    for question in QUESTIONS[:4]:
        assert question(native).collect().equals(question(expected).collect())
        assert question(staged_tables.in_steps(native)).collect().equals(question(expected).collect())
    assert set(levels_of(after, ["note", "name"])) <= {"note"}
    staged_tables.write_out(run_folder("run"))
    (written,) = run_folder("run").glob("out.*")
    assert staged_tables.scan(written).collect().equals(expected.collect())


@pytest.mark.parametrize("times", [0, 2])
def test_of_a_table_that_would_be_stored_whole_only_the_selected_columns_are(times: int) -> None:
    frame = nw.from_native(numbered().filter(pl.col("ward") != "w5"))
    if times:
        frame = fewer(fewer(staged(frame, "in")))
    staged(selected(frame, ["note"]), "out")
    assert list(pl.read_parquet_schema(run_folder("run") / "out.lazy.parquet")) == ["note"]


def test_columns_that_are_not_computed_are_read_without_the_others() -> None:
    after = staged(reversed_(staged(nw.from_native(numbered()), "in")), "out")
    CALLS.clear()
    assert set(levels_of(after, ["name", "ward"])) == {"ward"}
    staged_tables.in_steps(nw.to_native(after)).select("ward").collect()
    assert CALLS == []


def test_what_is_not_one_to_one_is_stored() -> None:
    frame = staged(nw.from_native(numbered()), "in")
    once = map_batches(frame, reverse, ["name"], {"name": nw.String}, again=True)
    CALLS.clear()
    after = staged(once, "out")
    assert sum(CALLS) == ROWS
    after.collect()
    assert sum(CALLS) == ROWS


@pytest.mark.parametrize("before", ["one file", "recoded"])
def test_is_stored_where_every_table_is_to_be_on_disk(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "0")
    frame = BASES[before](staged(nw.from_native(numbered()), "in"))
    CALLS.clear()
    after = staged(reversed_(frame), "out")
    assert sum(CALLS) == ROWS
    assert [path.name for path in run_folder("run").glob("out.*")] == ["out.amended.parquet"]
    expected = frame.collect("polars").to_native().with_columns(pl.col("name").str.reverse())
    assert after.collect("polars").to_native().equals(expected)


def test_a_function_that_is_called_once_is_stored_beside_what_was_recoded() -> None:
    before = loud(staged(nw.from_native(numbered()), "in"))
    expected = before.collect("polars").to_native().with_columns(pl.col("name").str.reverse())
    after = staged(reversed_(before, again=False), "out")
    assert after.collect("polars").to_native().equals(expected)
    own = pl.read_parquet_schema(run_folder("run") / "out.amended.parquet")
    assert list(own) == ["name"]  # the wards are numbers of their levels, the notes where they were


def test_a_function_that_looks_at_what_was_recoded_gets_the_new_cells() -> None:
    before = loud(staged(nw.from_native(numbered()), "in"))
    both = map_batches(before, lambda rows: rows.select(name=pl.col("ward") + "!"), ["ward"], {"name": nw.String})
    after = staged(both, "out").collect("polars").to_native()
    assert after["name"].equals((after["ward"] + "!").alias("name"))
    assert after["ward"].str.to_uppercase().equals(after["ward"])


def test_small_tables_are_computed_when_they_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("name,age\nAnn,25\n,26\n")
    before = staged(nw.from_native(scan(path)), "in")
    after = staged(reversed_(before), "out")
    assert not list(run_folder("run").iterdir())
    native = nw.to_native(after)
    assert staged_tables.in_steps(native).collect().rows() == [("nnA", "25"), (None, "26")]
    staged_tables.write_out(run_folder("run"))
    (written,) = run_folder("run").glob("out.*")
    assert staged_tables.scan(written).collect().rows() == [("nnA", "25"), (None, "26")]


@op
def source() -> pl.LazyFrame:
    return numbered()


@op(ins={"frame": In(nw.LazyFrame)})
def turn_around(context: OpExecutionContext, frame: Any) -> Any:
    before = BASES[os.environ[AMENDED_BEFORE]](frame)
    return checkpoint(reversed_(before), context.run_id)


@op
def fragile(frame: pl.LazyFrame, same: pd.DataFrame) -> None:
    if os.environ.get(FLAG):
        raise RuntimeError
    SEEN.append((frame.collect(), pl.DataFrame(same)))


@op
def through(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame


@job(**bindings())
def turning_job() -> None:
    turned = turn_around(source())
    fragile(turned, through(turned))


@pytest.mark.parametrize("before", ["one file", "recoded"])
def test_is_written_when_the_run_fails_so_that_it_can_go_on_from_there(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setenv(FLAG, "1")
    monkeypatch.setenv(AMENDED_BEFORE, before)
    SEEN.clear()
    failed = execute_job(reconstructable(turning_job), instance)
    monkeypatch.delenv(FLAG)
    assert not failed.success
    assert not deferred()
    CALLS.clear()
    with execute_job(
        reconstructable(turning_job),
        instance,
        reexecution_options=ReexecutionOptions.from_failure(failed.run_id, instance),
    ) as again:
        assert again.success
        assert {event.step_key for event in again.all_events if event.is_step_success} == {"fragile"}
    assert CALLS == []
    expected = numbered().collect().with_columns(pl.col("name").str.reverse())
    if before == "recoded":
        expected = expected.with_columns(pl.col("ward").str.to_uppercase())
    assert all(frame.equals(expected) for frame in SEEN[0])


def test_is_written_once_under_all_its_names(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FLAG, "1")
    monkeypatch.setenv(AMENDED_BEFORE, "one file")
    CALLS.clear()
    assert not execute_job(reconstructable(turning_job), instance).success
    assert sum(CALLS) == 2 * ROWS  # the pandas frame, and the file


@pytest.mark.parametrize("wanted", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, nw.DataFrame, nw.LazyFrame])
def test_arrives_as_every_type(wanted: Any) -> None:
    seen: list[Any] = []

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(frame: Any) -> Any:
        return reversed_(frame)

    @op(ins={"frame": In(wanted)})
    def consume(frame: Any) -> None:
        seen.append(nw.from_native(frame, pass_through=True).lazy().collect(backend="polars").to_native())

    @job(**bindings())
    def passing() -> None:
        consume(change(source()))

    result = passing.execute_in_process()
    assert result.success
    assert seen[0].equals(numbered().collect().with_columns(pl.col("name").str.reverse()))
    outputs = [event for event in result.all_events if event.event_type_value == "HANDLED_OUTPUT"]
    assert [event.event_specific_data.metadata["rows"].value for event in outputs] == [ROWS, ROWS]  # type: ignore[union-attr]
    assert not deferred()
    assert not list(staging_root().glob("*/*"))


def test_of_an_op_that_fails_nothing_stays() -> None:
    before = staged(nw.from_native(numbered()), "in.result")
    checkpoint(reversed_(loud(before)), "run")
    assert deferred()
    discard_checkpoints("run")
    assert not deferred()
    assert [path.name for path in run_folder("run").iterdir()] == ["in.result.lazy.parquet"]


def test_a_table_with_the_name_of_the_mark_is_stored_whole() -> None:
    frame = staged(nw.from_native(numbered(3).with_columns(pl.lit(value=True).alias(KEPT))), "in")
    after = staged(reversed_(frame), "out")
    assert after.collect("polars").to_native()["name"].to_list() == ["0n", "1n", "2n"]
