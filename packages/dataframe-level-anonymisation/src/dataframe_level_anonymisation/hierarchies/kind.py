"""What every kind of hierarchy has."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from dataframe_level_anonymisation.hierarchies.hierarchy import SUPPRESSED, Labels
from util_services.errors import DataServiceError

Read = Callable[[str], bytes]


class Kind(BaseModel):
    """A kind of hierarchy with its parameters; the class docstring is its reference.

    Attributes:
        example: How its parameters are written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    example: ClassVar[str]

    @abstractmethod
    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give for each level above the raw one, from fine to coarse, the label of each value.

        The number of levels does not depend on which values occur, as far as the kind allows; the last is one group.

        Args:
            column: Column name, for messages.
            values: Distinct values, none of them missing.
            read: Gives the bytes of a hierarchy file.

        Raises:
            DataServiceError: If the values do not fit; the sentence counts them and does not quote them.
        """


def star(values: Sequence[Any]) -> Labels:
    """Give the level at which nothing is left."""
    return [SUPPRESSED] * len(values)


def misfits(column: str, count: int, need: str, remedy: str) -> DataServiceError:
    """Make the sentence about values that a hierarchy cannot take."""
    return DataServiceError(
        f"The hierarchy of the column {column!r} needs {need}, but {count:,} distinct value(s) are not: {remedy}."
    )


def text(value: Any) -> str:
    """Write a value as a file or a specification would name it: 25.0 is 25.

    Examples:
        >>> text(25.0), text("025"), text(True)
        ('25', '025', 'True')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
