"""Values of an expression: the cells of a column, or what was computed of them, with what is known of each.

Every value is a pair of expressions without nulls, what a cell is and whether that is known, so that three-valued logic
is the same on every engine; engines disagree on what a comparison with a missing cell is.
"""

import datetime as dt
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import narwhals as nw

from util_services.errors import DataServiceError

WHITESPACE = "".join(map(chr, (*range(9, 14), *range(28, 33), 133, 160, 5760, *range(8192, 8203), 8232, 8233, 8239)))
WHITESPACE += "\u205f\u3000"
"""What trim takes away, the same on every engine: the characters that Unicode counts as white space."""

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DATE_FORMAT = "%Y-%m-%d"
_WIDTHS = {"%Y": 4, "%m": 2, "%d": 2}


class Kind(Enum):
    """What a cell is; the value is how messages call it."""

    TEXT = "a text"
    NUMBER = "a number"
    DATE = "a date"
    BOOLEAN = "a condition"


@dataclass(frozen=True)
class Conversion:
    """A text that an expression reads as something else.

    Attributes:
        column: The column, or the part of the expression, that is read.
        kind: As what.
        failed: Whether a cell is there but cannot be read so, and hence counts as missing; never null.
    """

    column: str
    kind: Kind
    failed: nw.Expr


@dataclass(frozen=True)
class Value:
    """What a part of an expression gives for each row.

    Attributes:
        kind: What it is; decides what can be done with it.
        cells: The value of each row, anything where it is not known; never null. Dates are numbers of
            eight digits, such as 20260131, so that engines need no date type.
        known: Whether the row has a value; never null. ``None``: every row has.
        name: The part of the expression, for messages.
        constant: The value itself where it is the same for every row.
        conversions: What was read as something else.
        whole: Whether the cells are integers, which are exact beyond 2**53.
        opposite: Of conditions combined with and, or, not: whether it is known not to be met; ``cells`` are whether it
            is known to be met. Both grow with the length of an expression, not exponentially with its depth.
    """

    kind: Kind
    cells: nw.Expr
    known: nw.Expr | None
    name: str
    constant: Any = None
    conversions: tuple[Conversion, ...] = ()
    whole: bool = False
    opposite: nw.Expr | None = None

    @property
    def true(self) -> nw.Expr:
        """Of a condition: whether it is known to be met."""
        return self.where(self.cells)

    @property
    def false(self) -> nw.Expr:
        """Of a condition: whether it is known not to be met."""
        return self.where(~self.cells) if self.opposite is None else self.opposite

    @property
    def present(self) -> nw.Expr:
        """Whether a row has a value."""
        return nw.lit(value=True) if self.known is None else self.known

    @property
    def missing(self) -> nw.Expr:
        """Whether a row has no value."""
        return nw.lit(value=False) if self.known is None else ~self.known

    @property
    def constant_cell(self) -> Any:
        """The constant as cells hold it."""
        return _cell(self.constant)

    def where(self, condition: nw.Expr) -> nw.Expr:
        """Restrict a condition to the rows that have a value."""
        return condition if self.known is None else condition & self.known


def constant(value: Any, name: str) -> Value:
    """Give a value that is the same for every row.

    Args:
        value: A text, number, truth value or date.
        name: How it is written.
    """
    kinds = {str: Kind.TEXT, bool: Kind.BOOLEAN, dt.date: Kind.DATE}
    kind = kinds.get(type(value), Kind.NUMBER)
    return Value(kind, nw.lit(_cell(value)), None, name, constant=value)


def _cell(value: Any) -> Any:
    return int(f"{value:%Y%m%d}") if isinstance(value, dt.date) else value


def column(name: str, dtype: Any) -> Value:
    """Give the cells of a column.

    Raises:
        DataServiceError: If expressions cannot use a column of such a type.
    """
    cells = nw.col(name)
    known = ~cells.is_null()
    for is_such, read in _COLUMN_TYPES:
        if is_such(dtype):
            return read(name, cells, known)
    raise DataServiceError(
        f"The column {name!r} has the type {dtype}, which an expression cannot use: name a column of texts, numbers, "
        "dates or truth values."
    )


def _text_column(name: str, cells: nw.Expr, known: nw.Expr) -> Value:
    return Value(Kind.TEXT, cells.cast(nw.String).fill_null(""), known, name)


def _boolean_column(name: str, cells: nw.Expr, known: nw.Expr) -> Value:
    return Value(Kind.BOOLEAN, cells.fill_null(value=False), known, name)


def _whole_column(name: str, cells: nw.Expr, known: nw.Expr) -> Value:
    return Value(Kind.NUMBER, cells.fill_null(0).cast(nw.Int64), known, name, whole=True)


def _decimal_column(name: str, cells: nw.Expr, known: nw.Expr) -> Value:
    numbers = cells.cast(nw.Float64).fill_null(0.0)
    finite = numbers.is_finite()
    return Value(Kind.NUMBER, nw.when(finite).then(numbers).otherwise(nw.lit(0.0)), known & finite, name)


def _date_column(name: str, cells: nw.Expr, known: nw.Expr) -> Value:
    year, month, day = (
        part.fill_null(1).cast(nw.Int64) for part in (cells.dt.year(), cells.dt.month(), cells.dt.day())
    )
    return Value(Kind.DATE, year * 10_000 + month * 100 + day, known, name)


_COLUMN_TYPES: tuple[tuple[Callable[[Any], bool], Callable[[str, nw.Expr, nw.Expr], Value]], ...] = (
    (lambda dtype: dtype in {nw.String, nw.Categorical, nw.Enum, nw.Object, nw.Unknown}, _text_column),
    (lambda dtype: dtype == nw.Boolean, _boolean_column),
    (lambda dtype: dtype.is_integer() and dtype not in {nw.UInt64, nw.Int128, nw.UInt128}, _whole_column),
    (lambda dtype: dtype.is_numeric(), _decimal_column),
    (lambda dtype: dtype in {nw.Date, nw.Datetime}, _date_column),
)


def merged(values: Iterable[Value]) -> tuple[Conversion, ...]:
    """Give the conversions of several values, each once."""
    found = {(each.column, each.kind): each for value in values for each in value.conversions}
    return tuple(found.values())


def all_known(values: Iterable[Value]) -> nw.Expr | None:
    """Tell which rows have all of several values."""
    parts = [value.known for value in values if value.known is not None]
    if len(parts) < 2:  # noqa: PLR2004 - nothing to combine
        return parts[0] if parts else None
    return nw.all_horizontal(*parts, ignore_nulls=False)


def computed(kind: Kind, cells: nw.Expr, *sources: Value, name: str, where: nw.Expr | None = None) -> Value:
    """Give a value that is known where its sources are, and where a condition holds."""
    known = all_known(sources)
    if where is not None:
        known = where if known is None else known & where
    return Value(kind, cells, known, name, conversions=merged(sources))


def kleene(true: nw.Expr, false: nw.Expr, sources: Iterable[Value], name: str) -> Value:
    """Give a condition of which it is told separately where it is met and where it is not."""
    return Value(Kind.BOOLEAN, true, None, name, conversions=merged(sources), opposite=false)


# Reading a text as something else


def converted(value: Value, kind: Kind) -> Value:
    """Read a value as another kind; a cell that cannot be read so counts as missing, and the conversion is noted.

    Raises:
        DataServiceError: If a constant cannot be read so, or kinds other than texts differ.
    """
    if value.kind is kind:
        return value
    if value.kind is not Kind.TEXT:
        raise DataServiceError(
            f"In the expression, {value.name} is {value.kind.value} where {kind.value} is expected: change one of them."
        )
    return _CONVERSIONS[kind](value)


def to_number(value: Value) -> Value:
    """Read texts as decimal numbers (``-1.5``, ``2e3``; white space around them does not matter)."""
    if value.constant is not None:
        text = value.constant.strip(WHITESPACE)
        number = float(text) if re.fullmatch(_NUMBER, text) else math.nan
        return _read_constant(value, Kind.NUMBER, number if math.isfinite(number) else None)
    text = value.cells.str.strip_chars(WHITESPACE)
    is_number = text.str.contains(rf"\A{_NUMBER}\z")
    numbers = nw.when(is_number).then(text).otherwise(nw.lit("0")).cast(nw.Float64)
    return _read(value, Kind.NUMBER, numbers, is_number & numbers.is_finite())


def to_boolean(value: Value) -> Value:
    """Read the texts ``true`` and ``false``, in any case."""
    if value.constant is not None:
        truth = {"true": True, "false": False}.get(value.constant.strip(WHITESPACE).lower())
        return _read_constant(value, Kind.BOOLEAN, truth)
    text = value.cells.str.strip_chars(WHITESPACE).str.to_lowercase()
    return _read(value, Kind.BOOLEAN, text == nw.lit("true"), text.is_in(["true", "false"]))


def to_date(value: Value, layout: str = _DATE_FORMAT) -> Value:
    """Read texts as dates of a fixed layout; a day that no calendar has counts as missing.

    Args:
        value: The texts.
        layout: ``%Y`` (four digits), ``%m`` and ``%d`` (two digits each), once each, and characters between them.

    Raises:
        DataServiceError: If the layout is another.
    """
    pattern, starts = _positions(layout)
    if value.constant is not None:
        return _read_constant(value, Kind.DATE, _as_date(value.constant.strip(WHITESPACE), pattern, starts))
    text = value.cells.str.strip_chars(WHITESPACE)
    exists = text.str.contains(rf"\A(?:{pattern})\z")
    usable = nw.when(exists).then(text).otherwise(nw.lit(_filled(layout)))
    return _read(value, Kind.DATE, _eight_digits(usable, starts), exists)


def _eight_digits(text: nw.Expr, starts: Mapping[str, int]) -> nw.Expr:
    separators = [part for part in starts if part not in _WIDTHS]
    if [part for part in starts if part in _WIDTHS] == list(_WIDTHS) and not any(map(str.isdigit, separators)):
        for separator in separators:
            text = text.str.replace_all(separator, "", literal=True)
        return text.cast(nw.Int64)  # year, month, day: the texts are evaluated once, not three times
    year, month, day = (text.str.slice(starts[part], width).cast(nw.Int64) for part, width in _WIDTHS.items())
    return year * 10_000 + month * 100 + day


# A date that exists is a matter of its digits alone, so one pass of a regular expression tells: the last alternative is
# the leap day.
_FOURTH = "0[48]|[2468][048]|[13579][26]"
_EXISTING = (
    {"%Y": "[0-9]{4}", "%m": "(?:0[13578]|1[02])", "%d": "(?:0[1-9]|[12][0-9]|3[01])"},
    {"%Y": "[0-9]{4}", "%m": "(?:0[469]|11)", "%d": "(?:0[1-9]|[12][0-9]|30)"},
    {"%Y": "[0-9]{4}", "%m": "02", "%d": "(?:0[1-9]|1[0-9]|2[0-8])"},
    {"%Y": f"(?:[0-9]{{2}}(?:{_FOURTH})|(?:{_FOURTH})00)", "%m": "02", "%d": "29"},
)


@functools.cache
def _positions(layout: str) -> tuple[str, dict[str, int]]:
    """Give the pattern of the dates in a layout, and where their parts start."""
    parts = re.findall(r"%.|[^%]", layout, flags=re.DOTALL)
    if "".join(parts) != layout or sorted(part for part in parts if part.startswith("%")) != sorted(_WIDTHS):
        raise DataServiceError(
            f"The date format {layout!r} is not one that an expression can read: give %Y, %m and %d, once each, with "
            "the characters between them."
        )
    starts, position = {}, 0
    for part in parts:
        starts[part] = position
        position += _WIDTHS.get(part, 1)
    patterns = ("".join(digits.get(part) or literal_pattern(part) for part in parts) for digits in _EXISTING)
    return "|".join(patterns), starts


def _filled(layout: str) -> str:
    return layout.replace("%Y", "2000").replace("%m", "01").replace("%d", "01")


def _as_date(text: str, pattern: str, starts: Mapping[str, int]) -> dt.date | None:
    if not re.fullmatch(pattern, text):
        return None
    year, month, day = (int(text[starts[part] : starts[part] + width]) for part, width in _WIDTHS.items())
    return dt.date(year, month, day) if year else None


def day_number(date: nw.Expr) -> nw.Expr:
    """Number the days of the proleptic Gregorian calendar, as :meth:`datetime.date.toordinal` does.

    The year is taken to start in March, so that the leap day is its last (E. G. Richards, Calendars, in: Explanatory
    Supplement to the Astronomical Almanac, 2013, ch. 15).

    Args:
        date: Dates as numbers of eight digits, such as 20260131.
    """
    year, month, day = date // 10_000, date // 100 - date // 10_000 * 100, date - date // 100 * 100
    months = year * 12 + month - 3
    years = months // 12
    days = ((months - years * 12) * 153 + 2) // 5 + day
    return years * 365 + years // 4 - years // 100 + years // 400 + days - 306


def literal_pattern(text: str) -> str:
    r"""Give a regular expression, in the dialect that all engines share, for a text as it is.

    Examples:
        >>> literal_pattern("a.b")
        'a\\.b'
    """
    return "".join(f"\\{each}" if each in r"\.+*?()|[]{}^$#&-~" else each for each in text)


_CONVERSIONS: Mapping[Kind, Callable[[Value], Value]] = {
    Kind.NUMBER: to_number,
    Kind.DATE: to_date,
    Kind.BOOLEAN: to_boolean,
}


def _read(value: Value, kind: Kind, cells: nw.Expr, succeeded: nw.Expr) -> Value:
    conversion = Conversion(value.name, kind, value.where(~succeeded))
    conversions = (*value.conversions, conversion)
    return replace(value, kind=kind, cells=cells, known=value.where(succeeded), conversions=conversions)


def _read_constant(value: Value, kind: Kind, read: Any) -> Value:
    if read is None:
        raise DataServiceError(
            f"In the expression, a text stands where {kind.value} is expected: write {_WRITE[kind]}."
        )
    return constant(read, value.name)


_WRITE = {
    Kind.NUMBER: "one such as 18 or 1.5",
    Kind.DATE: 'one such as date("2026-01-31")',
    Kind.BOOLEAN: "true or false",
}
