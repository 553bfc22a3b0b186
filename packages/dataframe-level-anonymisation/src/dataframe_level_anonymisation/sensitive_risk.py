"""What the equivalence classes of a table give away about a sensitive attribute."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from dataframe_level_anonymisation.classes import Histogram
from dataframe_level_anonymisation.privacy_models import DistinctLDiversity, EntropyLDiversity, TCloseness, worst
from util_services.frames import collected, spare

_DIGITS = 12


@dataclass(frozen=True)
class SensitiveRisk:
    """What the classes of a table give away about a sensitive attribute; a missing value counts as a value.

    Attributes:
        name: Column name.
        distinct_l: Smallest number of distinct values in a class; 0 for an empty table.
        entropy_l: Smallest ``exp(H)`` of a class, where ``H`` is the entropy of its values in nats: the number of
            equally frequent values that would be as hard to guess, from 1; 0 for an empty table.
        t: Largest distance between the distribution in a class and that in the table, from 0 to 1, all values being
            equally far from each other.
        distinct: Number of distinct values in the table.
        largest_share: Share of rows that have the most frequent value, 0 to 1.

    References:
        A. Machanavajjhala et al., l-Diversity: Privacy Beyond k-Anonymity, ICDE 2006, definitions 4.1 and 4.2.
        N. Li, T. Li and S. Venkatasubramanian, t-Closeness, ICDE 2007, section 5.1 (equal distance).
    """

    name: str
    distinct_l: int
    entropy_l: float
    t: float
    distinct: int
    largest_share: float

    @classmethod
    def of_tuples(cls, name: str, tuples: Histogram) -> "SensitiveRisk":
        """Measure with the tests of the privacy models, whose limits do not matter here."""
        if not tuples.rows:
            return cls(name, 0, 0.0, 0.0, 0, 0.0)
        models = (DistinctLDiversity(1, name), EntropyLDiversity(1, name), TCloseness(1, name))
        distinct, entropy, distance = (worst(test, tuples) for model in models for test in model.tests(tuples))
        counts = tuples.sensitive[name].counts
        return cls(
            name=name,
            distinct_l=int(distinct),
            entropy_l=max(entropy, 1.0),
            t=distance,
            distinct=len(counts),
            largest_share=float(counts.max()) / tuples.rows,
        )

    @classmethod
    def of_table(cls, name: str, frame: nw.LazyFrame[Any], columns: Sequence[str], rows: int) -> "SensitiveRisk":
        """Measure where the table is evaluated, so that no tuple reaches the memory of this process.

        Args:
            name: The sensitive attribute.
            frame: The table.
            columns: The quasi-identifiers.
            rows: Number of rows.

        Examples:
            >>> import polars as pl
            >>> frame = nw.from_native(pl.LazyFrame({"age": ["25", "25", "36"], "ill": ["flu", "cold", "flu"]}))
            >>> found = SensitiveRisk.of_table("ill", frame, ["age"], 3)
            >>> found.distinct_l, found.entropy_l, found.t, found.distinct, found.largest_share
            (1, 1.0, 0.333333333333, 2, 0.6666666666666666)
        """
        if not rows:
            return cls(name, 0, 0.0, 0.0, 0, 0.0)
        own, of_class, of_value, distinct, information, distance = spare(frame, 6)
        pairs = (
            frame.group_by(*columns, name)
            .agg(nw.len().alias(own))
            .with_columns(
                (nw.col(own) / nw.col(own).sum().over(*columns)).alias(of_class),
                (nw.col(own).sum().over(name) / nw.lit(rows)).alias(of_value),
            )
        )
        # Values that a class lacks add their share of the table to its distance; all shares together are 1.
        apart = (nw.col(of_class) - nw.col(of_value)).abs() - nw.col(of_value)
        terms = pairs.select(
            *columns, (nw.col(of_class) * nw.col(of_class).log()).alias(information), apart.alias(distance)
        )
        classes = terms.group_by(*columns).agg(nw.len().alias(distinct), nw.col(information, distance).sum())
        values = frame.group_by(name).agg(nw.len().alias(own)).select(nw.len().alias(distinct), nw.col(own).max())
        fewest, least, furthest = collected(
            classes.select(nw.col(distinct).min(), nw.col(information, distance).max())
        ).row(0)
        several, most = collected(values).row(0)
        # Sums in another order differ in their last digits.
        entropy_l, t = round(math.exp(-least), _DIGITS), round((1 + furthest) / 2, _DIGITS)
        return cls(name, int(fewest), max(entropy_l, 1.0), max(t, 0.0), int(several), int(most) / rows)
