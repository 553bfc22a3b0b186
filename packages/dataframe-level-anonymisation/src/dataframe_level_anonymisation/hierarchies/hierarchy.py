"""A column's values and their groups, level by level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from util_services.errors import DataServiceError

Labels = list[str | None]

SUPPRESSED = "*"


@dataclass(frozen=True)
class Hierarchy:
    """A column's values and their groups, level by level; level 0 are the values themselves.

    Attributes:
        labels: For each level from 1 the label of each value: ``labels[level - 1][value]``.
        groups: For each level from 0 an array (values,) of group codes from 0.
        sizes: For each level the number of groups.
        lowest: Lowest level that may be chosen.
        highest: Highest level that may be chosen; negative for the top.
        weight: Weight of the column in the loss, above 0.
    """

    labels: tuple[Labels, ...]
    groups: tuple[npt.NDArray[np.int64], ...]
    sizes: tuple[int, ...]
    lowest: int = 0
    highest: int = -1
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.highest < 0:
            object.__setattr__(self, "highest", self.levels - 1)

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

    @classmethod
    def topped(cls, column: str, values: Sequence[Any], labels: Sequence[Labels]) -> "Hierarchy":
        """Build a hierarchy from labels of the values that are not missing.

        A missing value (``None``, the last one) is its own value up to the top, where it joins the others.

        Args:
            column: Column name, for messages.
            values: Distinct values, a missing one last.
            labels: For each level above the raw one the label of each value, the missing one left out. The last level
                is one group.

        Raises:
            DataServiceError: If a level splits a group of the level below.
        """
        missing = bool(values) and values[-1] is None
        top = [labels[-1][0] if labels[-1] else SUPPRESSED] * missing
        return cls.from_labels(
            column, len(values), [*(of_level + [None] * missing for of_level in labels[:-1]), labels[-1] + top]
        )
