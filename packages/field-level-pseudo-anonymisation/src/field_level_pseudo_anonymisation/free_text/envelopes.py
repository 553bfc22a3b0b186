r"""Envelopes: how a pseudonym in a text is recognised, so that it can be found and restored again.

An envelope is ``[[ENTITY:technique:payload]]``; a Fernet token that stands alone is its own. The grammar, as regular
expressions over ASCII::

    envelope  \[\[ entity : technique : payload \]\]
    entity    [A-Z][A-Z0-9_]{0,63}
    technique [a-z][a-z_]{0,31}
    payload   [A-Za-z0-9._~%@+=-]+    any other character is percent-encoded as in RFC 3986, in UTF-8
    token     gAAAA[A-Za-z0-9_-]{93,}={0,2}    not right behind one of [A-Za-z0-9_-]

Envelopes are found from left to right, each as long as can be, and never overlap. Where a text looked like one before
anything was written into it, that passage is put into an envelope of the technique ``literal``, whose payload is the
passage in URL-safe Base64 without padding. ``docs/text.md`` specifies this for those who write a reader.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import polars as pl

BARE_TECHNIQUE: Final = "encrypt"
"""The technique whose pseudonyms may stand without an envelope."""
LITERAL: Final = "literal"
MARKS: Final = ("[[", "gAAAA")
"""A text with neither has nothing to find."""

_SAFE = "._~@+=-"  # besides letters and digits; % is what encodes the others
_UNSAFE = r"[^A-Za-z0-9._~@+=-]"
_SEALED = re.compile(
    r"\[\[(?P<entity>[A-Z][A-Z0-9_]{0,63}):(?P<technique>[a-z][a-z_]{0,31}):(?P<payload>[A-Za-z0-9._~%@+=-]+)\]\]"
    r"|gAAAA(?<![A-Za-z0-9_-]gAAAA)[A-Za-z0-9_-]{93,}={0,2}"  # begins with a letter, to be searched for fast
)
_OF_TOKENS = re.compile(r"[A-Za-z0-9_=-]")


class Envelope(NamedTuple):
    """A pseudonym found in a text.

    Attributes:
        start: Where it begins, in characters.
        end: Where it ends, exclusive.
        entity: What it stands for; empty if a bare token does not tell.
        technique: How it was made.
        payload: The pseudonym itself.
    """

    start: int
    end: int
    entity: str
    technique: str
    payload: str


def positions(text: str) -> list[tuple[int, int]]:
    """Give the start and end of all envelopes, in order; cheaper than :func:`find`."""
    return [match.span() for match in _SEALED.finditer(text)] if any(mark in text for mark in MARKS) else []


def find(text: str) -> Iterator[Envelope]:
    """Find all envelopes, in order.

    Examples:
        >>> [(each.entity, each.technique, each.payload) for each in find("to [[EMAIL:tokenise:k%20z]] [[x]]")]
        [('EMAIL', 'tokenise', 'k z')]
    """
    if not any(mark in text for mark in MARKS):
        return
    for match in _SEALED.finditer(text):
        if match["entity"] is None:
            yield Envelope(*match.span(), "", BARE_TECHNIQUE, match[0])
        else:
            yield Envelope(*match.span(), match["entity"], match["technique"], unquote(match["payload"]))


def enveloped(payloads: pl.Series, entity: str, technique: str) -> pl.Series:
    """Put pseudonyms into envelopes.

    Examples:
        >>> enveloped(pl.Series(["a1", "+49 (0)"]), "PHONE_NUMBERS", "format_preserving").to_list()
        ['[[PHONE_NUMBERS:format_preserving:a1]]', '[[PHONE_NUMBERS:format_preserving:+49%20%280%29]]']
    """
    if payloads.str.contains(_UNSAFE).any():
        payloads = pl.Series([quote(payload, safe=_SAFE) for payload in payloads], dtype=pl.String)
    head, tail = f"[[{entity}:{technique}:", "]]"
    return pl.select(pl.concat_str(pl.lit(head), payloads, pl.lit(tail))).to_series()


def stands_alone(before: str, after: str) -> bool:
    """Tell whether a bare token between two characters (or none) is found as it is, however it ends."""
    return (not before or before == "=" or not _OF_TOKENS.match(before)) and not (after and _OF_TOKENS.match(after))


def literal(passage: str) -> str:
    """Put a passage that looks like an envelope into one that stands for the passage itself.

    Examples:
        >>> literal("[[A:b:c]]")
        '[[TEXT:literal:W1tBOmI6Y11d]]'
    """
    return f"[[TEXT:{LITERAL}:{base64.urlsafe_b64encode(passage.encode()).decode().rstrip('=')}]]"


def passage_of(payload: str) -> str | None:
    """Give the passage that a ``literal`` envelope stands for, nothing if it is malformed."""
    try:
        return base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
