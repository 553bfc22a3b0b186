"""Functions that an expression may call: one definition each; a name that is not here cannot be called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import narwhals as nw

from data_processing.expressions.values import WHITESPACE, Kind, Value, computed, converted, to_date, to_number
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class Function:
    """A function of cells of the same row.

    Attributes:
        usage: How it is called, for messages and the manual.
        meaning: What it gives, for the manual.
        arguments: Least and largest number of arguments.
        apply: Gives its value; the last argument is the part of the expression, for messages.
    """

    usage: str
    meaning: str
    arguments: tuple[int, int]
    apply: Callable[[Sequence[Value], str], Value]


def _of_text(change: Callable[[nw.Expr], nw.Expr], kind: Kind = Kind.TEXT) -> Callable[[Sequence[Value], str], Value]:
    def apply(arguments: Sequence[Value], name: str) -> Value:
        text = converted(arguments[0], Kind.TEXT)
        return computed(kind, change(text.cells), text, name=name)

    return apply


def _of_number(change: Callable[[nw.Expr], nw.Expr]) -> Callable[[Sequence[Value], str], Value]:
    def apply(arguments: Sequence[Value], name: str) -> Value:
        number = converted(arguments[0], Kind.NUMBER)
        return computed(Kind.NUMBER, change(number.cells), number, name=name)

    return apply


def _number(arguments: Sequence[Value], name: str) -> Value:
    del name
    return arguments[0] if arguments[0].kind is Kind.NUMBER else to_number(converted(arguments[0], Kind.TEXT))


def _date(arguments: Sequence[Value], name: str) -> Value:
    value, *layouts = arguments
    if value.kind is Kind.DATE and not layouts:
        return value
    text = converted(value, Kind.TEXT)
    if not layouts:
        return to_date(text)
    if not isinstance(layouts[0].constant, str):
        raise DataServiceError(f'In the expression, the format in {name} is no text: write one such as "%d.%m.%Y".')
    return to_date(text, layouts[0].constant)


def _coalesce(arguments: Sequence[Value], name: str) -> Value:
    first, second = arguments
    second = converted(second, first.kind)
    if first.known is None:
        return first
    cells = nw.when(first.known).then(first.cells).otherwise(second.cells)
    known = None if second.known is None else first.known | second.known
    merged = computed(first.kind, cells, first, second, name=name)
    return Value(first.kind, cells, known, name, conversions=merged.conversions)


_LENGTH = _of_text(lambda text: text.str.len_chars().cast(nw.Int64), Kind.NUMBER)

FUNCTIONS: Mapping[str, Function] = {
    "number": Function("number(x)", "the text x as a number", (1, 1), _number),
    "date": Function(
        'date(x) or date(x, "%d.%m.%Y")',
        "the text x as a date, written 2026-01-31 or in the format given",
        (1, 2),
        _date,
    ),
    "len": Function("len(x)", "number of characters of x", (1, 1), _LENGTH),
    "length": Function("length(x)", "the same as len", (1, 1), _LENGTH),
    "trim": Function(
        "trim(x)", "x without white space around it", (1, 1), _of_text(lambda text: text.str.strip_chars(WHITESPACE))
    ),
    "lower": Function("lower(x)", "x in lower case", (1, 1), _of_text(lambda text: text.str.to_lowercase())),
    "upper": Function("upper(x)", "x in upper case", (1, 1), _of_text(lambda text: text.str.to_uppercase())),
    "abs": Function("abs(x)", "the number x without its sign", (1, 1), _of_number(lambda number: number.abs())),
    "coalesce": Function("coalesce(x, y)", "x, or y where x is missing", (2, 2), _coalesce),
}
"""By name, in lower case."""
