"""How lazy tables that give the same rows whenever they are evaluated were made of each other."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl

from util_services.levels import Levels
from util_services.origins import Origins

Counted = Callable[[Sequence[str]], Mapping[str, Levels]]
"""Finds the levels of columns, as far as they are few and quickly found."""


@dataclass(frozen=True)
class Revision:
    """How a lazy frame that gives the same rows whenever it is evaluated differs from one that it was made of.

    Attributes:
        source: The frame before, with the same rows; ``None`` if that is the frame itself.
        changed: The columns that may differ.
        levels: Of changed columns whose new cells depend on the old one alone, the levels that the source has.
        counted: Finds those of the source's columns.
        stored: Of changed columns that were computed once: a table that has them in the same rows, and the name there.
    """

    source: pl.LazyFrame | None = None
    changed: frozenset[str] = frozenset()
    levels: Mapping[str, Levels] = field(default_factory=dict)
    counted: Counted = lambda _: {}
    stored: Mapping[str, tuple[pl.LazyFrame, str]] = field(default_factory=dict)


_SETTLED = Origins[Revision]()


def settle(
    frame: nw.LazyFrame[Any],
    like: nw.LazyFrame[Any] | None = None,
    changed: Collection[str] | None = None,
    *,
    counted: Counted | None = None,
) -> nw.LazyFrame[Any]:
    """Note that a lazy table gives the same rows in the same order however often it is evaluated.

    Args:
        frame: The table.
        like: Note it only if it is known of this one, of which the table was made row by row.
        changed: Columns that were replaced or appended; ``None`` if rows were left out.
        counted: For a table that was not made of another: finds the levels of its columns.

    Returns:
        The table itself.
    """
    native, revision = nw.to_native(frame), Revision()
    if like is not None:
        before = nw.to_native(like)
        if native is before or (known := _SETTLED.of(before)) is None:
            return frame
        if changed is not None:
            revision = replace(
                known,
                source=known.source if known.source is not None else before,
                changed=known.changed.union(changed),
                levels={name: levels for name, levels in known.levels.items() if name not in changed},
                stored={name: place for name, place in known.stored.items() if name not in changed},
            )
    elif counted is not None:
        revision = Revision(counted=counted)
    _SETTLED.remember(native, revision)
    return frame


def is_settled(frame: pl.LazyFrame) -> bool:
    """Tell whether a lazy table is known to give the same rows however often it is evaluated."""
    return _SETTLED.of(frame) is not None


def revision_of(frame: pl.LazyFrame) -> Revision | None:
    """Tell what a frame was made of row by row, if it is known and the columns are the same; ``changed`` are of it.

    Examples:
        >>> before = settle(nw.from_native(pl.LazyFrame({"name": ["Ann"], "age": ["25"]})))
        >>> after = settle(before.with_columns(age=nw.col("age") + "!"), before, ["age"])
        >>> revision = revision_of(nw.to_native(after))
        >>> revision.source is nw.to_native(before), revision.changed
        (True, frozenset({'age'}))
    """
    revision = _SETTLED.of(frame)
    if revision is None or revision.source is None:
        return None
    names = frame.collect_schema().names()
    return revision if names == revision.source.collect_schema().names() else None


def levels_of(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> dict[str, Levels]:
    """Find the levels of columns.

    Returns:
        Those of the columns, in order, of which they are known or quickly found.
    """
    revision = _SETTLED.of(nw.to_native(frame))
    if revision is None:
        return {}
    found = revision.counted([name for name in columns if name not in revision.changed])
    known = {**revision.levels, **found}
    return {name: known[name] for name in columns if name in known}


def recode(frame: nw.LazyFrame[Any], levels: Mapping[str, Levels]) -> nw.LazyFrame[Any]:
    """Note that cells of changed columns depend on those before alone, so that it is enough to compute them by level.

    Args:
        frame: A table, noted by :func:`settle` as made of another.
        levels: For each such column the levels that the other has, recoded.

    Returns:
        The table itself.
    """
    return _also(frame, levels=levels)


def stored_in(frame: nw.LazyFrame[Any], table: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Note that another table holds some columns of a table, in the same rows.

    Args:
        frame: A table, noted by :func:`settle` as made of another.
        table: One that is settled; all its columns are among those of the first.

    Returns:
        The table itself.
    """
    there: pl.LazyFrame = nw.to_native(table)
    return _also(frame, stored={name: (there, name) for name in table.collect_schema().names()})


def taken_over(frame: nw.LazyFrame[Any], before: nw.LazyFrame[Any], names: Mapping[str, str]) -> nw.LazyFrame[Any]:
    """Note that columns are others of the table before, unchanged.

    Args:
        frame: A table, noted by :func:`settle` as made of the one before.
        before: That table.
        names: For each such column the name of the other.

    Returns:
        The table itself.
    """
    revision = _SETTLED.of(nw.to_native(before)) or Revision()
    return _also(
        frame, stored={name: revision.stored[there] for name, there in names.items() if there in revision.stored}
    )


def _also(
    frame: nw.LazyFrame[Any],
    *,
    levels: Mapping[str, Levels] = MappingProxyType({}),
    stored: Mapping[str, tuple[pl.LazyFrame, str]] = MappingProxyType({}),
) -> nw.LazyFrame[Any]:
    """Note more of a table of which something is noted."""
    native = nw.to_native(frame)
    if (revision := _SETTLED.of(native)) is not None and (levels or stored):
        more = replace(revision, levels={**revision.levels, **levels}, stored={**revision.stored, **stored})
        _SETTLED.remember(native, more)
    return frame
