"""Payment cards and bank accounts."""

import re

import polars as pl
from stdnum import iban, luhn

from field_level_pseudo_anonymisation.detection.context import alone, named, thing
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser, passes, shortened
from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

# Issuer identification numbers and lengths (ISO/IEC 7812), as the networks publish them.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:36|38|39|30[0-5]\d)\d{12}|30[0-5]\d{11}"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12,15}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"  # Maestro
    r"|62\d{14,17}"  # UnionPay
    r"|220[0-4]\d{12,15}"  # Mir
)
_WORDS = naming(words("card"))


def is_card(value: str) -> bool:
    """Tell whether a number could be of a payment card: Luhn's check digit and an issuer's prefix and length.

    Examples:
        >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112"), is_card("9111 1111 1111 1113")
        (True, False, False)
    """
    digits = re.sub("[ -]", "", value)
    return bool(_ISSUERS.fullmatch(digits)) and len(set(digits)) > 1 and luhn.is_valid(digits)


def _cards(found: pl.DataFrame) -> pl.DataFrame:
    rest = found.filter(alone(), ~thing())
    rest = rest.filter(passes(rest["value"], is_card))
    return rest.with_columns(score=pl.when(named(_WORDS)).then(0.99).otherwise(0.9))


CARD = Recogniser(
    Entity.CREDIT_CARD, value=r"[1-9][0-9]{3}(?:[ -]?[0-9]){8,15}", lead=r"^|[^0-9A-Za-z_+.,/-]", evidence=_cards
)

IBAN = Recogniser(
    Entity.IBAN,
    value=r"[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?",
    lead=r"^|[^0-9A-Za-z_]",
    hint="[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}",
    score=0.99,
    evidence=shortened(iban.is_valid),
)


def recognisers(language: Language) -> tuple[Recogniser, ...]:  # noqa: ARG001 - alike in all languages
    """Give the recognisers of this module for texts in a language."""
    return (CARD, IBAN)
