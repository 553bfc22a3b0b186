"""Surrogate: a realistic stand-in, which only the key ties to the value."""

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.pseudorandom import pseudorandom
from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform
from util_services.errors import DataServiceError, nearest

if TYPE_CHECKING:
    from faker import Generator

Maker = Callable[["Generator"], str]

# Fixed, because dates up to today would make a value's stand-in depend on the day of the run.
_FROM, _TO = dt.date(1930, 1, 1), dt.date(2019, 12, 31)


def _by(method: str) -> Maker:
    def make(faker: "Generator") -> str:
        return str(getattr(faker, method)()).replace("\n", ", ")

    return make


def _date(faker: "Generator") -> str:
    return (_FROM + dt.timedelta(days=faker.random.randrange((_TO - _FROM).days + 1))).isoformat()


KINDS: Mapping[str, Maker] = {
    **{
        kind: _by(kind)
        for kind in (
            "name",
            "first_name",
            "last_name",
            "email",
            "user_name",
            "phone_number",
            "address",
            "street_address",
            "postcode",
            "city",
            "country",
            "company",
            "job",
            "iban",
            "url",
        )
    },
    "date": _date,
}
"""For each kind of stand-in, how Faker makes it."""


@dataclass(frozen=True)
class Surrogate(Technique):
    """A made-up name, address or the like for each value, drawn by a number that only the key tells.

    Different values may get the same stand-in, as there are only so many names. Stand-ins depend on the version of
    Faker, too: pin it where they shall stay the same for years. One may happen to be a real person's.

    Attributes:
        key_name: The stored key.
        kind: What is made: name, first_name, last_name, email, user_name, phone_number, address, street_address,
            postcode, city, country, company, job, iban, url or date (ISO 8601, 1930 to 2019).
        locale: Language and country, such as ``de_DE``; where Faker has no such kind for it, an American one is made.
        policy: deterministic; document_randomised: alike within one run only; randomised: each its own.
        key_version: Version of the stored key, to stay linkable with what was made before a rotation; default the
            newest.

    Raises:
        DataServiceError: If the kind is unknown.
    """

    name: ClassVar[str] = "surrogate"
    key_name: str
    kind: str
    locale: str = "en_US"
    policy: Policy = Policy.DETERMINISTIC
    key_version: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataServiceError(f"The kind {self.kind!r} of surrogate is unknown: {nearest(self.kind, KINDS)}")

    @property
    def linkable(self) -> bool:
        """Equal values get equal stand-ins, unless randomised."""
        return self.policy.linkable

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that makes stand-ins.

        Raises:
            DataServiceError: If the key is missing, the locale is unknown, or Faker is not installed.
        """
        make, locale = KINDS[self.kind], _checked(self.locale)
        subkey = scope.keys.key(self.key_name).subkey(self.name, scope.field, version=self.key_version)
        draw = pseudorandom(self.policy, subkey, scope.run_salt)
        own = _OfThread(locale)

        def stand_ins(texts: pl.Series) -> pl.Series:
            faker = own.faker
            seed = faker.random.seed
            made = []
            for number in draw(texts):
                seed(number)
                made.append(make(faker))
            return pl.Series(texts.name, made, dtype=pl.String)

        return stand_ins


class _OfThread(threading.local):
    """A generator for each thread: two cannot share one, as it is seeded for every value."""

    def __init__(self, locale: str) -> None:
        from faker import Factory

        self.faker = Factory.create(locale)
        self.faker.seed_instance(0)  # a source of randomness of its own, not the one shared by all generators


def _checked(locale: str) -> str:
    try:
        from faker.config import AVAILABLE_LOCALES
    except ImportError:
        raise DataServiceError(
            "The technique surrogate needs Faker, which is not installed: install "
            "field-level-pseudo-anonymisation[surrogates]."
        ) from None
    if locale not in AVAILABLE_LOCALES:
        raise DataServiceError(f"The locale {locale!r} is unknown: {nearest(locale, sorted(AVAILABLE_LOCALES))}")
    return locale
