"""Rows that are chosen by comparing them with the others of their group.

In this process by fingerprints of the rows, 16 bytes each; on Spark by Spark, which holds whatever grows with the rows.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from util_services.engine_rows import is_spark
from util_services.frames import Store, figures, in_positions, map_batches, numbered, spare, with_cells

_HALF = pl.lit(2**64, pl.Int128)
_SIGN = np.uint64(1 << 63)

Marked = tuple[nw.LazyFrame[Any], nw.Expr]
"""A table, perhaps with further columns, and the condition under which its rows stay."""


@dataclass(frozen=True)
class Choice:
    """Which rows of each group stay.

    Attributes:
        here: Takes the rows' groups in row order, as values that are equal for rows of one group, and gives a truth
            value a row.
        there: Takes a table, the column with its rows' numbers and the columns whose cells make the groups.
        by_position: The numbers must be positions, without gaps.
    """

    here: Callable[[pl.Series], pl.Series]
    there: Callable[[nw.LazyFrame[Any], str, Sequence[str]], Marked]
    by_position: bool = False


FIRST = Choice(
    pl.Series.is_first_distinct, lambda table, row, groups: (table, nw.col(row) == nw.col(row).min().over(*groups))
)
LAST = Choice(
    pl.Series.is_last_distinct, lambda table, row, groups: (table, nw.col(row) == nw.col(row).max().over(*groups))
)
ALONE = Choice(pl.Series.is_unique, lambda table, _, groups: (table, nw.len().over(*groups) == 1))


def sample(seed: int, *, size: int | None = None, share: float = 1.0) -> Choice:
    """Choose rows of each group at random without replacement.

    Every row gets a random number of 64 bits by its position, from PCG64, whose stream NumPy keeps the same on every
    machine and in every version; the rows with the smallest stay.

    Args:
        seed: Of the stream.
        size: How many rows to draw; all of a group that has fewer.
        share: Which share to draw if no size is given, 0 to 1; rounded to whole rows.
    """

    def here(groups: pl.Series) -> pl.Series:
        draws = pl.DataFrame({"group": groups, "draw": np.random.PCG64(seed).random_raw(len(groups))})
        rows = pl.len().over("group")
        drawn = pl.lit(size) if size is not None else (rows * share + 0.5).floor()
        return draws.select(pl.col("draw").rank("ordinal").over("group") <= drawn).to_series()

    def there(table: nw.LazyFrame[Any], row: str, groups: Sequence[str]) -> Marked:
        (draw,) = spare(table)

        def drawn_of(rows: pl.DataFrame) -> pl.DataFrame:
            return pl.DataFrame({draw: _draws(seed, rows[row].to_numpy())})

        drawn = nw.lit(size) if size is not None else (nw.len().over(*groups) * share + 0.5).floor()
        with_draws = map_batches(table, drawn_of, [row], {draw: nw.Int64})
        return with_draws, nw.col(draw).rank("ordinal").over(*groups) <= drawn

    return Choice(here, there, by_position=True)


def chosen(
    frame: nw.LazyFrame[Any],
    groups: Mapping[str, nw.Expr | None],
    choice: Choice,
    store: Store,
) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Choose rows of each group; their order stays.

    Args:
        frame: The table.
        groups: Columns whose cells make the groups, a missing one equal to a missing one; for each ``None``, or what to
            compare in place of its cells, which depends on such columns alone. Without any, all rows are one group.
        choice: Which rows stay.
        store: Evaluates a table and gives it back, where that is needed.

    Returns:
        The rows that stay, and the others.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"a": ["x", "X", "y"]}))
        >>> kept, others = chosen(frame, {"a": nw.col("a").str.to_lowercase()}, FIRST, lambda table: table)
        >>> kept.collect().rows(), others.collect().rows()
        ([('x',), ('y',)], [('X',)])
    """
    keys = {column: key for column, key in groups.items() if key is not None}
    if not is_spark(nw.to_native(frame)):
        mask = choice.here(_groups(frame.with_columns(**keys) if keys else frame, list(groups)))
        return _kept(frame, mask), _kept(frame, ~mask)
    names = frame.collect_schema().names()
    row, stays, everywhere, *copies = spare(frame, 3 + len(groups))
    copy_of = dict(zip(groups, copies, strict=True))
    table = in_positions(frame, row, store) if choice.by_position else numbered(frame, row)
    table = table.with_columns(
        nw.lit(0).alias(everywhere), *(nw.col(each).alias(copy_of[each]) for each in groups if each not in keys)
    )
    table = with_cells(table, {copy_of[column]: key for column, key in keys.items()}, list(keys))
    table, condition = choice.there(table, row, copies or [everywhere])
    table = store(table.with_columns(condition.alias(stays)))
    return table.filter(nw.col(stays)).select(*names), table.filter(~nw.col(stays)).select(*names)


def _draws(seed: int, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the random numbers of rows by their positions, shape (n,), as signed ones that are in the same order."""
    generator = np.random.PCG64(seed)
    start = generator.state
    runs = np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1)
    draws = []
    for run in runs:
        generator.state = start
        if len(run):
            generator.advance(int(run[0]))
        draws.append(generator.random_raw(len(run)))
    numbers: npt.NDArray[np.uint64] = np.concatenate(draws)
    return (numbers ^ _SIGN).view(np.int64)


def _groups(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> pl.Series:
    if columns:
        return fingerprints(frame, columns)
    (rows,) = figures([frame.select(nw.len())])
    return pl.repeat(0, rows["len"], dtype=pl.Int8, eager=True)


def fingerprints(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> pl.Series:
    """Give each row a number of 128 bits that is the same for equal rows, missing cells being equal to each other.

    The numbers come from two hashes of 64 bits with random seeds, so that nobody can prepare rows that collide. If the
    hashes are as good as random, any two of n different rows are taken for equal with probability below n² / 2^129:
    for a thousand million rows 10^-21.

    Args:
        frame: The table.
        columns: What is compared, at least one.

    Returns:
        Shape (rows,), in the order of the rows, 16 bytes each: all that is held in memory.

    Examples:
        >>> numbers = fingerprints(nw.from_native(pl.LazyFrame({"a": ["x", None, "x"]})), ["a"])
        >>> numbers[0] == numbers[2], numbers[0] == numbers[1]
        (True, False)
    """
    high, low = secrets.randbits(63), secrets.randbits(63)

    def hashed(rows: pl.DataFrame) -> pl.DataFrame:
        plain = rows.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))  # whose codes differ by batch
        first = plain.hash_rows(high).reinterpret(signed=True).cast(pl.Int128)
        return pl.select((first * _HALF + plain.hash_rows(low).cast(pl.Int128)).alias("fingerprint"))

    keys = frame.select(*columns)
    hashes = map_batches(keys, hashed, columns, {"fingerprint": nw.Int128}).select("fingerprint")
    native = hashes.to_native()
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming").to_series()
    return pl.DataFrame(hashes.collect().to_arrow()).to_series()


def _kept(frame: nw.LazyFrame[Any], mask: pl.Series) -> nw.LazyFrame[Any]:
    """Leave out the rows of a table of Polars, which keeps their order, where one truth value a row is false."""
    native: pl.LazyFrame = frame.to_native()
    (beside,) = spare(frame)
    both = pl.concat([native, pl.LazyFrame({beside: mask})], how="horizontal")
    return nw.from_native(both.filter(pl.col(beside)).drop(beside))
