"""Hierarchies of dates."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from dataframe_level_anonymisation.hierarchies.hierarchy import Labels
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read, misfits, star

Level = Literal["day", "week", "month", "quarter", "year", "decade"]

_LABELS: dict[Level, Callable[[date], str]] = {
    "day": lambda day: day.isoformat(),
    "week": lambda day: "{}-W{:02}".format(*day.isocalendar()),
    "month": lambda day: f"{day.year:04}-{day.month:02}",
    "quarter": lambda day: f"{day.year:04}-Q{(day.month + 2) // 3}",
    "year": lambda day: f"{day.year:04}",
    "decade": lambda day: f"{day.year // 10 * 10:04}s",
}


class Dates(Kind):
    """Truncated dates: ``2026-11-23``, ``2026-W48``, ``2026-11``, ``2026-Q4``, ``2026``, ``2020s``, then ``*``.

    Texts are read as ISO 8601, or as ``format`` says in the directives of ``strptime``.
    """

    example: ClassVar[str] = '{dates: {levels: [month, quarter, year, decade], format: "%d.%m.%Y"}}'

    levels: tuple[Level, ...] = ("month", "quarter", "year", "decade")
    format: str | None = None

    @model_validator(mode="after")
    def _nested(self) -> "Dates":
        order = list(_LABELS)
        if not self.levels or list(self.levels) != sorted(set(self.levels), key=order.index):
            raise ValueError(f"levels needs some of {', '.join(order)}, in this order")
        if "week" in self.levels and self.levels[-1] != "week":
            raise ValueError("a week may lie in two months or years, so that week can only be followed by *")
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        days = [self._day(value) for value in values]
        if wrong := days.count(None):
            written = f"in the format {self.format!r}" if self.format else "as in 2026-11-23"
            raise misfits(column, wrong, f"dates {written}", "give the true format, or clean the column first")
        levels: list[Labels] = [[_LABELS[level](day) for day in days if day] for level in self.levels]
        return [*levels, star(values)]

    def _day(self, value: Any) -> date | None:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        try:
            if self.format:
                return datetime.strptime(str(value), self.format).date()  # noqa: DTZ007 - only the day matters
            return datetime.fromisoformat(str(value).strip()).date()
        except ValueError:
            return None
