"""Hierarchies of numbers and of ordered values."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import field_validator, model_validator

from dataframe_level_anonymisation.hierarchies.hierarchy import Labels
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read, misfits, star, text

_REMEDY = "clean the column first or give it another hierarchy"
_MOST_DIGITS = 30


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
        levels: list[Labels] = [[self._label(each, width) for each in known] for width in self.widths]
        return [*levels, star(values)]

    def _label(self, value: Decimal, width: Decimal) -> str:
        if self.bottom is not None and value < self.bottom:
            return f"< {plain(self.bottom)}"
        if self.top is not None and value >= self.top:
            return f">= {plain(self.top)}"
        steps = (value - self.anchor) // width  # towards zero
        start = self.anchor + steps * width
        if start > value:
            start -= width
        end = start + width
        if self.bottom is not None:
            start = max(start, self.bottom)
        if self.top is not None:
            end = min(end, self.top)
        return f"[{plain(start)}, {plain(end)})"


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
    return read if read.is_finite() and -_MOST_DIGITS <= read.adjusted() <= _MOST_DIGITS else None


def plain(value: Decimal) -> str:
    """Write a number without exponent and trailing zeros.

    Examples:
        >>> plain(Decimal("1E+2")), plain(Decimal("0.10")), plain(Decimal("-0"))
        ('100', '0.1', '0')
    """
    return format(value.normalize() + 0, "f")


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
