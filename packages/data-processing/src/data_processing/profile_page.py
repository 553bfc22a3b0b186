"""A profile as a document and as a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import yaml

from data_processing.profile import MOST_COMBINED, Profile
from data_processing.role_rules import Role
from util_services.charts import QUARTERS, bars, round_ticks, short
from util_services.report_pages import Page, Section, Snippet, Table, Tile
from util_services.wording import percent

_MOST_COMBINATIONS = 20
_MOST_BARS = 20
_FEW_CELLS = 10  # the mean of fewer says too much of each
_K = 5


def profile_figures(profile: Profile, *, show_values: bool) -> dict[str, Any]:
    """Put a profile into a dictionary fit for JSON.

    Args:
        profile: The profile.
        show_values: Whether the most frequent values are named; else they are ``None``.

    Returns:
        ``rows``, ``measured_rows``, ``distinct_exact``, ``columns`` (``name``, ``dtype``, ``looks``, ``looks_share``,
        ``missing``, ``distinct``, ``unique_share``, ``frequent``, ``lengths``, ``distribution``, ``role``, ``reason``),
        ``combinations``, ``configuration`` (of ``k_anonymity_job`` and ``risk_report_job``, as YAML).
    """
    columns = []
    for column in profile.columns:
        described = asdict(column)
        del described["hierarchy"]
        described["role"], described["reason"] = column.role.role.value, column.role.reason
        described["frequent"] = [
            {"value": str(value) if show_values else None, "rows": rows} for value, rows in column.frequent
        ]
        if column.distribution and sum(column.distribution.counts) < _FEW_CELLS:
            described["distribution"] |= {"mean": None, "deviation": None}
        columns.append(described)
    figures = {
        "rows": profile.rows,
        "measured_rows": profile.measured_rows,
        "distinct_exact": profile.distinct_exact,
        "columns": columns,
        "combined": list(profile.combined),
        "combinations": [asdict(each) for each in profile.combinations],
        "configuration": {
            "k_anonymity_job": _yaml(
                "apply_k_anonymity", {**_roles(profile), "k": _K, "supp_level": 5.0, **_hierarchies(profile)}
            ),
            "risk_report_job": _yaml(
                "assess_table_risk", {key: value for key, value in _roles(profile).items() if key != "ident"}
            ),
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(figures, allow_nan=False))
    return plain


def _roles(profile: Profile) -> dict[str, Any]:
    return {
        "ident": profile.named(Role.IDENTIFIER),
        "quasi_identifiers": profile.named(Role.QUASI_IDENTIFIER),
        "sensitive_attributes": profile.named(Role.SENSITIVE),
    }


def _hierarchies(profile: Profile) -> dict[str, Any]:
    asked = profile.named(Role.QUASI_IDENTIFIER)
    return {"generalisation_hierarchies": {each.name: each.hierarchy for each in profile.columns if each.name in asked}}


def _yaml(op: str, config: Mapping[str, Any]) -> str:
    document = {"ops": {op: {"config": dict(config)}}}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def profile_page(figures: Mapping[str, Any]) -> Page:
    """Lay out a profile.

    Args:
        figures: A document of the kind ``profile``.
    """
    roles = [each["role"] for each in figures["columns"]]
    highest = max((each["unique_share"] for each in figures["combinations"]), default=0.0)
    about = "" if figures["distinct_exact"] else "≈ "
    return Page(
        title="Profile",
        good=not any(role == Role.IDENTIFIER.value for role in roles),
        verdict=[
            (
                (
                    f"{roles.count('identifier')} identifiers, {roles.count('quasi-identifier')} quasi-identifiers and "
                    f"{roles.count('sensitive')} sensitive columns are proposed"
                ),
                "A proposal from names and figures: what others know of a person is not in the data, so check each.",
            )
        ],
        tiles=[
            Tile("Rows", f"{figures['rows']:,}", "all of them were counted"),
            Tile("Columns", f"{len(figures['columns']):,}", "each is described below"),
            Tile("Unique combinations", percent(highest), "of the rows stand alone in the worst pair or triple"),
        ],
        warnings=_warnings(figures),
        sections=[
            _role_section(figures),
            _column_section(figures, about),
            *([_combination_section(figures)] if figures["combinations"] else []),
            _value_section(figures),
            *(_distribution_section(each) for each in figures["columns"] if each["distribution"]),
        ],
        footer=f"data-processing {figures['package_version']}, report format {figures['format_version']}",
    )


def _warnings(figures: Mapping[str, Any]) -> list[str]:
    if not figures["rows"]:
        return ["The table has no rows, so there is nothing to see."]
    warnings = []
    if figures["rows"] > figures["measured_rows"]:
        warnings.append(
            f"Frequencies and combinations were measured on the first {figures['measured_rows']:,} rows; among all "
            f"{figures['rows']:,} fewer stand alone."
        )
    if empty := [each["name"] for each in figures["columns"] if each["missing"] == figures["rows"]]:
        warnings.append(f"Without any value: {', '.join(map(repr, empty))}.")
    if mixed := [
        each["name"] for each in figures["columns"] if 0 < each["looks_share"] < 1 and each["looks"] != "texts"
    ]:
        warnings.append(f"Not all cells look alike in {', '.join(map(repr, mixed))}: convert or clean them first.")
    return warnings


def _role_section(figures: Mapping[str, Any]) -> Section:
    rows = [(each["name"], each["role"], each["reason"]) for each in figures["columns"]]
    snippets = tuple(
        Snippet(f"The same as a configuration of {job}: check it, then paste it.", text)
        for job, text in figures["configuration"].items()
    )
    return Section(
        title="Proposed roles",
        text="An identifier names a person directly; quasi-identifiers do so together; a sensitive column is what is "
        "worth protecting. The anonymisation jobs ask for these.",
        tables=(Table("Roles", ("column", "role", "reason"), rows, frozenset()),),
        snippets=snippets,
    )


def _column_section(figures: Mapping[str, Any], about: str) -> Section:
    columns, rows = figures["columns"], max(figures["rows"], 1)
    shown = [
        (
            each["name"],
            each["dtype"],
            each["looks"] if each["looks_share"] in {0, 1} else f"{each['looks']} ({percent(each['looks_share'])})",
            f"{each['missing']:,}",
            percent(each["missing"] / rows),
            f"{about}{each['distinct']:,}",
            percent(each["unique_share"]),
            _lengths(each["lengths"]),
        )
        for each in columns
    ]
    head = ("column", "type", "looks like", "missing", "share", "distinct", "unique", "characters")
    drawn = columns[:_MOST_BARS]
    return Section(
        title="Columns",
        text="Unique is the share of the cells whose value occurs once. The chart shows the share of missing cells.",
        tables=(Table("Columns", head, shown, frozenset({3, 4, 5, 6})),),
        chart=partial(
            bars,
            [each["name"] for each in drawn],
            [each["missing"] / rows for each in drawn],
            ticks=QUARTERS,
            axis="share of missing cells",
        ),
        alt="Bar chart of the missing cells by column; the figures are in the table below.",
    )


def _lengths(lengths: Sequence[float] | None) -> str:
    if lengths is None:
        return ""
    least, mean, most = lengths
    return f"{least:,}" if least == most else f"{least:,} to {most:,}, mean {mean:.1f}"


def _combination_section(figures: Mapping[str, Any]) -> Section:
    shown = figures["combinations"][:_MOST_COMBINATIONS]
    names = [" + ".join(each["columns"]) for each in shown]
    shares = [each["unique_share"] for each in shown]
    more = (
        f" Only the {MOST_COMBINED} quasi-identifiers with the most values were combined."
        if len(figures["combined"]) == MOST_COMBINED
        else ""
    )
    return Section(
        title="Which combinations single people out",
        text="Share of rows that no other row equals in these columns: whoever knows them of a person finds the row."
        f"{more}",
        tables=(
            Table(
                "Unique rows by combination",
                ("columns", "unique rows"),
                list(zip(names, map(percent, shares), strict=True)),
                frozenset({1}),
            ),
        ),
        chart=partial(bars, names[:10], shares[:10], ticks=QUARTERS, axis="share of rows that stand alone"),
        alt="Bar chart of the unique rows by combination; the figures are in the table below.",
    )


def _value_section(figures: Mapping[str, Any]) -> Section:
    rows = [(each["name"], "; ".join(_named(entry) for entry in each["frequent"])) for each in figures["columns"]]
    return Section(
        title="Most frequent values",
        text="How often the most frequent values of each column occur among the measured rows. Values are named only "
        "where the configuration asks for show_values.",
        tables=(Table("Values", ("column", "rows of the most frequent values"), rows, frozenset()),),
    )


def _named(entry: Mapping[str, Any]) -> str:
    return f"{entry['rows']:,}" if entry["value"] is None else f"{entry['value']}: {entry['rows']:,}"


def _distribution_section(column: Mapping[str, Any]) -> Section:
    spread = column["distribution"]
    labels = [
        f"{low:g} to {high:g}" if "dates" in column["looks"] else f"{low:,.12g} to {high:,.12g}"
        for low, high in zip(spread["edges"], spread["edges"][1:], strict=False)
    ]
    counts = spread["counts"]
    what = "years" if "dates" in column["looks"] else "numbers"
    text = f"How the {what} are spread, in round steps; the lower bound belongs to a step, the upper one does not."
    if spread["mean"] is not None and what == "numbers":
        text += f" Mean {spread['mean']:,.6g}, standard deviation {spread['deviation']:,.6g}."
    return Section(
        title=f"Distribution of {column['name']}",
        text=text,
        tables=(
            Table(
                f"Distribution of {column['name']}",
                ("step", "cells"),
                [(label, f"{count:,}") for label, count in zip(labels, counts, strict=True)],
                frozenset({1}),
            ),
        ),
        chart=partial(bars, labels, counts, ticks=round_ticks(max([1, *counts])), axis="cells", text=short),
        alt=f"Bar chart of the distribution of {column['name']}; the figures are in the table below.",
    )
