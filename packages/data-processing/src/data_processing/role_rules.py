"""Which role a column probably has in an anonymisation: one small rule each, the first that applies decides.

The rules propose, a person decides: a name can mislead, and what others know of a person is not in the data.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from data_processing.looks import LOOKS

_UNIQUE = 0.95
_FEW_VALUES = 20
_LONG_TEXT = 40
_WORDS = re.compile(r"[^\W\d_]+")


class Role(Enum):
    """A role of a column; the value is how reports call it."""

    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi-identifier"
    SENSITIVE = "sensitive"
    OTHER = "other"


@dataclass(frozen=True)
class Figures:
    """What the rules look at.

    Attributes:
        name: Column name.
        looks: What the cells look like, a name of ``LOOKS`` or ``texts``.
        distinct: Number of distinct values, missing ones not counted.
        unique_share: Share of the cells that are there whose value occurs once, 0 to 1.
        mean_length: Mean number of characters.
        present: Number of cells that are there.
    """

    name: str
    looks: str
    distinct: int
    unique_share: float
    mean_length: float
    present: int

    @property
    def words(self) -> set[str]:
        """The words of the column's name, in lower case, and the name as one word."""
        parts = re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name)
        return {word.lower() for word in _WORDS.findall(parts)} | {"".join(_WORDS.findall(self.name)).lower()}


@dataclass(frozen=True)
class Proposal:
    """A role and why."""

    role: Role
    reason: str


Rule = Callable[[Figures], Proposal | None]

# English, German, French, Spanish, Italian, Dutch, Portuguese, Polish; without accents, too.
_IDENTIFYING = """name names surname lastname firstname fullname forename id ident identifier ssn passport email mail
phone telephone mobile iban account login username nachname vorname telefon handy versicherungsnummer personalnummer
nom prenom prénom courriel téléphone nombre apellido apellidos correo teléfono dni nif cognome nome codicefiscale
achternaam voornaam bsn telefoon sobrenome telefone imię imie nazwisko pesel address street adresse straße strasse
rue dirección direccion indirizzo adres ulica""".split()  # noqa: SIM905 - a list of words reads best as text
_KNOWN = """age sex gender birth born birthday birthdate dob zip zipcode postcode postal city town country nationality
occupation job profession education marital ethnicity race region district alter geschlecht geburtsdatum geburt plz
postleitzahl ort stadt land staatsangehörigkeit beruf familienstand âge sexe naissance ville pays profession edad sexo
nacimiento ciudad país pais età eta sesso nascita città citta leeftijd geslacht geboortedatum stad plaats idade
nascimento cidade wiek płeć plec urodzenia miasto admitted admission visit""".split()  # noqa: SIM905
_PROTECTED = """disease diagnosis diagnoses icd illness condition symptom medication drug treatment therapy disability
health religion belief faith party union political orientation genetic salary income wage debt credit crime conviction
krankheit diagnose gehalt einkommen religion gewerkschaft partei maladie diagnostic salaire revenu enfermedad
diagnóstico diagnostico salario ingresos malattia diagnosi stipendio reddito ziekte inkomen salaris doença doenca
choroba diagnoza pensja""".split()  # noqa: SIM905


def _looks_identifying(figures: Figures) -> Proposal | None:
    look = LOOKS.get(figures.looks)
    if look is None or not look.identifies:
        return None
    return Proposal(Role.IDENTIFIER, f"its cells look like {figures.looks}")


def _is_protected(figures: Figures) -> Proposal | None:
    word = _word_of(figures, _PROTECTED)
    return word and Proposal(Role.SENSITIVE, f"its name says {word!r}, which is worth protecting")


def _is_known(figures: Figures) -> Proposal | None:
    word = _word_of(figures, _KNOWN)
    return word and Proposal(Role.QUASI_IDENTIFIER, f"its name says {word!r}, which others may know of a person")


def _is_named_identifying(figures: Figures) -> Proposal | None:
    word = _word_of(figures, _IDENTIFYING)
    return word and Proposal(Role.IDENTIFIER, f"its name says {word!r}")


def _is_constant(figures: Figures) -> Proposal | None:
    return Proposal(Role.OTHER, "it has one value at most") if figures.distinct <= 1 else None


def _is_unique(figures: Figures) -> Proposal | None:
    look = LOOKS.get(figures.looks)
    measured = figures.looks == "decimal numbers" or (look is not None and look.date_format)
    if figures.unique_share < _UNIQUE or measured:
        return None
    return Proposal(Role.IDENTIFIER, "nearly every value occurs once")


def _is_free_text(figures: Figures) -> Proposal | None:
    if figures.looks != "texts" or figures.mean_length <= _LONG_TEXT:
        return None
    return Proposal(Role.IDENTIFIER, "it is free text, which may name people: pseudonymise or drop it")


def _is_date(figures: Figures) -> Proposal | None:
    look = LOOKS.get(figures.looks)
    if look is None or look.date_format is None:
        return None
    return Proposal(Role.QUASI_IDENTIFIER, "it is a date, which others may know")


def _is_category(figures: Figures) -> Proposal | None:
    if figures.distinct > max(_FEW_VALUES, figures.present // 100):
        return None
    return Proposal(Role.QUASI_IDENTIFIER, f"it sorts rows into {figures.distinct:,} groups that others may know")


RULES: tuple[Rule, ...] = (
    _is_constant,
    _looks_identifying,
    _is_protected,
    _is_known,
    _is_named_identifying,
    _is_unique,
    _is_free_text,
    _is_date,
    _is_category,
)


def proposed(figures: Figures) -> Proposal:
    """Propose the role of a column.

    Examples:
        >>> proposed(Figures("birth_date", "dates", 500, 0.1, 10.0, 600)).reason
        "its name says 'birth', which others may know of a person"
    """
    proposals = (rule(figures) for rule in RULES)
    return next(filter(None, proposals), Proposal(Role.OTHER, "nothing speaks for another role"))


def _word_of(figures: Figures, words: list[str]) -> Any:
    return next((word for word in words if word in figures.words), None)


# Hierarchies for the proposed quasi-identifiers, as the anonymisation jobs take them

Hierarchy = str | dict[str, Any]


def _age(figures: Figures) -> Hierarchy | None:
    return "simpl_age" if _is_numeric(figures) and figures.words & {"age", "alter", "edad", "wiek"} else None


def _dates(figures: Figures) -> Hierarchy | None:
    look = LOOKS.get(figures.looks)
    if look is None or look.date_format is None:
        return None
    written = {} if look.date_format == "%Y-%m-%d" else {"format": look.date_format}
    return {"dates": {"levels": ["day", "month", "year", "decade"], **written}}


def _postcodes(figures: Figures) -> Hierarchy | None:
    codes = {"zip", "zipcode", "postcode", "postal", "plz", "postleitzahl"}
    return {"mask": {"steps": [1, 2, 3]}} if figures.words & codes else None


def _numbers(figures: Figures) -> Hierarchy | None:
    return {"intervals": {"widths": [5, 10, 50, 100]}} if _is_numeric(figures) else None


def _is_numeric(figures: Figures) -> bool:
    look = LOOKS.get(figures.looks)
    return look is not None and look.numeric


_HIERARCHIES: tuple[Callable[[Figures], Hierarchy | None], ...] = (_age, _dates, _postcodes, _numbers)


def hierarchy(figures: Figures) -> Hierarchy:
    """Propose a generalisation hierarchy.

    Examples:
        >>> hierarchy(Figures("postcode", "whole numbers", 90, 0.1, 5.0, 600))
        {'mask': {'steps': [1, 2, 3]}}
    """
    for propose in _HIERARCHIES:
        if (found := propose(figures)) is not None:
            return found
    return "suppress"
