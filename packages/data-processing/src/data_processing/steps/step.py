"""What a cleaning step is: a small frozen definition that turns one lazy table into another and tells what it did."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import narwhals as nw

from util_services.errors import DataServiceError
from util_services.frames import Store

REASON = "__reason__"
"""Column of the rows that a step leaves out: why, in words without a cell value."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a step made of a table; nothing of it is evaluated yet.

    Attributes:
        frame: The table that goes on.
        written: Columns that were created or whose cells may have changed; all others hold what they held.
        changed: For each column whose cells may have changed, how many did, or a table of one row that tells it;
            ``None`` if none can have.
        rejects: The rows that were left out, as they came, and :data:`REASON`; ``None`` if the step judges no rows.
        keeps_rows: Whether the table that goes on has the rows of the one before, no more and no fewer.
        counts: One row with further figures for the report, each under the words that tell what it counts; ``None`` if
            there are none.
        facts: What else the report shall tell, and is known already, without cell values.
    """

    frame: nw.LazyFrame[Any]
    written: Sequence[str] = ()
    changed: nw.LazyFrame[Any] | Mapping[str, int] | None = None
    rejects: nw.LazyFrame[Any] | None = None
    keeps_rows: bool = True
    counts: nw.LazyFrame[Any] | None = None
    facts: Mapping[str, int | bool] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What steps need besides the table.

    Attributes:
        table: Opens a second table by its location.
        document: Reads a file, such as a schema, by its location.
        store: Evaluates a table, if it can, and gives it back: for what is costly to compute and used several times, as
            the table that goes on, the rows left out, the cells counted.
    """

    table: Callable[[str], Any]
    document: Callable[[str], bytes]
    store: Store = lambda frame: frame


class Step(ABC):
    """A cleaning step: a frozen dataclass whose fields are its parameters.

    Parameters are checked when it is made, columns when it is applied. Fields are made by :func:`parameter`, whose
    descriptions show in the Launchpad and in the manual.

    Attributes:
        name: What run configurations call it.
    """

    name: ClassVar[str]

    @abstractmethod
    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Describe the step's work on a table; only aggregates are evaluated.

        Raises:
            DataServiceError: If a column does not exist or cells are not what the step needs.
        """


def parameter(description: str, **default: Any) -> Any:
    """Declare a parameter of a step.

    Args:
        description: What it means, for the Launchpad and the manual.
        **default: ``default`` or ``default_factory`` as for :func:`dataclasses.field`; none makes it required.
    """
    return dataclasses.field(**default, metadata={"description": description})


def choose(step: Step, key: str, value: str | None, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        DataServiceError: If it is none of them.
    """
    if value not in choices:
        raise DataServiceError(
            f"The {key} {value!r} of the step {step.name} is unknown: choose {', '.join(choices[:-1])} or "
            f"{choices[-1]}."
        )


def refuse(step: Step, sentence: str) -> DataServiceError:
    """Word a mistake in a step's parameters: ``The step NAME …``."""
    return DataServiceError(f"The step {step.name} {sentence}")
