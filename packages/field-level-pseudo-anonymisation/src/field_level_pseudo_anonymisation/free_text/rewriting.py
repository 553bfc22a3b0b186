"""Putting pseudonyms into a text in place of what they stand for, so that a reader finds exactly those again."""

from collections.abc import Sequence
from typing import NamedTuple

from field_level_pseudo_anonymisation.free_text.envelopes import literal, positions, stands_alone


class Place(NamedTuple):
    """What is written in place of a span.

    Attributes:
        start: Where the span begins, in characters.
        end: Where it ends, exclusive.
        new: What is written.
        sealed: Whether that is an envelope, to be found by a reader.
        bare: A token that may stand there instead where it is recognised without an envelope; else empty.
    """

    start: int
    end: int
    new: str
    sealed: bool = False
    bare: str = ""


def replaced(text: str, places: Sequence[Place]) -> str:
    """Replace spans.

    Args:
        text: The text.
        places: In order, not overlapping.

    Examples:
        >>> replaced("Ann wrote", [Place(0, 3, "X")])
        'X wrote'
    """
    return "".join(_parts(text, places))


def _parts(text: str, places: Sequence[Place]) -> list[str]:
    """Give what stays and what is new, by turns, beginning and ending with what stays."""
    parts: list[str] = []
    end = 0
    for place in places:
        parts += (text[end : place.start], place.new)
        end = place.end
    parts.append(text[end:])
    return parts


def sealed(text: str, places: Sequence[Place]) -> tuple[str, int]:
    """Replace spans so that a reader finds the sealed ones and nothing else.

    Whatever else in the result looks like an envelope, because the text had it before or because it came about by
    chance, is put into a ``literal`` envelope.

    Args:
        text: The text.
        places: In order, not overlapping.

    Returns:
        The new text and the number of passages put into ``literal`` envelopes.

    Examples:
        >>> sealed("Ann [[A:b:c]]", [Place(0, 3, "[[PERSON:tokenise:7f]]", sealed=True)])
        ('[[PERSON:tokenise:7f]] [[TEXT:literal:W1tBOmI6Y11d]]', 1)
    """
    parts = _parts(text, places)
    enveloped = list(parts)
    for number, place in enumerate(places):
        at = 2 * number + 1
        if place.bare and stands_alone(_last(parts[at - 1]), parts[at + 1][:1]) and _apart(places, number):
            parts[at] = place.bare
    result, own = _joined(parts, places)
    found = set(positions(result))
    if not own <= found:  # brackets around a bare token make an envelope of another kind
        result, own = _joined(enveloped, places)
        found = set(positions(result))
    others = sorted(found - own)
    escapes = [Place(start, end, literal(result[start:end])) for start, end in others]
    return (replaced(result, escapes) if escapes else result), len(escapes)


def _last(text: str) -> str:
    return text[-1:]


def _apart(places: Sequence[Place], number: int) -> bool:
    """Tell whether neither neighbour touches a place."""
    before_touches = number > 0 and places[number - 1].end == places[number].start
    after_touches = number + 1 < len(places) and places[number + 1].start == places[number].end
    return not before_touches and not after_touches


def _joined(parts: Sequence[str], places: Sequence[Place]) -> tuple[str, set[tuple[int, int]]]:
    """Join parts, and tell where the sealed ones are."""
    own, end = set(), 0
    for number, part in enumerate(parts):
        start, end = end, end + len(part)
        if number % 2 and places[number // 2].sealed:
            own.add((start, end))
    return "".join(parts), own
