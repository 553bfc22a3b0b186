"""Sizes of the equivalence classes of a table, counted where the table is evaluated."""

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.classes import Counts, Histogram
from util_services.frames import collected, spare


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
