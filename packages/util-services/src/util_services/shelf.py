"""Where tables of a run lie: small ones in memory, others in Parquet files; under the path of a file either way.

A table in memory costs neither writing nor reading it. Should the run fail, it is written after all. So is one that is
not kept at all, but computed of another whenever it is read.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import polars as pl
import pyarrow as pa

from util_services.formats import as_frame, batches_of
from util_services.parquet_files import write_lazy, write_tables
from util_services.quotes import PlainColumns
from util_services.recipes import Recipe
from util_services.settings import whole_number

STAGING_MEMORY = "STAGING_MEMORY_MB"
_DEFAULT_MEGABYTES = 512
_SIMPLE = frozenset({pl.String(), pl.Boolean()})
_IN_MEMORY = 2  # times the size of its CSV file, or more
_VIEW_BYTES, _OFFSET_BYTES = 16, 4  # what Polars and Arrow need for a text besides its characters


@dataclass(frozen=True)
class _Held:
    rows: pl.DataFrame
    size: int  # in bytes; found as the rows came, since Polars goes through all of them to estimate it
    notes: Mapping[str, str]
    number: int = field(default_factory=count().__next__)


@dataclass(frozen=True)
class Deferred:
    """A table that is computed whenever it is read.

    Attributes:
        base: The path of the table that it is computed of.
        recipe: How; none where it only has fewer columns.
        names: Its columns.
        number: The same under all its paths.
    """

    base: Path
    recipe: Recipe | None
    names: Sequence[str]
    number: int = field(default_factory=count().__next__)


_HELD: dict[Path, _Held] = {}
_DEFERRED: dict[Path, Deferred] = {}


def defer(path: Path, table: Deferred) -> Path:
    """Keep how a table is computed."""
    _DEFERRED[path] = table
    return path


def deferred(path: Path) -> Deferred:
    """Give how a table is computed."""
    return _DEFERRED[path]


def all_deferred(folder: Path) -> dict[Path, Deferred]:
    """Give the tables of a folder that are computed whenever they are read, in the order in which they came."""
    return {path: table for path, table in _DEFERRED.items() if path.parent == folder}


def put(frame: pl.LazyFrame, path: Path) -> PlainColumns | None:
    """Evaluate a table and keep it: in memory if it is an untouched CSV file that is small enough.

    Returns:
        Which columns of a CSV file that is not kept in memory need no quotes.
    """
    source = batches_of(frame)
    if source is None:
        write_lazy(frame, private(path))
        return None
    room, size, batches = _room(), 0, source.batches
    if (source.size or 0) * _IN_MEMORY <= room:
        # Each batch is taken over at once, so that its memory serves the next one.
        held = deque([as_frame([], source.names)])
        for batch in batches:
            held.append(as_frame([batch], source.names))
            size += batch.nbytes + (_VIEW_BYTES - _OFFSET_BYTES) * batch.num_rows * batch.num_columns
            if size > room:
                break
        else:
            _HELD[path] = _Held(pl.concat(held, rechunk=False), size, {})
            return None
        batches = chain(_batches(_emptied(held)), batches)
    plain = PlainColumns(source.names, source.delimiter)
    write_tables(_tables(source.names, plain.watched(batches)), private(path))
    return plain


def put_parts(parts: Iterator[pl.DataFrame], path: Path, notes: Mapping[str, str], *, hold: bool) -> None:
    """Keep a table that comes in parts.

    Args:
        parts: At least one, all with the same columns.
        path: What to keep it under.
        notes: What else is to be known of it.
        hold: Keep it in memory, as far as there is room.
    """
    room, size, held = _room(), 0, deque[pl.DataFrame]()
    for part in parts if hold else ():
        held.append(part)
        size += int(part.estimated_size()) + _VIEW_BYTES * part.height * part.dtypes.count(pl.String())
        if size > room:
            break
    if hold and size <= room:
        _HELD[path] = _Held(pl.concat(held, rechunk=False), size, notes)
        return
    write_tables(map(_arrow, chain(_emptied(held), parts)), private(path), notes)


def put_beside(frame: pl.LazyFrame, path: Path, notes: Mapping[str, str], *, hold: bool) -> None:
    """Evaluate a table and keep it with notes; see :func:`put_parts`."""
    if hold:
        put_parts(chain([pl.DataFrame(schema=frame.collect_schema())], frame.collect_batches()), path, notes, hold=True)
    else:
        write_lazy(frame, private(path), notes)


def scan(path: Path) -> pl.LazyFrame:
    """Give a table lazily."""
    held = _HELD.get(path)
    return held.rows.lazy() if held else pl.scan_parquet(path, glob=False)


def link(source: Path, path: Path) -> Path:
    """Keep a table under another path, too, without copying it."""
    if held := _HELD.get(source):
        _HELD[path] = held
    else:
        path.unlink(missing_ok=True)
        path.hardlink_to(source)
    return path


def is_held(path: Path) -> bool:
    """Tell whether a table is in memory."""
    return path in _HELD


def bytes_held(path: Path) -> int | None:
    """Tell how large a table is that is in memory."""
    held = _HELD.get(path)
    return held.size if held else None


def identity(path: Path) -> tuple[int, ...]:
    """Tell a table from all others, past ones included; under all its paths it is the same."""
    if held := _HELD.get(path):
        return (held.number,)
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size  # file systems give numbers of files away again


def rows(path: Path) -> int:
    """Count the rows of a table."""
    held = _HELD.get(path)
    if held:
        return held.rows.height
    height: int = scan(path).select(pl.len()).collect().item()  # Arrow does not know all of Polars' types
    return height


def columns(path: Path) -> list[str]:
    """Name the columns of a table."""
    return scan(path).collect_schema().names()


def notes(path: Path) -> Mapping[str, str]:
    """Give what was noted of a table."""
    held = _HELD.get(path)
    return held.notes if held else pl.read_parquet_metadata(path)


def found(folder: Path, beginning: str) -> list[Path]:
    """Name what lies in a folder, tables and all else, under names with that beginning."""
    kept = {path for path in (*_HELD, *_DEFERRED) if path.parent == folder and path.name.startswith(beginning)}
    return sorted({*kept, *folder.glob(f"{beginning}*")})


def write_out(folder: Path) -> None:
    """Write the tables of a folder that are in memory to their files."""
    for path in [path for path in _HELD if path.parent == folder]:
        held = _HELD.pop(path)
        held.rows.write_parquet(private(path), compression="lz4", statistics=False, metadata=dict(held.notes))


def forget(folder: Path) -> None:
    """Give up the tables of a folder that are in memory, or computed whenever they are read."""
    for tables in (_HELD, _DEFERRED):
        for path in [path for path in tables if path.parent == folder]:
            del tables[path]


def remove(path: Path) -> None:
    """Give up one table or file; under other paths it stays."""
    _HELD.pop(path, None)
    _DEFERRED.pop(path, None)
    path.unlink(missing_ok=True)


def private(path: Path) -> Path:
    """Make an empty file that only this user can read, in place of any before."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    return path


def _tables(names: Sequence[str], batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    yield _no_rows(names)
    for batch in batches:
        yield pa.Table.from_batches([batch])


def _no_rows(names: Sequence[str]) -> pa.Table:
    return pa.schema([(name, pa.string()) for name in names]).empty_table()


def _batches(frames: Iterable[pl.DataFrame]) -> Iterator[pa.RecordBatch]:
    for frame in frames:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        yield from table.cast(_no_rows(table.column_names).schema).to_batches()


def _arrow(part: pl.DataFrame) -> pa.Table:
    """Take texts over without copying them; Arrow's writer takes categories only in their older form."""
    simple = _SIMPLE.issuperset(part.dtypes)
    return part.to_arrow(compat_level=pl.CompatLevel.newest() if simple else pl.CompatLevel.oldest())


def _emptied(frames: deque[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Give frames one by one, and give each up."""
    while frames:
        yield frames.popleft()


def may_wait() -> bool:
    """Tell whether there may be tables that are on no disk unless the run fails."""
    return _megabytes() > 0


def _room() -> int:
    """Bytes that may still be kept in memory."""
    taken = {id(held): held.size for held in _HELD.values()}
    return _megabytes() * 1_000_000 - sum(taken.values())


def _megabytes() -> int:
    setting, what = os.environ.get(STAGING_MEMORY) or None, "a whole number of megabytes from 0"
    return whole_number(STAGING_MEMORY, setting, _DEFAULT_MEGABYTES, least=0, what=what)
