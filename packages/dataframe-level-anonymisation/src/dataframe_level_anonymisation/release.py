"""Applying the levels found to a lazy frame: generalise, and leave out what is not kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from dataframe_level_anonymisation.classes import Counts, Histogram, Mask
from dataframe_level_anonymisation.evaluation import Node
from dataframe_level_anonymisation.hierarchies import SUPPRESSED, Hierarchy
from dataframe_level_anonymisation.recoding import Recoded
from util_services.frames import KEPT, amended, amended_in_batches, map_batches

_LARGEST_SUM = 2**63 - 1
_FEW_VALUES = 10_000


def released(
    frame: nw.LazyFrame[Any],
    tuples: Histogram,
    hierarchies: Sequence[Hierarchy],
    recoded: Recoded,
    identifiers: Sequence[str],
) -> nw.LazyFrame[Any]:
    """Generalise a frame and hide its identifiers; row order and other columns stay. All of it is lazy."""
    chooser = None
    if recoded.suppressed or len(recoded.steps) > 1:
        kept = np.logical_or.reduce([step.tuples for step in recoded.steps])
        left_out = ~kept & (tuples.counts > 0) if recoded.suppressed else None
        chooser = _Chooser(tuples, [step.tuples for step in recoded.steps], left_out)
    labelling = _Labelling(tuples, hierarchies, [step.levels for step in recoded.steps], chooser)
    return labelling.applied(frame, dict.fromkeys(identifiers, SUPPRESSED))


def generalised(
    frame: nw.LazyFrame[Any], tuples: Histogram, hierarchies: Sequence[Hierarchy], levels: Node
) -> nw.LazyFrame[Any]:
    """Replace values by their groups' labels at one node, as :func:`released` does for a single step."""
    return _Labelling(tuples, hierarchies, [levels]).applied(frame, {})


def with_figures(
    frame: nw.LazyFrame[Any], name: str, columns: Sequence[Histogram], figures: Sequence[npt.NDArray[np.float64]]
) -> nw.LazyFrame[Any]:
    """Add a column of sums of figures of each row's values.

    Args:
        frame: The table.
        name: Name of the new column.
        columns: Histograms of one column each.
        figures: For each of them an array (values,).
    """
    codes = {column.columns[0]: _Codes(column.values[0]) for column in columns}

    def sums(rows: pl.DataFrame) -> pl.DataFrame:
        total = np.zeros(rows.height)
        for (column, numbered), of_values in zip(codes.items(), figures, strict=True):
            total += of_values[numbered(_plain(rows[column])).to_numpy()]
        return pl.DataFrame({name: total})

    return map_batches(frame, sums, list(codes), {name: nw.Float64})


class _Codes:
    """Numbers the values of a column.

    Args:
        values: All that occur, each once, a missing one (``None``) last.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._present = [value for value in values if value is not None]
        self._few = len(self._present) <= _FEW_VALUES and all(isinstance(value, str) for value in self._present)
        self._typed: pl.Series | None = None

    def __call__(self, cells: pl.Series) -> pl.Series:
        """Give the position of each cell's value, shape (n,)."""
        if self._few:  # an enumeration takes half as long, but is made anew for each batch
            codes = cells.cast(pl.Enum(self._present), strict=False).to_physical().cast(pl.UInt32)
        else:
            values = self.values(cells.dtype).alias("value").to_frame().with_row_index("code")
            rows = cells.alias("value").to_frame()
            codes = rows.join(values, on="value", how="left", maintain_order="left")["code"]
        return codes.fill_null(len(self._present))

    def values(self, dtype: pl.DataType) -> pl.Series:
        """Give the values as a column of a type; all batches have the same, for which it is made once."""
        if self._typed is None or self._typed.dtype != dtype:
            self._typed = pl.Series(self._values, dtype=dtype)
        return self._typed


def _plain(cells: pl.Series) -> pl.Series:
    """Give categories as the texts they stand for."""
    return cells.cast(pl.String) if isinstance(cells.dtype, pl.Categorical | pl.Enum) else cells


class _Chooser:
    """Tells rows by their tuples: which step keeps each, and whether any does.

    Each value gets a random number, a tuple the sum of its values' numbers. All tuples are known, so that the sums are
    checked to be distinct (and drawn again if they are not): a test by sum is exact, not probable.

    Args:
        tuples: All there are.
        steps: For each step an array (tuples,): which it keeps.
        left_out: Array (tuples,): which none keeps; ``None`` if no row is left out.
    """

    def __init__(self, tuples: Histogram, steps: Sequence[Mask], left_out: Mask | None) -> None:
        self._numbers, keys = _distinct_keys(tuples)
        self._steps = [pl.Series(keys[own]).implode() for own in steps[:-1]]  # the last one keeps what is left
        self._left_out = None if left_out is None else pl.Series(keys[left_out]).implode()

    @property
    def leaves_out(self) -> bool:
        """Whether there are rows that no step keeps."""
        return self._left_out is not None

    def chosen(self, codes: Sequence[pl.Series]) -> tuple[Counts | int, pl.Series | None]:
        """Tell for each row its step and whether it stays.

        Args:
            codes: For each column a series (n,): the position of each cell's value.

        Returns:
            Array (n,): number of the step, or 0 if there is one alone; series (n,): whether the row stays, or ``None``
            if all do.
        """
        sums = np.zeros(len(codes[0]), dtype=np.int64)
        for numbers, of_rows in zip(self._numbers, codes, strict=True):
            sums += numbers[of_rows.to_numpy()]
        key = pl.Series(sums)
        step: Counts | int = len(self._steps)
        for position in reversed(range(len(self._steps))):
            step = np.where(key.is_in(self._steps[position]).to_numpy(), position, step)
        return step, None if self._left_out is None else ~key.is_in(self._left_out)


class _Labelling:
    """Replaces values by their groups' labels: a function of batches of rows.

    Args:
        tuples: All there are.
        hierarchies: One for each column.
        levels: For each step the level of each column.
        chooser: Tells the step of each row; none for a single step that keeps all rows.
    """

    def __init__(
        self,
        tuples: Histogram,
        hierarchies: Sequence[Hierarchy],
        levels: Sequence[Node],
        chooser: _Chooser | None = None,
    ) -> None:
        self._chooser = chooser
        self._values = dict(zip(tuples.columns, tuples.values, strict=True))
        self._labels = {
            column: [pl.Series(hierarchy.labels[level - 1], dtype=pl.String) if level else None for level in of_steps]
            for column, hierarchy, *of_steps in zip(tuples.columns, hierarchies, *levels, strict=True)
            if any(of_steps)
        }
        self._codes = {
            column: _Codes(values) for column, values in self._values.items() if chooser or column in self._labels
        }

    def applied(self, frame: nw.LazyFrame[Any], constants: Mapping[str, str]) -> nw.LazyFrame[Any]:
        """Give a table with labels in place of values, and texts that are the same in all rows."""
        if not all(self._values.values()) or not self._codes:  # no rows, or all as they are
            return amended(frame, constants)
        return amended_in_batches(
            frame,
            self,
            list(self._codes),
            dict.fromkeys(self._labels, nw.String()),
            constants,
            leaves_out=self._chooser is not None and self._chooser.leaves_out,
        )

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Generalise some rows."""
        cells = {column: _plain(rows[column]) for column in self._codes}
        codes = {column: numbered(cells[column]) for column, numbered in self._codes.items()}
        step, kept = self._chooser.chosen(list(codes.values())) if self._chooser else (0, None)
        new = {
            column: self._labels_of_steps(column, cells[column].dtype).gather(
                codes[column] + step * len(self._values[column])
            )
            for column in self._labels
        }
        return pl.DataFrame(new if kept is None else {**new, KEPT: kept})

    def _labels_of_steps(self, column: str, dtype: pl.DataType) -> pl.Series:
        """Give the labels of all values in the first step, then in the second and so on."""
        return pl.concat(
            self._codes[column].values(dtype).cast(pl.String) if labels is None else labels
            for labels in self._labels[column]
        )


def _distinct_keys(tuples: Histogram) -> tuple[list[Counts], Counts]:
    """Draw a number for each value, for each column an array (values,), and add them up: array (tuples,).

    Values that were pre-generalised to one group share a number.
    """
    random = np.random.default_rng(0)
    below = _LARGEST_SUM // len(tuples.columns)
    while True:
        numbers = [random.integers(0, below, len(values)) for values in tuples.values]
        if tuples.pregeneralised is not None:
            shared = tuples.pregeneralised.representatives
            numbers = [of_values[group] for of_values, group in zip(numbers, shared, strict=True)]
        keys = np.zeros(len(tuples.counts), dtype=np.int64)
        for position, of_values in enumerate(numbers):
            keys += of_values[tuples.codes[:, position]]
        if len(np.unique(keys)) == len(keys):
            return numbers, keys
