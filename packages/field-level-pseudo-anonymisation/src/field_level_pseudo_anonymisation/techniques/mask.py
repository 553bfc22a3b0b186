"""Mask: some characters of a value stay, the others are covered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform
from util_services.errors import DataServiceError, nearest

_COVERABLE = r"[^ \-./]"  # all but what stands between the groups of a number
_SHORTEST_CARD = 12  # digits; ISO/IEC 7812


@dataclass(frozen=True)
class Mask(Technique):
    """Cover all characters but the first and last few, one by one, so that the length stays.

    A value with no more characters than may stay is covered whole. Characters are Unicode code points.

    Attributes:
        keep_first: Characters that stay at the start.
        keep_last: Characters that stay at the end.
        character: What covers the others.
        preset: ``email`` keeps the first character and the domain; ``card`` keeps the last four digits, spaces,
            ``-``, ``.`` and ``/``. What does not look like one is covered whole. Goes without ``keep_first`` and
            ``keep_last``.

    Raises:
        DataServiceError: If a parameter is none of the valid ones.

    Examples:
        >>> from field_level_pseudo_anonymisation.techniques.technique import Scope
        >>> masked = Mask(keep_last=2).transform(Scope("phone", None))
        >>> masked(pl.Series(["0171 234", "17", ""])).to_list()
        ['******34', '**', '']
    """

    name: ClassVar[str] = "mask"
    keep_first: int = 0
    keep_last: int = 0
    character: str = "*"
    preset: str | None = None

    def __post_init__(self) -> None:
        if len(self.character) != 1:
            raise DataServiceError(
                f"The character {self.character!r} of mask is not one character: give one, such as '*'."
            )
        for parameter, kept in (("keep_first", self.keep_first), ("keep_last", self.keep_last)):
            if kept < 0:
                raise DataServiceError(f"The {parameter} {kept} of mask is negative: give 0 or more.")
        if self.preset is None:
            return
        if self.preset not in PRESETS:
            raise DataServiceError(f"The preset {self.preset!r} of mask is unknown: {nearest(self.preset, PRESETS)}")
        if self.keep_first or self.keep_last:
            raise DataServiceError(
                f"The preset {self.preset!r} of mask tells what stays: leave out keep_first and keep_last."
            )

    @property
    def linkable(self) -> bool:
        """Equal values get equal masks; so may different ones."""
        return True

    def transform(self, scope: Scope) -> Transform:
        """Give the function that masks texts."""
        del scope
        if self.preset:
            preset = PRESETS[self.preset](pl.first(), self.character)
            return lambda texts: texts.to_frame().select(preset).to_series()
        return self._ends

    def _ends(self, texts: pl.Series) -> pl.Series:
        rows = texts.to_frame().select(text=pl.first(), length=pl.first().str.len_chars().cast(pl.Int64))
        text, length, kept = pl.col("text"), pl.col("length"), self.keep_first + self.keep_last
        longest = rows.select(length.max().fill_null(0)).item()
        cover = pl.lit(self.character * longest).str
        seen = text.str.head(self.keep_first) + cover.head(length - kept) + text.str.tail(self.keep_last)
        masked = pl.when(length > kept).then(seen).otherwise(cover.head(length))
        return rows.select(masked).to_series().alias(texts.name)


def _covered(text: pl.Expr, character: str, pattern: str = "(?s).") -> pl.Expr:
    return text.str.replace_all(pattern, "$$" if character == "$" else character)


def _email(text: pl.Expr, character: str) -> pl.Expr:
    parts = text.str.extract_groups(r"(?s)^(?<first>[^@])(?<rest>[^@]*)(?<domain>@[^@]+)$")
    first, rest, domain = (parts.struct.field(part) for part in ("first", "rest", "domain"))
    start = pl.when(rest == "").then(_covered(first, character)).otherwise(first)
    return (start + _covered(rest, character) + domain).fill_null(_covered(text, character))


def _card(text: pl.Expr, character: str) -> pl.Expr:
    long_enough = text.str.count_matches("[0-9]") >= _SHORTEST_CARD
    parts = text.str.extract_groups(r"(?s)^(?<rest>.*?)(?<last>(?:[0-9][ \-./]*){4})$")
    seen = _covered(parts.struct.field("rest"), character, _COVERABLE) + parts.struct.field("last")
    return pl.when(long_enough).then(seen).fill_null(_covered(text, character, _COVERABLE))


PRESETS: Mapping[str, Callable[[pl.Expr, str], pl.Expr]] = {"email": _email, "card": _card}
"""For each preset, how it masks a text with a character."""
