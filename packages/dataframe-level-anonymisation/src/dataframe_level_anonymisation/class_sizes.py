"""Equivalence classes of a table in figures, counted where the table is evaluated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.classes import Counts, Histogram
from util_services.frames import collected, spare

_DIGITS = 12


def sizes_of(tuples: Histogram) -> tuple[Counts, Counts | None]:
    """Give the sizes of the classes that tuples are, ascending, and of the same classes in the population."""
    own = np.flatnonzero(tuples.counts)  # the others occur in the population only
    own = own[np.argsort(tuples.counts[own], kind="stable")]
    return tuples.counts[own], None if tuples.population is None else tuples.population[own]


def class_sizes(
    frame: nw.LazyFrame[Any], columns: Sequence[str], population: nw.LazyFrame[Any] | None = None
) -> tuple[Counts, Counts | None]:
    """Count classes by their sizes, so that no tuple reaches the memory of this process, only its class's size.

    Args:
        frame: The data.
        columns: The quasi-identifiers.
        population: A table with the same columns.

    Returns:
        Arrays (classes,): sizes, ascending, and members of the population, if there is one.

    Examples:
        >>> import polars as pl
        >>> class_sizes(nw.from_native(pl.LazyFrame({"age": ["25", "26", "25"]})), ["age"])
        (array([1, 2]), None)
    """
    own, people, number = spare(frame, 3)
    rows = frame.select(*columns, nw.lit(1, nw.Int64()).alias(own), nw.lit(0, nw.Int64()).alias(people))
    if population is not None:
        others = population.select(*columns, nw.lit(0, nw.Int64()).alias(own), nw.lit(1, nw.Int64()).alias(people))
        rows = nw.concat([rows, others])
    classes = rows.group_by(*columns).agg(nw.col(own, people).sum()).filter(nw.col(own) > 0)
    counted = collected(classes.group_by(own, people).agg(nw.len().alias(number)).sort(own, people))
    numbers = counted[number].to_numpy()
    sizes = np.repeat(counted[own].to_numpy().astype(np.int64), numbers)
    members = np.repeat(counted[people].to_numpy().astype(np.int64), numbers)
    return sizes, None if population is None else members


@dataclass(frozen=True)
class Weakest:
    """How little the classes that protect a sensitive attribute worst protect it; a missing value counts as a value.

    Attributes:
        distinct_l: Smallest number of distinct values in a class.
        entropy_l: Smallest ``exp(H)`` of a class, where ``H`` is the entropy of its values in nats, from 1.
        t: Largest distance between the distribution in a class and that in the table, 0 to 1, all values being equally
            far from each other.
        distinct: Number of distinct values in the table.
        largest_share: Share of rows that have the most frequent value, 0 to 1.
    """

    distinct_l: int
    entropy_l: float
    t: float
    distinct: int
    largest_share: float


def weakest_classes(frame: nw.LazyFrame[Any], columns: Sequence[str], attribute: str, rows: int) -> Weakest:
    """Measure all classes in the engine, so that no tuple reaches the memory of this process.

    Args:
        frame: The data.
        columns: The quasi-identifiers.
        attribute: The sensitive attribute.
        rows: Number of rows, above 0.

    References:
        A. Machanavajjhala et al., l-Diversity: Privacy Beyond k-Anonymity, ICDE 2006, definitions 4.1 and 4.2.
        N. Li, T. Li and S. Venkatasubramanian, t-Closeness, ICDE 2007, section 5.1 (equal distance).

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"age": ["25", "25", "36"], "disease": ["flu", "cold", "flu"]}))
        >>> weakest_classes(frame, ["age"], "disease", 3)
        Weakest(distinct_l=1, entropy_l=1.0, t=0.333333333333, distinct=2, largest_share=0.6666666666666666)
    """
    own, of_class, of_value, distinct, information, distance = spare(frame, 6)
    pairs = (
        frame.group_by(*columns, attribute)
        .agg(nw.len().alias(own))
        .with_columns(
            (nw.col(own) / nw.col(own).sum().over(*columns)).alias(of_class),
            (nw.col(own).sum().over(attribute) / nw.lit(rows)).alias(of_value),
        )
    )
    # Values that a class lacks add their share of the table to its distance; all shares together are 1.
    apart = (nw.col(of_class) - nw.col(of_value)).abs() - nw.col(of_value)
    classes = pairs.select(
        *columns, own, (nw.col(of_class) * nw.col(of_class).log()).alias(information), apart.alias(distance)
    )
    classes = classes.group_by(*columns).agg(nw.len().alias(distinct), nw.col(information, distance).sum())
    values = frame.group_by(attribute).agg(nw.len().alias(own)).select(nw.len().alias(distinct), nw.col(own).max())
    worst = collected(classes.select(nw.col(distinct).min(), nw.col(information, distance).max())).row(0)
    several, most = collected(values).row(0)
    # Sums in another order differ in their last digits.
    entropy_l, t = round(math.exp(-worst[1]), _DIGITS), round((1 + worst[2]) / 2, _DIGITS)
    return Weakest(int(worst[0]), max(entropy_l, 1.0), max(t, 0.0), int(several), int(most) / rows)
