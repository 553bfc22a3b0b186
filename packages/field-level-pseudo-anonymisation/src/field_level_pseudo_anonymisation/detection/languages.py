"""Languages of texts, and what follows from one: the countries whose numbers to expect and the language model."""

from dataclasses import dataclass

from util_services.errors import DataServiceError, nearest


@dataclass(frozen=True)
class Language:
    """A language that texts may be in.

    Attributes:
        code: ISO 639-1.
        regions: Countries (ISO 3166-1 alpha-2) whose national phone numbers and identifiers need no further evidence,
            the likeliest first.
        models: Official names of the spaCy models, less their size.
        months: Name of the locale in CLDR.
    """

    code: str
    regions: tuple[str, ...]
    models: str
    months: str


_LANGUAGES = {
    language.code: language
    for language in (
        Language("en", ("GB", "US", "IE"), "en_core_web", "en"),
        Language("it", ("IT", "CH"), "it_core_news", "it"),
        Language("de", ("DE", "AT", "CH"), "de_core_news", "de"),
        Language("nl", ("NL", "BE"), "nl_core_news", "nl"),
        Language("fr", ("FR", "BE", "CH", "LU"), "fr_core_news", "fr"),
        Language("pl", ("PL",), "pl_core_news", "pl"),
        Language("es", ("ES",), "es_core_news", "es"),
        Language("pt", ("PT",), "pt_core_news", "pt"),
        Language("sv", ("SE", "FI"), "sv_core_news", "sv"),
        Language("no", ("NO",), "nb_core_news", "nb"),
        Language("da", ("DK",), "da_core_news", "da"),
        Language("fi", ("FI",), "fi_core_news", "fi"),
        Language("el", ("GR", "CY"), "el_core_news", "el"),
        Language("lt", ("LT",), "lt_core_news", "lt"),
        Language("ro", ("RO", "MD"), "ro_core_news", "ro"),
        Language("ru", ("RU",), "ru_core_news", "ru"),
        Language("uk", ("UA",), "uk_core_news", "uk"),
        Language("zh", ("CN",), "zh_core_web", "zh"),
    )
}

LANGUAGES = tuple(_LANGUAGES)
"""Codes of all languages (ISO 639-1)."""


def language(code: str) -> Language:
    """Look up a language.

    Raises:
        DataServiceError: If there is none of that code.

    Examples:
        >>> language("no").models
        'nb_core_news'
    """
    if code not in _LANGUAGES:
        raise DataServiceError(f"The language {code!r} is unknown: {nearest(code, LANGUAGES)}")
    return _LANGUAGES[code]
