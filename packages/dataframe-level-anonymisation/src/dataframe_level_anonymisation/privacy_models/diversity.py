"""Models on the diversity of sensitive values: (α, k)-anonymity and the l-diversity family."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dataframe_level_anonymisation.classes import Classes, Entries, Histogram, Mask
from dataframe_level_anonymisation.privacy_models.model import Parameterised
from dataframe_level_anonymisation.privacy_models.requirements import (
    DIGITS,
    Figures,
    ShareTest,
    SizeTest,
    Test,
    above_zero,
    at_least,
    share_of_one,
)


@dataclass(frozen=True)
class _MostFrequent(ShareTest):
    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        return entries.largest(shares, len(classes))

    def _caps(self) -> Figures:
        return np.full(len(self.reference), self.limit)


@dataclass(frozen=True)
class AlphaKAnonymity(Parameterised):
    """k-anonymity, and no sensitive value has more than the share ``alpha`` of a class.

    Args:
        alpha: From above 0 to 1.
        k: Whole number from 1.
        attribute: The sensitive attribute.

    References:
        R. C.-W. Wong et al., (α, k)-Anonymity: An Enhanced k-Anonymity Model for Privacy Preserving Data Publishing,
        KDD 2006. All values are protected (the general model of its section 5).
    """

    alpha: float
    k: int
    attribute: str
    name: ClassVar[str] = "(α, k)-anonymity"

    def __post_init__(self) -> None:
        share_of_one("alpha", self.alpha)
        at_least("k", self.k, 1)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Among the rows that look alike, at least {self.k:,}, no sensitive value has more than "
            f"{self.alpha:.0%}, so none is certain."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        reference = data.sensitive[self.attribute].counts
        return [SizeTest("k", self.k), _MostFrequent("alpha", self.alpha, self.attribute, reference)]


@dataclass(frozen=True)
class _Diversity(ShareTest):
    """Base of the l-diversity tests: the more the better."""

    worst: ClassVar[Literal["smallest", "largest"]] = "smallest"

    def passes(self, figures: Figures) -> Mask:
        return figures >= round(self.limit, DIGITS)


@dataclass(frozen=True)
class _Distinct(_Diversity):
    inherited: ClassVar[bool] = True

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        del shares
        return np.bincount(entries.owners, minlength=len(classes)).astype(np.float64)

    def least_suppressed(self, classes: Classes, figures: Figures) -> Figures:
        return np.where(self.passes(figures), 0.0, classes.sizes)


@dataclass(frozen=True)
class DistinctLDiversity(Parameterised):
    """Every class has at least ``l`` distinct sensitive values.

    Args:
        l: Whole number from 1.
        attribute: The sensitive attribute.

    References:
        A. Machanavajjhala et al., l-Diversity: Privacy Beyond k-Anonymity, ACM TKDD 1(1), 2007.
    """

    l: int  # noqa: E741 - the model's own letter
    attribute: str
    name: ClassVar[str] = "distinct l-diversity"

    def __post_init__(self) -> None:
        at_least("l", self.l, 1)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Among the rows that look alike there are at least {self.l:,} different sensitive values, so "
            "looking alike does not give the value away."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        return [_Distinct("l", self.l, self.attribute, data.sensitive[self.attribute].counts)]


@dataclass(frozen=True)
class _Entropy(_Diversity):
    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        # A class of one value has exactly 1; exp and log need not agree to the last digit, hence the rounding above.
        return np.exp(entries.totals(-shares * np.log(shares), len(classes)))

    def _caps(self) -> Figures:
        return np.full(len(self.reference), _largest_share(self.limit, int((self.reference > 0).sum())))


def _largest_share(least: float, values: int) -> float:
    """Largest share that one of so many values may have while the entropy can still reach log(least).

    With the share q of one value the entropy is largest if the others share the rest equally; it falls in q.
    """
    if values < least:
        return 0.0
    low, high = 1 / values, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        rest = 1 - middle
        entropy = -middle * math.log(middle) - (rest * math.log(rest / (values - 1)) if rest > 0 and values > 1 else 0)
        low, high = (middle, high) if entropy >= math.log(least) else (low, middle)
    return high


@dataclass(frozen=True)
class EntropyLDiversity(Parameterised):
    """The entropy of the sensitive values in every class is at least log(``l``).

    Args:
        l: Real number from 1.
        attribute: The sensitive attribute.

    References:
        A. Machanavajjhala et al., l-Diversity: Privacy Beyond k-Anonymity, ACM TKDD 1(1), 2007, definition 4.1.
    """

    l: float  # noqa: E741 - the model's own letter
    attribute: str
    name: ClassVar[str] = "entropy l-diversity"

    def __post_init__(self) -> None:
        at_least("l", self.l, 1, whole=False)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            "Among the rows that look alike the sensitive value is at least as hard to guess as one of "
            f"{self.l:g} equally frequent ones."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        return [_Entropy("entropy_l", self.l, self.attribute, data.sensitive[self.attribute].counts)]


@dataclass(frozen=True)
class _Recursive(ShareTest):
    l: int = 1  # noqa: E741 - the model's own letter

    def _figures(self, entries: Entries, shares: Figures, classes: Classes) -> Figures:
        """Smallest c that the class would pass: r_1 / (r_l + … + r_m), counts in descending order."""
        del shares
        order = np.lexsort((-entries.counts, entries.owners))
        owners, counts = entries.owners[order], entries.counts[order]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        lengths = np.diff(np.append(starts, len(owners)))
        rank = np.arange(len(owners)) - np.repeat(starts, lengths)
        tail = np.bincount(owners, weights=np.where(rank >= self.l - 1, counts, 0), minlength=len(classes))
        most = entries.largest(entries.counts.astype(np.float64), len(classes))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(tail > 0, most / tail, np.inf)

    def passes(self, figures: Figures) -> Mask:
        return figures < round(self.limit, DIGITS)

    def _caps(self) -> Figures:
        return np.full(len(self.reference), self.limit / (1 + self.limit) if self.l > 1 else 1.0)


@dataclass(frozen=True)
class RecursiveCLDiversity(Parameterised):
    """In every class the most frequent sensitive value occurs less than c times as often as the rarer ones together.

    With the counts of the values in descending order: r_1 < c (r_l + r_(l+1) + … + r_m).

    Args:
        c: Above 0.
        l: Whole number from 1.
        attribute: The sensitive attribute.

    References:
        A. Machanavajjhala et al., l-Diversity: Privacy Beyond k-Anonymity, ACM TKDD 1(1), 2007, definition 4.2.
    """

    c: float
    l: int  # noqa: E741 - the model's own letter
    attribute: str
    name: ClassVar[str] = "recursive (c, l)-diversity"

    def __post_init__(self) -> None:
        above_zero("c", self.c)
        at_least("l", self.l, 1)

    @property
    def meaning(self) -> str:
        """What it protects from."""
        return (
            f"Among the rows that look alike the most frequent sensitive value occurs less than {self.c:g} "
            f"times as often as the rarer ones (from the {self.l}. on) together."
        )

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests."""
        return [_Recursive("c", self.c, self.attribute, data.sensitive[self.attribute].counts, self.l)]
