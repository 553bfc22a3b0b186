"""What the user adds: word lists and regular expressions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from field_level_pseudo_anonymisation.detection.recogniser import Recogniser
from util_services.errors import DataServiceError

Groups = Mapping[str, Sequence[str]] | Iterable[tuple[str, Sequence[str]]]
"""For each entity, one of ours or a name of the user's own, its words or its regular expressions."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_LONGEST_PATTERN = 1_000  # characters
_WORDS_AT_ONCE = 500  # words in one expression; Rust's regex crate refuses expressions that compile to more than 10 MB
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|\\W")


def own_patterns(patterns: Groups) -> tuple[Recogniser, ...]:
    """Make recognisers of the user's regular expressions: in Rust's syntax, in time linear in the text.

    Raises:
        DataServiceError: If an expression is malformed, too long or matches the empty text, or a name is malformed.

    Examples:
        >>> own_patterns({"PATIENT": ["P-[0-9]{6}"]})[0].entity
        'PATIENT'
    """
    return tuple(
        Recogniser(_name(entity), value=_checked(entity, pattern), score=1.0)
        for entity, group in dict(patterns).items()
        for pattern in group
    )


def own_words(words: Groups) -> tuple[Recogniser, ...]:
    """Make recognisers of the user's words, to be found as whole words, in any case.

    Raises:
        DataServiceError: If a word is blank or a name is malformed.
    """
    return tuple(
        Recogniser(_name(entity), value=f"(?i:{'|'.join(map(_whole, some))})", hint=_hint(some), score=1.0)
        for entity, group in dict(words).items()
        for some in _chunks(_longest_first(entity, group))
    )


def _name(entity: str) -> str:
    if not _NAME.fullmatch(entity):
        raise DataServiceError(
            f"The entity name {entity!r} is malformed: use capital letters, digits and _, like PATIENT_NUMBER."
        )
    return entity


def _checked(entity: str, pattern: str) -> str:
    if len(pattern) > _LONGEST_PATTERN:
        raise DataServiceError(
            f"A pattern for {entity} has {len(pattern)} characters: give at most {_LONGEST_PATTERN}, or words."
        )
    try:
        matches_nothing = pl.Series([""]).str.contains(f"(?:{pattern})").item()
    except pl.exceptions.PolarsError as error:
        reasons = (line.removeprefix("error: ") for line in str(error).splitlines() if line.startswith("error: "))
        reason = next(reasons, "too large")
        raise DataServiceError(
            f"The pattern {pattern!r} for {entity} is no regular expression ({reason}): use the syntax of Rust's regex."
        ) from None
    if matches_nothing:
        raise DataServiceError(f"The pattern {pattern!r} for {entity} matches the empty text: require a character.")
    return f"(?:{pattern})"


def _longest_first(entity: str, words: Sequence[str]) -> list[str]:
    if not words or any(not word.strip() for word in words):
        raise DataServiceError(f"The list of words for {entity} has a blank word or none: give words of one letter up.")
    return sorted({word.strip() for word in words}, key=len, reverse=True)


def _chunks(words: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(words), _WORDS_AT_ONCE):
        yield words[first : first + _WORDS_AT_ONCE]


def _hint(words: list[str]) -> str:
    return f"(?i:{'|'.join(map(_literal, words))})"


def _whole(word: str) -> str:
    """Ask for a word's edges, but in scripts that set no spaces, and where it ends in no letter or digit."""
    first, last = (r"" if _UNSPACED.match(letter) else r"\b" for letter in (word[0], word[-1]))
    return f"{first}{_literal(word)}{last}"


def _literal(word: str) -> str:
    r"""Escape for Rust's regex; any white space stands for any.

    >>> _literal("a+b c")
    'a\\+b\\s+c'
    """
    return r"\s+".join(re.sub(r"[^\w]", lambda match: "\\" + match[0], part) for part in word.split())
