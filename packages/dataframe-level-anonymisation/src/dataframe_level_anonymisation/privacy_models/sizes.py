"""Models on the sizes of classes: k-anonymity, k-map, average risk, sample uniqueness."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataframe_level_anonymisation.classes import Counts, Histogram, Mask
from dataframe_level_anonymisation.privacy_models.model import Parameterised
from dataframe_level_anonymisation.privacy_models.requirements import (
    DIGITS,
    Figures,
    SizeTest,
    TableTest,
    Test,
    at_least,
    share_of_one,
)
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class KAnonymity(Parameterised):
    """Every equivalence class has at least ``k`` rows.

    Args:
        k: Whole number from 1.

    Raises:
        DataServiceError: If ``k`` is less than 1.

    References:
        P. Samarati and L. Sweeney, Protecting Privacy when Disclosing Information: k-Anonymity and Its Enforcement
        through Generalization and Suppression, 1998.
    """

    k: int
    name: ClassVar[str] = "k-anonymity"
    attribute: ClassVar[None] = None

    def __post_init__(self) -> None:
        at_least("k", self.k, 1)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Every released row looks like at least {self.k - 1:,} others in all quasi-identifiers, so these "
            "do not single anybody out."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        del data
        return [SizeTest("k", self.k)]


@dataclass(frozen=True)
class KMap(Parameterised):
    """Every released tuple describes at least ``k`` people of the population.

    Args:
        k: Whole number from 1.

    References:
        L. Sweeney, Computational Disclosure Control: A Primer on Data Privacy Protection, MIT 2001, section 4.
    """

    k: int
    name: ClassVar[str] = "k-map"
    attribute: ClassVar[None] = None

    def __post_init__(self) -> None:
        at_least("k", self.k, 1)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Every released combination of quasi-identifiers fits at least {self.k:,} people of the "
            "population, so it does not single anybody out of them."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests.

        Raises:
            DataServiceError: If there is no population table.
        """
        if data.population is None:
            raise DataServiceError("k-map needs a population table: give one as population.")
        return [SizeTest("k_map", self.k, of_population=True)]


@dataclass(frozen=True)
class _TableShare(TableTest):
    """A share of the released rows is at most the limit."""

    parameter: str
    limit: float
    of_singles: bool

    def figures(self, sizes: Counts) -> Figures:
        counted = (sizes == 1) if self.of_singles else np.ones(len(sizes))
        left = np.append(np.cumsum(counted[::-1])[::-1], 0)
        rows = np.append(np.cumsum(sizes[::-1])[::-1], 0)
        shares: Figures = np.round(left / np.maximum(rows, 1), DIGITS)
        return shares

    def passes(self, figures: Figures) -> Mask:
        return figures <= round(self.limit, DIGITS)


@dataclass(frozen=True)
class AverageRisk(Parameterised):
    """The average re-identification risk of the released rows, classes by rows, is at most ``threshold``.

    Args:
        threshold: From above 0 to 1.

    References:
        K. El Emam, Guide to the De-Identification of Personal Health Information, CRC Press 2013, chapter 16 (the
        measure pRc).
    """

    threshold: float
    name: ClassVar[str] = "average re-identification risk"
    attribute: ClassVar[None] = None

    def __post_init__(self) -> None:
        share_of_one("threshold", self.threshold)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Whoever tries to put names to all released rows is right for at most {self.threshold:.2%} of "
            "them on average."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        del data
        return [_TableShare("average_risk", self.threshold, of_singles=False)]


@dataclass(frozen=True)
class SampleUniqueness(Parameterised):
    """The share of released rows that are alone in their class is at most ``threshold``.

    Args:
        threshold: From 0 to 1.

    References:
        K. El Emam, Guide to the De-Identification of Personal Health Information, CRC Press 2013, chapter 16.
    """

    threshold: float
    name: ClassVar[str] = "sample uniqueness"
    attribute: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise DataServiceError(f"The threshold {self.threshold} is not possible: give a share from 0 to 1.")

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return f"At most {self.threshold:.2%} of the released rows look like no other row."

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        del data
        return [_TableShare("sample_uniqueness", self.threshold, of_singles=True)]
