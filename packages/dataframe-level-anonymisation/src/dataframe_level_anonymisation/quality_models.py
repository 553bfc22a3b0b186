"""Quality models: what generalisation and suppression cost, from 0 (nothing lost) to 1 (nothing left).

There are two kinds. The cost of some is a mean over cells, which is additive over the columns and so gives a lower
bound for every node of the lattice at once. The cost of the others depends on the sizes of the classes; without
suppression it never falls as data are generalised, which bounds every node above one that was computed. With either, a
suppressed cell or row costs 1.

Adding a model: write a class with ``name`` and ``cell_costs``, or with ``name`` and ``class_cost``.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Counts, weighted_sum
from dataframe_level_anonymisation.hierarchies import Hierarchy

Costs = npt.NDArray[np.float64]


@runtime_checkable
class CellQuality(Protocol):
    """A quality model whose cost is a mean over the quasi-identifier cells of the input."""

    @property
    def name(self) -> str:
        """The field's name of the measure."""

    def cell_costs(self, hierarchy: Hierarchy, counts: Counts) -> list[Costs]:
        """Cost of a cell: for each level an array (values,). It never falls from one level to the next.

        How much it rises from one level to a higher one is the same for all values of a group of the lower one.

        Args:
            hierarchy: The column's hierarchy.
            counts: Array (values,): rows of each value in the input.
        """


@runtime_checkable
class ClassQuality(Protocol):
    """A quality model whose cost depends on the sizes of the equivalence classes.

    Without suppression it never falls as classes merge, and suppressing a class never costs less than keeping it.
    """

    @property
    def name(self) -> str:
        """The field's name of the measure."""

    def class_cost(self, sizes: Counts, suppressed: int, rows: int) -> float:
        """Cost of a release.

        Args:
            sizes: Array (classes,): rows of each class that is kept.
            suppressed: Rows left out.
            rows: Rows of the whole input, at least 1.
        """


QualityModel = CellQuality | ClassQuality


class Loss:
    """Generalised loss: the share of the column's other values that a generalised cell could as well stand for.

    A cell whose group has ``m`` of the column's ``M`` distinct values costs ``(m - 1) / (M - 1)``; the loss is the
    arithmetic mean over all quasi-identifier cells of the input.

    References:
        V. S. Iyengar, Transforming Data to Satisfy Privacy Constraints, KDD 2002, section 4.
    """

    name = "generalised loss"

    def cell_costs(self, hierarchy: Hierarchy, counts: Counts) -> list[Costs]:
        """Cost of a cell: for each level an array (values,)."""
        present = counts > 0  # a population table may bring values that the data do not have
        others = max(int(present.sum()) - 1, 1)
        return [
            np.maximum(np.bincount(groups, weights=present, minlength=size)[groups] - 1, 0) / others
            for groups, size in zip(hierarchy.groups, hierarchy.sizes, strict=True)
        ]


class Precision:
    """Precision loss: the level of a cell as a share of the height of its hierarchy.

    References:
        L. Sweeney, Achieving k-Anonymity Privacy Protection Using Generalization and Suppression, IJUFKS 10(5), 2002,
        section 4 (its Prec is 1 minus this).
    """

    name = "precision loss"

    def cell_costs(self, hierarchy: Hierarchy, counts: Counts) -> list[Costs]:
        """Cost of a cell: for each level an array (values,)."""
        height = max(hierarchy.levels - 1, 1)
        return [np.full(len(counts), level / height) for level in range(hierarchy.levels)]


class NonUniformEntropy:
    """Non-uniform entropy: the information that a cell loses, as a share of what its column holds.

    A cell with a value of ``n`` rows in a group of ``g`` rows loses ``log(g / n)``. The sum over a column is divided by
    its largest, that of the fully generalised column, so that this costs 1 on average; a rare value loses more.

    References:
        A. Gionis and T. Tassa, k-Anonymization with Minimal Loss of Information, IEEE TKDE 21(2), 2009, section 3.
    """

    name = "non-uniform entropy"

    def cell_costs(self, hierarchy: Hierarchy, counts: Counts) -> list[Costs]:
        """Cost of a cell: for each level an array (values,)."""
        weights = np.maximum(counts, 1)
        rows = max(int(counts.sum()), 1)
        whole = weighted_sum(np.log(rows / weights), counts) / rows
        if whole <= 0:
            return [np.zeros(len(counts)) for _ in range(hierarchy.levels)]
        return [
            np.log(np.maximum(np.bincount(groups, weights=counts, minlength=size)[groups], 1) / weights) / whole
            for groups, size in zip(hierarchy.groups, hierarchy.sizes, strict=True)
        ]


class Discernibility:
    """Discernibility: the share of the table that a row cannot be told from; the whole table for a suppressed row.

    References:
        R. J. Bayardo and R. Agrawal, Data Privacy through Optimal k-Anonymization, ICDE 2005, section 3.1, divided by
        the square of the number of rows.
    """

    name = "discernibility"

    def class_cost(self, sizes: Counts, suppressed: int, rows: int) -> float:
        """Cost of a release."""
        return (weighted_sum(sizes, sizes) + suppressed * rows) / rows**2


class AverageClassSize:
    """Average size of the classes as a share of the table for the rows kept; 1 for a suppressed row.

    References:
        K. LeFevre, D. DeWitt and R. Ramakrishnan, Mondrian Multidimensional k-Anonymity, ICDE 2006, section 2.3
        (C_AVG, here divided by the number of rows and not by k, and extended to suppression).
    """

    name = "average class size"

    def class_cost(self, sizes: Counts, suppressed: int, rows: int) -> float:
        """Cost of a release."""
        kept = int(sizes.sum())
        average = kept / len(sizes) if len(sizes) else 0.0
        return (kept * average / rows + suppressed) / rows


QUALITY_MODELS: dict[str, QualityModel] = {
    "loss": Loss(),
    "non_uniform_entropy": NonUniformEntropy(),
    "discernibility": Discernibility(),
    "average_class_size": AverageClassSize(),
    "precision": Precision(),
}


def level_bounds(
    costs: Sequence[Sequence[Costs]], counts: Sequence[Counts], most: Sequence[float], rows: int
) -> list[Costs]:
    """Lower bounds of a node's cost that add up over the columns: for each column an array (levels,).

    Args:
        costs: For each column and level an array (values,).
        counts: For each column an array (values,): rows of each value.
        most: For each column what a cell costs at most, suppressed or not.
        rows: Rows of the whole input, at least 1.
    """
    return [
        np.array([weighted_sum(np.minimum(cells, top), of_values) for cells in of_levels]) / rows
        for of_levels, of_values, top in zip(costs, counts, most, strict=True)
    ]


def weighted_costs(
    model: CellQuality, counts: Sequence[Counts], hierarchies: Sequence[Hierarchy], *, weights: bool = True
) -> list[list[Costs]]:
    """Cost of a row by its cells: for each column and level an array (values,); a suppressed row costs 1.

    Args:
        model: The quality model.
        counts: For each column of the whole input an array (values,): rows of each value.
        hierarchies: One for each column.
        weights: Whether the columns have the weights of their hierarchies or all the same.
    """
    own = [hierarchy.weight if weights else 1.0 for hierarchy in hierarchies]
    total = sum(own)
    return [
        [costs * (weight / total) for costs in model.cell_costs(hierarchy, of_values)]
        for hierarchy, of_values, weight in zip(hierarchies, counts, own, strict=True)
    ]
