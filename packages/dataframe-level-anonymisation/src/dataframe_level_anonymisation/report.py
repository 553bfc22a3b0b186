"""The report a data steward decides on: what was guaranteed, what it cost, what to beware of.

A report is a document first, a dictionary fit for JSON; HTML and Markdown are two renderings of it. The Markdown goes
to the Dagster run page, so it names no cell value whatever document it is made from.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from dataframe_level_anonymisation import pages
from dataframe_level_anonymisation.result import ColumnOutcome, IntArray, Result, SensitiveDistribution
from dataframe_level_anonymisation.risk import (
    DOMINANT_SHARE,
    RISK_THRESHOLD,
    SMALL_TABLE,
    Attackers,
    RiskReport,
    attackers,
    dominant,
    no_sensitive_attribute,
    small_table,
    threshold_text,
)
from util_services import report_pages
from util_services.wording import percent

FORMAT_VERSION = 1
"""Rises when a key of the document is renamed, removed or changes its meaning; new keys leave it as it is."""

_PACKAGE = "dataframe-level-anonymisation"
_MOST_VALUES = 20
_HIGH_SUPPRESSION = 0.1
_SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 1000)  # where the ranges of class sizes start


def document(result: Result, *, risk_threshold: float = RISK_THRESHOLD, name_values: bool) -> dict[str, Any]:
    """Put what is known of an anonymisation into a dictionary fit for JSON.

    Args:
        result: The anonymisation. Its guarantee was verified on the output, or there would be no result.
        risk_threshold: Risk above which a row counts as at risk, above 0 to 1; default 1/11 (the 0.09 of EMA Policy
            0070 and Health Canada).
        name_values: Whether sensitive values of the output and generalised labels are named: true for files that lie
            beside the output, false for logs and metadata, where they become ``value 1``, ``value 2``, ….

    Returns:
        ``kind`` (``anonymisation``), ``format_version``, ``package_version``; ``rows``, ``rows_suppressed``,
        ``rows_released``, ``suppressed_share`` (0 to 1), ``suppression_limit`` (per cent); ``requirements`` (with
        ``text`` and ``parameters``), ``achieved``, ``achieved_by_attribute``; ``recoding``, ``levels``, ``columns``,
        ``passes``; ``loss`` (0 to 1), ``quality`` (``name``, ``value``, ``lower_bound``, ``gap``), ``optimal``,
        ``nodes``, ``nodes_checked``, ``seconds``; ``pregeneralisation`` (``levels``, ``most``), if there were more
        distinct tuples than may be counted; ``classes``, ``class_sizes``, ``risk`` and ``uniqueness`` with ``before``
        and ``after``; ``sensitive``; ``warnings``.

    Raises:
        DataServiceError: If the threshold is out of range.
    """
    before = attackers(result.classes_before, result.population_before, risk_threshold)
    after = attackers(result.classes_after, result.population_after, risk_threshold)
    name, value = result.quality
    gap = 0.0 if result.optimal else max(value - result.lower_bound, 0.0)
    figures: dict[str, Any] = _plain(
        {
            **_head("anonymisation"),
            "rows": result.rows,
            "rows_suppressed": result.rows_suppressed,
            "rows_released": result.rows - result.rows_suppressed,
            "suppressed_share": result.rows_suppressed / max(result.rows, 1),
            "suppression_limit": result.suppression_limit,
            "requirements": [_requirement(each) for each in result.requirements],
            "achieved": result.achieved,
            "achieved_by_attribute": result.achieved_by_attribute,
            "recoding": result.recoding,
            "levels": {column.name: column.level for column in result.columns},
            "columns": [_column(column) for column in result.columns],
            "passes": [asdict(each) for each in result.passes],
            "loss": result.loss,
            "quality": {"name": name, "value": value, "lower_bound": result.lower_bound, "gap": gap},
            "optimal": result.optimal,
            "nodes": result.nodes,
            "nodes_checked": result.nodes_checked,
            "seconds": {phase: round(seconds, 4) for phase, seconds in result.seconds.items()},
            "pregeneralisation": None if result.pregeneralisation is None else asdict(result.pregeneralisation),
            "classes": {"before": _classes(result.classes_before), "after": _classes(result.classes_after)},
            "class_sizes": _class_sizes(before=result.classes_before, after=result.classes_after),
            "risk": _risk(before=before, after=after),
            "uniqueness": _uniqueness(before=before, after=after),
            "sensitive": [_sensitive(each) for each in result.sensitive],
            "warnings": _warnings(result, after, gap),
        }
    )
    return figures if name_values else without_values(figures)


def risk_document(report: RiskReport) -> dict[str, Any]:
    """Put the risk of a table as it is into a dictionary fit for JSON; it holds no cell values.

    Returns:
        ``kind`` (``risk``), ``format_version``, ``package_version``, ``rows``, ``quasi_identifiers``, ``k``,
        ``unique_by_column`` (0 to 1), ``rows_outside_population``, ``sensitive`` (``distinct_l``, ``entropy_l``, ``t``,
        …), ``warnings``; ``classes``, ``class_sizes``, ``risk`` and ``uniqueness`` as :func:`document`, with ``before``
        alone.
    """
    figures: dict[str, Any] = _plain(
        {
            **_head("risk"),
            "rows": report.rows,
            "quasi_identifiers": report.quasi_identifiers,
            "k": report.k,
            "unique_by_column": report.unique_by_column,
            "rows_outside_population": report.rows_outside_population,
            "classes": {"before": _classes(report.classes)},
            "class_sizes": _class_sizes(before=report.classes),
            "risk": _risk(before=report.attackers),
            "uniqueness": _uniqueness(before=report.attackers),
            "sensitive": [asdict(each) for each in report.sensitive],
            "warnings": report.warnings,
        }
    )
    return figures


def without_values(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Give a copy of a document without cell values: fit for logs and metadata.

    Args:
        figures: A document.
    """
    if figures["kind"] == "risk":
        return dict(figures)
    columns = [column | {"examples": []} for column in figures["columns"]]  # a label may spell its values out
    sensitive = [
        attribute
        | {
            "values": [
                entry | {"value": None if entry["value"] is None else f"value {number}"}
                for number, entry in enumerate(attribute["values"], start=1)
            ]
        }
        for attribute in figures["sensitive"]
    ]
    return {**figures, "columns": columns, "sensitive": sensitive}


def html(figures: Mapping[str, Any]) -> str:
    """Render a document as one self-contained page: no script, nothing loaded from elsewhere.

    Args:
        figures: What :func:`document` or :func:`risk_document` gave.
    """
    return report_pages.html(pages.page(figures))


def markdown(figures: Mapping[str, Any], *, with_charts: bool = True) -> str:
    """Render a document for the Dagster run page, charts inline; it names no cell value, whatever the document does.

    Args:
        figures: What :func:`document` or :func:`risk_document` gave.
        with_charts: Whether charts are drawn; a terminal shows none.

    Returns:
        Fewer than 100 kB for tables of up to about a hundred quasi-identifiers and sensitive attributes.
    """
    return report_pages.markdown(pages.page(without_values(figures)), with_charts=with_charts)


# The document


def _head(kind: str) -> dict[str, Any]:
    return {"kind": kind, "format_version": FORMAT_VERSION, "package_version": version(_PACKAGE)}


def _plain(value: Any) -> Any:
    """Replace what JSON does not know: NumPy's numbers, tuples, infinity."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _requirement(requirement: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {name: value for name, value in requirement.items() if name not in {"name", "meaning"}}
    shown = ", ".join(f"{name} = {value}" for name, value in parameters.items() if name != "sensitive_attribute")
    text = f"{requirement['name']} ({shown})" if shown else str(requirement["name"])
    if attribute := parameters.get("sensitive_attribute"):
        text += f" for {attribute}"
    return {"name": requirement["name"], "text": text, "meaning": requirement["meaning"], "parameters": parameters}


def _column(column: ColumnOutcome) -> dict[str, Any]:
    examples = [{"label": label, "values": values} for label, values in column.examples]
    return {
        "name": column.name,
        "level": column.level,
        "highest": column.highest,
        "loss": column.loss,
        "examples": examples,
    }


def _classes(sizes: IntArray) -> dict[str, Any]:
    if not len(sizes):
        return {"number": 0, "smallest": 0, "median": 0, "mean": 0, "largest": 0}
    return {
        "number": len(sizes),
        "smallest": sizes.min(),
        "median": float(np.median(sizes)),
        "mean": float(sizes.mean()),
        "largest": sizes.max(),
    }


def _class_sizes(**moments: IntArray) -> list[dict[str, Any]]:
    """Count classes and rows in ranges of class sizes, for each moment (before, after)."""
    ranges = []
    for start, end in zip(_SIZES, (*_SIZES[1:], None), strict=True):
        counted: dict[str, Any] = {"from": start, "to": None if end is None else end - 1}
        for moment, sizes in moments.items():
            within = sizes[(sizes >= start) & (sizes < (end or np.inf))]
            counted[moment] = {"classes": len(within), "rows": within.sum()}
        ranges.append(counted)
    return ranges


def _risk(**moments: Attackers) -> dict[str, Any]:
    (first, *_) = moments.values()
    return {
        "threshold": first.threshold,
        "population_known": first.population_known,
        **{
            moment: {
                "prosecutor": asdict(risks.prosecutor),
                "journalist": asdict(risks.journalist),
                "marketer": {"average": risks.marketer},
            }
            for moment, risks in moments.items()
        },
    }


def _uniqueness(**moments: Attackers) -> dict[str, Any]:
    return {
        moment: {"sample": risks.sample_uniqueness, "population": risks.population_uniqueness}
        for moment, risks in moments.items()
    }


def _sensitive(attribute: SensitiveDistribution) -> dict[str, Any]:
    """List the values that the output contains, most frequent first; sum up the many, and those left out."""
    released = attribute.after > 0
    order = np.lexsort((-attribute.before, ~released))  # stable: equally frequent values stay in their order
    listed, rest = np.split(order[: int(released.sum())], [_MOST_VALUES])
    gone = order[int(released.sum()) :]
    return {
        "name": attribute.name,
        "values": [
            {"value": attribute.values[place], "before": attribute.before[place], "after": attribute.after[place]}
            for place in listed
        ],
        "others": _summed(attribute, rest),
        "suppressed": _summed(attribute, gone),
        "largest_share": _largest_share(attribute.after),
    }


def _summed(attribute: SensitiveDistribution, places: Any) -> dict[str, Any]:
    return {
        "values": len(places),
        "before": attribute.before[places].sum(),
        "after": attribute.after[places].sum(),
    }


def _largest_share(rows: IntArray) -> float:
    return float(rows.max(initial=0)) / max(int(rows.sum()), 1)


def _warnings(result: Result, after: Attackers, gap: float) -> list[str]:
    if not result.rows:
        return ["The table has no rows: the requirements are met only because there is nothing to protect."]
    if result.rows_suppressed == result.rows:
        return ["Every row was left out: the output is empty. Ask for less, or allow coarser levels."]
    return [*_about_rows(result), *_about_risk(after), *_about_columns(result), *_about_the_search(result, gap)]


def _about_rows(result: Result) -> Iterator[str]:
    if result.rows < SMALL_TABLE:
        yield small_table(result.rows)
    if (share := result.rows_suppressed / result.rows) > _HIGH_SUPPRESSION:
        yield (
            f"{percent(share)} of the rows were left out. They are the unusual ones, so what is left may not represent "
            "the people in the table: compare the distributions below."
        )


def _about_risk(after: Attackers) -> Iterator[str]:
    if after.journalist.highest > after.threshold:
        enough = math.ceil(1 / after.threshold - 1e-9)
        yield (
            f"The highest risk of re-identification is {percent(after.journalist.highest)}, above the threshold of "
            f"{threshold_text(after.threshold)}, which asks for at least {enough:,} people that look alike: too high "
            "for a public release by that measure, possibly acceptable among known recipients under contract."
        )


def _about_columns(result: Result) -> Iterator[str]:
    if raw := [column.name for column in result.columns if not column.level]:
        yield (
            f"Not generalised at all (level 0): {', '.join(map(repr, raw))}. Every value is released as it was: check "
            "that none tells who somebody is."
        )
    if lost := [column.name for column in result.columns if column.highest and column.level == column.highest]:
        yield (
            f"Generalised to the top level: {', '.join(map(repr, lost))}. Nothing of it is left to analyse; a "
            "hierarchy with finer steps may keep some of it."
        )
    if not result.sensitive:
        yield no_sensitive_attribute()
    for attribute in result.sensitive:
        if (largest := _largest_share(attribute.after)) > DOMINANT_SHARE:
            yield dominant(attribute.name, largest)


def _about_the_search(result: Result, gap: float) -> Iterator[str]:
    if not result.optimal:
        yield (
            f"It is not proven that nothing better exists: the search stopped at its limit. The {result.quality[0]} of "
            f"{result.quality[1]:.4g} could at best fall by {gap:.4g}, to {result.lower_bound:.4g}. The guarantee is "
            "not affected."
        )
