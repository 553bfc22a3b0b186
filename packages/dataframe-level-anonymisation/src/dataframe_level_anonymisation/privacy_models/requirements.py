"""Tests of privacy models: a figure for each class, which of them pass, and what finer generalisations must suppress.

The last is what allows pruning although a test need not be monotone under suppression: the rows that are kept of a
class are a union of finer classes that pass, and every test here that is met by classes is met by their union (the
distributions are mixed, distances are convex, entropy is concave).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes, Counts, Entries, Histogram, Mask
from util_services.errors import DataServiceError

Figures = npt.NDArray[np.float64]


DIGITS = 12  # figures that agree so far are equal


TOLERANCE = 1e-9


class ClassTest(ABC):
    """A requirement on each equivalence class by itself.

    Attributes:
        parameter: Which parameter the figure is, such as ``k``.
        inherited: Whether a class that fails implies that every part of it fails.
        worst: Which figure is the worst.
    """

    parameter: str
    inherited: ClassVar[bool]
    worst: ClassVar[Literal["smallest", "largest"]]

    @abstractmethod
    def figures(self, classes: Classes) -> Figures:
        """What each class reaches: array (classes,)."""

    @abstractmethod
    def passes(self, figures: Figures) -> Mask:
        """Which figures are good enough: array (classes,)."""

    @abstractmethod
    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        """Rows of each class that no finer generalisation can keep, or a lower bound of them: array (classes,)."""


class TableTest(ABC):
    """A requirement on the released table as a whole; the smallest classes are left out first to meet it.

    Whatever a finer generalisation keeps can be kept here too, so that it needs at least as much suppression.

    Attributes:
        parameter: Which parameter the figure is, such as ``average_risk``.
    """

    parameter: str

    @abstractmethod
    def figures(self, sizes: Counts) -> Figures:
        """What the table reaches without the ``i`` smallest classes.

        Args:
            sizes: Array (classes,), ascending.

        Returns:
            Array (classes + 1,).
        """

    @abstractmethod
    def passes(self, figures: Figures) -> Mask:
        """Which figures are good enough: array (classes + 1,)."""


Test = ClassTest | TableTest


@dataclass(frozen=True)
class SizeTest(ClassTest):
    """Classes, or their counterparts in the population, have at least so many rows."""

    parameter: str
    least: int
    of_population: bool = False
    worst: ClassVar[Literal["smallest", "largest"]] = "smallest"
    inherited: ClassVar[bool] = True

    def figures(self, classes: Classes) -> Figures:
        """What each class reaches: array (classes,)."""
        sizes = classes.population if self.of_population and classes.population is not None else classes.sizes
        return sizes.astype(np.float64)

    def passes(self, figures: Figures) -> Mask:
        """Which figures are good enough: array (classes,)."""
        return figures >= self.least

    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        """Rows that no finer generalisation can keep: array (classes,)."""
        return np.where(self.passes(figures), 0.0, classes.sizes)


@dataclass(frozen=True)
class ShareTest(ClassTest):
    """Base of tests on the distribution of a sensitive attribute within each class."""

    parameter: str
    limit: float
    attribute: str
    reference: Counts  # rows of each value in the input
    inherited: ClassVar[bool] = False
    worst: ClassVar[Literal["smallest", "largest"]] = "largest"

    def figures(self, classes: Classes) -> Figures:
        """What each class reaches: array (classes,)."""
        entries = classes.entries(self.attribute)
        shares = entries.counts / np.maximum(classes.sizes, 1)[entries.owners]
        return np.round(self._figures(entries, shares, classes), DIGITS)

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        raise NotImplementedError

    def passes(self, figures: Figures) -> Mask:
        """Which figures are good enough: array (classes,)."""
        return figures <= round(self.limit, DIGITS)

    @property
    def expected(self) -> Figures:
        """Share of each value in the input: array (values,)."""
        return self.reference / max(int(self.reference.sum()), 1)

    def _caps(self) -> Figures:
        """Largest share that each value may have in a class that passes: array (values,)."""
        return np.ones(len(self.reference))

    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        """Rows above what the caps allow: of the rows that are kept, no value has more than its share."""
        entries = classes.entries(self.attribute)
        caps = self._caps()[entries.values]
        sizes = classes.sizes[entries.owners]
        with np.errstate(divide="ignore", invalid="ignore"):
            most = np.where(caps < 1, (sizes - entries.counts) / (1 - caps), np.inf)
        excess = entries.largest(sizes - most - TOLERANCE * sizes, len(classes))
        return np.where(self.passes(figures), 0.0, np.clip(excess, 0, classes.sizes))


def worst(test: Test, data: Histogram) -> float:
    """Worst figure of a test over the classes of a table, of the tuples as they are; 0 without rows."""
    if isinstance(test, ClassTest):
        figures = test.figures(data.classes)[data.counts > 0]
        return float(figures.min() if test.worst == "smallest" else figures.max()) if len(figures) else 0.0
    return float(test.figures(np.sort(data.counts[data.counts > 0]))[0])


def passed(test: Test, data: Histogram) -> bool:
    """Whether the classes of a table, of the tuples as they are, meet a test."""
    if isinstance(test, ClassTest):
        return bool(test.passes(test.figures(data.classes))[data.counts > 0].all())
    return bool(test.passes(test.figures(np.sort(data.counts[data.counts > 0])))[0])


def at_least(parameter: str, value: float, least: int, *, whole: bool = True) -> None:
    """Refuse a parameter below its least value, or a fraction where a whole number is needed."""
    if not value >= least or not math.isfinite(value) or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        raise DataServiceError(f"The requirement {parameter} = {value} is not possible: give a {kind} from {least}.")


def above_zero(parameter: str, value: float) -> None:
    """Refuse a parameter that is not above 0."""
    if not 0 < value < math.inf:
        raise DataServiceError(f"The requirement {parameter} = {value} is not possible: give a number above 0.")


def share_of_one(parameter: str, value: float) -> None:
    """Refuse a parameter that is no share above 0, at most 1."""
    if not 0 < value <= 1:
        raise DataServiceError(
            f"The requirement {parameter} = {value} is not possible: give a share above 0, at most 1."
        )
