"""Outcomes of steps that change cells, and how many they change."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from data_processing.evaluation import how_many
from data_processing.steps.selection import is_text
from data_processing.steps.step import REASON, Outcome
from util_services.distinct import DistinctValues, Transform, of_present
from util_services.frames import Store, amended, computed_beside, recoded, spare, with_cells
from util_services.levels import Levels
from util_services.revisions import levels_of, recode, settle, taken_over


def replaced(
    frame: nw.LazyFrame[Any], cells: Mapping[str, nw.Expr], *, inputs: Sequence[str] = (), alone: bool = False
) -> Outcome:
    """Replace columns, each cell from its own row alone and of the same type.

    Args:
        frame: The table.
        cells: For each column its new cells.
        inputs: The columns that these depend on, where Spark shall not do it its own way; see
            :func:`util_services.frames.with_cells`.
        alone: Whether each new cell depends on the old one alone, so that a text that repeats need be looked at once.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"city": ["Rome", None]}))
        >>> outcome = replaced(frame, {"city": nw.col("city").fill_null("?")})
        >>> outcome.frame.collect().rows(), outcome.changed.collect().rows()
        ([('Rome',), ('?',)], [(1,)])
    """
    if not cells:
        return Outcome(frame)
    known = levels_of(frame, list(cells)) if alone else {}
    by_level, counted = _by_level(known, lambda levels: of_levels(levels, cells[levels.cells.name]))
    others = [column for column in cells if column not in known]
    new = dict(zip(others, spare(frame, len(others)), strict=True))
    both = with_cells(frame, {new[column]: cells[column] for column in others}, inputs)
    changed = {column: how_many(differ(nw.col(column), nw.col(each))) for column, each in new.items()}
    changed |= {column: nw.lit(rows) for column, rows in counted.items()}
    left = {column: each for column, each in cells.items() if counted.get(column) != 0}
    result = amended(frame, left, inputs=inputs) if left else frame
    return Outcome(
        recode(result, by_level),
        written=tuple(left),
        changed=both.select(changed[column].alias(column) for column in cells),
    )


def computed(frame: nw.LazyFrame[Any], function: Transform, columns: Sequence[str], store: Store) -> Outcome:
    """Replace text columns by a function of their cells, for what expressions cannot say.

    Args:
        frame: The table.
        function: Computes new cells from those that are not missing; equal ones of equal ones.
        columns: Columns to replace.
        store: Keeps what was computed.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"name": ["Zoë", None]}))
        >>> outcome = computed(frame, lambda cells: cells.str.normalize("NFD"), ["name"], lambda each: each)
        >>> outcome.changed.collect().rows()
        [(1,)]
    """
    if not columns:
        return Outcome(frame)
    known = levels_of(frame, columns)
    others = [column for column in columns if column not in known]
    outcome = _stored(frame, function, others, store) if others else Outcome(frame)
    if not known:
        return outcome
    new, counted = _by_level(known, lambda levels: of_present(function, levels.cells))
    changed = outcome.changed
    if isinstance(changed, nw.LazyFrame):
        changed = changed.with_columns(**{column: nw.lit(rows) for column, rows in counted.items()}).select(*columns)
    result = recoded(outcome.frame, known, new)
    return Outcome(result, written=(*outcome.written, *new), changed=counted if changed is None else changed)


def _stored(frame: nw.LazyFrame[Any], function: Transform, columns: Sequence[str], store: Store) -> Outcome:
    new = dict(zip(columns, spare(frame, len(columns)), strict=True))
    both = computed_beside(frame, _batch(function, new), columns, dict.fromkeys(new.values(), nw.String), store)
    return exchanged(both, new, frame.collect_schema().names())


def _batch(function: Transform, new: Mapping[str, str]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Make a function of batches of rows that transforms columns, each under a new name."""
    functions = {column: DistinctValues(function) for column in new}

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            {new[cells.name]: of_present(functions[cells.name], cells) for cells in rows.iter_columns()}
        )

    return batch


def _by_level(
    known: Mapping[str, Levels], new: Callable[[Levels], pl.Series]
) -> tuple[dict[str, Levels], dict[str, int]]:
    """Give columns other cells: the levels of those that this changes, and for all how many cells it does."""
    by_level = {column: levels.recoded(new(levels)) for column, levels in known.items()}
    counted = {column: levels.rows(levels.cells.ne_missing(by_level[column].cells)) for column, levels in known.items()}
    return {column: levels for column, levels in by_level.items() if counted[column]}, counted


def exchanged(
    both: nw.LazyFrame[Any],
    new: Mapping[str, str],
    names: Sequence[str],
    counted: Mapping[str, int] | None = None,
) -> Outcome:
    """Replace columns by others that were computed beside them, and drop those.

    Args:
        both: The table with the new columns.
        new: For each column the name of the one that replaces it.
        names: The columns that go on, in order.
        counted: How many cells of each that changes, where it is known.
    """
    changed = both.select(*changes(both, new)) if new and counted is None else counted
    frame = both.with_columns(*(nw.col(other).alias(column) for column, other in new.items())).select(*names)
    return Outcome(taken_over(settle(frame, both, new), both, new), written=tuple(new), changed=changed)


def changes(both: nw.LazyFrame[Any], new: Mapping[str, str]) -> list[nw.Expr]:
    """Count for columns, under their names, how many cells differ from those that are to replace them.

    Args:
        both: The table with the new columns.
        new: For each column the name of the one that is to replace it.
    """
    schema = both.collect_schema()
    return [
        how_many(differ(_as_text(column, schema), _as_text(other, schema))).alias(column)
        for column, other in new.items()
    ]


def differ(old: nw.Expr, new: nw.Expr) -> nw.Expr:
    """Tell which cells differ, a missing one from any other that is not."""
    return (old != new).fill_null(value=False) | (old.is_null() & ~new.is_null()) | (~old.is_null() & new.is_null())


def of_levels(levels: Levels, cells: nw.Expr) -> pl.Series:
    """Evaluate what depends on a column's cell alone for each of its levels.

    Args:
        levels: Levels of the column.
        cells: An expression of that column.

    Returns:
        Shape (levels,).
    """
    before = nw.from_native(levels.cells.to_frame())
    return before.with_columns(cells.alias(levels.cells.name)).to_native().to_series()


def left_out(frame: nw.LazyFrame[Any], refused: nw.Expr, reason: str) -> Outcome:
    """Leave out rows, each judged by its own cells alone.

    Args:
        frame: The table.
        refused: Which rows; a missing truth value counts as false.
        reason: Why, without a cell value.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"age": [25, None]}))
        >>> left_out(frame, nw.col("age").is_null(), "has no age").rejects.collect().rows()
        [(None, 'has no age')]
    """
    judged = refused.fill_null(value=False)
    return Outcome(
        amended(frame, {}, ~judged),
        rejects=frame.filter(judged).with_columns(nw.lit(reason).alias(REASON)),
        keeps_rows=False,
    )


def _as_text(column: str, schema: nw.Schema) -> nw.Expr:
    return nw.col(column) if is_text(schema[column]) else nw.col(column).cast(nw.String)
