"""Charts of a report: which figures are drawn against which axis."""

from collections.abc import Sequence

from util_services.charts import QUARTERS, Line, bars, round_ticks, short

MOST_COLUMNS = 20
"""So many columns still read well in one chart."""

MOST_VALUES = 10
"""So many values still read well in one chart."""


def class_sizes(sizes: Sequence[str], before: Sequence[int], after: Sequence[int] | None = None) -> str:
    """Draw how many rows are in classes of which size.

    Args:
        sizes: Names of the size ranges, from small to large.
        before: For each range the rows of the input.
        after: For each range the rows of the output; ``None`` if there is none.

    Returns:
        An SVG element.
    """
    labels = ["1, alone" if size == "1" else f"{size} alike" if size[:1].isdigit() else size for size in sizes]
    most = max([1, *before, *(after or [])])
    return bars(labels, before, after, text=short, ticks=round_ticks(most), axis="rows, by how many of them look alike")


def risks(
    measures: Sequence[str],
    before: Sequence[float],
    after: Sequence[float] | None = None,
    *,
    threshold: float,
    limited: int,
) -> str:
    """Draw attackers' risks, with the threshold as a line across those that it is meant for.

    Args:
        measures: Names of the figures.
        before: Each figure for the input, 0 to 1.
        after: Each figure for the output, 0 to 1; ``None`` if there is none.
        threshold: Risk that is accepted, above 0 to 1.
        limited: How many of the measures, from the first, are risks of a row; the others are shares of rows.

    Returns:
        An SVG element.
    """
    line = Line("risk accepted", threshold, limited)
    return bars(measures, before, after, ticks=QUARTERS, axis="probability, or share of rows", line=line)


def losses(columns: Sequence[str], of_columns: Sequence[float]) -> str:
    """Draw each column's loss; of many columns those that lost most.

    Args:
        columns: Names of the quasi-identifiers.
        of_columns: Mean loss of a cell of each, 0 to 1.

    Returns:
        An SVG element.
    """
    most = sorted(range(len(columns)), key=lambda column: -of_columns[column])[:MOST_COLUMNS]
    names, values = [columns[column] for column in most], [of_columns[column] for column in most]
    return bars(names, values, ticks=QUARTERS, axis="information lost (0% unchanged, 100% nothing left)")


def distribution(values: Sequence[str], before: Sequence[float], after: Sequence[float]) -> str:
    """Draw the shares of a sensitive attribute's values.

    Args:
        values: Names of the values, at most :data:`MOST_VALUES` and one for the rest.
        before: Share of each value among the rows of the input, 0 to 1.
        after: Share of each value among the rows of the output, 0 to 1.

    Returns:
        An SVG element.
    """
    return bars(values, before, after, ticks=round_ticks(max([0.01, *before, *after])), axis="share of rows")
