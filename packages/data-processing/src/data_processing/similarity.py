"""Texts that are nearly the same: which of them stand for one another.

Only the distinct texts of a column and how often each occurs reach memory, not the rows.

References:
    Similarity is the normalised Levenshtein similarity, 1 − distance / length of the longer text (Levenshtein 1966).
    Beyond :data:`ALL_PAIRS_UP_TO` distinct texts, only neighbours in a few sorted orders are compared (Hernández and
    Stolfo, The merge/purge problem for large databases, SIGMOD 1995).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt

from util_services.errors import DataServiceError, nearest
from util_services.frames import collected

ALL_PAIRS_UP_TO = 50_000
"""So many distinct texts are all compared with each other; of more, neighbours only."""

MOST_TEXTS = 500_000
"""So many distinct texts can be held in memory and compared."""

WINDOW = 10
"""How many neighbours on either side a text is compared with, in each order."""

_BLOCK = 256
"""How many texts are compared at once with all those before: bounds the memory, to 100 MB of scores."""

_ROUNDING = 1e-9  # a similarity that equals the threshold reaches it
_SLACK = (
    0.01  # rapidfuzz loses scores at its cutoff, which is only there to spare it work: "lyon", "lyonn" at 0.8 - 1e-9
)

Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NearDuplicates:
    """Texts of a column that are nearly the same.

    Attributes:
        representatives: For each text that is nearly the same as a more frequent one, that one.
        texts: Number of distinct texts.
        all_pairs: Whether every pair was compared; if not, near-duplicates that no order brings together are missed.
    """

    representatives: Mapping[str, str]
    texts: int
    all_pairs: bool


def near_duplicates(frame: nw.LazyFrame[Any], column: str, threshold: float) -> NearDuplicates:
    """Find the texts of a column that are nearly the same.

    Args:
        frame: The table.
        column: A column of texts; missing cells are never similar.
        threshold: Least similarity, above 0 to 1.

    Raises:
        DataServiceError: If the column does not exist or holds too many distinct texts, or the threshold is no
            similarity.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"city": ["Berlin", "Berlin", "berlin ", "Berlim", "Bern"]}))
        >>> dict(near_duplicates(frame, "city", 0.8).representatives)
        {'Berlim': 'Berlin', 'berlin ': 'Berlin'}
    """
    names = frame.collect_schema().names()
    if column not in names:
        raise DataServiceError(f"The column {column!r} does not exist: {nearest(column, names)}")
    texts = frame.select(nw.col(column).cast(nw.String)).filter(~nw.col(column).is_null())
    counted = texts.group_by(column).agg(nw.len().alias("__rows__"))
    found = collected(counted)
    if len(found) > MOST_TEXTS:
        raise DataServiceError(
            f"The column {column!r} has {len(found):,} distinct texts, and at most {MOST_TEXTS:,} can be compared: "
            "standardise them first, or split the table."
        )
    counts = {text: int(rows) for text, rows in found.iter_rows()}
    return NearDuplicates(representatives(counts, threshold), len(found), len(found) <= ALL_PAIRS_UP_TO)


def representatives(counts: Mapping[str, int], threshold: float) -> dict[str, str]:
    """Give for each text that is nearly the same as a more frequent one, that one; equal input gives equal output.

    A text goes to the most frequent representative that it is similar to itself, so that no chain of small steps joins
    texts that differ. Case and white space do not count as differences.

    Args:
        counts: How often each text occurs.
        threshold: Least similarity, above 0 to 1.

    Raises:
        DataServiceError: If the threshold is no similarity.

    Examples:
        >>> representatives({"Müller": 5, "Muller": 1, "müller ": 1, "Schmidt": 2}, 0.8)
        {'Muller': 'Müller', 'müller ': 'Müller'}
    """
    if not 0 < threshold <= 1:
        raise DataServiceError(f"The similarity threshold {threshold:g} is out of range: give a number above 0, to 1.")
    texts = sorted(counts, key=lambda text: (-counts[text], text))  # frequent ones first: a representative comes first
    plain = [" ".join(text.split()).casefold() for text in texts]
    exhaustively = len(texts) <= ALL_PAIRS_UP_TO
    chosen = _by_all_pairs(plain, threshold) if exhaustively else _by_neighbours(plain, threshold)
    return {texts[place]: texts[representative] for place, representative in chosen.items()}


def _by_all_pairs(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Give for each place whose text is similar to a representative before it, the first such.

    Texts are taken in blocks and compared with the representatives so far and with each other, so that memory holds the
    scores of one block, and what is no representative is not compared again.
    """
    chosen: dict[int, int] = {}
    kept: list[int] = []
    for start in range(0, len(texts), _BLOCK):
        block = range(start, min(start + _BLOCK, len(texts)))
        places = np.array([*kept, *block], dtype=np.int64)
        similar = _similar([texts[place] for place in block], [texts[place] for place in places.tolist()], threshold)
        stands_for_others = np.ones(len(places), dtype=np.bool_)
        for row, place in enumerate(block):
            column = len(places) - len(block) + row
            before = similar[row, :column] & stands_for_others[:column]
            if before.any():
                chosen[place] = int(places[before.argmax()])
                stands_for_others[column] = False
            else:
                kept.append(place)
    return chosen


def _similar(texts: Sequence[str], others: Sequence[str], threshold: float) -> npt.NDArray[np.bool_]:
    """Tell which pairs are similar: shape (texts, others)."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    scores = process.cdist(
        texts,
        others,
        scorer=Levenshtein.normalized_similarity,
        score_cutoff=max(threshold - _SLACK, 0.0),
        dtype=np.float64,
        workers=-1,
    )
    return np.asarray(scores >= threshold - _ROUNDING)


def _by_neighbours(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Give for each place whose text is similar to a representative near it in some order, the first such."""
    similar: dict[int, list[int]] = {}
    for pairs in _similar_neighbours(texts, threshold):
        for first, second in pairs.tolist():
            similar.setdefault(second, []).append(first)
    chosen: dict[int, int] = {}
    for place in sorted(similar):
        first_choice = min((each for each in similar[place] if each not in chosen), default=None)
        if first_choice is not None:
            chosen[place] = first_choice
    return chosen


def _similar_neighbours(texts: Sequence[str], threshold: float) -> Iterator[Pairs]:
    """Give pairs of places (first before second) whose texts are similar: arrays (pairs, 2)."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    for order in _orders(texts):
        for distance in range(1, WINDOW + 1):
            pairs = np.sort(np.column_stack((order[:-distance], order[distance:])), axis=1)
            scores = process.cpdist(
                [texts[place] for place in pairs[:, 0].tolist()],
                [texts[place] for place in pairs[:, 1].tolist()],
                scorer=Levenshtein.normalized_similarity,
                dtype=np.float64,
            )
            yield pairs[scores >= threshold - _ROUNDING]


def _orders(texts: Sequence[str]) -> Iterator[Pairs]:
    """Sort by beginning, by end and by words, so that an error anywhere leaves one order in which they are near."""
    for key in (str, _reversed, _words):
        keys = [key(text) for text in texts]
        yield np.array(sorted(range(len(texts)), key=keys.__getitem__), dtype=np.int64)


def _reversed(text: str) -> str:
    return text[::-1]


def _words(text: str) -> str:
    return " ".join(sorted(text.split()))
