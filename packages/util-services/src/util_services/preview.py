"""The preview of a table as Markdown."""

from collections.abc import Sequence
from typing import Any

from util_services.summaries import Summary


def preview_markdown(summary: Summary, head: Sequence[Sequence[Any]] | None = None) -> str:
    """Render a summary as Markdown.

    Args:
        summary: The table in figures.
        head: Its first rows, if cell values may be shown.

    Examples:
        >>> from util_services.summaries import ColumnSummary
        >>> print(preview_markdown(Summary(12, True, (ColumnSummary("age", "String", 0, 10, None, None),))))
        **12 rows, 1 column**
        <BLANKLINE>
        | column | type | missing | distinct | smallest | largest |
        |---|---|---:|---:|---:|---:|
        | age | String | 0 | 10 |  |  |
    """
    columns = len(summary.columns)
    about = "" if summary.exact else "≈ "
    lines = [
        f"**{summary.rows:,} rows, {columns} column{'' if columns == 1 else 's'}**",
        "",
        "| column | type | missing | distinct | smallest | largest |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for column in summary.columns:
        figures = (
            f"{column.nulls:,} | {about}{column.distinct:,} | {_number(column.minimum)} | {_number(column.maximum)}"
        )
        lines.append(f"| {markdown_cell(column.name)} | {column.dtype} | {figures} |")
    if head is not None:
        lines += ["", "| " + " | ".join(markdown_cell(column.name) for column in summary.columns) + " |"]
        lines.append("|" + "---|" * columns)
        lines += [
            "| " + " | ".join("" if cell is None else markdown_cell(str(cell)) for cell in row) + " |" for row in head
        ]
    return "\n".join(lines)


def markdown_cell(text: str) -> str:
    r"""Escape a text for a cell of a Markdown table.

    Examples:
        >>> markdown_cell("a|b")
        'a\\|b'
    """
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(escaped.split())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
