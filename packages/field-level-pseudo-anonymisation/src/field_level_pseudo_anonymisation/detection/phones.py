"""Telephone numbers, judged by Google's numbering plans (the phonenumbers library)."""

import re
from collections.abc import Callable
from functools import partial

import phonenumbers
import polars as pl
from phonenumbers import PhoneNumber, PhoneNumberFormat

from field_level_pseudo_anonymisation.detection.context import alone, named, thing
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser, shortened
from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

_WORDS = naming(words("phone"))
_RIGHT_BEFORE = _WORDS + r"\p{L}*[^\p{L}0-9]{0,4}$"
_MONEY_OR_MEASURE = rf"(?i)^\s?(?:{words('money_or_measure')})"
_OTHER = (
    r"^[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{2}|[0-9]{4})(?:[^0-9./-]|$)"  # a date
    r"|^[0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}(?:[^0-9./-]|$)"
    r"|^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$"  # an IP address
    r"|^[0-9]{1,3}(?:[., ][0-9]{3})*,[0-9]{1,2}$"  # an amount
    r"|^[0-9]{1,3}\.[0-9]{4,}$"  # a decimal fraction
)
# Without the word for it, only a trunk prefix or the usual groups make a telephone number of a few digits.
_LIKELY = pl.col("value").str.contains(r"^\(?0|[ ()./–-]") & (pl.col("value").str.count_matches("[0-9]") <= 13)  # noqa: PLR2004
_NUMBER = r"[+(]{0,2}[0-9](?:[ ().\-/\x{a0}\x{202f}\x{2011}–]{0,3}[0-9]){5,15}"


def _numbers(regions: tuple[str, ...], found: pl.DataFrame) -> pl.DataFrame:
    candidates = found.filter(
        alone(),
        ~pl.col("value").str.contains(_OTHER),
        ~pl.col("after").str.contains(_MONEY_OR_MEASURE),
        ~pl.col("before").str.contains(r"(?:€|\$|£)\s?$"),
        ~thing(),
    )
    kinds: tuple[tuple[pl.Expr, float, Callable[[str], bool]], ...] = (
        (pl.col("before").str.contains(_RIGHT_BEFORE), 0.95, _is_dialled),
        (pl.col("value").str.contains(r"^\(?(?:\+|00)"), 0.95, _is_international),
        (named(_WORDS), 0.9, partial(_is_possible, regions)),
        (_LIKELY, 0.7, partial(_is_evident, regions)),
    )
    first = pl.coalesce(pl.when(which).then(number) for number, (which, *_) in enumerate(kinds))
    groups = candidates.with_columns(first.alias("kind")).partition_by("kind", as_dict=True)
    held = [
        shortened(check)(groups[number,]).drop("kind").with_columns(score=pl.lit(score))
        for number, (_, score, check) in enumerate(kinds)
        if (number,) in groups
    ]
    return pl.concat([found.clear().with_columns(score=pl.lit(0.0)), *held])


def _parsed(value: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None


def _is_international(value: str) -> bool:
    number = _parsed(re.sub(r"^(\(?)00", r"\1+", value), None)
    return number is not None and phonenumbers.is_possible_number(number)


def _is_dialled(value: str) -> bool:
    """Tell whether a number that stands right behind the word for one has as many digits as ITU-T E.164 allows."""
    return len(re.findall("[0-9]", value)) <= 15  # noqa: PLR2004


def _is_possible(regions: tuple[str, ...], value: str) -> bool:
    """Tell whether a number, called a telephone number, could be one: some are dialled before a plan knows them."""
    numbers = (_parsed(value, region) for region in regions)
    return any(number is not None and phonenumbers.is_possible_number(number) for number in numbers)


def _is_evident(regions: tuple[str, ...], value: str) -> bool:
    """Tell whether a number is assigned, and written like one: with a trunk prefix or in the usual groups."""
    for region in regions:
        number = _parsed(value, region)
        if number is None or not phonenumbers.is_valid_number_for_region(number, region):
            continue
        trunk = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True)
        grouped = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        if (trunk == "0" and value.lstrip("(").startswith("0")) or (not grouped.isdigit() and value == grouped):
            return True
    return False


def recognisers(language: Language) -> tuple[Recogniser, ...]:
    """Give the recogniser of telephone numbers: of the language's countries, or in international form."""
    return (
        Recogniser(
            Entity.PHONE_NUMBERS,
            value=_NUMBER,
            lead=r"^|[^0-9A-Za-z_.,/+@#&=-]|[^0-9A-Za-z][.:/]|\p{L}[.:]",
            hint=r"[0-9](?:[ ().\-/\x{a0}\x{202f}\x{2011}–]{0,3}[0-9]){5}",
            evidence=partial(_numbers, language.regions),
        ),
    )
