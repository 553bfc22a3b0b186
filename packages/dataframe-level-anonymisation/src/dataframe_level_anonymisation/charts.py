"""Charts as SVG texts: equal input gives equal bytes, nothing is loaded from elsewhere, and text stays text.

Matplotlib is imported when the first chart is drawn, since a location is loaded far more often than a chart is drawn.
The two colours differ in hue and in lightness (Okabe and Ito, Color Universal Design, 2008).
"""

import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dataframe_level_anonymisation.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 20
"""So many columns still read well in one chart."""

MOST_VALUES = 10
"""So many values still read well in one chart."""

_WIDTH = 7.4  # inches of 72 points
_BEFORE, _AFTER, _LIMIT = "#a9b4c0", "#0072b2", "#b34700"
_INK, _FAINT = "#1f2933", "#d5dae0"
_LONGEST_LABEL = 34
_BAR = 0.38
_Series = list[tuple[str, Sequence[float], str, float]]  # name, values, colour, how far it is shifted

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dataframe-level-anonymisation",
    "font.family": ["sans-serif"],  # written with its alternatives, so that a viewer without the first finds another
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9.0,
    "text.parse_math": False,  # a value may contain dollar signs
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def class_sizes(sizes: Sequence[str], before: Sequence[int], after: Sequence[int] | None = None) -> str:
    """Draw how many rows are in classes of which size, as grouped columns.

    Args:
        sizes: Names of the size ranges, from small to large.
        before: For each range the rows of the input.
        after: For each range the rows of the output; ``None`` if there is none.

    Returns:
        An SVG element.
    """
    with _styled():
        figure, axes = _figure(2.9)
        series = _series(before, after)
        most = max([1, *before, *(after or [])])
        for name, values, colour, shift in series:
            places = [place + shift for place in range(len(sizes))]
            axes.bar(places, values, _width(series), color=colour, label=name)
            for place, value in zip(places, values, strict=True):
                if value:
                    axes.text(place, value + most * 0.02, _short(value), ha="center", va="bottom", fontsize=7)
        axes.set_xticks(range(len(sizes)), list(sizes), fontsize=8.5)
        axes.set_xlim(-0.6, max(len(sizes), 4) - 0.4)
        axes.set_ylim(0, most * 1.12)
        axes.yaxis.set_major_formatter(lambda value, _: _short(value).replace(".0", ""))
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=5)  # type: ignore[call-arg]
        axes.set_xlabel("rows that look alike (class size)")
        axes.set_ylabel("rows")
        axes.grid(axis="y", color=_FAINT, linewidth=0.6)
        _tidy(axes, figure, len(series))
        return _svg(figure)


def risks(
    measures: Sequence[str],
    before: Sequence[float],
    after: Sequence[float] | None = None,
    *,
    threshold: float,
    limited: int,
) -> str:
    """Draw attackers' risks as grouped bars, with the threshold as a line across those that it is meant for.

    Args:
        measures: Names of the figures.
        before: Each figure for the input, 0 to 1.
        after: Each figure for the output, 0 to 1; ``None`` if there is none.
        threshold: Risk that is accepted, above 0 to 1.
        limited: How many of the measures, from the first, are risks of a row; the others are shares of rows.

    Returns:
        An SVG element.
    """
    with _styled():
        figure, axes = _bars(measures, _series(before, after))
        line = [threshold, threshold], [-0.5, limited - 0.5]
        axes.plot(*line, color=_LIMIT, linewidth=1.3, linestyle=(0, (4, 3)), label="risk accepted", zorder=2.5)
        _shares(axes, 1.0, "probability, or share of rows")
        _tidy(axes, figure, 3)
        return _svg(figure)


def losses(columns: Sequence[str], of_columns: Sequence[float]) -> str:
    """Draw each column's loss as a bar; of many columns those that lost most.

    Args:
        columns: Names of the quasi-identifiers.
        of_columns: Mean loss of a cell of each, 0 to 1.

    Returns:
        An SVG element.
    """
    most = sorted(range(len(columns)), key=lambda column: -of_columns[column])[:MOST_COLUMNS]
    with _styled():
        series: _Series = [("loss", [of_columns[column] for column in most], _AFTER, 0.0)]
        figure, axes = _bars([columns[column] for column in most], series)
        _shares(axes, 1.0, "information lost (0% unchanged, 100% nothing left)")
        _tidy(axes, figure, 0)
        return _svg(figure)


def distribution(values: Sequence[str], before: Sequence[float], after: Sequence[float]) -> str:
    """Draw the shares of a sensitive attribute's values as grouped bars.

    Args:
        values: Names of the values, at most :data:`MOST_VALUES` and one for the rest.
        before: Share of each value among the rows of the input, 0 to 1.
        after: Share of each value among the rows of the output, 0 to 1.

    Returns:
        An SVG element.
    """
    with _styled():
        figure, axes = _bars(values, _series(before, after))
        _shares(axes, max([0.01, *before, *after]), "share of rows")
        _tidy(axes, figure, 2)
        return _svg(figure)


class _styled:  # noqa: N801 - used like a function
    """Apply the style; say nothing of glyphs that the measuring font lacks, as the message would quote the text."""

    def __enter__(self) -> None:
        import matplotlib as mpl

        self._rc = mpl.rc_context(_STYLE)
        self._warnings = warnings.catch_warnings()
        self._rc.__enter__()
        self._warnings.__enter__()
        warnings.filterwarnings("ignore", message="Glyph")

    def __exit__(self, *error: object) -> None:
        self._warnings.__exit__(None, None, None)
        self._rc.__exit__(None, None, None)


def _series(before: Sequence[float], after: Sequence[float] | None) -> _Series:
    if after is None:
        return [("rows", before, _AFTER, 0.0)]
    return [("before", before, _BEFORE, -_BAR / 2), ("after", after, _AFTER, _BAR / 2)]


def _width(series: _Series) -> float:
    return _BAR if len(series) > 1 else 0.6


def _figure(height: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="white")  # also on a dark page
    return figure, figure.add_subplot(facecolor="none")


def _bars(labels: Sequence[str], series: _Series) -> tuple["Figure", "Axes"]:
    """Draw horizontal bars from top to bottom, each with its share written at the end."""
    figure, axes = _figure(0.75 + len(labels) * (0.42 if len(series) > 1 else 0.3))
    for name, values, colour, shift in series:
        places = [place + shift for place in range(len(labels))]
        axes.barh(places, values, _width(series), color=colour, label=name, zorder=2)
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                percent(value),
                (value, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
    axes.set_yticks(range(len(labels)), [_label(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="x", color=_FAINT, linewidth=0.6, zorder=0)
    return figure, axes


def _shares(axes: "Axes", largest: float, label: str) -> None:
    axes.set_xlim(0, largest * 1.1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if largest > 0.1 else f"{value:.1%}")  # noqa: PLR2004
    if largest == 1:
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel(label)


def _tidy(axes: "Axes", figure: "Figure", entries: int) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    if entries > 1:
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        shown = [name for name in ("before", "after", "risk accepted") if name in handles]
        figure.legend(
            [handles[name] for name in shown],
            shown,
            loc="outside upper left",
            ncols=len(shown),
            frameon=False,
            handlelength=1.4,
        )


def _svg(figure: "Figure") -> str:
    text = io.StringIO()
    # Without a date and a creator there is nothing that changes from day to day or with the library's version.
    figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]  # the prologue names a document type elsewhere
    # What Matplotlib repeats at every text is a third of the bytes: say it once.
    fonts = re.findall(r"font-family: [^;]*; ", svg)
    for repeated in {*fonts, *re.findall(r' transform="rotate\(-0 [^"]*\)"', svg)}:
        svg = svg.replace(repeated, "")
    if fonts:
        svg = svg.replace("</style>", f"text{{{fonts[0].strip()}}}</style>", 1)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _short(number: float) -> str:
    for factor, sign in ((1_000_000, "M"), (1_000, "k")):
        if number >= factor:
            return f"{number / factor:.{1 if number < 10 * factor else 0}f}{sign}"
    return f"{number:,.0f}"


def _label(text: str) -> str:
    """Fit a text on an axis: one line of characters that XML knows, not too many."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
