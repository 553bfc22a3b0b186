"""The report of a run on a table: what was done to which column, without a cell value."""

from collections.abc import Sequence
from typing import Any

from field_level_pseudo_anonymisation.pseudonymise import Result
from field_level_pseudo_anonymisation.steps import Reversal, Step
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Technique

_HEAD = ("step", "technique", "columns", "linkable", "reversible", "remarks")


def markdown(result: Result, cautions: Sequence[str] = ()) -> str:
    """Tell in Markdown what was done.

    Args:
        result: A result that was evaluated and finished.
        cautions: Sentences to add to those of the result.

    Examples:
        >>> import polars as pl
        >>> from field_level_pseudo_anonymisation.pseudonymise import pseudonymise
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> done = pseudonymise(pl.DataFrame({"name": ["Ann"]}), [Step(Redact(), ["name"])])
        >>> print(markdown(done))
        Transformed 1 column in 1 row.
        <BLANKLINE>
        | step | technique | columns | linkable | reversible | remarks |
        |---|---|---|---|---|---|
        | 1 | redact | name | no | no | |
    """
    columns = result.metrics["columns_transformed"]
    lines = [
        f"Transformed {_counted(len(columns), 'column')} in {_counted(result.tally.rows, 'row')}.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"|{'---|' * len(_HEAD)}",
        *(_row(number, step, result) for number, step in enumerate(result.steps, 1)),
    ]
    if warned := [*result.cautions, *cautions]:
        lines += ["", *(f"- **Warning:** {sentence}" for sentence in warned)]
    return "\n".join(lines)


def document(result: Result, cautions: Sequence[str] = ()) -> dict[str, Any]:
    """Give the metrics for programs, as JSON can hold them."""
    return result.metrics | {
        "steps": [
            {
                "technique": _name(step),
                "columns": list(step.columns),
                "linkable": linkable(step.technique),
                "reversible": _is_reversible(step),
            }
            for step in result.steps
        ],
        "values_kept": dict(result.tally.kept),
        "warnings": [*result.cautions, *cautions],
    }


def linkable(technique: Technique) -> str:
    """Tell whether equal values got equal results: yes, within this run, or no."""
    if not technique.linkable:
        return "no"
    return "within this run" if getattr(technique, "policy", None) is Policy.DOCUMENT_RANDOMISED else "yes"


def _row(number: int, step: Step, result: Result) -> str:
    cells = [
        str(number),
        _name(step),
        ", ".join(map(_cell, step.columns)),
        "values restored" if isinstance(step, Reversal) else linkable(step.technique),
        _reversible(step),
        "; ".join(_remarks(step, result)),
    ]
    return "| " + " | ".join(cells).rstrip() + " |"


def _name(step: Step) -> str:
    return f"undo {step.technique.name}" if isinstance(step, Reversal) else step.technique.name


def _is_reversible(step: Step) -> bool:
    return isinstance(step.technique, ReversibleTechnique) and not isinstance(step, Reversal)


def _reversible(step: Step) -> str:
    if isinstance(step, Reversal):
        return "reversed"
    key = getattr(step.technique, "key_name", None)
    return f"with the key {_cell(key)}" if _is_reversible(step) else "no"


def _remarks(step: Step, result: Result) -> list[str]:
    remarks = [] if step.share_as is None else [f"sub-keys shared as {_cell(step.share_as)}"]
    if isinstance(step, Reversal):
        remarks += [
            f"{_counted(result.tally.kept[column], 'value')} of {_cell(column)} kept as they were"
            for column in step.columns
            if result.tally.kept[column]
        ]
    return remarks


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _cell(name: str | None) -> str:
    """Escape what would end a cell of a table."""
    return str(name).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
