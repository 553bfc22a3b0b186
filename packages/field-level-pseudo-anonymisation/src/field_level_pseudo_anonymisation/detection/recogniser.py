"""What a recogniser is: an expression that finds candidates, and evidence that tells which of them hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from field_level_pseudo_anonymisation.detection.spans import SCHEMA, occurrences

Evidence = Callable[[pl.DataFrame], pl.DataFrame]
"""Takes candidates as :func:`.spans.occurrences` gives them, and gives those that hold; may move ``end``, and may add
columns ``score`` and ``entity``."""


@dataclass(frozen=True)
class Recogniser:
    """A definition of how one kind of personal data is found.

    Attributes:
        entity: Its kind.
        finer: Kinds within that kind which the evidence tells apart; found as well as the kind itself.
        value: Regular expression (Rust's syntax: no lookaround) of a candidate.
        lead: Expression that must match right before.
        hint: Cheaper expression; texts without a match are not searched further.
        score: Confidence from 0 to 1 of what it finds.
        evidence: Tells which candidates hold; default all.
    """

    entity: str
    value: str
    lead: str = ""
    hint: str = ""
    score: float = 0.9
    evidence: Evidence | None = None
    finer: tuple[str, ...] = ()

    @property
    def entities(self) -> frozenset[str]:
        """All kinds that it finds."""
        return frozenset({self.entity, *self.finer})

    def find(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Find spans.

        Args:
            texts: Columns ``text`` (position) and ``content``.

        Returns:
            As in :data:`.spans.SCHEMA`.
        """
        searched = texts.filter(pl.col("content").str.contains(self.hint or f"(?:{self.lead})(?:{self.value})"))
        if searched.is_empty():
            return SCHEMA.to_frame()
        found = occurrences(searched, self.lead, self.value)
        if self.evidence is not None:
            found = self.evidence(found)
        defaults = {"score": pl.lit(self.score), "entity": pl.lit(str(self.entity))}
        missing = [value.alias(name) for name, value in defaults.items() if name not in found.columns]
        return found.with_columns(missing).select(SCHEMA.names())


def passes(values: pl.Series, check: Callable[[str], bool]) -> pl.Series:
    """Tell for each value whether it passes a check; each distinct one is checked once."""
    texts = values.to_list()
    good = {value for value in set(texts) if check(value)}
    return pl.Series([value in good for value in texts], dtype=pl.Boolean)


def shortened(check: Callable[[str], bool]) -> Evidence:
    """Make evidence of a check that a candidate may pass after losing what follows its last spaces or dashes.

    An expression that allows for spaces runs on into the next word; the longest beginning that passes is kept.
    """

    def evidence(candidates: pl.DataFrame) -> pl.DataFrame:
        texts = candidates["value"].to_list()
        longest = {value: _longest(value, check) for value in set(texts)}
        lengths = pl.Series([longest[value] for value in texts], dtype=pl.UInt32)
        return candidates.with_columns(end=pl.col("start") + lengths).filter(pl.col("end").is_not_null())

    return evidence


_SEPARATORS = re.compile(r"[\s().–-]+[^\s().–-]*$")


def _longest(value: str, check: Callable[[str], bool], attempts: int = 5) -> int | None:
    """Give the length of the longest beginning that passes, or ``None``.

    >>> _longest("12 34 ab", lambda value: value.replace(" ", "").isdigit())
    5
    """
    for _ in range(attempts):
        if check(value):
            return len(value)
        value = _SEPARATORS.sub("", value)
    return None
