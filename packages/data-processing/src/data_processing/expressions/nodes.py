"""Parts of an expression: what each gives for a row, once the types of the columns are known."""

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import narwhals as nw
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_processing.expressions import values
from data_processing.expressions.functions import FUNCTIONS
from data_processing.expressions.values import WHITESPACE, Kind, Value, computed, converted, kleene
from util_services.errors import DataServiceError, nearest

Schema = Mapping[str, Any]


class Node(ABC):
    """A part of an expression.

    Attributes:
        noun: How messages call it.
        parts: The parts it is made of.
    """

    noun: ClassVar[str] = "the condition"
    parts: tuple["Node", ...] = ()

    @property
    def name(self) -> str:
        """How messages call this one; never with a text in it, since that may be a cell value."""
        return self.noun

    @abstractmethod
    def value(self, schema: Schema) -> Value:
        """Give what it is for each row.

        Args:
            schema: Narwhals data type of each column.

        Raises:
            DataServiceError: If a column is unknown or kinds do not go together.
        """

    def operands(self, schema: Schema) -> list[Value]:
        """Give what its parts are for each row.

        Raises:
            DataServiceError: If one is a combination of conditions, which is no operand.
        """
        values_ = [part.value(schema) for part in self.parts]
        if any(value.opposite is not None for value in values_):
            raise DataServiceError(
                "In the expression, a combination of conditions is used as a value: use it only with and, or and not."
            )
        return values_

    @cached_property
    def depth(self) -> int:
        """How deeply parts lie within parts."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order they are met."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.columns))


@dataclass(frozen=True)
class Literal(Node):
    """A text, number or truth value as written."""

    content: str | float | bool

    @property
    def name(self) -> str:
        """The constant, unless it is a text."""
        return "a text" if isinstance(self.content, str) else str(self.content)

    def value(self, schema: Schema) -> Value:
        """Give the constant."""
        del schema
        return values.constant(self.content, self.name)


@dataclass(frozen=True)
class Column(Node):
    """The cell of a column."""

    column: str

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The column itself."""
        return (self.column,)

    def value(self, schema: Schema) -> Value:
        """Give the column's cells."""
        if self.name in schema:
            return values.column(self.name, schema[self.name])
        if self.name.lower() in {"null", "none", "nan", "na"}:
            raise DataServiceError(
                f"The expression uses {self.name} as a value: write 'is null' to ask whether a cell is missing."
            )
        raise DataServiceError(
            f"The column {self.name!r} in the expression does not exist (a text needs quotes): "
            f"{nearest(self.name, schema)}"
        )


@dataclass(frozen=True)
class Call(Node):
    """A function of the registry."""

    function: str
    parts: tuple[Node, ...]

    @property
    def name(self) -> str:
        """The call as written."""
        return f"{self.function}({', '.join(part.name for part in self.parts)})"

    def value(self, schema: Schema) -> Value:
        """Give what the function gives."""
        return FUNCTIONS[self.function].apply(self.operands(schema), self.name)


@dataclass(frozen=True)
class Arithmetic(Node):
    """A sum, difference, product or quotient; the difference of two dates is a number of days."""

    sign: str
    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the calculation"

    def value(self, schema: Schema) -> Value:
        """Give the result; what has none, such as a division by zero, is missing."""
        left, right = self.operands(schema)
        if {left.kind, right.kind, self.sign} == {Kind.DATE, "-"}:
            days = values.day_number(left.cells) - values.day_number(right.cells)
            return computed(Kind.NUMBER, days, left, right, name=self.name)
        left, right = (converted(each, Kind.NUMBER) for each in (left, right))
        result = _ARITHMETIC[self.sign](left.cells.cast(nw.Float64), right.cells.cast(nw.Float64))
        exists = result.is_finite().fill_null(value=False)  # some engines have no result where others have no number
        return computed(Kind.NUMBER, result, left, right, name=self.name, where=exists)


_ARITHMETIC: Mapping[str, Callable[[Any, Any], nw.Expr]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}

_COMPARISONS: Mapping[str, Callable[[Any, Any], nw.Expr]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def together(parts: Sequence[Value]) -> list[Value]:
    """Make values comparable: texts are read as what they are compared with.

    Raises:
        DataServiceError: If kinds do not go together.
    """
    kinds = {part.kind for part in parts} - {Kind.TEXT}
    if not kinds:
        return list(parts)
    kind = next(part.kind for part in parts if part.kind in kinds)
    return [converted(part, kind) for part in parts]


@dataclass(frozen=True)
class Comparison(Node):
    """Two values compared."""

    sign: str
    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the comparison"

    def value(self, schema: Schema) -> Value:
        """Give the condition; it is known where both values are."""
        left, right = together(self.operands(schema))
        if left.kind is Kind.BOOLEAN and self.sign not in {"==", "!="}:
            raise DataServiceError(f"In the expression, {left.name} is true or false and has no order: use == or !=.")
        return computed(Kind.BOOLEAN, _COMPARISONS[self.sign](left.cells, right.cells), left, right, name=self.name)


@dataclass(frozen=True)
class Membership(Node):
    """Whether a value is one of several constants."""

    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the list"

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        asked, *choices = self.operands(schema)
        if any(choice.constant is None for choice in choices):
            raise DataServiceError("The list after 'in' holds more than texts, numbers and dates: write them out.")
        asked, *choices = together([asked, *choices])
        cells, constants = asked.cells, [choice.constant_cell for choice in choices]
        if asked.kind is Kind.NUMBER and not (asked.whole and all(isinstance(each, int) for each in constants)):
            cells, constants = cells.cast(nw.Float64), [float(each) for each in constants]
        return computed(Kind.BOOLEAN, cells.is_in(constants), asked, name=self.name)


@dataclass(frozen=True)
class Range(Node):
    """Whether a value lies between two others, both included."""

    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the range"

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        asked, low, high = together(self.operands(schema))
        if asked.kind is Kind.BOOLEAN:
            raise DataServiceError(f"In the expression, {asked.name} is true or false and has no order: use == or !=.")
        within = (asked.cells >= low.cells) & (asked.cells <= high.cells)
        return computed(Kind.BOOLEAN, within, asked, low, high, name=self.name)


@dataclass(frozen=True)
class Match(Node):
    """Whether a text contains, starts with, ends with or looks like another."""

    matcher: str
    pattern: str
    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the match"

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        text = converted(self.operands(schema)[0], Kind.TEXT)
        return computed(Kind.BOOLEAN, MATCHERS[self.matcher](text.cells, self.pattern), text, name=self.name)


def _like(text: nw.Expr, pattern: str) -> nw.Expr:
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\[%_\\]|.", pattern, flags=re.DOTALL)
    regex = "".join(wild.get(part) or values.literal_pattern(part[-1]) for part in parts)
    return text.str.contains(rf"(?s)\A{regex}\z")


def _matches(text: nw.Expr, pattern: str) -> nw.Expr:
    check_pattern(pattern)
    return text.str.contains(rf"\A(?:{pattern})\z")


MATCHERS: Mapping[str, Callable[[nw.Expr, str], nw.Expr]] = {
    "contains": lambda text, part: text.str.contains(part, literal=True),
    "startswith": lambda text, part: text.str.starts_with(part),
    "endswith": lambda text, part: text.str.ends_with(part),
    "like": _like,
    "matches": _matches,
}
"""By name, in lower case."""


def check_pattern(pattern: str) -> None:
    """Refuse a regular expression that not every engine knows; those engines match in linear time.

    Raises:
        DataServiceError: If it is malformed or needs backtracking (look-around, back references).
    """
    try:
        for each in (pattern, rf"\A(?:{pattern})\z"):
            pl.Series([""]).str.contains(each)
            pc.match_substring_regex(pa.array([""]), each)
    except (pl.exceptions.PolarsError, pa.ArrowException):
        raise DataServiceError(
            f"The pattern {pattern!r} is no regular expression that can be matched in linear time: correct it, and use "
            "neither look-around nor back references."
        ) from None


@dataclass(frozen=True)
class IsNull(Node):
    """Whether a value is missing; always known."""

    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the question"

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        value = self.operands(schema)[0]
        return Value(Kind.BOOLEAN, value.missing, None, self.name, conversions=value.conversions)


@dataclass(frozen=True)
class IsEmpty(Node):
    """Whether a text is missing or only white space; always known."""

    parts: tuple[Node, ...]
    noun: ClassVar[str] = "the question"

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        value = self.operands(schema)[0]
        blank = value.missing
        if value.kind is Kind.TEXT:
            blank = blank | (value.cells.str.strip_chars(WHITESPACE) == nw.lit(""))
        return Value(Kind.BOOLEAN, blank, None, self.name, conversions=value.conversions)


@dataclass(frozen=True)
class Not(Node):
    """The opposite of a condition."""

    parts: tuple[Node, ...]

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        value = condition(self.parts[0].value(schema))
        return kleene(value.false, value.true, [value], self.name)


@dataclass(frozen=True)
class AllOf(Node):
    """Conditions that must all be met."""

    parts: tuple[Node, ...]

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        conditions = [condition(part.value(schema)) for part in self.parts]
        true = nw.all_horizontal(*(each.true for each in conditions), ignore_nulls=False)
        false = nw.any_horizontal(*(each.false for each in conditions), ignore_nulls=False)
        return kleene(true, false, conditions, self.name)


@dataclass(frozen=True)
class AnyOf(Node):
    """Conditions of which one must be met."""

    parts: tuple[Node, ...]

    def value(self, schema: Schema) -> Value:
        """Give the condition."""
        conditions = [condition(part.value(schema)) for part in self.parts]
        true = nw.any_horizontal(*(each.true for each in conditions), ignore_nulls=False)
        false = nw.all_horizontal(*(each.false for each in conditions), ignore_nulls=False)
        return kleene(true, false, conditions, self.name)


_EXAMPLES = {Kind.NUMBER: "18", Kind.DATE: 'date("2026-01-31")'}


def condition(value: Value) -> Value:
    """Refuse a value that is no condition.

    Raises:
        DataServiceError: If it is none.
    """
    if value.kind is not Kind.BOOLEAN:
        raise DataServiceError(
            f"In the expression, {value.name} is {value.kind.value} where a condition is expected: compare it, as in "
            f"'{value.name} == {_EXAMPLES.get(value.kind, 'true')}'."
        )
    return value
