"""The report of a run on free text: figures by entity and technique, without any text."""

from collections.abc import Mapping, Sequence
from typing import Any

from field_level_pseudo_anonymisation.text import TextResult


def document(result: TextResult, cautions: Sequence[str] = ()) -> dict[str, Any]:
    """Give the figures for programs, as JSON can hold them.

    Args:
        result: A result that was read and finished.
        cautions: Sentences to add to those of the result.
    """
    return result.metrics | {"warnings": [*result.cautions, *cautions]}


def markdown(figures: Mapping[str, Any], done: str = "pseudonymised") -> str:
    """Tell in Markdown what was done.

    Args:
        figures: As :func:`document` gives them.
        done: What became of a span.

    Examples:
        >>> from field_level_pseudo_anonymisation.free_text.steps import TextStep
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> from field_level_pseudo_anonymisation.text import pseudonymise_text
        >>> step = TextStep(Redact(), ["EMAIL"])
        >>> result = pseudonymise_text("To ann@example.org", [step], language="en", names=False)
        >>> print(markdown(document(result)))
        **1 span pseudonymised in 1 text** (language: en)
        <BLANKLINE>
        | | |
        |---|---:|
        | characters before | 18 |
        | characters after | 13 |
        | share of the text changed | 83.3 % |
        <BLANKLINE>
        | entity | spans |
        |---|---:|
        | EMAIL | 1 |
        <BLANKLINE>
        | technique | spans |
        |---|---:|
        | redact | 1 |
        <BLANKLINE>
        | entity | technique | spans |
        |---|---|---:|
        | EMAIL | redact | 1 |
    """
    spans, texts = _counted(figures["spans"], "span"), _counted(figures["texts_processed"], "text")
    lines = [
        f"**{spans} {done} in {texts}** (language: {figures['language'] or 'not given'})",
        "",
        "| | |",
        "|---|---:|",
        f"| characters before | {figures['characters_before']:,} |",
        f"| characters after | {figures['characters_after']:,} |",
        f"| share of the text changed | {figures['share_changed']:.1%} |".replace("%", " %"),
        *(f"| {title} | {figures[key]:,} |" for key, title in _IF_ANY.items() if figures[key]),
    ]
    if figures["spans"]:
        lines += _table(("entity", "spans"), figures["entities"].items())
        lines += _table(("technique", "spans"), figures["techniques"].items())
        lines += _table(("entity", "technique", "spans"), (row.values() for row in figures["entities_by_technique"]))
    if figures["warnings"]:
        lines += ["", *(f"- **Warning:** {sentence}" for sentence in figures["warnings"])]
    return "\n".join(lines)


_IF_ANY = {
    "passages_escaped": "passages that look like pseudonyms but are text",
    "pseudonyms_kept": "pseudonyms of other keys kept as they were",
}


def _table(head: Sequence[str], rows: Any) -> list[str]:
    lines = ["", f"| {' | '.join(head)} |", f"|{'---|' * (len(head) - 1)}---:|"]
    for row in rows:
        *cells, spans = row
        lines.append(f"| {' | '.join(cells)} | {spans:,} |")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
