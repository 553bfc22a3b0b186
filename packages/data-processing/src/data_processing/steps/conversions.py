"""Converting text into whole numbers, decimals, truth values, dates."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw
import polars as pl

from data_processing.steps.dates import ISO, check_formats, date_reader
from data_processing.steps.readings import FAILURE, ON_FAILURE, Reading, converted
from data_processing.steps.selection import existing
from data_processing.steps.step import Inputs, Outcome, Step, choose, parameter, refuse
from util_services.errors import DataServiceError, nearest


@dataclass(frozen=True, kw_only=True)
class ConvertTypes(Step):
    """Converts columns of text into whole numbers, decimals, truth values, dates or times; or anything into text.

    Space around a cell does not matter. Whole numbers have 64 bits and may be written with a fraction of zeros;
    decimals are floating-point numbers of 64 bits.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import convert_types
        >>> frame = pd.DataFrame({"weight": ["1.070,5", "about 70"]})
        >>> result = convert_types(frame, types={"weight": "decimal"}, decimal_mark=",", thousands_mark=".")
        >>> result.frame["weight"].tolist(), result.rejects["rejected_because"].tolist()
        ([1070.5], ['weight is not a decimal number'])
    """

    name: ClassVar[str] = "convert_types"
    types: Mapping[str, str] = parameter("Type of each column: integer, decimal, boolean, date, datetime or text.")
    decimal_mark: str = parameter("Mark between whole part and fraction.", default=".")
    thousands_mark: str = parameter("Mark between groups of three digits; none if empty.", default="")
    date_formats: Sequence[str] = parameter("Formats of dates, such as %d.%m.%Y; tried in order.", default=(ISO,))
    datetime_formats: Sequence[str] = parameter(
        "Formats of dates with time; tried in order.", default=("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
    )
    true_values: Sequence[str] = parameter(
        "Texts that mean yes, whatever their case.", default=("true", "yes", "y", "1")
    )
    false_values: Sequence[str] = parameter(
        "Texts that mean no, whatever their case.", default=("false", "no", "n", "0")
    )
    on_failure: str = parameter(FAILURE, default="reject")

    def __post_init__(self) -> None:
        choose(self, "on_failure", self.on_failure, ON_FAILURE)
        check_formats(self, self.date_formats)
        check_formats(self, self.datetime_formats, with_time=True)
        if not self.types:
            raise refuse(self, "has nothing to convert: give the type of at least one column.")
        for type_ in self.types.values():
            if type_ not in TYPES:
                raise DataServiceError(
                    f"The type {type_!r} of the step {self.name} is unknown: {nearest(type_, TYPES)}"
                )
        marks = (self.decimal_mark, self.thousands_mark)
        if len(self.decimal_mark) != 1 or len(self.thousands_mark) > 1 or len(set(marks)) == 1:
            raise refuse(self, "needs a decimal_mark of one character and, if any, another thousands_mark.")
        if both := {text.lower() for text in self.true_values} & {text.lower() for text in self.false_values}:
            raise refuse(self, f"takes {min(both)!r} for yes and for no: leave it out of one of them.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Convert each cell."""
        readings = [self._reading(column) for column in existing(self, frame, self.types, "types")]
        return converted(self, frame, readings, self.on_failure, inputs.store)

    def _reading(self, column: str) -> Reading:
        kind = TYPES[self.types[column]]
        return Reading(column=column, dtype=kind.dtype, what=kind.what, read=lambda text: kind.read(text, self))


@dataclass(frozen=True, kw_only=True)
class Type:
    """A type that text can be converted into.

    Attributes:
        dtype: The Narwhals type.
        what: What a cell shall be, for messages.
        read: Gives the values of texts, missing where one is none of the type.
    """

    dtype: Any
    what: str
    read: Callable[[pl.Expr, ConvertTypes], pl.Expr]


def _integer(text: pl.Expr, step: ConvertTypes) -> pl.Expr:
    mark = re.escape(step.decimal_mark)
    plain = _matching(text, rf"[+-]?{_digits(step)}(?:{mark}0*)?").str.replace(rf"{mark}0*$", "")
    return _without_marks(plain, step).cast(pl.Int64, strict=False)


def _decimal(text: pl.Expr, step: ConvertTypes) -> pl.Expr:
    mark = re.escape(step.decimal_mark)
    plain = _matching(text, rf"[+-]?(?:{_digits(step)}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?")
    value = _without_marks(plain, step).str.replace(step.decimal_mark, ".", literal=True).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def _digits(step: ConvertTypes) -> str:
    grouped = rf"|[0-9]{{1,3}}(?:{re.escape(step.thousands_mark)}[0-9]{{3}})+" if step.thousands_mark else ""
    return f"(?:[0-9]+{grouped})"


def _without_marks(text: pl.Expr, step: ConvertTypes) -> pl.Expr:
    return text.str.replace_all(step.thousands_mark, "", literal=True) if step.thousands_mark else text


def _matching(text: pl.Expr, pattern: str) -> pl.Expr:
    return pl.when(text.str.contains(f"^(?:{pattern})$")).then(text)


def _boolean(text: pl.Expr, step: ConvertTypes) -> pl.Expr:
    folded = text.str.to_lowercase()
    yes, no = ([each.lower() for each in texts] for texts in (step.true_values, step.false_values))
    return pl.when(folded.is_in(yes)).then(pl.lit(value=True)).when(folded.is_in(no)).then(pl.lit(value=False))


def _datetime(text: pl.Expr, step: ConvertTypes) -> pl.Expr:
    return pl.coalesce(
        text.str.to_datetime(each, strict=False, time_unit="us", cache=False) for each in step.datetime_formats
    )


TYPES: Mapping[str, Type] = {
    "integer": Type(dtype=nw.Int64, what="a whole number of 64 bits", read=_integer),
    "decimal": Type(dtype=nw.Float64, what="a decimal number", read=_decimal),
    "boolean": Type(dtype=nw.Boolean, what="one of the texts for yes and no", read=_boolean),
    "date": Type(
        dtype=nw.Date, what="a date in a known format", read=lambda t, step: date_reader(step.date_formats)(t)
    ),
    "datetime": Type(dtype=nw.Datetime("us"), what="a date with time in a known format", read=_datetime),
    "text": Type(dtype=nw.String, what="text", read=lambda text, _: text),
}
"""What :class:`ConvertTypes` converts into, by name."""
