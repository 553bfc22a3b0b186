"""Lazy tables between ops: each is stored once, and of one that was made of another only what changed."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pyarrow.parquet as pq

from util_services import shelf
from util_services.ahead import computed_ahead
from util_services.frames import AMENDMENTS, KEPT, SELECTIONS, Amendment, collected, map_batches
from util_services.levels import Levels, count_levels, write_recoded
from util_services.origins import Origins
from util_services.parquet_files import row_groups, write_lazy
from util_services.quotes import PlainColumns, Quoting
from util_services.revisions import Revision, revision_of, settle
from util_services.row_source import from_batches
from util_services.shelf import Deferred
from util_services.summaries import Summary, summarise, summarise_amended

FRAME = ".parquet"
_LAZY = f".lazy{FRAME}"
_AMENDED = f".amended{FRAME}"  # what changed; the rest is in the file that it was made of
_DEFERRED = f".deferred{FRAME}"  # no file: what changed is computed whenever it is read; the rest is in another table
SOURCE_OF, PART_OF = "source-of-", "part-of-"  # found only through the other file: no op has such names
_BASE_OF = "base-of-"
_CONSTANTS, _PARTS, _ONE_TO_ONE = "constants", "parts", "one_to_one"  # what is noted of an amended table
_SLICE_ROWS = 262_144
_STEP_ROWS, _COMPUTED_ROWS = 49_152, 98_304  # fewer take less memory, more less time where columns are computed
_THREADS = 2  # as much of replacing values is done by one thread each
_SCANS = Origins[Path]()  # an op that passes a table through costs a link, not a copy
_SUMMARIES: dict[Path, dict[tuple[int, ...], Summary]] = {}  # by the run's folder and the table's identity
_LEVELS: dict[Path, dict[tuple[int, ...], dict[str, Levels | None]]] = {}  # so, too; None for columns without
_PLAIN: dict[Path, dict[tuple[int, ...], PlainColumns]] = {}  # so, too; of tables just read


def stage(frame: pl.LazyFrame, place: Path) -> Path:
    """Link a table that is staged already, store what changed where that is known, else store the whole.

    Args:
        frame: A table.
        place: Path without an ending.

    Returns:
        The path with an ending that tells how the table is stored.
    """
    if staged := _SCANS.of(frame):
        return _link(staged, place)
    amendment, revision = AMENDMENTS.of(frame), revision_of(frame)
    other, recipe = (amendment.source, amendment.recipe) if amendment else (SELECTIONS.of(frame), None)
    if other is not None and (recipe or (not amendment and _is_near(other))) and shelf.may_wait():
        base = stage(other, place.with_name(_BASE_OF + place.name))
        table = Deferred(base, recipe, frame.collect_schema().names())
        return shelf.defer(place.with_name(place.name + _DEFERRED), table)
    if amendment and not revision and (beneath := _beneath(amendment)):
        amendment, revision = beneath
    recoded, stored = (revision.levels, _stored(revision)) if revision else ({}, {})
    elsewhere = [*([dict(zip(recoded, recoded, strict=True))] if recoded else []), *stored.values()]
    path = place.with_name(place.name + _AMENDED)
    if amendment and (source := _whole(amendment.source)):
        _put_changes(amendment, source, path, _notes(elsewhere, amendment), leave_out=recoded)
    elif revision and revision.source is not None and (source := _whole(revision.source)):
        changed = revision.changed.difference(*elsewhere)
        own = frame.select(name for name in frame.collect_schema().names() if name in changed)
        shelf.put_beside(own, path, _notes(elsewhere), hold=shelf.is_held(source))
    else:
        path = place.with_name(place.name + _LAZY)
        if plain := shelf.put(frame, path):
            _PLAIN.setdefault(path.parent, {})[shelf.identity(path)] = plain
        return path
    parts = iter(_part_paths(path, len(elsewhere)))
    if recoded:
        part = shelf.private(next(parts))
        write_recoded(source, recoded, part)
        _known_levels(part).update({name: levels.settled() for name, levels in recoded.items()})
    for before, part in zip(stored, parts, strict=True):
        shelf.link(before, part)
    shelf.link(source, _source_of(path))
    return path


def _is_near(frame: pl.LazyFrame) -> bool:
    """Tell whether a table is staged, or was made of one that is, so that staging it stores what changed at most."""
    amendment, revision = AMENDMENTS.of(frame), revision_of(frame)
    beneath = _beneath(amendment) if amendment else None
    sources = (amendment, beneath[0] if beneath else None, revision)
    if _SCANS.of(frame) or any(made and made.source is not None and _whole(made.source) for made in sources):
        return True
    other = amendment.source if amendment and amendment.recipe else SELECTIONS.of(frame)
    return other is not None and _is_near(other)


def _beneath(amendment: Amendment) -> tuple[Amendment, Revision] | None:
    """Take an amendment for one of a staged table, of which columns were recoded before that it does not need."""
    before = revision_of(amendment.source)
    if before is None or before.source is None or amendment.inputs is None:
        return None
    recoded_only = before.changed <= before.levels.keys() and before.changed.isdisjoint(amendment.inputs)
    return (replace(amendment, source=before.source), before) if recoded_only else None


def _notes(elsewhere: Sequence[Mapping[str, str]], amendment: Amendment | None = None) -> dict[str, str]:
    """Tell what else is to be known of an amended table."""
    constants, one_to_one = (amendment.constants, amendment.one_to_one) if amendment else ({}, ())
    notes = {_CONSTANTS: constants, _PARTS: elsewhere, _ONE_TO_ONE: one_to_one}
    return {name: json.dumps(note) for name, note in notes.items()}


def _stored(revision: Revision) -> dict[Path, dict[str, str]]:
    """Tell which changed columns are in files already: for each file its columns by the names that they have now."""
    files: dict[Path, dict[str, str]] = {}
    for name, (frame, there) in revision.stored.items():
        if path := _whole(frame):
            files.setdefault(path, {})[name] = there
    return files


def _whole(frame: pl.LazyFrame) -> Path | None:
    """Give the file of a table that is staged as one file."""
    path = _SCANS.of(frame)
    return path if path and path.name.endswith(_LAZY) else None


def _link(staged: Path, place: Path) -> Path:
    """Keep a staged table under another path, too, with all its files."""
    if _is_deferred(staged):
        table = shelf.deferred(staged)
        base = _link(table.base, place.with_name(_BASE_OF + place.name))
        return shelf.defer(place.with_name(place.name + _DEFERRED), replace(table, base=base))
    if not _is_amended(staged):
        return shelf.link(staged, place.with_name(place.name + _LAZY))
    path = shelf.link(staged, place.with_name(place.name + _AMENDED))
    shelf.link(_source_of(staged), _source_of(path))
    parts = len(_noted(staged)[_PARTS])
    for before, part in zip(_part_paths(staged, parts), _part_paths(path, parts), strict=True):
        shelf.link(before, part)
    return path


def scan(path: Path) -> pl.LazyFrame:
    """Give a staged table lazily, as it was."""
    frame = _opened(path)()
    _SCANS.remember(frame, path)
    settle(nw.from_native(frame), counted=lambda columns: _levels(path, columns))
    return frame


def _opened(path: Path) -> Callable[..., pl.LazyFrame]:
    """Give a function that gives rows of a staged table: all, or from one on and so many.

    What is behind it is opened once, however often rows are read.
    """
    if _is_deferred(path):
        table = shelf.deferred(path)
        base = _opened(table.base)
        return lambda *some: _computed(table, base(*some))
    if _is_amended(path):
        return _Amended.of(path).rows
    whole = shelf.scan(path)
    return lambda *some: whole.slice(*some) if some else whole


def _collecting(path: Path) -> Callable[[tuple[int, int], Sequence[str]], pl.DataFrame]:
    """Give a function that reads columns of some rows of a staged table."""
    if not _is_deferred(path):
        rows = _opened(path)
        return lambda step, names: rows(*step).select(names).collect()
    table = shelf.deferred(path)
    base, recipe = _collecting(table.base), table.recipe
    if recipe is None:
        return base
    return lambda step, names: recipe.read(lambda needed: base(step, needed), names)


def _computed(table: Deferred, rows: pl.LazyFrame) -> pl.LazyFrame:
    if (recipe := table.recipe) is None:
        return rows.select(table.names)
    types = dict.fromkeys(recipe.outputs, nw.String())
    frame: pl.LazyFrame = map_batches(nw.from_native(rows), recipe.function, recipe.inputs, types).to_native()
    return frame


def in_steps(frame: pl.LazyFrame, cells: Sequence[pl.Expr] = ()) -> pl.LazyFrame:
    """Give a table as one that takes less memory to be evaluated from end to end, if it is put together when read.

    Args:
        frame: A table.
        cells: Columns that are to be replaced, each cell from its own row alone.
    """
    path, changed = _SCANS.of(frame), frame.with_columns(cells) if cells else frame
    if not path or shelf.is_held(first := _first_of(path)):
        return changed
    base = _base_of(path)
    if not cells and path == base and not (_is_amended(base) and len(_Amended.of(base).files) > 1):
        return changed
    collected = _collecting(path)
    steps = _steps(first, _STEP_ROWS if path == base else _COMPUTED_ROWS)

    def batches(names: Sequence[str]) -> Iterator[pl.DataFrame]:
        def step(place: tuple[int, int]) -> pl.DataFrame:
            rows = collected(place, names)
            return rows.with_columns(cells) if cells else rows

        return computed_ahead(step, steps, threads=_THREADS, ahead=_THREADS)

    return from_batches(frame.collect_schema(), batches)


def bytes_held(frame: pl.LazyFrame) -> int | None:
    """Tell how large a table was that is in memory, or the one in memory that it was made of."""
    path = _SCANS.of(frame)
    return shelf.bytes_held(_first_of(path)) if path else None


def quoting(frame: pl.LazyFrame, delimiter: str) -> Sequence[pl.Expr] | None:
    """Tell how cells of a staged table get the quotes that they need in CSV, from what is known of its columns.

    Args:
        frame: A table.
        delimiter: What is to stand between cells, one ASCII character.

    Returns:
        The columns that change; ``None`` if it is not known of enough columns, or the table has other ones than text.
    """
    path, schema = _SCANS.of(frame), frame.collect_schema()
    if path is None or delimiter.isalnum() or any(dtype != pl.String for dtype in schema.dtypes()):
        return None
    quoting, names = Quoting(delimiter), set(schema.names())
    while _is_deferred(path):
        table = shelf.deferred(path)
        if table.recipe:
            computed = names.intersection(table.recipe.outputs)
            quoting.take_plain(computed.intersection(table.recipe.plain))
            quoting.take_unknown(computed.difference(table.recipe.plain))
            names -= computed
        path = table.base
    files: Mapping[Path, Mapping[str, str]] = {path: {name: name for name in names}}
    if _is_amended(path):
        amended = _Amended.of(path)
        files = amended.files
        for name in names.intersection(amended.constants):
            quoting.take_levels(name, pl.Series([amended.constants[name]]))
    for file, columns in files.items():
        _take_stored(quoting, file, {name: there for name, there in columns.items() if name in names})
    return quoting.cells()


def _take_stored(quoting: Quoting, file: Path, columns: Mapping[str, str]) -> None:
    """Tell what is known of the columns of a file."""
    read, levels = _PLAIN.get(file.parent, {}).get(shelf.identity(file)), _known_levels(file)
    plain = read.names if read and read.delimiter == quoting.delimiter else ()
    for name, there in columns.items():
        if there in plain:
            quoting.take_plain([name])
        elif known := levels.get(there):
            quoting.take_levels(name, known.cells)
        else:
            quoting.take_unknown([name])


def read(path: Path, reader: Callable[[Path], Any]) -> Any:
    """Read a staged table with another engine, which needs it as one file."""
    if is_one_file(path):
        return reader(path)
    whole = shelf.private(path.with_name(f"whole-{path.name}"))
    try:
        write_lazy(scan(path), whole)
        return reader(whole)
    finally:
        whole.unlink()


def is_one_file(path: Path) -> bool:
    """Tell whether all of a staged table is in the file of that path."""
    return not _is_deferred(path) and not _is_amended(path) and not shelf.is_held(path)


def rows(path: Path) -> int:
    """Count the rows of a staged table."""
    path = _base_of(path)
    if not _is_amended(path):
        return shelf.rows(path)
    if KEPT not in shelf.columns(path):
        return shelf.rows(_source_of(path))
    kept: int = shelf.scan(path).select(pl.col(KEPT).sum()).collect().item()
    return kept


def height(frame: nw.LazyFrame[Any]) -> int:
    """Count the rows of a table; of one that is staged without reading it."""
    path = _SCANS.of(nw.to_native(frame))
    return rows(path) if path else int(collected(frame.select(nw.len())).item())


def summary_of(frame: nw.LazyFrame[Any]) -> Summary:
    """Summarise a table; one that is staged only once in a run, and of one that was made of it only what changed."""
    path = _SCANS.of(nw.to_native(frame))
    if path is None:
        return summarise(frame)
    if _is_deferred(path):  # one-to-one: neither missing nor distinct cells change, and they are texts
        table = shelf.deferred(path)
        summary = summary_of(nw.from_native(scan(table.base)))
        columns = {column.name: column for column in summary.columns}
        return replace(summary, columns=tuple(columns[name] for name in table.names))
    known, number = _SUMMARIES.setdefault(path.parent, {}), shelf.identity(path)
    if number not in known:
        before = known.get(shelf.identity(_source_of(path))) if _is_amended(path) else None
        if before:
            amended = _Amended.of(path)
            known[number] = summarise_amended(
                frame,
                rows(path),
                before,
                amended.changed,
                amended.constants,
                amended.one_to_one,
                lambda columns: _levels(path, columns, count=False),
            )
        else:
            known[number] = summarise(frame, _levels(path, frame.collect_schema().names()))
    return known[number]


def forget_figures(folder: Path) -> None:
    """Give up what is known of the tables in a run's folder."""
    for figures in (_SUMMARIES, _LEVELS, _PLAIN):
        figures.pop(folder, None)


def _levels(path: Path, columns: Sequence[str], *, count: bool = True) -> dict[str, Levels]:
    """Find the levels of columns of a staged table: those that are known, or all that there are."""
    while _is_deferred(path):
        table = shelf.deferred(path)
        computed = table.recipe.outputs if table.recipe else ()
        path, columns = table.base, [name for name in columns if name not in computed]
    files: Mapping[Path, Mapping[str, str]] = {path: dict(zip(columns, columns, strict=True))}
    if _is_amended(path):
        amended = _Amended.of(path)
        files = {} if amended.drops else amended.files
    found: dict[str, Levels] = {}
    for file, names in files.items():
        wanted = {name: names[name] for name in columns if name in names}
        if not wanted or shelf.is_held(file):
            continue
        known = _known_levels(file)
        if count and (new := [there for there in wanted.values() if there not in known]):
            known |= dict.fromkeys(new) | count_levels(file, new)
        found |= {name: levels.named(name) for name, there in wanted.items() if (levels := known.get(there))}
    return found


def _known_levels(file: Path) -> dict[str, Levels | None]:
    return _LEVELS.setdefault(file.parent, {}).setdefault(shelf.identity(file), {})


def _put_changes(
    amendment: Amendment, source: Path, path: Path, notes: Mapping[str, str], leave_out: Collection[str]
) -> None:
    """Evaluate what changed a slice of rows at a time, as Polars would hold whole columns to replace their values."""
    names = amendment.changes(amendment.source).collect_schema().names()
    starts = range(0, max(shelf.rows(source), 1) if set(names).difference(leave_out) else 1, _SLICE_ROWS)
    parts = computed_ahead(
        lambda start: (
            amendment.changes(amendment.source.slice(start, _SLICE_ROWS)).drop(leave_out, strict=False).collect()
        ),
        starts,
        threads=_THREADS,
        ahead=_THREADS,
    )
    shelf.put_parts(parts, path, notes, hold=shelf.is_held(source))


def write_out(folder: Path) -> None:
    """Write the tables of a run that are in memory, or computed whenever they are read, to files."""
    written: dict[int, Path] = {}
    tables = shelf.all_deferred(folder)
    for path, table in tables.items():
        place = path.with_name(path.name.removesuffix(_DEFERRED))
        if linked := written.get(table.number):
            _link(linked, place)
            continue
        frame = _computed(table, scan(table.base))
        if table.recipe and (changes := AMENDMENTS.of(frame)):
            AMENDMENTS.remember(frame, replace(changes, one_to_one=table.recipe.outputs))
        written[table.number] = stage(frame, place)
    for path in tables:
        shelf.remove(path)
    shelf.write_out(folder)


def _is_deferred(path: Path) -> bool:
    return path.name.endswith(_DEFERRED)


def _base_of(path: Path) -> Path:
    """Name the table that is kept, of which one is computed whenever it is read; else that itself."""
    while _is_deferred(path):
        path = shelf.deferred(path).base
    return path


def _first_of(path: Path) -> Path:
    """Name the table with the columns that were never changed."""
    base = _base_of(path)
    return _source_of(base) if _is_amended(base) else base


def _is_amended(path: Path) -> bool:
    return path.name.endswith(_AMENDED)


def _source_of(path: Path) -> Path:
    """Name the file with the columns that an amended table left as they were."""
    return path.with_name(f"{SOURCE_OF}{path.name}")


def _part_paths(path: Path, parts: int) -> list[Path]:
    """Name the files with further changed columns of an amended table."""
    return [path.with_name(f"{PART_OF}{path.name}.{part}") for part in range(parts)]


def _noted(path: Path) -> dict[str, Any]:
    """Read what else is known of an amended table."""
    notes = shelf.notes(path)
    return {name: json.loads(notes[name]) for name in (_CONSTANTS, _PARTS, _ONE_TO_ONE)}


@dataclass(frozen=True)
class _Amended:
    """An amended table: columns of its source beside changed ones, without dropped rows.

    Attributes:
        names: All columns, in order.
        files: Tables with the same rows, at least one; of each its columns by the names that they have here.
        changed: The columns that are not in the source, or differ from it; constants aside.
        constants: Columns with the same text in all rows.
        one_to_one: Changed columns with as many different and missing cells as the source has.
        drops: Whether :data:`KEPT` tells which rows stay.
    """

    names: Sequence[str]
    files: Mapping[Path, Mapping[str, str]]
    changed: Sequence[str]
    constants: Mapping[str, str]
    one_to_one: Sequence[str]
    drops: bool

    @classmethod
    def of(cls, path: Path) -> "_Amended":
        """Find out how a table is put together."""
        source, own, noted = _source_of(path), shelf.columns(path), _noted(path)
        names, elsewhere, constants = shelf.columns(source), noted[_PARTS], noted[_CONSTANTS]
        changed = [*own, *chain.from_iterable(elsewhere)]
        kept = [name for name in names if name not in changed and name not in constants]
        files = {source: dict(zip(kept, kept, strict=True)), path: dict(zip(own, own, strict=True))}
        files |= zip(_part_paths(path, len(elsewhere)), elsewhere, strict=True)
        filled = {file: columns for file, columns in files.items() if columns} or {source: {}}
        return cls(names, filled, changed, constants, noted[_ONE_TO_ONE], KEPT in changed)

    @cached_property
    def parts(self) -> list[pl.LazyFrame]:
        """Tables with the same rows, at least one, to be put side by side; opened once, however often rows are read."""
        return [_renamed(shelf.scan(file), columns) for file, columns in self.files.items()]

    def rows(self, start: int = 0, count: int | None = None) -> pl.LazyFrame:
        """Put rows together, in order."""
        whole = not start and count is None
        parts = self.parts if whole else [part.slice(start, count) for part in self.parts]
        frame = pl.concat(parts, how="horizontal") if len(parts) > 1 else parts[0]
        frame = frame.filter(KEPT) if self.drops else frame
        return frame.with_columns(pl.lit(text).alias(name) for name, text in self.constants.items()).select(self.names)


def _renamed(frame: pl.LazyFrame, columns: Mapping[str, str]) -> pl.LazyFrame:
    return frame.select(pl.col(there).alias(name) for name, there in columns.items()) if columns else frame


def _steps(path: Path, rows: int) -> list[tuple[int, int]]:
    """Cut a file between row groups into pieces of so many rows or more: the first row of each, and how many it has."""
    metadata, steps, start = pq.read_metadata(path), [], 0
    for groups in row_groups(metadata, rows):
        count = sum(metadata.row_group(group).num_rows for group in groups)
        steps.append((start, count))
        start += count
    return steps
