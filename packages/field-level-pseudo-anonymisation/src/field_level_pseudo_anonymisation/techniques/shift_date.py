"""Shift date: dates moved by a number of days that only the key tells, the same for all dates of a person if wished."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.pseudorandom import pseudorandom
from field_level_pseudo_anonymisation.techniques.technique import RowTechnique, RowTransform, Scope
from util_services.errors import DataServiceError

_MOST_DAYS = 36_525  # a century
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
_ISO = rf"^(?<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?<rest>{_TIME})$"
_ISO_DAY = "%Y-%m-%d"
_PROBE = dt.datetime(2001, 2, 3, 16, 5, 6)  # noqa: DTZ001 - any day and time whose parts all differ
_FIRST, _LAST = dt.date(1, 1, 1), dt.date(9999, 12, 31)


@dataclass(frozen=True)
class ShiftDate(RowTechnique):
    """Move dates by 1 to ``max_days`` days forth or back; the time of day and the way of writing stay.

    With an owner, all dates of one person move alike in every column and table that has this owner column, so that the
    days between them stay true. Without one, each date moves by itself, equal ones alike unless randomised.

    Attributes:
        key_name: The stored key.
        max_days: Largest shift in days, 1 to 36,525.
        owner: Column that tells whose date it is, such as a patient number.
        formats: How dates are written, as ``strftime`` directives; the first that writes a value exactly as it stands
            counts. Default ISO 8601 dates, also with a time of day, which stays as it stands.
        policy: deterministic; document_randomised: shifts are drawn anew in each run; randomised: for each cell.
        key_version: Version of the stored key, to move as before a rotation; default the newest.

    Raises:
        DataServiceError: If a parameter is none of the valid ones.

    References:
        G. Hripcsak et al., "Preserving temporal relations in clinical data while maintaining privacy", Journal of the
        American Medical Informatics Association 23 (2016), section "Shift and truncate".
    """

    name: ClassVar[str] = "shift_date"
    key_name: str
    max_days: int
    owner: str | None = None
    formats: Sequence[str] = ()
    policy: Policy = Policy.DETERMINISTIC
    key_version: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_days <= _MOST_DAYS:
            raise DataServiceError(
                f"The max_days {self.max_days} of shift_date is not in 1 to {_MOST_DAYS:,}: give one."
            )
        for pattern in self.formats:
            if not _tells_the_day(pattern):
                raise DataServiceError(
                    f"The date format {pattern!r} of shift_date does not tell year, month and day: give one such as "
                    "'%d.%m.%Y' or '%Y-%m-%d %H:%M'."
                )

    @property
    def companions(self) -> tuple[str, ...]:
        """The owner's column, if there is one."""
        return () if self.owner is None else (self.owner,)

    @property
    def linkable(self) -> bool:
        """Equal dates move alike, unless it depends on the owner or is randomised."""
        return self.owner is None and self.policy.linkable

    def transform_rows(self, scope: Scope) -> RowTransform:
        """Fetch the key and give the function that moves dates.

        Returns:
            Raises a :class:`DataServiceError` with their count if some texts are no dates, or have no owner.

        Raises:
            DataServiceError: If the key is missing.
        """
        field = scope.field if self.owner is None else f"of owner\0{self.owner}"
        subkey = scope.keys.key(self.key_name).subkey(self.name, field, version=self.key_version)
        draw = pseudorandom(self.policy, subkey, scope.run_salt)

        def shifted(texts: pl.Series, companions: pl.DataFrame) -> pl.Series:
            owners = texts if self.owner is None else self._owners(companions, scope.field)
            rows = pl.DataFrame([texts.alias("text"), self._days(draw(owners)).alias("days")])
            moved = rows.select(pl.coalesce(self._written())).to_series().alias(texts.name)
            if wrong := moved.null_count():
                how = f"in {' or '.join(map(repr, self.formats))}" if self.formats else "as YYYY-MM-DD (ISO 8601)"
                raise DataServiceError(
                    f"At least {wrong:,} values of {scope.field!r} are not dates {how} that stay within the years 1 to "
                    "9999: clean them first, or give their formats."
                )
            return moved

        return shifted

    def _owners(self, companions: pl.DataFrame, field: str) -> pl.Series:
        owners = companions.to_series()
        if missing := owners.null_count():
            raise DataServiceError(
                f"At least {missing:,} values of {field!r} have no owner in the column {self.owner!r}: fill that "
                "first, or leave out owner."
            )
        return owners

    def _days(self, drawn: pl.Series) -> pl.Series:
        """Map numbers to −max_days to −1 and 1 to max_days."""
        ahead = drawn % (2 * self.max_days) - self.max_days
        return ahead + (ahead >= 0).cast(pl.Int64)

    def _written(self) -> list[pl.Expr]:
        if self.formats:
            return [_moved(pl.col("text"), pattern) for pattern in self.formats]
        parts = pl.col("text").str.extract_groups(_ISO)
        return [_moved(parts.struct.field("day"), _ISO_DAY) + parts.struct.field("rest")]


def _moved(text: pl.Expr, pattern: str) -> pl.Expr:
    """Move dates; missing where a text is not written in that very pattern, or the new date cannot be."""
    moment = _parsed(text, pattern)
    moved = moment + pl.duration(days=pl.col("days"))
    valid = (moment.dt.strftime(pattern) == text) & moved.dt.date().is_between(_FIRST, _LAST)
    return pl.when(valid).then(moved.dt.strftime(pattern))


def _parsed(text: pl.Expr, pattern: str) -> pl.Expr:
    if _tells_the_time(pattern):
        return text.str.to_datetime(pattern, strict=False, time_unit="us", cache=False)
    return text.str.to_date(pattern, strict=False, cache=False)


def _tells_the_time(pattern: str) -> bool:
    midnight = _PROBE.replace(hour=0, minute=0, second=0)
    return _PROBE.strftime(pattern) != midnight.strftime(pattern)


def _tells_the_day(pattern: str) -> bool:
    try:
        probe = pl.Series([_PROBE]).dt.strftime(pattern)
        parsed = probe.to_frame().select(_parsed(pl.first(), pattern).dt.date()).item()
    except (pl.exceptions.PolarsError, ValueError):
        return False
    return bool(parsed == _PROBE.date())
