"""Bar charts as SVG texts: equal input gives equal bytes, nothing is loaded from elsewhere, and text stays text.

Geometry is computed here, the template draws it. The two colours differ in hue and in lightness (Okabe and Ito, Color
Universal Design, 2008).
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dataframe_level_anonymisation.wording import percent

if TYPE_CHECKING:
    from jinja2 import Template

MOST_COLUMNS = 20
"""So many columns still read well in one chart."""

MOST_VALUES = 10
"""So many values still read well in one chart."""

_WIDTH, _LEFT, _RIGHT = 680, 205, 620  # points; bars lie between the last two
_BAR, _WIDE_BAR, _GAP = 11, 14, 10
_BEFORE, _AFTER, _LIMIT = "#a9b4c0", "#0072b2", "#b34700"
_LONGEST_LABEL = 34
_LEGEND_STEP = 90


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
    return _drawn(labels, before, after, text=_short, ticks=_ticks(most), axis="rows, by how many of them look alike")


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
    line = (threshold, limited)
    return _drawn(measures, before, after, ticks=_QUARTERS, axis="probability, or share of rows", line=line)


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
    return _drawn(names, values, ticks=_QUARTERS, axis="information lost (0% unchanged, 100% nothing left)")


def distribution(values: Sequence[str], before: Sequence[float], after: Sequence[float]) -> str:
    """Draw the shares of a sensitive attribute's values.

    Args:
        values: Names of the values, at most :data:`MOST_VALUES` and one for the rest.
        before: Share of each value among the rows of the input, 0 to 1.
        after: Share of each value among the rows of the output, 0 to 1.

    Returns:
        An SVG element.
    """
    return _drawn(values, before, after, ticks=_ticks(max([0.01, *before, *after])), axis="share of rows")


_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def _drawn(
    labels: Sequence[str],
    before: Sequence[float],
    after: Sequence[float] | None = None,
    *,
    ticks: Sequence[float],
    axis: str,
    text: Callable[[float], str] = percent,
    line: tuple[float, int] | None = None,
) -> str:
    """Draw horizontal bars from top to bottom, each with its figure at the end."""
    series = [(before, _AFTER)] if after is None else [(before, _BEFORE), (after, _AFTER)]
    thickness = _WIDE_BAR if len(series) == 1 else _BAR
    step = thickness * len(series) + _GAP
    names = [] if after is None else [("before", _BEFORE), ("after", _AFTER)]
    names += [("risk accepted", _LIMIT)] if line else []
    top = 28 if names else 8
    bottom = top + step * len(labels)

    def length(value: float) -> float:
        return round(value / ticks[-1] * (_RIGHT - _LEFT), 2)

    chart: dict[str, Any] = {
        "width": _WIDTH,
        "height": bottom + 42,
        "left": _LEFT,
        "middle": (_LEFT + _RIGHT) / 2,
        "top": top,
        "bottom": bottom,
        "axis": axis,
        "legend": [
            {"x": 8 + _LEGEND_STEP * place, "text": name, "colour": colour, "dashed": colour == _LIMIT}
            for place, (name, colour) in enumerate(names)
        ],
        "ticks": [{"x": _LEFT + length(tick), "text": text(tick)} for tick in ticks],
        "labels": [{"y": top + step * row + step / 2 + 4, "text": _label(label)} for row, label in enumerate(labels)],
        "bars": [
            {
                "y": top + step * row + _GAP / 2 + thickness * place,
                "width": length(values[row]),
                "height": thickness,
                "colour": colour,
                "text": text(values[row]),
            }
            for row in range(len(labels))
            for place, (values, colour) in enumerate(series)
        ],
        "line": line and {"x": _LEFT + length(line[0]), "bottom": top + step * line[1], "colour": _LIMIT},
    }
    return _template().render(chart=chart)


def _ticks(largest: float) -> list[float]:
    """Give three to six round steps from 0 to at least the largest figure.

    Examples:
        >>> _ticks(0.43), _ticks(12_000)
        ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.0, 5000.0, 10000.0, 15000.0])
    """
    magnitude = 10.0 ** math.floor(math.log10(largest))
    step = next(magnitude * factor for factor in (0.2, 0.5, 1, 2) if magnitude * factor * 5 >= largest)
    if largest >= 1:
        step = max(step, 1.0)
    return [round(step * number, 12) for number in range(math.ceil(round(largest / step, 9)) + 1)]


@functools.cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dataframe_level_anonymisation", ""), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("chart.svg.j2")


def _short(number: float) -> str:
    for factor, sign in ((1_000_000, "M"), (1_000, "k")):
        if number >= factor:
            return f"{number / factor:.{1 if number < 10 * factor else 0}f}".removesuffix(".0") + sign
    return f"{number:,.0f}"


def _label(text: str) -> str:
    """Fit a text on an axis: one line of characters that XML knows, not too many."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
