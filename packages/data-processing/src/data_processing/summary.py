"""What cleaning did to a table, as a document and as Markdown, without cell values."""

from collections.abc import Sequence
from typing import Any

from data_processing.clean import StepReport
from util_services.preview import markdown_cell


def document(reports: Sequence[StepReport]) -> dict[str, Any]:
    """Give the figures of a run, fit for JSON.

    Examples:
        >>> document([StepReport("remove_duplicates", 3, 2, 1, {})])["rows_rejected"]
        1
    """
    return {
        "rows_processed": reports[0].rows_in,
        "rows_released": reports[-1].rows_out,
        "rows_rejected": sum(report.rejects for report in reports),
        "cells_changed": sum(sum(report.cells_changed.values()) for report in reports),
        "steps": [
            {
                "step": report.step,
                "rows_in": report.rows_in,
                "rows_out": report.rows_out,
                "rejects": report.rejects,
                "cells_changed": report.cells_changed,
                "details": report.details,
            }
            for report in reports
        ],
    }


def markdown(figures: dict[str, Any]) -> str:
    """Render the figures.

    Examples:
        >>> print(markdown(document([StepReport("fill_missing_values", 3, 3, 0, {"age": 2})])))
        **3 rows in, 3 rows out, 0 rejected, 2 cells changed**
        <BLANKLINE>
        | | step | rows in | rows out | rejected | cells changed |
        |---:|---|---:|---:|---:|---|
        | 1 | fill_missing_values | 3 | 3 | 0 | age: 2 |
    """
    totals = (
        f"**{figures['rows_processed']:,} rows in, {figures['rows_released']:,} rows out, "
        f"{figures['rows_rejected']:,} rejected, {figures['cells_changed']:,} cells changed**"
    )
    lines = [
        totals,
        "",
        "| | step | rows in | rows out | rejected | cells changed |",
        "|---:|---|---:|---:|---:|---|",
    ]
    for position, step in enumerate(figures["steps"], 1):
        changed = ", ".join(
            f"{markdown_cell(column)}: {count:,}" for column, count in step["cells_changed"].items() if count
        )
        lines.append(
            f"| {position} | {step['step']} | {step['rows_in']:,} | {step['rows_out']:,} | {step['rejects']:,} "
            f"| {changed or 'none'} |"
        )
    return "\n".join([*lines, *_details(figures)])


def _details(figures: dict[str, Any]) -> list[str]:
    """Give a line for each step that found something; a count of nothing is left out, a no is not."""
    lines = []
    for position, step in enumerate(figures["steps"], 1):
        found = {words: detail for words, detail in step["details"].items() if detail or isinstance(detail, bool)}
        told = ", ".join(f"{markdown_cell(words)}: {_told(detail)}" for words, detail in found.items())
        lines += [f"- {position} {step['step']}: {told}"] if told else []
    return ["", *lines] if lines else []


def _told(detail: int | bool) -> str:
    if isinstance(detail, bool):
        return "yes" if detail else "no"
    return f"{detail:,}"
