"""A report as a page: what is seen at once, what to beware of, sections with charts and tables; as HTML or Markdown."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from util_services.preview import markdown_cell

if TYPE_CHECKING:
    from jinja2 import Template

_MOST_CHARTS = 12  # in the Markdown, which Dagster stores with every run


@dataclass(frozen=True)
class Tile:
    """A figure to be seen at once, with what it means."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Table:
    """A table of texts; ``numeric`` tells which columns are aligned to the right."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numeric: frozenset[int]


@dataclass(frozen=True)
class Snippet:
    """A text to be pasted elsewhere, shown as it is."""

    caption: str
    text: str


@dataclass(frozen=True)
class Section:
    """A title, an explanation for somebody who is no statistician, a chart, tables and snippets.

    Attributes:
        chart: Draws the chart, an SVG text; ``None`` if there is none.
        alt: What it shows, in words.
    """

    title: str
    text: str
    tables: tuple[Table, ...]
    chart: Callable[[], str] | None = None
    alt: str = ""
    snippets: tuple[Snippet, ...] = ()

    @property
    def image(self) -> str:
        """The chart as a data URI, drawn anew; empty if there is none."""
        if self.chart is None:
            return ""
        return "data:image/svg+xml;base64," + base64.b64encode(self.chart().encode()).decode()


@dataclass(frozen=True)
class Page:
    """A report as it is read.

    Attributes:
        good: Whether the verdict is a good one.
        verdict: One line a requirement, and what the requirement means.
    """

    title: str
    good: bool
    verdict: list[tuple[str, str]]
    tiles: list[Tile]
    warnings: list[str]
    sections: list[Section]
    footer: str


def html(page: Page) -> str:
    """Render a page as one self-contained file: no script, nothing loaded from elsewhere."""
    return _template().render(page=page)


def markdown(page: Page, *, with_charts: bool = True) -> str:
    """Render a page for the Dagster run page, charts inline.

    Args:
        page: What is shown; without cell values, since the run page keeps it.
        with_charts: Whether charts are drawn; a terminal shows none.
    """
    lines = [f"### {'; '.join(title for title, _ in page.verdict)}", ""]
    lines += [f"- {meaning}" for _, meaning in page.verdict if meaning]
    lines += ["", *_markdown_table(("", "", ""), [(tile.name, tile.value, tile.note) for tile in page.tiles])]
    if page.warnings:
        lines += ["", "#### Please note", "", *[f"- ⚠ {_markdown_text(warning)}" for warning in page.warnings]]
    drawn = 0
    for section in page.sections:
        lines += ["", f"#### {_markdown_text(section.title)}", "", _markdown_text(section.text)]
        if with_charts and section.chart and drawn < _MOST_CHARTS:
            drawn += 1
            lines += ["", f"![{_markdown_text(section.alt)}]({section.image})"]
        for table in section.tables:
            lines += ["", *_markdown_table(table.head, table.rows, table.numeric)]
        for snippet in section.snippets:
            lines += ["", _markdown_text(snippet.caption), "", *_fenced(snippet.text)]
    return "\n".join(lines) + "\n"


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    source = resources.files("util_services").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def _markdown_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], numeric: frozenset[int] = frozenset()
) -> list[str]:
    ruler = "|".join("---:" if place in numeric else "---" for place in range(len(head)))
    lines = [f"| {' | '.join(map(_markdown_text, head))} |", f"|{ruler}|"]
    return lines + [f"| {' | '.join(map(_markdown_text, row))} |" for row in rows]


def _fenced(text: str) -> list[str]:
    """Put a text between fences longer than any in it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, text.rstrip("\n"), fence]


def _markdown_text(text: str) -> str:
    """Escape a text so that a column's name is neither a table border, nor a link or image, nor HTML."""
    escaped = markdown_cell(text)
    for character in "[]*_`":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped
