"""Handles and profiles on social networks."""

import polars as pl

from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser
from field_level_pseudo_anonymisation.detection.syntax import LATIN_LABEL

_PLATFORMS = (
    "twitter|x|instagram|insta|tiktok|telegram|mastodon|bluesky|snapchat|threads|linkedin|facebook|github|skype|discord"
)
_SITES = (
    r"(?:twitter|x|instagram|facebook|fb|tiktok|threads|github|snapchat|reddit|youtube|vk|weibo)\.com|"
    r"linkedin\.com/(?:in|pub)|t\.me|threads\.net|bsky\.app/profile|mastodon\.social"
)
_ROLE = "(?:[ -](?:handle|account|user(?:name)?|id|konto|name|compte|cuenta|profil))?"
_HANDLE = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
SOCIAL = (
    Recogniser(
        Entity.X_SOCIAL,
        value=rf"@{_HANDLE}(?:@(?:{LATIN_LABEL}\.)+[a-z]{{2,}})?",
        lead=r"^|[^\w@./+=-]",
        hint="@",
        score=0.9,
        evidence=lambda found: found.filter(
            pl.col("value").str.contains("^@.{3}"), pl.col("value").str.contains("[A-Za-z]")
        ),
    ),
    Recogniser(
        Entity.X_SOCIAL,
        value=rf"(?i:(?:https?://)?(?:www\.|m\.|mobile\.|[a-z]{{2}}\.)?(?:{_SITES})/(?:user/|u/|add/)?@?[\w.-]*\w/?)",
        lead=r"^|[^\w.@-]",
        hint=r"\.[a-zA-Z]{2,6}/",
        score=0.95,
    ),
    Recogniser(
        Entity.X_SOCIAL,
        value=_HANDLE,
        lead=rf"(?i)(?:^|[^\w])(?:{_PLATFORMS}){_ROLE}\s?[:：]\s?",
        hint=rf"(?i)(?:{_PLATFORMS})[^\n]{{0,12}}[:：]",
        score=0.85,
        evidence=lambda found: found.filter(
            ~pl.col("after").str.contains(r"^[@:/]"), pl.col("value").str.contains(r"^[^.]{3,}")
        ),
    ),
)


def recognisers(language: Language) -> tuple[Recogniser, ...]:  # noqa: ARG001 - alike in all languages
    """Give the recognisers of this module for texts in a language."""
    return SOCIAL
