"""What opens accounts: passwords, keys, tokens, names of users, connection strings."""

import polars as pl

from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser
from field_level_pseudo_anonymisation.detection.syntax import URL_CHARACTER, URL_END
from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

_VALUE = r"[^\s\"'`<>,;:=，。；：][^\s\"'`<>,;，。；]*[^\s\"'`<>,;:.!?)，。；！？]"

# Keys and tokens that their issuers gave a form of its own.
_TOKENS = (
    "(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}",  # Amazon Web Services
    "gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{20,}",  # GitLab
    "xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"AIza[A-Za-z0-9_-]{30,}",  # Google
    "[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
    r"sk-[A-Za-z0-9_-]{20,}",  # OpenAI, Anthropic
    r"hv[sb]\.[A-Za-z0-9_-]{20,}",  # Vault, OpenBao
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
    "npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{30,}",
    "hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"dckr_pat_[A-Za-z0-9_-]{20,}",
)

_BEGINNINGS = (
    r"AKIA|ASIA|AROA|AIDA|gh[pousr]_|_pat_|glpat-|xox[abeoprs]-|AIza|k_live_|k_test_|sk-|hv[sb]\.|SG\.|npm_|pypi-|hf_"
)

CREDENTIALS = (
    Recogniser(
        Entity.CREDENTIALS,
        value=_VALUE,
        lead=naming(f"{words('secret')}|{words('account')}")
        + r"[\"']?(?: ?\([^()]{0,20}\))?\s{0,3}(?:[:=：]|=>|:=)\s{0,3}[\"'`]?",
        hint="[:=：]",
        evidence=lambda found: found.filter(pl.col("value").str.contains("^.{3}")),
    ),
    Recogniser(
        Entity.CREDENTIALS,
        value=_VALUE,
        lead=naming(words("secret")) + rf"\s{{0,3}}(?:{words('copula')})?\s{{0,3}}[\"'`]?",
        score=0.8,
        evidence=lambda found: found.filter(
            pl.col("value").str.contains("^.{6}"),
            pl.col("value").str.contains("[0-9]"),
            pl.col("value").str.contains(r"\p{L}"),
        ),
    ),
    Recogniser(
        Entity.CREDENTIALS,
        value=r"[A-Za-z0-9+/_.~-]{8,}=*",
        lead=r"(?i:(?:^|[^a-z])(?:bearer|basic))[\t ]+",
        evidence=lambda found: found.filter(pl.col("value").str.contains(r"[0-9=]|.{24}")),
    ),
    Recogniser(
        Entity.CREDENTIALS, value=r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", hint="eyJ", score=0.99
    ),
    Recogniser(Entity.CREDENTIALS, value=rf"(?-u:\b)(?:{'|'.join(_TOKENS)})", hint=_BEGINNINGS, score=0.99),
    Recogniser(
        Entity.CREDENTIALS,
        value=r"(?s:-----BEGIN [A-Z ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z ]*PRIVATE KEY[A-Z ]*-----|\z))",
        hint="PRIVATE KEY",
        score=1.0,
    ),
    Recogniser(
        Entity.CREDENTIALS,
        value=rf"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:[^\s/@\"']+@{URL_CHARACTER}*{URL_END}",
        hint="://",
        score=0.99,
    ),
)


def recognisers(language: Language) -> tuple[Recogniser, ...]:  # noqa: ARG001 - alike in all languages
    """Give the recognisers of this module for texts in a language."""
    return CREDENTIALS
