"""Bar charts as SVG texts: equal input gives equal bytes, nothing is loaded from elsewhere, and text stays text.

Geometry is computed here, the template draws it. The two colours differ in hue and in lightness (Okabe and Ito, Color
Universal Design, 2008).
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from util_services.wording import percent

if TYPE_CHECKING:
    from jinja2 import Template

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Marks of an axis of shares."""

_WIDTH, _LEFT, _RIGHT = 680, 205, 620  # points; bars lie between the last two
_BAR, _WIDE_BAR, _GAP = 11, 14, 10
_BEFORE, _AFTER, _LIMIT = "#a9b4c0", "#0072b2", "#b34700"
_LONGEST_LABEL = 34
_LEGEND_STEP = 90


@dataclass(frozen=True)
class Line:
    """A limit across bars.

    Attributes:
        name: What it is.
        at: Where on the axis.
        labels: Across how many labels, from the first.
    """

    name: str
    at: float
    labels: int


def bars(
    labels: Sequence[str],
    before: Sequence[float],
    after: Sequence[float] | None = None,
    *,
    ticks: Sequence[float],
    axis: str,
    text: Callable[[float], str] = percent,
    line: Line | None = None,
) -> str:
    """Draw horizontal bars from top to bottom, each with its figure at the end.

    Args:
        labels: What each bar, or pair of bars, is of.
        before: A figure for each label, from 0.
        after: A second figure for each; ``None`` if there is one only.
        ticks: Marks of the axis, from 0 to at least the largest figure.
        axis: What the axis measures.
        text: How a figure is written.
        line: A limit to draw.

    Returns:
        An SVG element.

    Examples:
        >>> bars(["a", "b"], [0.25, 1.0], ticks=QUARTERS, axis="share of rows").startswith("<svg")
        True
    """
    series = [(before, _AFTER)] if after is None else [(before, _BEFORE), (after, _AFTER)]
    thickness = _WIDE_BAR if len(series) == 1 else _BAR
    step = thickness * len(series) + _GAP
    names = [] if after is None else [("before", _BEFORE), ("after", _AFTER)]
    names += [(line.name, _LIMIT)] if line else []
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
        "line": line and {"x": _LEFT + length(line.at), "bottom": top + step * line.labels, "colour": _LIMIT},
    }
    return _template().render(chart=chart)


def round_ticks(largest: float) -> list[float]:
    """Give three to six round steps from 0 to at least the largest figure.

    Args:
        largest: Above 0.

    Examples:
        >>> round_ticks(0.43), round_ticks(12_000)
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

    environment = Environment(loader=PackageLoader("util_services", ""), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("chart.svg.j2")


def short(number: float) -> str:
    """Write a count in a few characters.

    Examples:
        >>> short(999), short(1_500), short(12_000_000)
        ('999', '1.5k', '12M')
    """
    for factor, sign in ((1_000_000, "M"), (1_000, "k")):
        if number >= factor:
            return f"{number / factor:.{1 if number < 10 * factor else 0}f}".removesuffix(".0") + sign
    return f"{number:,.0f}"


def _label(text: str) -> str:
    """Fit a text on an axis: one line of characters that XML knows, not too many."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
