"""How well the personal data in sentences is found, by nervaluate."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl
from detection_sentences import Sentence
from nervaluate import Evaluator

Found = tuple[str, int, int]
"""Entity, start and end."""


@dataclass(frozen=True)
class Score:
    """What was found of an entity.

    Attributes:
        held: Number of occurrences in the sentences.
        recall: Share of them that was found, 0 to 1.
        precision: Share of the findings that are right, 0 to 1.
    """

    held: int
    recall: float
    precision: float


def scores(
    sentences: Sequence[Sentence], found: Sequence[Sequence[Found]], entities: Collection[str], measure: str = "strict"
) -> dict[str, Score]:
    """Score findings, for each entity and, as ``"all"``, together.

    Args:
        sentences: What is there.
        found: What was found in each.
        entities: What counts; anything else is left out of account on both sides.
        measure: ``strict``: right entity at exactly the right place; ``ent_type``: right entity, overlapping.
    """
    there = [_labelled(sentence.spans, entities) for sentence in sentences]
    result = Evaluator(
        there, [_labelled(spans, entities) for spans in found], tags=list(entities), loader="dict"
    ).evaluate()
    single = {
        entity: _score(result["entities"][entity][measure]) for entity in entities if entity in result["entities"]
    }
    return {**single, "all": _score(result["overall"][measure])}


def by_text(spans: pl.DataFrame, count: int) -> list[list[Found]]:
    """Arrange what a detector gives by text."""
    found: list[list[Found]] = [[] for _ in range(count)]
    for text, start, end, entity in spans.select("text", "start", "end", "entity").rows():
        found[text].append((entity, start, end))
    return found


def _labelled(spans: Sequence[Found], entities: Collection[str]) -> list[dict[str, str | int]]:
    return [{"label": entity, "start": start, "end": end} for entity, start, end in spans if entity in entities]


def _score(result: object) -> Score:
    return Score(result.possible, result.recall, result.precision)
