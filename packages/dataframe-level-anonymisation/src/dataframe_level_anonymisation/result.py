"""What is known of an anonymised frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ColumnOutcome:
    """What became of a quasi-identifier.

    Attributes:
        name: Column name.
        level: Level chosen (by the first pass of local recoding), 0 for the values themselves.
        highest: Highest level of its hierarchy.
        loss: Mean generalised loss of its cells, 0 to 1, suppressed cells 1.
        examples: Labels of the release with the number of distinct input values that each covers; no cell values.
    """

    name: str
    level: int
    highest: int
    loss: float
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Pass:
    """One optimal search; global recoding has one, local recoding repeats it on the rows suppressed so far.

    Attributes:
        levels: Level of each quasi-identifier.
        rows: Rows that this pass released.
        optimal: Whether no other node has less loss on the rows of this pass.
        nodes: Nodes of the lattice.
        nodes_checked: Nodes whose classes were computed.
    """

    levels: dict[str, int]
    rows: int
    optimal: bool
    nodes: int
    nodes_checked: int


@dataclass(frozen=True)
class SensitiveDistribution:
    """How often each value of a sensitive attribute occurs.

    Attributes:
        name: Column name.
        values: The distinct values of the input, a missing one as ``None``.
        before: Array (values,): rows of each value in the input.
        after: Array (values,): rows of each value in the release.
    """

    name: str
    values: tuple[str | None, ...]
    before: IntArray
    after: IntArray


@dataclass(frozen=True)
class Pregeneralisation:
    """What was generalised before tuples were counted, since there were too many of them.

    Attributes:
        levels: For each of these columns its level in the tuples that the result was found in.
        parts: How many parts of the lattice were searched, each with tuples of its own.
        most: How many distinct tuples may be counted.
    """

    levels: dict[str, int]
    parts: int
    most: int


@dataclass(frozen=True)
class Result:
    """An anonymised frame and what is known of it.

    Attributes:
        frame: The anonymised frame, of the type that was given; lazy frames stay lazy.
        rows: Rows of the input.
        rows_suppressed: Rows left out.
        requirements: What was asked: name, meaning and parameters of each model, and its sensitive attribute if it has
            one.
        columns: What became of each quasi-identifier.
        passes: The searches whose outcomes were applied.
        loss: Mean generalised loss over all quasi-identifier cells of the input, 0 to 1, suppressed cells 1.
        quality: Name and value of the quality model that was minimised.
        achieved: Parameters reached, recomputed from the output, such as ``{"k": 4}``; the worst of several sensitive
            attributes; empty if no row is left.
        achieved_by_attribute: The same for each sensitive attribute that a model protects.
        classes_before: IntArray of the equivalence classes of the input, ascending.
        classes_after: IntArray of the equivalence classes of the output, ascending.
        population_before: Rows of the population in each class of ``classes_before``, if a population was given.
        population_after: Rows of the population in each class of ``classes_after``, if a population was given.
        sensitive: Distribution of each sensitive attribute.
        suppression_limit: Largest share of rows that could be left out, in per cent.
        recoding: ``global`` or ``local``.
        optimal: Whether it is proven that no other node has less loss; for local recoding, of each pass.
        lower_bound: No node has less of ``quality``.
        nodes: Nodes of the generalisation lattice.
        nodes_checked: Nodes whose classes were computed, in all searches.
        seconds: Duration by phase: ``histogram``, ``search``, ``apply``.
        pregeneralisation: Given if the distinct tuples were too many to be counted as they are.
    """

    frame: Any
    rows: int
    rows_suppressed: int
    requirements: tuple[dict[str, Any], ...]
    columns: tuple[ColumnOutcome, ...]
    passes: tuple[Pass, ...]
    loss: float
    quality: tuple[str, float]
    achieved: dict[str, float]
    achieved_by_attribute: dict[str, dict[str, float]]
    classes_before: IntArray
    classes_after: IntArray
    population_before: IntArray | None
    population_after: IntArray | None
    sensitive: tuple[SensitiveDistribution, ...]
    suppression_limit: float
    recoding: str
    optimal: bool
    lower_bound: float
    nodes: int
    nodes_checked: int
    seconds: dict[str, float]
    pregeneralisation: Pregeneralisation | None = None

    @property
    def levels(self) -> dict[str, int]:
        """Level chosen for each quasi-identifier, by the first pass of local recoding."""
        return {column.name: column.level for column in self.columns}
