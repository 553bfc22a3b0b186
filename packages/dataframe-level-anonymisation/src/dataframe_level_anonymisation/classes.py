"""Histogram of quasi-identifier tuples and the equivalence classes that generalisation makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]

_DENSE_FACTOR = 8  # count into an array while it has at most so many slots a tuple; sort beyond


@dataclass(frozen=True)
class Histogram:
    """The distinct tuples of a frame's quasi-identifiers and how often each occurs.

    Attributes:
        columns: Names of the quasi-identifiers.
        values: For each column its distinct values in ascending order, a missing value (``None``) last.
        codes: Array (tuples, columns): which value each tuple has in each column.
        counts: Array (tuples,): rows of each tuple.
    """

    columns: tuple[str, ...]
    values: tuple[list[Any], ...]
    codes: Codes
    counts: Counts

    @property
    def rows(self) -> int:
        """Number of rows of the frame."""
        return int(self.counts.sum())

    def value_counts(self, column: int) -> Counts:
        """Rows of each value of a column: array (values,)."""
        size = len(self.values[column])
        return np.bincount(self.codes[:, column], weights=self.counts, minlength=size).astype(np.int64)


def histogram(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> Histogram:
    """Aggregate a frame into the histogram of some columns: one pass, and only distinct tuples reach memory.

    Args:
        frame: The data.
        columns: At least one column name.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"age": ["25", "26", "25"]}))
        >>> histogram(frame, ["age"]).counts
        array([2, 1])
    """
    count = "count"
    while count in columns:
        count += "_"
    tuples: pa.Table = frame.group_by(*columns).agg(nw.len().alias(count)).collect(backend="pyarrow").to_native()
    encoded = [_encode(tuples[column]) for column in columns]
    codes = np.column_stack([codes for codes, _ in encoded]).astype(np.int32, copy=False)
    counts = tuples[count].to_numpy().astype(np.int64)
    order = np.lexsort(codes.T[::-1])  # engines return groups in any order
    return Histogram(tuple(columns), tuple(values for _, values in encoded), codes[order], counts[order])


def _encode(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Replace values by their rank; a missing value gets the last one."""
    distinct = pc.unique(column)
    present = distinct.drop_null()
    present = present.take(pc.sort_indices(present))
    ranks = pc.fill_null(pc.index_in(column, value_set=present), len(present))
    values = present.to_pylist() + ([None] if distinct.null_count else [])
    return ranks.to_numpy().astype(np.int64), values


@dataclass(frozen=True)
class Classes:
    """Equivalence classes at one node of the lattice.

    Attributes:
        members: Array (tuples,): the class of each tuple.
        sizes: Array (classes,): rows of each class.
    """

    members: npt.NDArray[np.int64]
    sizes: Counts


def group(codes: Sequence[npt.NDArray[np.integer[Any]]], domains: Sequence[int], counts: Counts) -> Classes:
    """Group tuples that agree in all columns.

    Args:
        codes: For each column an array (tuples,) of group numbers from 0.
        domains: For each column how many groups it has.
        counts: Array (tuples,): rows of each tuple.

    Returns:
        The classes, numbered in lexicographic order of their codes.
    """
    tuples = len(counts)
    keys, domain = np.zeros(tuples, dtype=np.int64), 1
    for column, size in zip(codes, domains, strict=True):
        if domain > np.iinfo(np.int64).max // max(size, 1):
            keys, domain = _dense(keys)
        keys, domain = keys * size + column, domain * size
    if domain <= _DENSE_FACTOR * tuples:
        sizes = np.bincount(keys, weights=counts, minlength=domain).astype(np.int64)
        used = sizes > 0
        numbers = np.cumsum(used) - 1
        return Classes(numbers[keys], sizes[used])
    members, classes = _dense(keys)
    return Classes(members, np.bincount(members, weights=counts, minlength=classes).astype(np.int64))


def _dense(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    distinct, members = np.unique(keys, return_inverse=True)
    return members.astype(np.int64), len(distinct)
