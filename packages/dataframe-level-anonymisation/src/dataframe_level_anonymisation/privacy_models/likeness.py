"""Models on the gain of an observer: β-likeness and δ-disclosure privacy."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dataframe_level_anonymisation.classes import Classes, Entries, Histogram, Mask
from dataframe_level_anonymisation.privacy_models.model import Parameterised
from dataframe_level_anonymisation.privacy_models.requirements import (
    DIGITS,
    TOLERANCE,
    Figures,
    ShareTest,
    Test,
    above_zero,
)


@dataclass(frozen=True)
class _Likeness(ShareTest):
    enhanced: bool = True

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        """Smallest β that the class would pass: the largest relative gain, infinite if one exceeds −ln p."""
        expected = self.expected[entries.values]
        gain = (shares - expected) / expected
        if self.enhanced:
            gain = np.where(np.round(gain + np.log(expected), DIGITS) > 0, np.inf, gain)
        return np.maximum(entries.largest(np.maximum(gain, 0), len(classes)), 0)

    def _caps(self) -> Figures:
        share = np.maximum(self.expected, np.finfo(np.float64).tiny)
        gain = np.minimum(self.limit, -np.log(share)) if self.enhanced else self.limit
        return np.minimum(share * (1 + gain), 1)


@dataclass(frozen=True)
class BetaLikeness(Parameterised):
    """In no class does a sensitive value's share exceed its share p in the input by more than β times p.

    Args:
        beta: Above 0.
        attribute: The sensitive attribute.
        enhanced: Test each value against min(β, −ln p), so that a frequent value cannot reach a share of 1.

    References:
        J. Cao and P. Karras, Publishing Microdata with a Robust Privacy Guarantee, PVLDB 5(11), 2012, definitions 2
        and 3.
    """

    beta: float
    attribute: str
    enhanced: bool = True
    no_parameters: ClassVar[frozenset[str]] = frozenset({"attribute", "enhanced"})  # the name tells which of the two

    def __post_init__(self) -> None:
        above_zero("beta", self.beta)

    @property
    def name(self) -> str:
        """The field's name."""
        return f"{'enhanced' if self.enhanced else 'basic'} β-likeness"

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            "Among the rows that look alike no sensitive value is more frequent than in the whole table by "
            f"more than {self.beta:.0%}, so nobody's value gets much more likely."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        return [_Likeness("beta", self.beta, self.attribute, data.sensitive[self.attribute].counts, self.enhanced)]


@dataclass(frozen=True)
class _Disclosure(ShareTest):
    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        """Largest |log₂(q / p)|; infinite if the class lacks a value."""
        largest = entries.largest(np.abs(np.log2(shares / self.expected[entries.values])), len(classes))
        present = np.bincount(entries.owners, minlength=len(classes))
        return np.where(present < (self.reference > 0).sum(), np.inf, largest)

    def passes(self, figures: Figures) -> Mask:
        return figures < round(self.limit, DIGITS)

    def _caps(self) -> Figures:
        return np.minimum(self.expected * 2**self.limit, 1)

    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        """As by the caps, and by the floors: a value whose rows are few allows few rows in all."""
        entries = classes.entries(self.attribute)
        present = np.bincount(entries.owners, minlength=len(classes))
        floors = (self.expected * 2**-self.limit)[entries.values]
        sizes = classes.sizes[entries.owners]
        excess = entries.largest(sizes - entries.counts / floors - TOLERANCE * sizes, len(classes))
        bound = np.maximum(super().least_suppressed(classes, figures), np.clip(excess, 0, classes.sizes))
        bound = np.where(present < (self.reference > 0).sum(), classes.sizes, bound)
        return np.where(self.passes(figures), 0.0, bound)


@dataclass(frozen=True)
class DeltaDisclosurePrivacy(Parameterised):
    """In every class, every sensitive value's share q is near its share p in the input: ``|log₂(q / p)| < delta``.

    A class that lacks a value of the input does not pass.

    Args:
        delta: Above 0.
        attribute: The sensitive attribute.

    References:
        J. Brickell and V. Shmatikov, The Cost of Privacy: Destruction of Data-Mining Utility in Anonymized Data
        Publishing, KDD 2008, definition 2.
    """

    delta: float
    attribute: str
    name: ClassVar[str] = "δ-disclosure privacy"

    def __post_init__(self) -> None:
        above_zero("delta", self.delta)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            "Among the rows that look alike every sensitive value occurs, and its share is at most "
            f"{2**self.delta:.2g} times higher or lower than in the whole table."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        return [_Disclosure("delta", self.delta, self.attribute, data.sensitive[self.attribute].counts)]
