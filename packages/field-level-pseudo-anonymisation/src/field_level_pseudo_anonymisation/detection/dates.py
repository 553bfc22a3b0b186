"""Dates, and those that are dates of birth by the words around them."""

import re
from collections.abc import Iterator

import polars as pl
from babel import Locale

from field_level_pseudo_anonymisation.detection.context import before, thing
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser
from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

_BORN = naming(words("birth"))
_BORN_BEHIND = rf"(?i)^[\s,(（]{{0,3}}(?:{words('birth_behind')})"
_STAR = r"(?:^|[\s(,;])\*\s?$"

_DAY, _MONTH, _YEAR = "(?:[12][0-9]|3[01]|0?[1-9])", "(?:1[0-2]|0?[1-9])", "(?:1[89]|20)[0-9]{2}"
_NUMERIC = "|".join(
    [
        *(rf"{_YEAR}{sign}{_MONTH}{sign}{_DAY}" for sign in (r"-", r"/", r"\. ?")),
        *(
            rf"(?:{_DAY}{sign}{_MONTH}|{_MONTH}{sign}{_DAY}){sign}(?:{_YEAR}|'?[0-9]{{2}})"
            for sign in (r"-", r"/", r"\. ?", " ")
        ),
        rf"{_DAY}/{_MONTH} {_YEAR}",
        rf"{_YEAR} ?年 ?{_MONTH} ?月(?: ?{_DAY} ?[日号])?",
        rf"{_MONTH} ?月 ?{_DAY} ?[日号]",
    ]
)
_ORDINAL = "(?:st|nd|rd|th|er|ère|ª|º|°|-?го|-?ο)?"
_OF = r"(?: ?[.,-] ?| (?:de |of |din |del )?)"
_SHORTEST_WITHOUT_YEAR = 4  # letters; "1 may" says little


def _any_of(months: list[str]) -> str:
    return f"(?i:{'|'.join(map(re.escape, months))})"


def _in_words(months: list[str]) -> str:
    any_month = _any_of(months)
    long_month = _any_of([month for month in months if len(month) >= _SHORTEST_WITHOUT_YEAR])
    return "|".join(
        [
            rf"{_DAY}{_ORDINAL}{_OF}{any_month}{_OF}(?:{_YEAR}|'[0-9]{{2}})",
            rf"{any_month}\.? {_DAY}{_ORDINAL},? {_YEAR}",
            rf"{_YEAR}(?: ?m\.)? {any_month} {_DAY}(?: ?d\.)?",
            rf"{_DAY}{_ORDINAL}\.?(?: de | of | ){long_month}",
            rf"{long_month} {_DAY}{_ORDINAL}",
        ]
    )


def _months(code: str) -> Iterator[str]:
    """Give the names of months (CLDR's, by Babel), as in dates and alone, in full and abbreviated."""
    forms = Locale.parse(code).months
    for use in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            yield from (name.rstrip(".") for name in forms[use][width].values() if name[0].isalpha())


def _dates(found: pl.DataFrame) -> pl.DataFrame:
    alone = ~pl.col("after").str.contains(r"^(?:[\p{L}0-9_--\p{Han}]|[./,:-][0-9])")
    dates = found.filter(alone, ~thing() | pl.col("value").str.contains("[0-9]{4}"))
    said_before = before().str.contains(_BORN) | pl.col("before").str.contains(_STAR)
    births = dates.filter(said_before | pl.col("after").str.contains(_BORN_BEHIND))
    kinds = ((dates, Entity.DATE, 0.8), (births, Entity.DATE_OF_BIRTH, 0.95))
    return pl.concat(
        frame.with_columns(pl.lit(str(entity)).alias("entity"), pl.lit(score).alias("score"))
        for frame, entity, score in kinds
    )


def recognisers(language: Language) -> tuple[Recogniser, ...]:
    """Give the recognisers of dates: in figures, and in words of the language and of English."""
    lead = r"^|[^0-9A-Za-z_.,/-]|[^0-9][.,-]"
    months = sorted({*_months(language.months), *_months("en")}, key=lambda month: (-len(month), month))
    forms = {_NUMERIC: r"[0-9][-/.年月 ]", _in_words(months): _any_of(months)}
    return tuple(
        Recogniser(Entity.DATE, value=form, lead=lead, hint=hint, evidence=_dates, finer=(Entity.DATE_OF_BIRTH,))
        for form, hint in forms.items()
    )
