"""What a report shows and in which words, whether it is rendered as HTML or as Markdown."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from dataframe_level_anonymisation import charts
from dataframe_level_anonymisation.risk import RISK_THRESHOLD, threshold_text
from util_services.report_pages import Page, Section, Table, Tile
from util_services.wording import percent

_MOST_EXAMPLES = 5
_MOST_PASSES = 10
_MISSING = "(missing)"


def page(figures: Mapping[str, Any]) -> Page:
    """Lay out a document.

    Args:
        figures: What :func:`report.document` or :func:`report.risk_document` gave.
    """
    return _PAGES[figures["kind"]](figures)


def _anonymisation_page(figures: Mapping[str, Any]) -> Page:
    released = figures["rows_released"]
    ending = "met, verified on the output" if released else "met, but only because no row is left"
    smallest = figures["classes"]["after"]["smallest"]
    risk, threshold = figures["risk"], figures["risk"]["threshold"]
    whose = "for the journalist; " if risk["population_known"] else ""
    return Page(
        title="Anonymisation report",
        good=released > 0,
        verdict=[(f"{each['text']}: {ending}", each["meaning"]) for each in figures["requirements"]],
        tiles=[
            Tile(
                "Rows released",
                percent(1 - figures["suppressed_share"]),
                f"{released:,} of {figures['rows']:,}; at most {figures['suppression_limit']:g}% may be left out",
            ),
            Tile("Information loss", percent(figures["loss"]), "0% is unchanged, 100% is nothing left"),
            Tile(
                "Smallest class",
                f"{smallest:,}",
                f"before {figures['classes']['before']['smallest']:,}; so many rows at least look alike",
            ),
            Tile(
                "Highest risk",
                percent(risk["after"]["journalist"]["highest"]),
                f"{whose}before {percent(risk['before']['journalist']['highest'])}; "
                f"threshold {threshold_text(threshold)}",
            ),
            Tile(
                "Least possible loss",
                "proven" if figures["optimal"] else "not proven",
                ("in each pass " if figures["recoding"] == "local" else "") + "no other choice of levels loses less"
                if figures["optimal"]
                else "a better choice of levels may exist",
            ),
        ],
        warnings=figures["warnings"],
        sections=[
            _risk_section(figures),
            _class_section(figures),
            _column_section(figures),
            *(_sensitive_section(figures, each) for each in figures["sensitive"]),
            _search_section(figures),
        ],
        footer=_footer(figures),
    )


def _risk_page(figures: Mapping[str, Any]) -> Page:
    risk = figures["risk"]
    highest, threshold = risk["before"]["journalist"]["highest"], risk["threshold"]
    within = highest <= threshold and figures["rows"] > 0
    unique = figures["uniqueness"]["before"]["sample"]
    verdict = (
        f"Highest risk of re-identification {percent(highest)}: {'not ' if within else ''}above the threshold of "
        f"{threshold_text(threshold)}"
        if figures["rows"]
        else "Nothing to assess: the table has no rows"
    )
    return Page(
        title="Risk report",
        good=within,
        verdict=[
            (verdict, f"The table as it is, with the quasi-identifiers {', '.join(figures['quasi_identifiers'])}.")
        ],
        tiles=[
            Tile("Rows", f"{figures['rows']:,}", f"{figures['classes']['before']['number']:,} classes that look alike"),
            Tile("Unique rows", percent(unique), "look like no other row of the table"),
            Tile("Smallest class", f"{figures['k']:,}", "so the table is k-anonymous for this k"),
            Tile(
                "Rows at risk",
                percent(risk["before"]["journalist"]["share_above"]),
                f"have a risk above {threshold_text(threshold)}",
            ),
        ],
        warnings=figures["warnings"],
        sections=[
            _risk_section(figures),
            _class_section(figures),
            _single_column_section(figures),
            *([_as_is_section(figures)] if figures["sensitive"] else []),
        ],
        footer=_footer(figures),
    )


_PAGES: dict[str, Callable[[Mapping[str, Any]], Page]] = {"anonymisation": _anonymisation_page, "risk": _risk_page}


def _footer(figures: Mapping[str, Any]) -> str:
    return f"dataframe-level-anonymisation {figures['package_version']}, report format {figures['format_version']}"


def _moments(figures: Mapping[str, Any]) -> list[str]:
    return [moment for moment in ("before", "after") if moment in figures["risk"]]


def _heads(moments: Sequence[str]) -> tuple[str, ...]:
    return tuple(moments) if len(moments) > 1 else ("value",)


_ATTACKERS = {
    "prosecutor": "who knows that the person is in the table",
    "journalist": "who does not know who is in the table",
}


def _risk_section(figures: Mapping[str, Any]) -> Section:
    risk, moments = figures["risk"], _moments(figures)
    known = risk["population_known"]
    shown = ["prosecutor", "journalist"] if known else ["prosecutor"]
    above = f"rows above {threshold_text(risk['threshold'])}"
    measures: list[tuple[str, str, list[float]]] = []  # name, meaning, value at each moment
    for figure, name, meaning in (
        ("highest", "highest", "chance that an attacker {who} picks the right row, for the row at greatest risk"),
        ("average", "average", "the same chance, mean over all rows"),
        ("share_above", above, "share of rows whose chance is above the threshold"),
    ):
        for attacker in shown:
            values = [risk[moment][attacker][figure] for moment in moments]
            text = meaning.format(who=_ATTACKERS[attacker])
            measures.append((f"{attacker.capitalize()}: {name}", text, values))
    for name, meaning, values in (
        (
            "Marketer: rows matched",
            "share of rows that an attacker expects to match correctly with a register of everybody",
            [risk[moment]["marketer"]["average"] for moment in moments],
        ),
        (
            "Unique rows",
            "share of rows that look like no other row of the table",
            [figures["uniqueness"][moment]["sample"] for moment in moments],
        ),
    ):
        measures.append((name, meaning, values))
    if known:
        in_population = [figures["uniqueness"][moment]["population"] for moment in moments]
        meaning = "share of rows that look like nobody else in the population"
        measures.append(("Unique in the population", meaning, in_population))
    names = [name for name, _, _ in measures]
    series = [[values[moment] for _, _, values in measures] for moment in range(len(moments))]
    threshold = (
        "The threshold 0.09 (11 rows that look alike) is the one EMA Policy 0070 and Health Canada use for public "
        "release."
        if risk["threshold"] == RISK_THRESHOLD
        else f"The threshold is {threshold_text(risk['threshold'])}."
    )
    without = (
        ""
        if known
        else " No population table was given, so an attacker who does not know who is in the table (journalist) is "
        "rated like one who does (prosecutor): the true risk is lower or equal."
    )
    return Section(
        title="Risk of re-identification",
        text="Somebody who knows a person's quasi-identifiers finds the rows that look like that person and has to "
        f"guess among them: with 5 such rows the guess is right once in five times (20%). {threshold}{without}",
        tables=(
            Table(
                "Risk of re-identification",
                ("figure", *_heads(moments), "what it says"),
                [(name, *(percent(value) for value in values), meaning) for name, meaning, values in measures],
                frozenset(range(1, 1 + len(moments))),
            ),
        ),
        chart=partial(charts.risks, names, *series, threshold=risk["threshold"], limited=2 * len(shown)),
        alt=f"Bar chart of the attackers' risk {' and '.join(moments)}; the figures are in the table below.",
    )


def _class_section(figures: Mapping[str, Any]) -> Section:
    moments = _moments(figures)
    sizes = _used(figures["class_sizes"], moments)
    names = [_range(each) for each in sizes]
    rows = [[each[moment]["rows"] for each in sizes] for moment in moments]
    if figures.get("rows_suppressed"):
        drawn, shown = [*names, "left out"], [[*rows[0], 0], [*rows[1], figures["rows_suppressed"]]]
    else:
        drawn, shown = names, rows
    heads = [f"{what} {moment}" if len(moments) > 1 else what for what in ("rows", "classes") for moment in moments]
    counts = [
        (name, *(f"{each[moment][what]:,}" for what in ("rows", "classes") for moment in moments))
        for name, each in zip(names, sizes, strict=True)
    ]
    measured = [
        (name, *(f"{figures['classes'][moment][key]:,.{digits}f}" for moment in moments))
        for name, key, digits in (
            ("number of classes", "number", 0),
            ("smallest class", "smallest", 0),
            ("median class", "median", 1),
            ("mean class", "mean", 1),
            ("largest class", "largest", 0),
        )
    ]
    return Section(
        title="How many rows look alike",
        text="Rows with the same quasi-identifiers form a class. The further to the right the rows are, the more "
        "others each of them hides among; a class of 1 is a person who stands alone.",
        tables=(
            Table(
                "Rows and classes by class size", ("class size", *heads), counts, frozenset(range(1, 1 + len(heads)))
            ),
            Table("Classes", ("", *_heads(moments)), measured, frozenset(range(1, 1 + len(moments)))),
        ),
        chart=partial(charts.class_sizes, drawn, *shown),
        alt=f"Column chart of rows by class size {' and '.join(moments)}; the figures are in the table below.",
    )


def _used(sizes: Sequence[Mapping[str, Any]], moments: Sequence[str]) -> list[Mapping[str, Any]]:
    """Leave out the unused ranges at either end."""
    used = [number for number, each in enumerate(sizes) if any(each[moment]["rows"] for moment in moments)]
    return list(sizes[used[0] : used[-1] + 1]) if used else list(sizes[:1])


def _range(sizes: Mapping[str, Any]) -> str:
    if sizes["to"] is None:
        return f"≥ {sizes['from']:,}"
    return f"{sizes['from']}" if sizes["from"] == sizes["to"] else f"{sizes['from']}–{sizes['to']}"


def _column_section(figures: Mapping[str, Any]) -> Section:
    columns = figures["columns"]
    named = any(column["examples"] for column in columns)
    rows = [
        (
            column["name"],
            f"{column['level']} of {column['highest']}",
            percent(column["loss"]),
            *([_examples(column["examples"])] if named else []),
        )
        for column in columns
    ]
    tables = [
        Table(
            "Quasi-identifiers",
            ("quasi-identifier", "level", "loss", *(["labels and how many values each covers"] if named else [])),
            rows,
            frozenset({1, 2}),
        )
    ]
    if len(figures["passes"]) > 1:
        tables.append(_passes(figures["passes"]))
    more = f" The chart shows the {charts.MOST_COLUMNS} that lost most." if len(columns) > charts.MOST_COLUMNS else ""
    return Section(
        title="What it cost",
        text="Level 0 is the value as it was; the highest level is * for everything. The loss of a column is the mean "
        "share of its other values that a released value could as well stand for; a row left out counts as lost "
        f"entirely.{more}",
        tables=tuple(tables),
        chart=partial(charts.losses, [column["name"] for column in columns], [column["loss"] for column in columns]),
        alt="Bar chart of the information lost by column; the figures are in the table below.",
    )


def _passes(passes: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (f"{number}", f"{each['rows']:,}", ", ".join(f"{name} {level}" for name, level in each["levels"].items()))
        for number, each in enumerate(passes[:_MOST_PASSES], start=1)
    ]
    if rest := passes[_MOST_PASSES:]:
        rows.append((f"{len(rest):,} more", f"{sum(each['rows'] for each in rest):,}", ""))
    return Table("Levels of each pass (local recoding)", ("pass", "rows", "levels"), rows, frozenset({1}))


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"{each['label']}: {each['values']:,}" for each in examples[:_MOST_EXAMPLES]]
    return "; ".join(shown) + ("; …" if len(examples) > _MOST_EXAMPLES else "")


def _sensitive_section(figures: Mapping[str, Any], attribute: Mapping[str, Any]) -> Section:
    before, after = max(figures["rows"], 1), max(figures["rows_released"], 1)
    entries = [(_MISSING if each["value"] is None else str(each["value"]), each) for each in attribute["values"]]
    if attribute["others"]["values"]:
        entries.append((f"{attribute['others']['values']:,} other values", attribute["others"]))
    if attribute["suppressed"]["values"]:
        entries.append(("other (suppressed)", attribute["suppressed"]))
    rows = [
        (
            name,
            f"{each['before']:,}",
            percent(each["before"] / before),
            f"{each['after']:,}",
            percent(each["after"] / after),
        )
        for name, each in entries
    ]
    reached = figures["achieved_by_attribute"].get(attribute["name"], {})
    text = (
        "How often each value occurs before and after. Shares that hardly move mean that analyses of this column "
        "stay valid; a share that moves tells whose rows were left out."
    )
    if reached:
        text += f" Reached: {', '.join(f'{name} = {_number(value)}' for name, value in reached.items())}."
    drawn = entries[: charts.MOST_VALUES]
    shares = [[each["before"] / before for _, each in drawn], [each["after"] / after for _, each in drawn]]
    names = [name for name, _ in drawn]
    if rest := entries[charts.MOST_VALUES :]:
        names.append("the rest")
        shares[0].append(sum(each["before"] for _, each in rest) / before)
        shares[1].append(sum(each["after"] for _, each in rest) / after)
    return Section(
        title=f"Sensitive attribute {attribute['name']}",
        text=text,
        tables=(
            Table(
                f"Values of {attribute['name']}",
                ("value", "rows before", "share before", "rows after", "share after"),
                rows,
                frozenset({1, 2, 3, 4}),
            ),
        ),
        chart=partial(charts.distribution, names, *shares),
        alt=f"Bar chart of the values of {attribute['name']} before and after; the figures are in the table below.",
    )


def _search_section(figures: Mapping[str, Any]) -> Section:
    quality = figures["quality"]
    proof = (
        "Every combination that was not computed was ruled out by a bound, so no other loses less."
        if figures["optimal"]
        else "The search stopped at its limit before it had ruled out every other combination."
    )
    rows = [
        ("minimised", quality["name"]),
        ("value reached", _number(quality["value"])),
        ("cannot fall below", _number(quality["lower_bound"])),
        ("gap", _number(quality["gap"])),
        ("recoding", f"{figures['recoding']} ({len(figures['passes']):,} pass{'es' * (len(figures['passes']) > 1)})"),
        ("combinations of levels", f"{figures['nodes']:,}"),
        ("of these computed", f"{figures['nodes_checked']:,}"),
        *((f"reached: {name}", _number(value)) for name, value in figures["achieved"].items()),
        *((f"seconds: {phase}", f"{seconds:.3f}") for phase, seconds in figures["seconds"].items()),
    ]
    tables = [Table("Search", ("", "value"), rows, frozenset({1}))]
    text = f"The combination of levels that meets every requirement with the least loss was searched for. {proof}"
    if before := figures.get("pregeneralisation"):
        parts = f" {before['parts']:,} such parts of all combinations were searched." if before["parts"] > 1 else ""
        text += (
            f" The table has more than {before['most']:,} distinct combinations of quasi-identifiers and protected "
            "attributes, too many to be held at once, so columns were generalised before these were counted, to the "
            f"levels in the second table.{parts} Combinations of levels that were left out cannot meet the "
            "requirements, or lose more, as counts of the whole table show, so nothing better was missed."
        )
        levels = [(name, f"{level}") for name, level in before["levels"].items()]
        tables.append(Table("Generalised before the search", ("quasi-identifier", "level"), levels, frozenset({1})))
    return Section(title="How the result was found", text=text, tables=tuple(tables))


def _single_column_section(figures: Mapping[str, Any]) -> Section:
    ordered = sorted(figures["unique_by_column"].items(), key=lambda entry: -entry[1])
    return Section(
        title="Which columns single people out",
        text="Share of rows whose value occurs in no other row: the column alone tells these people apart. Start there "
        "when you choose what to generalise.",
        tables=(
            Table(
                "Unique values by column",
                ("quasi-identifier", "unique rows"),
                [(name, percent(share)) for name, share in ordered],
                frozenset({1}),
            ),
        ),
    )


def _as_is_section(figures: Mapping[str, Any]) -> Section:
    rows = [
        (
            each["name"],
            f"{each['distinct']:,}",
            percent(each["largest_share"]),
            f"{each['distinct_l']:,}",
            f"{each['entropy_l']:.2f}",
            f"{each['t']:.3f}",
        )
        for each in figures["sensitive"]
    ]
    return Section(
        title="What looking alike gives away",
        text="Whoever is known to be in a class is known to have one of its sensitive values. Distinct l is the "
        "smallest number of different values in a class: 1 means that some class gives its members' value away. "
        "Entropy l says the same, counting values that are rare in the class for less. t is the largest distance "
        "between the values of a class and those of the table: 0 is no difference, 1 the largest.",
        tables=(
            Table(
                "Sensitive attributes",
                ("sensitive attribute", "values", "most frequent", "distinct l", "entropy l", "t"),
                rows,
                frozenset({1, 2, 3, 4, 5}),
            ),
        ),
    )


def _number(value: float | None) -> str:
    if value is None:
        return "unbounded"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
