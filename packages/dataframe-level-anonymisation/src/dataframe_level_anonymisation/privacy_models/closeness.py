"""t-closeness with equal, ordered and hierarchical ground distance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes, Entries, Histogram
from dataframe_level_anonymisation.hierarchies import parse
from dataframe_level_anonymisation.privacy_models.model import Parameterised
from dataframe_level_anonymisation.privacy_models.requirements import DIGITS, TOLERANCE, Figures, ShareTest, Test
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class _Distance(ShareTest):
    """Base of the t-closeness tests: distances that are at most 1 and convex."""

    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        """Mixing rows within t with others at a distance of at most 1 gives the class's distance at most."""
        room = max(1 - self.limit, TOLERANCE)
        return np.clip((figures - self.limit - TOLERANCE) / room, 0, 1) * classes.sizes


@dataclass(frozen=True)
class _Equal(_Distance):
    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        return _total_variation(entries, shares, self.expected, len(classes))


def _total_variation(entries: Entries, shares: Figures, reference: Figures, classes: int) -> Figures:
    """½ Σ |q − p| over all values, those that the class lacks included: array (classes,)."""
    expected = reference[entries.values]
    return (entries.totals(np.abs(shares - expected) - expected, classes) + 1) / 2


@dataclass(frozen=True)
class _Ordered(_Distance):
    ranks: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def figures(self, classes: Classes) -> Figures:
        size = int(self.ranks.max(initial=0)) + 1
        entries = classes.entries(self.attribute).merged(np.arange(len(classes)), len(classes), size, self.ranks)
        shares = entries.counts / np.maximum(classes.sizes, 1)[entries.owners]
        return np.round(self._figures(entries, shares, classes), DIGITS)

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        """Σ |Q_i − P_i| / (m − 1) over the cumulative shares, where Q is constant between the values of a class."""
        expected = np.bincount(self.ranks, weights=self.expected)
        size = len(expected)
        if size == 1:
            return np.zeros(len(classes))
        below = np.cumsum(expected)
        area = np.concatenate([[0.0], np.cumsum(below)])  # area[i] = P_0 + … + P_(i-1)
        running = np.cumsum(shares)
        starts = np.flatnonzero(np.diff(entries.owners, prepend=-1))
        lengths = np.diff(np.append(starts, len(entries.owners)))
        level = running - np.repeat((running - shares)[starts], lengths)
        begin = entries.values
        end = np.append(begin[1:], size)
        end[np.append(starts[1:], len(begin)) - 1] = size
        cross = np.clip(np.searchsorted(below, level), begin, end)
        difference = level * (cross - begin) - (area[cross] - area[begin])
        difference += (area[end] - area[cross]) - level * (end - cross)
        difference[starts] += area[begin[starts]]
        return entries.totals(difference, len(classes)) / (size - 1)


@dataclass(frozen=True)
class _Hierarchical(_Distance):
    groups: tuple[npt.NDArray[np.int64], ...] = ()  # group of each value at each level below the top

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        """Mean of the total variations at the levels below the top.

        Li et al. define the ground distance of two values as the height of their closest common group over the height
        of the hierarchy. That is a tree metric whose edges all have the length 1 / (2 H), for which the earth mover's
        distance is the sum over the groups of |q − p| times the length of the edge above.
        """
        del shares
        total = np.zeros(len(classes))
        for groups in self.groups:
            expected = np.bincount(groups, weights=self.expected).astype(np.float64)
            of_groups = entries.merged(np.arange(len(classes)), len(classes), len(expected), groups)
            of_shares = of_groups.counts / np.maximum(classes.sizes, 1)[of_groups.owners]
            total += _total_variation(of_groups, of_shares, expected, len(classes))
        return total / max(len(self.groups), 1)


@dataclass(frozen=True)
class TCloseness(Parameterised):
    """In every class the sensitive values are distributed as in the whole input, up to the distance ``t``.

    Args:
        t: From 0 to 1.
        attribute: The sensitive attribute.
        distance: Ground distance of the earth mover's distance: ``equal`` (any two values are equally far apart),
            ``ordered`` (numbers, by rank), or ``hierarchical`` (by the closest common group of ``hierarchy``).
        hierarchy: Hierarchy of the sensitive attribute: a name or specification, for the hierarchical distance.

    References:
        N. Li, T. Li and S. Venkatasubramanian, t-Closeness: Privacy Beyond k-Anonymity and l-Diversity, ICDE 2007,
        section 5.
    """

    t: float
    attribute: str
    distance: str = "equal"
    hierarchy: Any = None
    name: ClassVar[str] = "t-closeness"
    no_parameters: ClassVar[frozenset[str]] = frozenset({"attribute", "hierarchy"})

    def __post_init__(self) -> None:
        if not 0 <= self.t <= 1:
            raise DataServiceError(f"The requirement t = {self.t} is not possible: give a number from 0 to 1.")
        if self.distance not in {"equal", "ordered", "hierarchical"}:
            raise DataServiceError(f"The distance {self.distance!r} is unknown: choose equal, ordered or hierarchical.")
        if (self.distance == "hierarchical") != (self.hierarchy is not None):
            raise DataServiceError(
                f"The hierarchical distance of {self.attribute!r} goes with a hierarchy of that column: "
                + ("give one." if self.hierarchy is None else "set distance to hierarchical or leave it out.")
            )

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            "Among the rows that look alike the sensitive values are distributed nearly as in the whole table "
            f"(distance at most {self.t:g}), so knowing somebody's class tells little more than knowing the "
            "table."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests.

        Raises:
            DataServiceError: If the ordered distance meets a value that is no number, or the hierarchy does not fit.
        """
        attribute = data.sensitive[self.attribute]
        given = ("t", self.t, self.attribute, attribute.counts)
        if self.distance == "equal":
            return [_Equal(*given)]
        if self.distance == "ordered":
            return [_Ordered(*given, _ranks(self.attribute, attribute.values))]
        hierarchy = parse(self.attribute, self.hierarchy).build(attribute.values)
        return [_Hierarchical(*given, hierarchy.groups[:-1])]


def _ranks(column: str, values: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Rank values as numbers: array (values,)."""
    numbers = np.array([_number(value) for value in values])
    if wrong := int((~np.isfinite(numbers)).sum()):
        raise DataServiceError(
            f"The ordered distance needs numbers, but {wrong} distinct value(s) of the column {column!r} are not: "
            "clean the column first or use the equal distance."
        )
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
