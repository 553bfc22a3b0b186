"""Histogram of a frame's tuples, and the equivalence classes that generalisation makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from util_services.errors import DataServiceError, nearest
from util_services.frames import collected, spare

Codes = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_LARGEST = np.iinfo(np.int64).max
_DENSE_FACTOR = 8  # number groups through an array while it has at most so many slots a tuple; sort beyond


@dataclass(frozen=True)
class Entries:
    """How often each value of a sensitive attribute occurs with each owner (a tuple or a class); zeros are left out.

    Attributes:
        owners: Array (entries,), ascending.
        values: Array (entries,): code of the value, ascending within an owner.
        counts: Array (entries,): rows.
    """

    owners: Counts
    values: Counts
    counts: Counts

    def totals(self, weights: npt.NDArray[Any], owners: int) -> npt.NDArray[np.float64]:
        """Sum a figure of the entries by owner: array (owners,)."""
        totals: npt.NDArray[np.float64] = np.bincount(self.owners, weights=weights, minlength=owners).astype(np.float64)
        return totals

    def largest(self, figures: npt.NDArray[np.float64], owners: int) -> npt.NDArray[np.float64]:
        """Give the largest figure of each owner's entries, 0 for an owner without any: array (owners,)."""
        result = np.zeros(owners)
        if len(figures):
            starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
            result[self.owners[starts]] = np.maximum.reduceat(figures, starts)
        return result

    def merged(self, owner: Counts, owners: int, values: int, value: npt.NDArray[np.int64] | None = None) -> "Entries":
        """Give owners, and optionally values, new numbers and add up what falls together.

        Args:
            owner: Array (old owners,): new number of each owner.
            owners: How many new owners there are.
            values: How many values there are afterwards.
            value: Array (old values,): new number of each value.
        """
        codes = self.values if value is None else value[self.values]
        numbers, first = number_groups(owner[self.owners] * values + codes, owners * values)
        counts = _sums(numbers, self.counts, len(first))
        return Entries(owner[self.owners[first]], codes[first], counts)


@dataclass(frozen=True)
class Attribute:
    """A sensitive attribute of a frame.

    Attributes:
        values: Its distinct values in ascending order, a missing one (``None``) last.
        entries: How often each occurs with each tuple.
    """

    values: list[Any]
    entries: Entries

    @cached_property
    def counts(self) -> Counts:
        """Rows of each value: array (values,)."""
        return _sums(self.entries.values, self.entries.counts, len(self.values))


class TooManyTuples(Exception):  # noqa: N818 - what was found, not a defect
    """A frame has more distinct tuples than may be collected."""


@dataclass(frozen=True, eq=False)
class Pregeneralised:
    """What is known of the values themselves where tuples were counted at higher levels of the hierarchies.

    Attributes:
        levels: For each column the level at which tuples are distinct; 0 for the values themselves.
        representatives: For each column an array (values,): the value that stands for all of the same group at that
            level. The histogram's codes name only these.
        value_counts: For each column an array (values,): rows of each value.
        surplus: Array (tuples,): what the cells of its rows cost more, by a quality model, than if they had the values
            that stand for them; at every level from ``levels`` on, since groups grow alike for all of their values.
    """

    levels: tuple[int, ...]
    representatives: tuple[Counts, ...]
    value_counts: tuple[Counts, ...]
    surplus: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """The distinct tuples of a frame's quasi-identifiers, how often each occurs, and with which sensitive values.

    Attributes:
        columns: Names of the quasi-identifiers.
        values: For each column its distinct values in ascending order, a missing value (``None``) last.
        codes: Array (tuples, columns): which value each tuple has in each column.
        counts: Array (tuples,): rows of each tuple; 0 for one that occurs in the population only.
        sensitive: The sensitive attributes by name.
        population: Array (tuples,): rows of each tuple in the population table, if one was given.
        sums: Array (tuples,): sum over the rows of each tuple of the column that was asked for.
        pregeneralised: Given if tuples are distinct at higher levels than the values themselves.
    """

    columns: tuple[str, ...]
    values: tuple[list[Any], ...]
    codes: Codes
    counts: Counts
    sensitive: Mapping[str, Attribute] = field(default_factory=dict)
    population: Counts | None = None
    sums: npt.NDArray[np.float64] | None = None
    pregeneralised: Pregeneralised | None = None

    @cached_property
    def rows(self) -> int:
        """Number of rows of the frame."""
        return int(self.counts.sum())

    @property
    def levels(self) -> tuple[int, ...]:
        """Level of each column at which tuples are distinct; 0 for the values themselves."""
        return (0,) * len(self.columns) if self.pregeneralised is None else self.pregeneralised.levels

    def value_counts(self, column: int) -> Counts:
        """Rows of each value of a column: array (values,)."""
        return self._value_counts[column]

    @cached_property
    def _value_counts(self) -> Sequence[Counts]:
        if self.pregeneralised is not None:
            return self.pregeneralised.value_counts
        return [_sums(codes, self.counts, len(values)) for codes, values in zip(self.codes.T, self.values, strict=True)]

    @cached_property
    def classes(self) -> "Classes":
        """The tuples as equivalence classes: nothing is generalised."""
        return Classes(
            self.counts, self.population, {name: attribute.entries for name, attribute in self.sensitive.items()}
        )

    def restricted(self, tuples: Mask) -> tuple["Histogram", Counts]:
        """Give the histogram of the rows of some tuples; the population stays whole.

        Not for pre-generalised columns: how often a value occurs in some of their tuples is not known.

        Args:
            tuples: Array (tuples,): which of them.

        Returns:
            The histogram, and an array with the position here of each tuple there.
        """
        counts = np.where(tuples, self.counts, 0)
        stay = tuples if self.population is None else tuples | (self.population > 0)
        numbers = np.cumsum(stay) - 1
        sensitive = {}
        for name, attribute in self.sensitive.items():
            entries = attribute.entries
            own = tuples[entries.owners]
            left = Entries(numbers[entries.owners[own]], entries.values[own], entries.counts[own])
            sensitive[name] = Attribute(attribute.values, left)
        population = None if self.population is None else self.population[stay]
        rest = Histogram(self.columns, self.values, self.codes[stay], counts[stay], sensitive, population)
        return rest, np.flatnonzero(stay)


@dataclass(frozen=True, eq=False)
class Classes:
    """Equivalence classes at one node of the lattice, in lexicographic order of their codes.

    Which tuple is in which class is computed when it is asked for: to refuse a node, sizes mostly are enough.

    Attributes:
        sizes: Array (classes,): rows of each class; 0 for one that occurs in the population only.
        population: Array (classes,): rows of each class in the population table, if one was given.
    """

    sizes: Counts
    population: Counts | None = None
    _entries: dict[str, Entries] = field(default_factory=dict, repr=False)
    _finer: "Classes | None" = field(default=None, repr=False)
    _keys: tuple[Counts, int] | None = field(default=None, repr=False)  # of the finer classes, and their domain
    _numbered: tuple[Counts, Counts] | None = field(default=None, repr=False)  # what number_groups makes of them

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def _grouping(self) -> tuple[Counts, Counts]:
        """Class of each finer class, and one finer class of each."""
        if self._numbered is not None:
            return self._numbered
        if self._keys is not None:
            return number_groups(*self._keys)
        itself = np.arange(len(self))
        return itself, itself

    @cached_property
    def first(self) -> Counts:
        """One tuple of each class: array (classes,)."""
        first = self._grouping[1]
        return first if self._finer is None else self._finer.first[first]

    @cached_property
    def members(self) -> Counts:
        """Class of each tuple: array (tuples,)."""
        numbers = self._grouping[0]
        return numbers if self._finer is None else numbers[self._finer.members]

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        return self.sizes.astype(np.float64)

    def entries(self, attribute: str) -> Entries:
        """How often each value of a sensitive attribute occurs in each class."""
        if attribute not in self._entries and self._finer is not None:
            finer = self._finer.entries(attribute)
            domain = int(finer.values.max(initial=0)) + 1
            self._entries[attribute] = finer.merged(self._grouping[0], len(self), domain)
        return self._entries[attribute]

    def merged(self, codes: Sequence[npt.NDArray[np.integer[Any]]], domains: Sequence[int]) -> "Classes":
        """Roll up: merge the classes that agree in all codes.

        Args:
            codes: For each column an array (classes,) of group numbers from 0. Classes that agree here must agree
                there, so that the result equals the one computed from the tuples.
            domains: For each column how many groups it has.
        """
        keys, domain = _keys(codes, domains, len(self))
        if self.population is None and domain <= _DENSE_FACTOR * len(self):
            rows = np.bincount(keys, weights=self._weights, minlength=domain)
            return Classes(rows[rows > 0].astype(np.int64), None, {}, self, (keys, domain))
        numbers, first = number_groups(keys, domain)
        population = None if self.population is None else _sums(numbers, self.population, len(first))
        sizes = _sums(numbers, self.sizes, len(first))
        return Classes(sizes, population, {}, self, _numbered=(numbers, first))


def _keys(
    codes: Iterable[npt.NDArray[np.integer[Any]]], domains: Iterable[int], size: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Number the combinations of codes in lexicographic order, not without gaps: the numbers and their domain."""
    keys, domain = np.zeros(size, dtype=np.int64), 1
    for column, groups in zip(codes, domains, strict=True):
        if domain > _LARGEST // max(groups, 1):
            keys, first = number_groups(keys, domain)
            domain = len(first)
        keys *= groups
        keys += column
        domain *= groups
    return keys, domain


def number_groups(keys: npt.NDArray[np.int64], domain: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct keys in ascending order without gaps.

    Args:
        keys: Array (n,) of numbers from 0.
        domain: All keys are below it.

    Returns:
        Array (n,) with the number of each key, and array (distinct,) with the position of one occurrence of each.

    Examples:
        >>> number_groups(np.array([7, 3, 7]), 8)[0]
        array([1, 0, 1])
    """
    size = len(keys)
    if domain <= _DENSE_FACTOR * size:
        used = np.zeros(domain, dtype=np.bool_)
        used[keys] = True
        numbers = (np.cumsum(used) - 1)[keys]
        first = np.empty(int(used.sum()), dtype=np.int64)
        first[numbers] = np.arange(size)
        return numbers, first
    bits = max(size - 1, 1).bit_length()
    if domain <= _LARGEST >> bits:  # sorting plain numbers is several times faster than argsort
        packed = np.sort((keys << bits) | np.arange(size))
        order, ordered = packed & ((1 << bits) - 1), packed >> bits
    else:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
    starts = np.ones(size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    numbers = np.empty(size, dtype=np.int64)
    numbers[order] = np.cumsum(starts) - 1
    return numbers, order[starts]


def weighted_sum(figures: npt.NDArray[Any], counts: Counts) -> float:
    """Add up figures by the rows they stand for: not by a matrix product, whose last digits differ by machine."""
    return float((figures * counts).sum())


def _sums(numbers: npt.NDArray[np.integer[Any]], counts: Counts, size: int) -> Counts:
    return _added(numbers, counts, size).astype(np.int64)  # exact below 2**53 rows


def _added(numbers: npt.NDArray[np.integer[Any]], figures: npt.NDArray[Any], size: int) -> npt.NDArray[np.float64]:
    return np.bincount(numbers, weights=figures, minlength=size).astype(np.float64, copy=False)


def histogram(
    frame: nw.LazyFrame[Any],
    columns: Sequence[str],
    sensitive: Sequence[str] = (),
    population: nw.LazyFrame[Any] | None = None,
    *,
    most: int | None = None,
    summed: str | None = None,
) -> Histogram:
    """Aggregate a frame into a histogram: one pass, and only distinct tuples reach memory.

    Args:
        frame: The data.
        columns: The quasi-identifiers, at least one.
        sensitive: The sensitive attributes.
        population: A table with the same quasi-identifiers that the data are a sample of.
        most: How many distinct tuples, with their sensitive values, may be collected of either table; default all.
        summed: A column of numbers to add up by tuple.

    Raises:
        DataServiceError: If the population lacks a column or holds another type in it.
        TooManyTuples: If there are more than ``most``.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"age": ["25", "26", "25"]}))
        >>> histogram(frame, ["age"]).counts
        array([2, 1])
    """
    alike = None if population is None else _like(frame, population, columns)
    tuples, rows = _counted(frame, [*columns, *sensitive], most, summed)
    keys = [tuples[name] for name in columns]
    people: Counts | None = None
    if alike is not None:
        others, counts = _counted(alike, columns, most)
        keys = [
            pa.chunked_array([*key.chunks, *others[name].cast(key.type).chunks], key.type)
            for key, name in zip(keys, columns, strict=True)
        ]
        people = np.concatenate([np.zeros_like(rows), counts])
    encoded = [_encode(key) for key in keys]
    codes = [code for code, _ in encoded]
    numbers, first = number_groups(*_keys(codes, [len(values) for _, values in encoded], len(codes[0])))
    own = numbers[: len(rows)]
    attributes = {}
    for name in sensitive:
        of_rows, values = _encode(tuples[name])
        entries = Entries(np.arange(len(rows)), of_rows, rows).merged(own, len(first), len(values))
        attributes[name] = Attribute(values, entries)
    return Histogram(
        columns=tuple(columns),
        values=tuple(values for _, values in encoded),
        codes=np.column_stack([code[first] for code in codes]).astype(np.int32, copy=False),
        counts=_sums(own, rows, len(first)),
        sensitive=attributes,
        population=None if people is None else _sums(numbers, people, len(first)),
        sums=None if summed is None else _added(own, tuples[summed].to_numpy(), len(first)),
    )


def _counted(
    frame: nw.LazyFrame[Any], columns: Sequence[str], most: int | None = None, summed: str | None = None
) -> tuple[pa.Table, Counts]:
    (count,) = spare(frame)
    figures = [nw.len().alias(count), *([nw.col(summed).sum()] if summed else [])]
    grouped = frame.group_by(*columns).agg(*figures)
    if most is not None:
        grouped = grouped.head(most + 1)
    tuples = collected(grouped).to_arrow()
    if most is not None and tuples.num_rows > most:
        raise TooManyTuples
    return tuples, tuples[count].to_numpy().astype(np.int64)


def _like(frame: nw.LazyFrame[Any], population: nw.LazyFrame[Any], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """Check that the population has the columns, with the same types."""
    own, theirs = frame.collect_schema(), population.collect_schema()
    for name in columns:
        if name not in theirs:
            raise DataServiceError(f"The population table has no column {name!r}: {nearest(name, theirs.names())}")
        if theirs[name] != own[name]:
            raise DataServiceError(
                f"The column {name!r} is {theirs[name]} in the population table and {own[name]} in the data: "
                "read both the same way."
            )
    return population


def _encode(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Replace values by their rank; a missing value gets the last one. Categories count as the texts they stand for."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    distinct = pc.unique(column)
    present = distinct.drop_null()
    present = present.take(pc.sort_indices(present))
    ranks = pc.fill_null(pc.index_in(column, value_set=present), len(present))
    values = present.to_pylist() + ([None] if distinct.null_count else [])
    return ranks.to_numpy().astype(np.int64), values
