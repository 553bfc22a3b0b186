"""Outcomes of expectations as a document and as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from data_processing.quality import Outcome, unmet
from util_services.report_pages import Page, Section, Table, Tile


def quality_figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Put outcomes into a dictionary fit for JSON; it names no cell value.

    Returns:
        ``met``, ``errors``, ``warnings`` (numbers), ``expectations`` (``name``, ``expected``, ``found``, ``met``,
        ``severity``).
    """
    return {
        "met": sum(each.met for each in outcomes),
        "errors": len(unmet(outcomes)),
        "warnings": len(unmet(outcomes, "warn")),
        "expectations": [asdict(each) for each in outcomes],
    }


def failure(figures: Mapping[str, Any]) -> str | None:
    """Tell in one sentence which expectations are not met; ``None`` if none fails the run.

    Args:
        figures: What :func:`quality_figures` gave.
    """
    broken = [each for each in figures["expectations"] if not each["met"] and each["severity"] == "error"]
    if not broken:
        return None
    listed = "; ".join(f"{each['name']}: {each['expected']} (found {each['found']})" for each in broken)
    return f"{len(broken)} of {len(figures['expectations'])} expectations are not met: {listed}."


def quality_page(figures: Mapping[str, Any]) -> Page:
    """Lay out outcomes.

    Args:
        figures: A document of the kind ``quality``.
    """
    number = len(figures["expectations"])
    rows = [
        (each["expected"], each["found"], "met" if each["met"] else f"not met ({each['severity']})")
        for each in sorted(figures["expectations"], key=lambda each: each["met"])
    ]
    failed = figures["errors"]
    return Page(
        title="Data quality report",
        good=not failed,
        verdict=[
            (
                f"{failed} of {number} expectations fail the run"
                if failed
                else f"No expectation of {number} fails the run",
                "Each was measured on all rows.",
            )
        ],
        tiles=[
            Tile("Met", f"{figures['met']:,}", f"of {number:,} expectations"),
            Tile("Errors", f"{failed:,}", "not met, and the run fails"),
            Tile("Warnings", f"{figures['warnings']:,}", "not met, and the run goes on"),
        ],
        warnings=[
            f"Not met: {each['expected']} (found {each['found']})."
            for each in figures["expectations"]
            if not each["met"] and each["severity"] == "warn"
        ],
        sections=[
            Section(
                title="Expectations",
                text="What was expected of the table, and what was found; those that are not met come first.",
                tables=(Table("Expectations", ("expected", "found", "outcome"), rows, frozenset()),),
            )
        ],
        footer=f"data-processing {figures['package_version']}, report format {figures['format_version']}",
    )
