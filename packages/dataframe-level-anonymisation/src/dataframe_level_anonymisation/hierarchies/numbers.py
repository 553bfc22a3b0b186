"""Hierarchies of numbers and of ordered values."""

from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import field_validator, model_validator

from dataframe_level_anonymisation.hierarchies.hierarchy import Labels
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read, misfits, star, text

_REMEDY = "clean the column first or give it another hierarchy"
_MOST_DIGITS = 30  # before and after the point
_EXACT = Context(prec=200)


class Intervals(Kind):
    """Half-open intervals of growing widths such as ``[20, 30)``; numbers below ``bottom`` and from ``top`` on are one
    group each."""  # noqa: D205, D209 - one sentence

    example: ClassVar[str] = "{intervals: {widths: [5, 10, 20], anchor: 0, bottom: 18, top: 90}}"

    widths: tuple[Decimal, ...]
    anchor: Decimal = Decimal(0)
    bottom: Decimal | None = None
    top: Decimal | None = None

    @field_validator("widths", "anchor", "bottom", "top", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        """Take 0.1 for what is written, not for its binary neighbour."""
        if isinstance(value, list | tuple):
            return [cls._as_written(each) for each in value]
        return str(value) if isinstance(value, float) else value

    @model_validator(mode="after")
    def _nested(self) -> "Intervals":
        if not self.widths or min(self.widths) <= 0:
            raise ValueError("widths needs at least one number above 0")
        for finer, coarser in pairwise(self.widths):
            if coarser % finer or coarser == finer:
                raise ValueError(f"each width must be a multiple of the one before, and {coarser} is none of {finer}")
        if self.bottom is not None and self.top is not None and self.bottom >= self.top:
            raise ValueError(f"bottom must be below top, and {self.bottom} is not below {self.top}")
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        numbers = [number(value) for value in values]
        if wrong := numbers.count(None):
            raise misfits(column, wrong, "numbers", _REMEDY)
        known = [each for each in numbers if each is not None]
        # As whole numbers of the smallest unit, since these are exact and quick.
        parameters = [each for each in (*self.widths, self.anchor, self.bottom, self.top) if each is not None]
        decimals = max((max(-_exponent(each), 0) for each in [*parameters, *known]), default=0)
        units = [_units(each, decimals) for each in known]
        levels: list[Labels] = [self._level(units, _units(width, decimals), decimals) for width in self.widths]
        return [*levels, star(values)]

    def _level(self, units: Sequence[int], width: int, decimals: int) -> Labels:
        anchor = _units(self.anchor, decimals)
        bottom, top = (None if end is None else _units(end, decimals) for end in (self.bottom, self.top))
        labels: dict[int, str] = {}

        def label(number: int) -> str:
            if bottom is not None and number < bottom:
                return f"< {_written(bottom, decimals)}"
            if top is not None and number >= top:
                return f">= {_written(top, decimals)}"
            step = (number - anchor) // width
            if step not in labels:
                start, end = anchor + step * width, anchor + (step + 1) * width
                start = start if bottom is None else max(start, bottom)
                end = end if top is None else min(end, top)
                labels[step] = f"[{_written(start, decimals)}, {_written(end, decimals)})"
            return labels[step]

        return [label(each) for each in units]


AGE = Intervals(widths=(Decimal(5), Decimal(10), Decimal(20), Decimal(100)))


def number(value: Any) -> Decimal | None:
    """Read a value as a finite number of at most 30 digits before or after the point; ``None`` if it is none.

    Examples:
        >>> number(" 25.50"), number("25 years"), number("inf")
        (Decimal('25.50'), None, None)
    """
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        return None
    if not read.is_finite() or read.adjusted() > _MOST_DIGITS or _exponent(read) < -_MOST_DIGITS:
        return None
    return read


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _units(value: Decimal, decimals: int) -> int:
    return int(_EXACT.scaleb(value, decimals))


def _written(units: int, decimals: int) -> str:
    """Write a number of units without exponent and trailing zeros."""
    value = _EXACT.scaleb(Decimal(units), -decimals)
    return format(value.normalize(_EXACT), "f") if units else "0"


class OrderedGroups(Kind):
    """So many neighbouring values a group, ``[first, last]``: numbers by size if all are numbers, else by text.

    The labels name values of the data, and the groups depend on which values occur.
    """

    example: ClassVar[str] = "{ordered_groups: {sizes: [3, 9]}}"

    sizes: tuple[int, ...]

    @model_validator(mode="after")
    def _nested(self) -> "OrderedGroups":
        if not self.sizes or min(self.sizes) < 2:  # noqa: PLR2004 - a group of one is the value itself
            raise ValueError("sizes needs at least one whole number from 2")
        for finer, coarser in pairwise(self.sizes):
            if coarser % finer or coarser == finer:
                raise ValueError(f"each size must be a multiple of the one before, and {coarser} is none of {finer}")
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del column, read
        numbers = [number(value) for value in values]
        if None in numbers:
            order = sorted(range(len(values)), key=lambda position: text(values[position]))
        else:
            order = sorted(range(len(values)), key=lambda position: (numbers[position] or 0, text(values[position])))
        levels = []
        for size in self.sizes:
            level: Labels = [None] * len(values)
            for start in range(0, len(order), size):
                members = order[start : start + size]
                label = f"[{text(values[members[0]])}, {text(values[members[-1]])}]"
                for member in members:
                    level[member] = label
            levels.append(level)
        return [*levels, star(values)]
