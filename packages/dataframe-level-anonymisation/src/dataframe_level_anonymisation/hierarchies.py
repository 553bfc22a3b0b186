"""Generalisation hierarchies: for each level an array of group codes over a column's values.

Adding a hierarchy: write a function that gives the labels of every level above the raw values, and name it in
``BUILT_IN``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from util_services.errors import DataServiceError, nearest

Labels = list[str | None]

SUPPRESSED = "*"


@dataclass(frozen=True)
class Hierarchy:
    """A column's values and their groups, level by level; level 0 are the values themselves.

    Attributes:
        labels: For each level from 1 the label of each value: ``labels[level - 1][value]``.
        groups: For each level from 0 an array (values,) of group codes from 0.
        sizes: For each level the number of groups.
    """

    labels: tuple[Labels, ...]
    groups: tuple[npt.NDArray[np.int64], ...]
    sizes: tuple[int, ...]
    lowest: int = 0
    weight: float = 1.0
    _highest: int | None = None

    @property
    def highest(self) -> int:
        """Highest level that may be chosen."""
        return self.levels - 1 if self._highest is None else self._highest

    @property
    def levels(self) -> int:
        """Number of levels, the raw one included."""
        return len(self.groups)

    @classmethod
    def from_labels(cls, column: str, values: int, labels: Sequence[Labels]) -> "Hierarchy":
        """Build a hierarchy from labels.

        Args:
            column: Column name, for messages.
            values: Number of distinct values.
            labels: For each level above the raw one, from fine to coarse, the label of each value.

        Raises:
            DataServiceError: If a level splits a group of the level below.
        """
        groups, sizes = [np.arange(values, dtype=np.int64)], [values]
        for level, of_level in enumerate(labels, start=1):
            codes = {label: code for code, label in enumerate(dict.fromkeys(of_level))}
            coarser = np.fromiter((codes[label] for label in of_level), dtype=np.int64, count=values)
            parents = np.full(sizes[-1], -1, dtype=np.int64)
            parents[groups[-1]] = coarser
            if not np.array_equal(parents[groups[-1]], coarser):
                raise DataServiceError(
                    f"The hierarchy of the column {column!r} is not nested: level {level} splits a group of level "
                    f"{level - 1}; give coarser groups there."
                )
            groups.append(coarser)
            sizes.append(len(codes))
        return cls(tuple(list(of_level) for of_level in labels), tuple(groups), tuple(sizes))


def build(column: str, name: str, values: Sequence[Any]) -> Hierarchy:
    """Build a named hierarchy over the distinct values of a column.

    Args:
        column: Column name, for messages.
        name: Name of a built-in hierarchy.
        values: Distinct values, a missing one as ``None``. It stays missing on all levels but the last.

    Raises:
        DataServiceError: If there is no such hierarchy, or it does not fit the values.

    Examples:
        >>> build("age", "simpl_age", ["25", "26"]).labels[1]
        ['[20, 30)', '[20, 30)']
    """
    labels = BUILT_IN.get(name)
    if labels is None:
        raise DataServiceError(f"The hierarchy {name!r} of the column {column!r} is unknown: {nearest(name, BUILT_IN)}")
    return Hierarchy.from_labels(column, len(values), labels(column, values))


def _suppressed(values: Sequence[Any]) -> Labels:
    return [SUPPRESSED] * len(values)


def age(column: str, values: Sequence[Any]) -> list[Labels]:
    """Intervals of 5, 10, 20 and 100 years, then ``*``; they start at multiples of their width."""
    numbers = [None if value is None else _number(value) for value in values]
    if wrong := sum(number is not None and not math.isfinite(number) for number in numbers):
        raise DataServiceError(
            f"The hierarchy 'simpl_age' needs numbers, but {wrong} distinct value(s) of the column {column!r} are not: "
            "clean the column first or give it another hierarchy."
        )
    return [[_interval(number, width) for number in numbers] for width in (5, 10, 20, 100)] + [_suppressed(values)]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _interval(number: float | None, width: int) -> str | None:
    if number is None:
        return None
    start = math.floor(number / width) * width
    return f"[{start}, {start + width})"


def gender(_column: str, values: Sequence[Any]) -> list[Labels]:
    """The value, then ``*``."""
    return [_suppressed(values)]


BUILT_IN: dict[str, Callable[[str, Sequence[Any]], list[Labels]]] = {"simpl_age": age, "simpl_gender": gender}


@dataclass(frozen=True)
class Spec:
    """What a column's hierarchy is built from.

    Attributes:
        column: Column name, for messages.
        name: Name of a built-in hierarchy, or a mapping from values to their labels.
    """

    column: str
    name: str | Mapping[str, Any]

    def build(self, values: Sequence[Any]) -> Hierarchy:
        """Build the hierarchy over the distinct values of the column."""
        if isinstance(self.name, str):
            return build(self.column, self.name, values)
        table = self.name["mapping"]
        return Hierarchy.from_labels(
            self.column, len(values), [[table[str(value)][0] for value in values], _suppressed(values)]
        )


def parse(column: str, spec: str | Mapping[str, Any]) -> Spec:
    """Read a specification."""
    return Spec(column, spec)
