"""Conditions over the cells of one row, such as ``age >= 18 and country in ["DE", "FR"]``.

The text is parsed with a grammar of its own, never evaluated, and becomes Narwhals expressions. Logic has three values,
as in SQL: what is compared with a missing cell is neither met nor not met.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from data_processing.expressions.functions import FUNCTIONS, Function
from data_processing.expressions.nodes import Node, check_pattern, condition
from data_processing.expressions.parser import DEEPEST, LONGEST, parsed
from data_processing.expressions.values import WHITESPACE, Conversion, Kind
from util_services.errors import DataServiceError

__all__ = [
    "DEEPEST",
    "FUNCTIONS",
    "LONGEST",
    "WHITESPACE",
    "Condition",
    "Conversion",
    "Expression",
    "Function",
    "Kind",
    "check_pattern",
    "parse",
]


@dataclass(frozen=True)
class Condition:
    """An expression over the columns of a table; none of its Narwhals expressions ever gives null.

    Attributes:
        met: Whether a row is known to meet it.
        unmet: Whether a row is known not to meet it.
        conversions: Texts that it reads as numbers, dates or truth values, each with the cells where that fails and
            which therefore count as missing.
    """

    met: nw.Expr
    unmet: nw.Expr
    conversions: tuple[Conversion, ...]

    @property
    def unknown(self) -> nw.Expr:
        """Whether a missing cell leaves open if a row meets it."""
        return ~(self.met | self.unmet)


@dataclass(frozen=True)
class Expression:
    """A condition over the cells of a row, as it was written.

    Attributes:
        text: The expression.
        columns: Names of the columns it reads, in the order they are met.
    """

    text: str
    columns: tuple[str, ...]
    _root: Node = field(repr=False)

    def over(self, schema: Mapping[str, Any]) -> Condition:
        """Apply it to the columns of a table.

        Args:
            schema: Narwhals data type of each column, as ``frame.collect_schema()`` gives it.

        Raises:
            DataServiceError: If a column does not exist, or cells are compared with what they cannot be.

        Examples:
            >>> import polars as pl
            >>> frame = nw.from_native(pl.LazyFrame({"age": ["17", "18", "n/a", None]}))
            >>> adult = parse("age >= 18").over(frame.collect_schema())
            >>> frame.filter(adult.met).collect().rows()
            [('18',)]
            >>> [(each.column, each.kind.value) for each in adult.conversions]
            [('age', 'a number')]
            >>> frame.filter(adult.conversions[0].failed).collect().rows()
            [('n/a',)]
        """
        value = condition(self._root.value(schema))
        return Condition(value.true, value.false, value.conversions)


def parse(text: str) -> Expression:
    """Parse an expression; nothing is evaluated, and no data are needed.

    Args:
        text: At most :data:`LONGEST` characters, parts nested at most :data:`DEEPEST` levels deep. See
            ``docs/expressions.md`` for the language.

    Raises:
        DataServiceError: If it is malformed, calls an unknown function, reaches outside the row, or names no column.

    Examples:
        >>> parse('age >= 18 and not (`e-mail` is null)').columns
        ('age', 'e-mail')
    """
    root = parsed(text)
    if not root.columns:
        raise DataServiceError("The expression names no column: give a condition such as 'age >= 18'.")
    return Expression(text, root.columns, root)
