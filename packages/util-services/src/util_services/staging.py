"""Frames between ops: in a private folder of the run, or in memory while they are small; gone when the run succeeds.

A failed run keeps its frames in its folder, so that it can be re-executed from the failure; folders are swept after a
retention time.
"""

import gc
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    Field,
    InitResourceContext,
    InputContext,
    IOManager,
    Noneable,
    OutputContext,
    io_manager,
)

from util_services import engine_tables, shelf, staged_tables
from util_services.access import STAGING_URI
from util_services.disk_space import given_back
from util_services.engine import Engine, EngineSettings, PolarsEngine, running, start
from util_services.engine_rows import is_spark
from util_services.engine_tables import SPARK
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.object_staging import ObjectStaging, object_staging
from util_services.shelf import private
from util_services.staged_tables import FRAME
from util_services.texts import Text

STAGING_DIR = "STAGING_DIR"
RETENTION_HOURS = "STAGING_RETENTION_HOURS"
_DEFAULT_RETENTION_HOURS = 24.0
_TEXT = ".text"
_OBJECT = ".pickle"
_CHECKPOINT = "checkpoint-"  # in no name of an op


def staging_root() -> Path:
    """Give the folder that holds the runs' folders, made with mode 0700 if it is missing.

    Raises:
        DataServiceError: If it belongs to somebody else or cannot be made.
    """
    configured = _shared_folder() or os.environ.get(STAGING_DIR)
    root = Path(configured) if configured else Path(tempfile.gettempdir()) / f"simpl-staging-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.lstat()
        if root.is_symlink() or status.st_uid != os.getuid():
            raise PermissionError
        root.chmod(0o700)
    except OSError:
        raise DataServiceError(
            f"The staging folder is not one that this process owns: set {STAGING_DIR} to a private, writable folder."
        ) from None
    return root


def _shared_folder() -> str | None:
    """Read the place that the machines of a cluster share with this one, if it is a folder."""
    uri = os.environ.get(STAGING_URI)
    if not uri or object_staging():
        return None
    path = uri.removeprefix("file://")
    if not path.startswith("/"):
        raise DataServiceError(
            f"The environment variable {STAGING_URI} is not a folder that all machines share: give file:///path, or "
            "s3a://bucket/prefix."
        )
    return path


def run_folder(run_id: str) -> Path:
    """Give the private folder of a run (mode 0700), made if it is missing."""
    folder = staging_root() / run_id
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def checkpoint(frame: nw.LazyFrame[Any], run_id: str) -> nw.LazyFrame[Any]:
    """Store a frame in the run's folder, so that what an op examines from then on is what it hands on.

    Args:
        frame: A table, which is evaluated once.
        run_id: The run whose private folder holds it.

    Returns:
        The stored table; as the op's output it costs a link. Frames in memory come back as they are.
    """
    native = nw.to_native(frame)
    if is_spark(native):
        place = run_folder(run_id) / f"{_CHECKPOINT}{uuid4().hex}"
        stored: nw.LazyFrame[Any] = nw.from_native(
            engine_tables.load(native.sparkSession, engine_tables.stage(native, place))
        )
        return stored
    if not isinstance(native, pl.LazyFrame):
        return frame
    return nw.from_native(
        staged_tables.scan(staged_tables.stage(native, run_folder(run_id) / f"{_CHECKPOINT}{uuid4().hex}"))
    )


def evaluated(frame: nw.LazyFrame[Any], run_id: str) -> pl.LazyFrame:
    """Give a table of any engine to this process, lazily and in row order; of Spark's, once Spark evaluated it."""
    native = nw.to_native(frame)
    if is_spark(native):
        return engine_tables.fetched(native, run_folder(run_id) / f"{_CHECKPOINT}{uuid4().hex}")
    lazy: pl.LazyFrame = native
    return lazy


def checkpoint_text(blocks: Iterable[str], run_id: str) -> Text:
    """Store a text in the run's folder; as an op's output it costs a link.

    Args:
        blocks: The text, cut anywhere; if reading it fails, nothing is stored.
        run_id: The run whose private folder holds it.
    """
    return Text.write(blocks, run_folder(run_id) / f"{_CHECKPOINT}{uuid4().hex}{_TEXT}")


def discard_checkpoints(run_id: str) -> None:
    """Remove what the functions above stored for a run, for an op that fails; outputs of ops stay."""
    for path in shelf.found(run_folder(run_id), ""):
        if _CHECKPOINT in path.name:
            (engine_tables.remove if path.suffix == SPARK else shelf.remove)(path)


class StagingIOManager(IOManager):
    """Passes frames as Parquet, texts as UTF-8 and other values as pickles, all below the run's private folder.

    An input gets the type it is annotated with: ``pandas.DataFrame``, ``polars.DataFrame``, ``polars.LazyFrame``,
    ``pyarrow.Table`` or a Narwhals frame; without annotation, the type that the producing op returned. A text
    arrives as :class:`util_services.texts.Text` where the input is annotated so, else as ``str``. A table of Spark
    arrives as such where the input is a Narwhals lazy frame or not annotated.

    Args:
        engine: What evaluates the run's tables.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine or PolarsEngine()

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store an op's output."""
        with reported():
            place = _place(context)
            if isinstance(obj, str | Text):
                path = place.with_name(place.name + _TEXT)
                _stage_text(obj, path)
                self._keep(path)
                return
            native = nw.to_native(obj, pass_through=True)
            if is_spark(native):
                folder = engine_tables.stage(native, place)
                rows, columns = engine_tables.rows(folder), engine_tables.columns(folder)
                context.add_output_metadata({"rows": rows, "columns": columns})
                return
            if not isinstance(native, pl.LazyFrame | pl.DataFrame | pd.DataFrame | pa.Table):
                path = private(place.with_name(place.name + _OBJECT))
                with path.open("wb") as file:
                    pickle.dump(obj, file)
                self._keep(path)
                return
            path = self._stage(native, place, _kind_of(obj))
            self._keep(path)
            if path.suffix == FRAME:
                columns = native.collect_schema().len() if isinstance(native, pl.LazyFrame) else native.shape[1]
                context.add_output_metadata({"rows": staged_tables.rows(path), "columns": columns})

    def load_input(self, context: InputContext) -> Any:
        """Load an upstream op's output as the type the input is annotated with."""
        with reported():
            if context.upstream_output is None:
                raise DataServiceError(f"The input {context.name!r} has no upstream op: connect it to one.")
            place = _place(context.upstream_output)
            staged = shelf.found(place.parent, f"{place.name}.") or self._kept(place)
            if not staged:
                raise DataServiceError(
                    f"The staged output of the step {context.upstream_output.step_key!r} is gone (it is kept for "
                    f"{_retention_hours():g} hours after a failed run): re-execute all steps."
                )
            return self._load(staged[0], context.dagster_type.typing_type)

    def _keep(self, path: Path) -> None:
        """Keep a file where another process finds it that executes the run again, as it does Spark's tables."""
        if self._engine.storage and staged_tables.is_one_file(path):
            self._engine.storage.keep(path)

    def _kept(self, place: Path) -> list[Path]:
        return self._engine.storage.kept(place.with_name(f"{place.name}.")) if self._engine.storage else []

    def _stage(self, native: Any, place: Path, kind: str) -> Path:
        if isinstance(native, pl.LazyFrame):
            return staged_tables.stage(native, place)
        path = private(place.with_name(f"{place.name}.{kind}{FRAME}"))
        if isinstance(native, pl.DataFrame):
            native.write_parquet(path, compression="lz4", statistics=False)
        elif isinstance(native, pa.Table):
            pq.write_table(native, path, compression="lz4")
        else:
            try:
                native.to_parquet(path, compression="lz4")
            except (pa.ArrowException, ValueError, TypeError):  # columns of mixed types, repeated names
                path.unlink()
                path = private(place.with_name(place.name + _OBJECT))
                native.to_pickle(path)
        return path

    def _load(self, path: Path, wanted: Any) -> Any:
        if path.suffix == _OBJECT:
            with path.open("rb") as file:
                return pickle.load(file)  # noqa: S301 - written by this process's owner into a 0700 folder
        if path.suffix == SPARK:
            return self._load_from_spark(path, wanted)
        if path.suffix == _TEXT:
            return Text(path) if wanted is Text else Text(path).read()
        produced = {
            ".pandas": pd.DataFrame,
            ".eager": pl.DataFrame,
            ".lazy": pl.LazyFrame,
            ".amended": pl.LazyFrame,
            ".deferred": pl.LazyFrame,
            ".arrow": pa.Table,
        }
        loaders: dict[Any, Callable[[], Any]] = {
            pd.DataFrame: lambda: staged_tables.read(path, pd.read_parquet),
            pl.DataFrame: lambda: _scan(path).collect(),
            pl.LazyFrame: lambda: _scan(path),
            pa.Table: lambda: staged_tables.read(path, pq.read_table),
            nw.DataFrame: lambda: nw.from_native(_scan(path).collect()),
            nw.LazyFrame: lambda: nw.from_native(_scan(path)),
        }
        wanted = getattr(wanted, "__origin__", None) or wanted
        return loaders.get(wanted, loaders[produced[path.suffixes[-2]]])()

    def _load_from_spark(self, folder: Path, wanted: Any) -> Any:
        session = getattr(self._engine, "session", None)
        if session is None:
            raise DataServiceError("The run was started on Spark: re-execute it with the engine spark, or all steps.")
        wanted = getattr(wanted, "__origin__", None) or wanted
        if wanted not in {pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, nw.DataFrame}:
            table = engine_tables.load(session, folder)
            return nw.from_native(table) if wanted is nw.LazyFrame else table
        rows = engine_tables.in_order(session, folder)
        loaders: dict[Any, Callable[[], Any]] = {
            pd.DataFrame: lambda: rows.collect().to_pandas(),
            pl.DataFrame: rows.collect,
            pl.LazyFrame: lambda: rows,
            pa.Table: lambda: rows.collect().to_arrow(),
            nw.DataFrame: lambda: nw.from_native(rows.collect()),
        }
        return loaders[wanted]()


def _stage_text(text: str | Text, path: Path) -> None:
    """Link a text that is in a file already, which an op that passes it on leaves as it is."""
    if isinstance(text, str):
        Text.write([text], path)
    else:
        shelf.link(text.path, path)


def _kind_of(obj: Any) -> str:
    native = nw.to_native(obj, pass_through=True)
    kinds = {pd.DataFrame: "pandas", pl.DataFrame: "eager", pl.LazyFrame: "lazy", pa.Table: "arrow"}
    return next(kind for kind_type, kind in kinds.items() if isinstance(native, kind_type))


def _scan(path: Path) -> pl.LazyFrame:
    index = _index_columns(path)
    return pl.scan_parquet(path, glob=False).drop(index) if index else staged_tables.scan(path)


def _index_columns(path: Path) -> list[str]:
    """Name the columns that are the index of a frame that pandas wrote."""
    if not path.name.endswith(f".pandas{FRAME}"):
        return []
    index = (pq.read_schema(path).pandas_metadata or {}).get("index_columns", [])
    return [column for column in index if isinstance(column, str)]


def _place(context: OutputContext) -> Path:
    run_id, *parts = context.get_identifier()
    folder = run_folder(run_id)
    return folder / ".".join(parts).replace("/", "_")


_DESCRIPTION = "Private, short-lived Parquet staging between ops."


@io_manager(description=_DESCRIPTION)  # type: ignore[arg-type]  # generators work
def staging_io_manager(context: InitResourceContext) -> Iterator[StagingIOManager]:
    """Stage a run's frames; at the end, remove them if every planned step succeeded."""
    yield from _staging(context, PolarsEngine())


def _optional(description: str) -> Field:
    return Field(Noneable(str), default_value=None, is_required=False, description=description)


@io_manager(  # type: ignore[arg-type]  # generators work
    config_schema={
        "kind": _optional("polars or spark; by default what the environment variable ENGINE says, else polars."),
        "remote": _optional("URL of a Spark Connect server, sc://host:port; default SPARK_REMOTE."),
        "master": _optional("URL of a Spark cluster, such as spark://host:7077; default SPARK_MASTER."),
        "spark": Field(dict, default_value={}, description="Further settings of the Spark session."),
    },
    description=_DESCRIPTION,
)
def engine_staging_io_manager(context: InitResourceContext) -> Iterator[StagingIOManager]:
    """Stage a run's frames with the engine that the operator chose; a run configuration cannot choose another.

    Both are one resource: Dagster does not start what a job's IO manager requires where a job is run from a workspace
    whose definitions bring nothing but ``s3``.

    Raises:
        Failure: If a setting is malformed, PySpark is missing or the cluster cannot be reached.
    """
    with reported():
        run_id = context.run.run_id if context.run else ""
        engine = start(EngineSettings.of(os.environ, **context.resource_config), run_id)
    with running(run_id, engine):
        yield from _staging(context, engine)


def _staging(context: InitResourceContext, engine: Engine) -> Iterator[StagingIOManager]:
    _exempt_from_collection()
    with reported():
        root = staging_root()
        if context.instance:
            sweep(root, context.instance, _retention_hours(), engine.storage)
    yield StagingIOManager(engine)
    if context.instance and context.run:
        folder = root / context.run.run_id
        staged_tables.forget_figures(folder)
        if _succeeded(context.instance, context.run):
            shelf.forget(folder)
            with given_back(folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)
            if engine.storage:
                with suppress(DataServiceError):  # what stays is swept
                    engine.storage.remove_run(context.run.run_id)
        else:  # failed, or other steps are executed by other processes
            staged_tables.write_out(folder)


@cache
def _exempt_from_collection() -> None:
    """Keep what is loaded out of garbage collection: going through Dagster's modules would take a run 0.2 s."""
    gc.freeze()


def _succeeded(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Tell whether every planned step has ended well; the run's own status is not settled yet at this point."""
    snapshot = run.execution_plan_snapshot_id and instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    planned = set(snapshot.step_keys_to_execute) if snapshot else set()
    ended = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_SKIPPED}
    done = {entry.step_key for entry in instance.all_logs(run.run_id, of_type=ended)}
    return bool(planned) and planned <= done


def sweep(root: Path, instance: DagsterInstance, retention_hours: float, storage: ObjectStaging | None = None) -> None:
    """Remove folders, and objects, of ended runs that were last written to before the retention time.

    Args:
        root: The staging folder.
        instance: Tells which runs are still going on.
        retention_hours: How long a failed run's data is kept.
        storage: Where such data are besides.
    """
    oldest = time.time() - retention_hours * 3600
    for folder in root.iterdir():
        with suppress(FileNotFoundError):  # another run swept it
            if folder.stat().st_mtime < oldest and _is_over(folder.name, instance):
                shutil.rmtree(folder, ignore_errors=True)
    if storage:
        for run_id, written in storage.runs().items():
            if written.timestamp() < oldest and _is_over(run_id, instance):
                storage.remove_run(run_id)


def _is_over(run_id: str, instance: DagsterInstance) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished


def _retention_hours() -> float:
    setting = os.environ.get(RETENTION_HOURS)
    try:
        hours = float(setting) if setting else _DEFAULT_RETENTION_HOURS
    except ValueError:
        hours = -1.0
    if not hours >= 0:
        raise DataServiceError(
            f"The environment variable {RETENTION_HOURS} is not a number of hours from 0: correct it."
        )
    return hours
