import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster import (
    DagsterInstance,
    ExecuteInProcessResult,
    In,
    OpExecutionContext,
    ReexecutionOptions,
    execute_job,
    job,
    op,
    reconstructable,
)
from polling import wait_for_threads

from util_services import disk_space, shelf, staged_tables
from util_services.formats import scan
from util_services.frames import KEPT, amended
from util_services.jobs import bindings
from util_services.revisions import levels_of, recode
from util_services.staging import checkpoint, discard_checkpoints, run_folder, staging_root
from util_services.texts import Text

FLAG = "FAIL_DOWNSTREAM"
SEEN: list[str] = []
KINDS = [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, nw.DataFrame, nw.LazyFrame]


def made(kind: Any) -> Any:
    frame = pl.DataFrame({"a": ["01", None], "n": [1, 2]})
    return {
        pd.DataFrame: frame.to_pandas,
        pl.DataFrame: lambda: frame,
        pl.LazyFrame: frame.lazy,
        pa.Table: frame.to_arrow,
        nw.DataFrame: lambda: nw.from_native(frame),
        nw.LazyFrame: lambda: nw.from_native(frame.lazy()),
    }[kind]()


@pytest.mark.parametrize("given", KINDS)
@pytest.mark.parametrize("wanted", KINDS)
def test_an_op_gets_exactly_the_type_it_is_annotated_with(given: Any, wanted: Any) -> None:
    seen = []

    @op
    def produce() -> Any:
        return made(given)

    @op(ins={"frame": In(wanted)})
    def consume(frame: Any) -> None:
        native = nw.from_native(frame, pass_through=True).lazy().collect(backend="polars").to_native()
        seen.append((type(frame), native.to_dict(as_series=False)))

    @job(**bindings())
    def passing() -> None:
        consume(produce())

    assert passing.execute_in_process().success
    assert seen == [(wanted, {"a": ["01", None], "n": [1, 2]})]


def test_an_op_without_annotation_gets_what_the_other_returned() -> None:
    seen: list[Any] = []

    @op
    def produce():  # type: ignore[no-untyped-def]
        return pd.DataFrame({"a": [1, None], "b": [pd.Timestamp("2026-01-01"), pd.NaT]}, index=["x", "y"])

    @op
    def consume(frame):  # type: ignore[no-untyped-def]
        seen.append(frame)

    @op
    def consume_lazily(frame: pl.LazyFrame) -> None:
        seen.append(frame.collect_schema().names())

    @job(**bindings())
    def passing() -> None:
        frame = produce()
        consume(frame)
        consume_lazily(frame)

    assert passing.execute_in_process().success
    pd.testing.assert_frame_equal(
        next(frame for frame in seen if isinstance(frame, pd.DataFrame)),
        pd.DataFrame({"a": [1, None], "b": [pd.Timestamp("2026-01-01"), pd.NaT]}, index=["x", "y"]),
        check_dtype=False,
    )
    assert [names for names in seen if isinstance(names, list)] == [["a", "b"]]  # the index is no column


def test_a_pandas_frame_that_parquet_cannot_hold_and_plain_values_pass_too() -> None:
    seen: list[Any] = []

    @op
    def produce() -> pd.DataFrame:
        return pd.DataFrame({"mixed": [1, "x", None]}, dtype=object)

    @op
    def value() -> dict:  # type: ignore[type-arg]
        return {"k": 4}

    @op
    def consume(frame: pd.DataFrame, figures: dict) -> None:  # type: ignore[type-arg]
        seen.extend([frame["mixed"].tolist(), figures])

    @job(**bindings())
    def passing() -> None:
        consume(produce(), value())

    assert passing.execute_in_process().success
    assert seen == [[1, "x", None], {"k": 4}]


def test_passing_a_scan_through_costs_a_link_and_no_copy() -> None:
    inodes: list[set[int]] = []

    @op
    def produce() -> pl.LazyFrame:
        return pl.LazyFrame({"a": [1]})

    @op
    def through(frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame

    @op
    def look(frame: pl.LazyFrame) -> None:
        del frame
        inodes.append({path.stat().st_ino for path in staging_root().rglob("*.parquet")})

    @job(**bindings())
    def passing() -> None:
        look(through(produce()))

    assert passing.execute_in_process().success
    assert len(inodes[0]) == 1


@op
def source() -> pl.LazyFrame:
    return pl.LazyFrame({"a": ["kept"]})


@op
def fragile(frame: pl.LazyFrame) -> str:
    modes = {path.stat().st_mode & 0o777 for path in [staging_root(), *staging_root().iterdir()]}
    assert modes == {0o700}
    assert {path.stat().st_mode & 0o777 for path in staging_root().glob("*/*")} == {0o600}
    if os.environ.get(FLAG):
        raise RuntimeError
    SEEN.append(frame.collect().item())
    return "done"


@job(**bindings())
def fragile_job() -> None:
    fragile(source())


def run_folders() -> list[str]:
    return [folder.name for folder in staging_root().iterdir()]


def test_the_folder_is_private_and_vanishes_after_success(instance: DagsterInstance) -> None:
    assert execute_job(reconstructable(fragile_job), instance).success
    assert run_folders() == []


def failed_run(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(FLAG, "1")
    failed = execute_job(reconstructable(fragile_job), instance)
    monkeypatch.delenv(FLAG)
    assert not failed.success
    return failed


def test_the_space_of_large_files_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "_LARGE_BYTES", 1)
    monkeypatch.setenv(shelf.STAGING_MEMORY, "0")
    seen = []

    @op
    def produce() -> pl.LazyFrame:
        return pl.LazyFrame({"a": range(1000)})

    @op
    def consume(context: OpExecutionContext, frame: pl.LazyFrame) -> None:
        seen.extend(run_folder(context.run_id).iterdir())
        assert len(frame.collect()) == 1000

    @job(**bindings())
    def passing() -> None:
        consume(produce())

    assert passing.execute_in_process().success
    wait_for_threads("give-back")
    assert seen
    assert not any(path.exists() for path in seen)
    assert not any(str(seen[0]) in str(link.resolve()) for link in Path("/proc/self/fd").iterdir())


def test_the_folder_survives_a_failure_so_that_the_run_can_go_on_from_there(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = failed_run(instance, monkeypatch)
    assert run_folders() == [failed.run_id]
    with execute_job(
        reconstructable(fragile_job),
        instance,
        reexecution_options=ReexecutionOptions.from_failure(failed.run_id, instance),
    ) as again:
        assert again.success
        assert SEEN[-1] == "kept"
        steps = {event.step_key for event in again.all_events if event.is_step_success}
        assert steps == {"fragile"}
    assert run_folders() == [failed.run_id]


TABLE = "CSV_TABLE"


@op
def read_table() -> pl.LazyFrame:
    return scan(Path(os.environ[TABLE]))


@op(ins={"frame": In(nw.LazyFrame)})
def hide_names(frame: Any) -> Any:
    return amended(frame, {"name": "*", "age": nw.col("age").str.slice(0, 1)}, nw.col("age") != "31")


@op
def fragile_end(frame: pl.LazyFrame) -> None:
    SEEN.append([path.name for path in staging_root().glob("*/*.parquet")])
    if os.environ.get(FLAG):
        raise RuntimeError
    SEEN.append(frame.collect().rows())


@job(**bindings())
def csv_job() -> None:
    fragile_end(hide_names(read_table()))


@pytest.mark.parametrize("megabytes", ["0", "1"])
def test_a_small_csv_file_is_in_memory_until_the_run_fails(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, megabytes: str
) -> None:
    table = tmp_path / "in.csv"
    table.write_text("name,age,note\nAnn,25,x\nBo,31,y\nCy,42,\n")
    monkeypatch.setenv(TABLE, str(table))
    monkeypatch.setenv(shelf.STAGING_MEMORY, megabytes)
    monkeypatch.setenv(FLAG, "1")
    SEEN.clear()
    failed = execute_job(reconstructable(csv_job), instance)
    monkeypatch.delenv(FLAG)
    assert not failed.success
    assert bool(SEEN.pop()) == (megabytes == "0")
    assert shelf._HELD == {}
    table.unlink()  # the run goes on from what was staged
    with execute_job(
        reconstructable(csv_job),
        instance,
        reexecution_options=ReexecutionOptions.from_failure(failed.run_id, instance),
    ) as again:
        assert again.success
    assert SEEN[1] == [("*", "2", "x"), ("*", "4", None)]
    assert shelf._HELD == {}


def test_staged_data_that_is_gone_is_one_sentence(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = failed_run(instance, monkeypatch)
    shutil.rmtree(staging_root() / failed.run_id)
    again = execute_job(
        reconstructable(fragile_job),
        instance,
        reexecution_options=ReexecutionOptions.from_failure(failed.run_id, instance),
    )
    (failure,) = [event for event in again.all_events if event.is_step_failure]
    assert "kept for 24 hours after a failed run): re-execute all steps." in str(failure.event_specific_data)


def test_folders_are_swept_after_their_retention_time_but_not_of_runs_that_go_on(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = failed_run(instance, monkeypatch)
    going_on = instance.create_run_for_job(fragile_job).run_id
    run_folder(going_on)
    old = time.time() - 25 * 3600
    for folder in staging_root().iterdir():
        os.utime(folder, (old, old))
    run_folder("recent")
    assert execute_job(reconstructable(fragile_job), instance).success
    assert sorted(run_folders()) == sorted([going_on, "recent"])
    assert failed.run_id not in run_folders()


@pytest.mark.parametrize("setting", ["-1", "soon", "nan"])
def test_a_malformed_retention_time_names_the_variable(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_RETENTION_HOURS", setting)
    result: ExecuteInProcessResult = fragile_job.execute_in_process(raise_on_error=False)
    text = " ".join(str(event) for event in result.all_events)
    assert "STAGING_RETENTION_HOURS is not a number of hours" in text
    assert setting not in text or setting == "nan"


def test_a_staging_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("STAGING_DIR", str(tmp_path / "link"))
    result = fragile_job.execute_in_process(raise_on_error=False)
    assert "set STAGING_DIR to a private, writable folder" in " ".join(str(event) for event in result.all_events)


AMENDED_ROWS = 300_000  # several row groups and morsels


def numbered() -> pl.LazyFrame:
    number = pl.int_range(AMENDED_ROWS, eager=True)
    return pl.LazyFrame({"n": number, "name": number.cast(pl.String), "age": number % 90, "note": number * 7 % 1000})


def amend(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return amended(frame, {"name": "*", "age": nw.col("age") // 10}, nw.col("n") % 3 != 0)


def amended_by_hand() -> pl.DataFrame:
    kept = numbered().filter(pl.col("n") % 3 != 0)
    return kept.with_columns(pl.lit("*").alias("name"), pl.col("age") // 10).collect()


@pytest.mark.parametrize("wanted", KINDS)
def test_an_amended_frame_is_put_together_in_row_order_for_every_type(wanted: Any) -> None:
    seen: list[pl.DataFrame] = []

    @op
    def produce() -> pl.LazyFrame:
        return numbered()

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(frame: Any) -> Any:
        return amend(frame)

    @op(ins={"frame": In(nw.LazyFrame)})
    def through(frame: Any) -> Any:
        return frame

    @op(ins={"frame": In(wanted)})
    def consume(frame: Any) -> None:
        native = nw.from_native(frame, pass_through=True)
        assert type(frame) is wanted
        seen.append(native.lazy().collect(backend="polars").to_native())
        assert {path.stat().st_mode & 0o777 for path in staging_root().glob("*/*")} == {0o600}

    @job(**bindings())
    def passing() -> None:
        consume(through(change(produce())))

    result = passing.execute_in_process()
    assert seen[0].cast({"name": pl.String}).equals(amended_by_hand())
    rows = {
        event.step_key: event.event_specific_data.metadata["rows"].value  # type: ignore[union-attr]
        for event in result.all_events
        if event.event_type_value == "HANDLED_OUTPUT"
    }
    assert rows == {"produce": AMENDED_ROWS, "change": AMENDED_ROWS * 2 // 3, "through": AMENDED_ROWS * 2 // 3}


def test_of_an_amended_frame_only_what_changed_is_written_again() -> None:
    files: list[tuple[set[int], set[str]]] = []

    @op
    def produce() -> pl.LazyFrame:
        return numbered()

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(frame: Any) -> Any:
        return amend(frame)

    @op
    def look(frame: pl.LazyFrame) -> None:
        del frame
        paths = list(staging_root().rglob("*.parquet"))
        changes = next(path for path in paths if path.name.startswith("change.") and "amended" in path.name)
        files.append(({path.stat().st_ino for path in paths}, set(pl.read_parquet_schema(changes))))

    @job(**bindings())
    def passing() -> None:
        look(change(produce()))

    assert passing.execute_in_process().success
    inodes, columns = files[0]
    assert len(inodes) == 2
    assert columns == {"age", KEPT}  # the name is the same everywhere


@pytest.mark.parametrize("third", ["c", KEPT])
@pytest.mark.parametrize(
    ("columns", "keep"),
    [
        ({"a": nw.lit("*"), "b": nw.lit("*")}, None),
        ({"a": nw.lit("*")}, None),
        ({"a": "*", "b": "*"}, None),
        ({"a": "*", "b": nw.col("a")}, nw.col("a").is_null()),
        ({"a": "*", "b": "*"}, nw.col("a") == "2"),
        ({"new": "*"}, nw.col("a") == "2"),
        ({}, nw.col("a") != "1"),
        ({"a": nw.lit("*"), "b": nw.lit("*")}, nw.col("a").is_null()),
        ({"new": nw.lit("*")}, nw.col("a") == "2"),
        ({"b": nw.col("a")}, nw.col("a") == "0"),
    ],
)
def test_an_amended_frame_is_what_filter_and_with_columns_make(
    columns: dict[str, nw.Expr | str], keep: nw.Expr | None, third: str
) -> None:
    frame = pl.DataFrame({"a": ["1", None, "2"], "b": ["x", "y", None], third: [1, 2, 3]})
    expected = amended(nw.from_native(frame.lazy()), columns, keep).collect(backend="polars").to_native()
    seen: list[pl.DataFrame] = []

    @op
    def produce() -> pl.LazyFrame:
        return frame.lazy()

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(frame: Any) -> Any:
        return amended(frame, columns, keep)

    @op
    def again(frame: pl.LazyFrame) -> pl.LazyFrame:  # an amendment of an amended frame is stored whole
        return amended(nw.from_native(frame), {"b": nw.lit("-")}).to_native()

    @op
    def consume(changed: pl.DataFrame, twice: pl.DataFrame) -> None:
        seen.extend([changed, twice])

    @job(**bindings())
    def passing() -> None:
        changed = change(produce())
        consume(changed, again(changed))

    assert passing.execute_in_process().success
    assert seen[0].equals(expected)
    assert seen[1].equals(expected.with_columns(b=pl.lit("-")))


@pytest.mark.parametrize(
    "question",
    [
        lambda frame: frame,
        lambda frame: frame.head(200_000),
        lambda frame: frame.select("note", "age"),
        lambda frame: frame.select("age"),
        lambda frame: frame.filter(pl.col("age") == 3, pl.col("note") > 10),
        lambda frame: frame.select(pl.len()),
    ],
)
def test_an_amended_table_is_the_same_in_steps(question: Callable[[pl.LazyFrame], pl.LazyFrame]) -> None:
    folder = run_folder("in-steps")
    source = staged_tables.scan(staged_tables.stage(numbered(), folder / "before"))
    changed = nw.to_native(amend(nw.from_native(source)))
    staged = staged_tables.scan(staged_tables.stage(changed, folder / "after"))
    steps = staged_tables.in_steps(staged)
    assert steps is not staged
    assert question(steps).collect().equals(question(staged).collect())
    assert question(steps).collect(engine="streaming").equals(question(changed).collect())


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_of_hardly_any_row_is_the_same_in_steps(rows: int) -> None:
    folder = run_folder("in-steps")
    source = staged_tables.scan(staged_tables.stage(numbered().head(rows), folder / "before"))
    changed = nw.to_native(amend(nw.from_native(source)))
    steps = staged_tables.in_steps(staged_tables.scan(staged_tables.stage(changed, folder / "after")))
    assert steps.collect().equals(changed.collect())
    steps.sink_csv(folder / "out.csv")
    assert (folder / "out.csv").read_text() == "n,name,age,note\n"


def test_only_an_amended_table_is_given_in_steps() -> None:
    folder = run_folder("in-steps")
    source = staged_tables.scan(staged_tables.stage(numbered(), folder / "before"))
    hidden = nw.to_native(amended(nw.from_native(source), {"name": "*"}))
    for frame in (source, hidden, staged_tables.scan(staged_tables.stage(hidden, folder / "after"))):
        assert staged_tables.in_steps(frame) is frame


def test_a_frame_of_constants_alone_stays_as_long_as_it_was() -> None:
    seen: list[tuple[int, int]] = []

    @op
    def produce() -> pl.LazyFrame:
        return pl.LazyFrame({"a": ["x", "y"], "b": ["z", None]})

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(frame: Any) -> Any:
        return amended(frame, {"a": "*", "b": "*"})

    @op
    def look(frame: pl.LazyFrame) -> None:
        seen.append((frame.select(pl.len()).collect().item(), frame.filter(pl.col("a") == "*").collect().height))

    @job(**bindings())
    def constant() -> None:
        look(change(produce()))

    result = constant.execute_in_process()
    assert seen == [(2, 2)]
    outputs = [event for event in result.all_events if event.event_type_value == "HANDLED_OUTPUT"]
    assert [event.event_specific_data.metadata["rows"].value for event in outputs] == [2, 2]  # type: ignore[union-attr]


def test_what_an_op_examines_in_a_checkpoint_is_what_it_hands_on() -> None:
    seen: list[set[int]] = []

    @op
    def produce() -> pl.LazyFrame:
        return numbered()

    @op(ins={"frame": In(nw.LazyFrame)})
    def change(context: OpExecutionContext, frame: Any) -> Any:
        stored = checkpoint(amend(frame), context.run_id)
        assert stored.collect(backend="polars").to_native().equals(amended_by_hand())
        return stored

    @op
    def look(frame: pl.DataFrame) -> None:
        assert frame.equals(amended_by_hand())
        seen.append({path.stat().st_ino for path in staging_root().rglob("*.parquet")})

    @job(**bindings())
    def passing() -> None:
        look(change(produce()))

    assert passing.execute_in_process().success
    assert len(seen[0]) == 2  # the source and the changes, however many names they have
    assert not list(staging_root().iterdir())


def test_of_an_op_that_fails_no_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_DIR", str(tmp_path))
    frame = pl.LazyFrame({"name": ["Ann", "Bo"] * 1000, "age": ["25", "26"] * 1000})
    output = nw.from_native(staged_tables.scan(staged_tables.stage(frame, run_folder("run") / "read.result")))
    found = levels_of(output, ["name"])
    loud = recode(
        amended(output, {"name": nw.col("name").str.to_uppercase(), "age": nw.col("age") + "!"}),
        {"name": found["name"].recoded(found["name"].cells.str.to_uppercase())},
    )
    assert checkpoint(loud, "run").collect().rows() == [("ANN", "25!"), ("BO", "26!")] * 1000
    files = list(run_folder("run").iterdir())
    assert len(files) == 4  # what was read, and three files of a table: source, own, by level
    discard_checkpoints("run")
    assert [path.name for path in run_folder("run").iterdir()] == ["read.result.lazy.parquet"]


def test_a_pandas_index_does_not_become_a_column_when_the_frame_is_passed_through() -> None:
    seen: list[list[str]] = []

    @op
    def produce() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]}, index=["x"])

    @op
    def through(frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame

    @op
    def look(frame: pl.LazyFrame) -> None:
        seen.append(frame.collect_schema().names())

    @job(**bindings())
    def passing() -> None:
        look(through(produce()))

    assert passing.execute_in_process().success
    assert seen == [["a"]]


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("wanted", [Text, str, Any])
def test_a_text_arrives_as_what_the_op_is_annotated_with(lazy: bool, wanted: Any) -> None:
    seen: list[Any] = []

    @op
    def produce(context: OpExecutionContext) -> Any:
        return Text.write(["é\n", "\ud800"], run_folder(context.run_id) / "new") if lazy else "é\n\ud800"

    @op
    def through(text: Text) -> Text:
        return text

    @op(ins={"text": In(wanted)})
    def consume(text: Any) -> None:
        assert type(text) is (Text if wanted is Text else str)
        seen.append(text if isinstance(text, str) else text.read())
        files = list(staging_root().glob("*/*"))
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        assert len({path.stat().st_ino for path in files}) == 1  # passed on without a copy

    @job(**bindings())
    def passing() -> None:
        consume(through(produce()))

    assert passing.execute_in_process().success
    assert seen == ["é\n\ud800"]
