"""Reports of a table as it is: a document fit for JSON, rendered as HTML and as Markdown."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from data_processing.profile_page import profile_page
from data_processing.quality_page import quality_page
from util_services import report_pages
from util_services.report_pages import Page

FORMAT_VERSION = 1
"""Rises when a key of a document is renamed, removed or changes its meaning; new keys leave it as it is."""

_PAGES: Mapping[str, Callable[[Mapping[str, Any]], Page]] = {"profile": profile_page, "quality": quality_page}


def headed(kind: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Put the kind and the versions before a document's figures.

    Args:
        kind: ``profile`` or ``quality``.
        figures: What ``profile_figures`` or ``quality_figures`` gave.
    """
    return {
        "kind": kind,
        "format_version": FORMAT_VERSION,
        "package_version": version("data-processing"),
        **figures,
    }


def html(document: Mapping[str, Any]) -> str:
    """Render a document as one self-contained page."""
    return report_pages.html(_PAGES[document["kind"]](document))


def markdown(document: Mapping[str, Any], *, with_charts: bool = True) -> str:
    """Render a document for the Dagster run page.

    Args:
        document: What :func:`headed` gave.
        with_charts: Whether charts are drawn; a terminal shows none.
    """
    return report_pages.markdown(_PAGES[document["kind"]](document), with_charts=with_charts)
