"""Addresses on the Internet: of mail, of pages and services, of machines."""

import ipaddress

import polars as pl

from field_level_pseudo_anonymisation.detection.context import alone, thing
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser, passes
from field_level_pseudo_anonymisation.detection.syntax import LATIN_LABEL, URL_CHARACTER, URL_END

_ATOM = r"[a-zA-Z0-9_!#$%&'*+/=?^`{|}~-]+"
# Characters beyond ASCII, of all scripts but the Chinese, which sets no space before an address.
_ANY_ATOM = r"[\w!#$%&'*+/=?^`{|}~\---\p{Han}]+"
_ANY_LABEL = r"[\w--\p{Han}](?:[\w\---\p{Han}]*[\w--\p{Han}])?"
EMAILS = (
    Recogniser(
        Entity.EMAIL,
        value=rf"{_ATOM}(?:\.{_ATOM})*@(?:{LATIN_LABEL}\.)+[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z]",
        hint="@",
        score=0.99,
    ),
    Recogniser(  # internationalised ones (RFC 6531), apart since they take longer to look for
        Entity.EMAIL,
        value=rf"{_ANY_ATOM}(?:\.{_ANY_ATOM})*@(?:{_ANY_LABEL}\.)+[\p{{L}}--\p{{Han}}][\p{{L}}--\p{{Han}}]+",
        hint=r"[^\x00-\x7f\s][^\s@]*@|@[^\s@]*[^\x00-\x7f\s]",
        score=0.99,
    ),
)

# Bare domains only below top-level domains that are no ordinary words or file endings of a European language.
_BARE = (
    "com|org|net|info|biz|eu|edu|gov|io|dev|app|cloud|online|shop|uk|ie|de|ch|fr|be|nl|lu|es|pt|se|dk|fi|pl|cz|sk|hu|ro|"
    "bg|gr|cy|lt|lv|ee|hr|si|ua|ru|cn|it|at|no"
)
URLS = (
    Recogniser(
        Entity.URL, value=rf"(?i:(?:https?|ftps?|sftp|ssh|git|ldaps?|wss?)://){URL_CHARACTER}*{URL_END}", hint="://"
    ),
    Recogniser(
        Entity.URL,
        value=rf"(?i:www\.)(?:{LATIN_LABEL}\.)+\p{{L}}{{2,}}(?::[0-9]{{1,5}})?(?:[/?#]{URL_CHARACTER}*{URL_END})?/?",
        lead=r"^|[^\w/@.-]",
        hint=r"[wW]\.",
        score=0.85,
    ),
    Recogniser(
        Entity.URL,
        value=rf"(?:{LATIN_LABEL}\.)+(?:{_BARE})(?:/{URL_CHARACTER}*{URL_END}|/|(?-u:\b))",
        lead=r"^|[\s(\[<«“„\"':，。：\p{Han}]",
        hint=rf"[a-zA-Z0-9]\.(?:{_BARE})",
        score=0.6,
        evidence=lambda found: found.filter(
            ~pl.col("after").str.contains(r"^(?:[\w@]|[.-]\w)"), pl.col("value").str.contains("[a-zA-Z].*[.]")
        ),
    ),
)


def _addresses(found: pl.DataFrame) -> pl.DataFrame:
    rest = found.filter(alone(), ~thing())
    return rest.filter(passes(rest["value"], _is_address))


def _is_address(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not address.is_unspecified


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IP_ADDRESSES = (
    Recogniser(
        Entity.IP_ADDRESS,
        value=rf"{_OCTET}(?:\.{_OCTET}){{3}}",
        lead=r"^|[^\w.,+-]",
        evidence=lambda found: _addresses(found.filter(~pl.col("before").str.contains(r"(?i)\bv(?:er)?[. ]?$"))),
    ),
    Recogniser(
        Entity.IP_ADDRESS,
        value=rf"(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_OCTET}(?:\.{_OCTET}){{3}}|[0-9A-Fa-f]{{1,4}}|)",
        lead=r"^|[^\w:.+-]",
        hint="[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:",
        evidence=lambda found: _addresses(found.filter(pl.col("value").str.contains("[0-9]"))),
    ),
)


def recognisers(language: Language) -> tuple[Recogniser, ...]:  # noqa: ARG001 - alike in all languages
    """Give the recognisers of this module for texts in a language."""
    return (*EMAILS, *URLS, *IP_ADDRESSES)
