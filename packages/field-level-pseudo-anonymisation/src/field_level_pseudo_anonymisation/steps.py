"""Steps: a technique and the columns it is used on, checked against the columns of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from field_level_pseudo_anonymisation.techniques.constants import Drop
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, RowTechnique, Technique
from util_services.errors import DataServiceError, nearest

FAIL, KEEP = "fail", "keep"


@dataclass(frozen=True)
class Step:
    """A technique used on columns.

    Attributes:
        technique: What is done.
        columns: Names of columns; each has sub-keys of its own, so that equal values of two columns are not linkable.
        share_as: A name under which columns share sub-keys, so that equal values of theirs are linkable on purpose.
    """

    technique: Technique
    columns: Sequence[str]
    share_as: str | None = None

    def field(self, column: str) -> str:
        """Tell which field's sub-keys a column uses."""
        return column if self.share_as is None else self.share_as


@dataclass(frozen=True)
class Reversal(Step):
    """A technique undone on columns.

    Attributes:
        technique: What was done, with the parameters it was done with.
        columns: As it was named then, unless they share sub-keys.
        share_as: As it was then.
        on_error: What becomes of a value that is no pseudonym of that key: ``fail``, or ``keep`` it as it is.
    """

    technique: ReversibleTechnique
    on_error: str = FAIL


def check_steps(steps: Sequence[Step], columns: Sequence[str]) -> list[str]:
    """Check that each step finds its columns.

    Args:
        steps: In the order in which they apply.
        columns: Of the table.

    Returns:
        The columns that are left after all steps.

    Raises:
        DataServiceError: If there is no step, or a step names no column, one that does not exist, one that an earlier
            step dropped, or one twice.
    """
    if not steps:
        raise DataServiceError("The used_function is empty: give at least one technique.")
    left = list(columns)
    for number, step in enumerate(steps, 1):
        _check_step(f"step {number} ({step.technique.name})", step, columns, left)
        if isinstance(step.technique, Drop):
            left = [column for column in left if column not in step.columns]
    return left


def _check_step(title: str, step: Step, columns: Sequence[str], left: Sequence[str]) -> None:
    if not step.columns:
        raise DataServiceError(f"The {title} names no columns: give at least one.")
    if isinstance(step, Reversal) and step.on_error not in {FAIL, KEEP}:
        raise DataServiceError(f"The on_error {step.on_error!r} of {title} is unknown: choose {FAIL} or {KEEP}.")
    if step.share_as == "":
        raise DataServiceError(f"The share_as of {title} is empty: give a name, or leave it out.")
    repeated = next((column for column in step.columns if list(step.columns).count(column) > 1), None)
    if repeated is not None:
        raise DataServiceError(f"The column {repeated!r} is named twice in {title}: name it once.")
    companions = step.technique.companions if isinstance(step.technique, RowTechnique) else ()
    for column in (*step.columns, *companions):
        if column not in columns:
            raise DataServiceError(f"The column {column!r} in {title} does not exist: {nearest(column, columns)}")
        if column not in left:
            raise DataServiceError(
                f"The column {column!r} in {title} was dropped by an earlier step: put this step before that one."
            )
