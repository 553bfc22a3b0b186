"""Quality models: what generalisation costs, per column and level."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Counts, Histogram
from dataframe_level_anonymisation.hierarchies import Hierarchy

Costs = npt.NDArray[np.float64]


class QualityModel(Protocol):
    """What the search asks of a quality model whose cost is a mean over cells; a suppressed cell costs 1."""

    name: str

    def cell_costs(self, hierarchy: Hierarchy, counts: Counts) -> list[Costs]:
        """Cost of a cell, from 0 (kept) to 1 (lost): for each level an array (values,)."""


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
        others = max(len(counts) - 1, 1)
        return [
            (np.bincount(groups, minlength=size)[groups] - 1) / others
            for groups, size in zip(hierarchy.groups, hierarchy.sizes, strict=True)
        ]


def level_costs(model: QualityModel, data: Histogram, hierarchies: list[Hierarchy]) -> list[Costs]:
    """Mean cost of each column's cells at each level, without suppression: for each column an array (levels,)."""
    costs = []
    for column, hierarchy in enumerate(hierarchies):
        counts = data.value_counts(column)
        of_cells = model.cell_costs(hierarchy, counts)
        rows = max(data.rows, 1)
        costs.append(np.array([float(cells @ counts) / rows for cells in of_cells]))
    return costs
