"""Writing pseudonyms into texts."""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from field_level_pseudo_anonymisation.free_text.envelopes import BARE_TECHNIQUE, LITERAL, MARKS, enveloped, find
from field_level_pseudo_anonymisation.free_text.rewriting import Place, replaced, sealed
from field_level_pseudo_anonymisation.free_text.samples import Samples
from field_level_pseudo_anonymisation.free_text.steps import TextStep
from field_level_pseudo_anonymisation.free_text.tally import Counts, Spans
from field_level_pseudo_anonymisation.keys import KeyStore
from field_level_pseudo_anonymisation.portable import Portable
from field_level_pseudo_anonymisation.techniques import TECHNIQUES
from field_level_pseudo_anonymisation.techniques.domain import InspectingTechnique
from field_level_pseudo_anonymisation.techniques.session import Session
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Scope, Technique
from util_services.distinct import DistinctValues, Transform

_REVERSIBLE = frozenset(name for name, kind in TECHNIQUES.items() if issubclass(kind, ReversibleTechnique)) | {LITERAL}


class SpanDetector(Protocol):
    """What finds personal data; see :class:`.detection.Detector`."""

    def detect(self, texts: pl.Series) -> pl.DataFrame:
        """Find spans: columns ``text``, ``start``, ``end``, ``entity``, sorted, none overlapping another."""


class Writer:
    """Finds personal data and puts pseudonyms in its place; may be called by several threads.

    Args:
        steps: What is done to which entities.
        detector: Finds them.
        keys: Where keys are fetched, now.
        session: What techniques of one run share.

    Raises:
        DataServiceError: If a parameter or a key is wrong.
    """

    def __init__(self, steps: Sequence[TextStep], detector: SpanDetector, keys: KeyStore, session: Session) -> None:
        self._detector = detector
        self._seals = any(isinstance(step.technique, ReversibleTechnique) for step in steps)
        self._handling: dict[str, tuple[Technique, Transform]] = {}
        salt = secrets.token_bytes(32)
        for step in steps:
            for entity in map(str, step.pii):
                if entity not in self._handling:
                    scope = Scope(step.field(entity), keys, salt, session)
                    self._handling[entity] = step.technique, _transform(step.technique, scope)
        techniques = {entity: technique for entity, (technique, _) in self._handling.items()}
        self.samples = Samples(
            {entity: each for entity, each in techniques.items() if isinstance(each, InspectingTechnique)}
        )

    def __call__(self, texts: list[str]) -> tuple[list[str], Counts]:
        """Rewrite texts, and count what was done."""
        spans = self._pseudonyms(self._spans(texts))
        places: dict[int, list[Place]] = {}
        for text, *place in spans.select("text", "start", "end", "new", "sealed", "bare").iter_rows():
            places.setdefault(text, []).append(Place(*place))
        written = [self._written(text, places.get(position, [])) for position, text in enumerate(texts)]
        new = [text for text, _ in written]
        lengths = pl.col("end").cast(pl.Int64) - pl.col("start")
        counts = Counts(
            characters_before=sum(map(len, texts)),
            characters_after=sum(map(len, new)),
            characters_changed=spans.filter(pl.col("new") != pl.col("value")).select(lengths.sum()).item(),
            spans=_counted(spans),
            escaped=sum(escaped for _, escaped in written),
        )
        return new, counts

    def _written(self, text: str, places: list[Place]) -> tuple[str, int]:
        if self._seals and (places or any(mark in text for mark in MARKS)):
            return sealed(text, places)
        return (replaced(text, places) if places else text), 0

    def _spans(self, texts: list[str]) -> pl.DataFrame:
        """Find the spans that a step handles, outside of what a reversible technique wrote before."""
        found = self._detector.detect(pl.Series(texts, dtype=pl.String))
        found = found.select("text", "start", "end", pl.col("entity").cast(pl.String))
        found = _outside(found.filter(pl.col("entity").is_in(list(self._handling))), texts)
        values = [texts[text][start:end] for text, start, end, _ in found.iter_rows()]
        return found.with_columns(pl.Series("value", values, dtype=pl.String))

    def _pseudonyms(self, spans: pl.DataFrame) -> pl.DataFrame:
        """Make pseudonyms of all spans, those of one entity at once."""
        none = spans.clear().with_columns(
            technique=pl.lit(""), new=pl.lit(""), sealed=pl.lit(value=False), bare=pl.lit("")
        )
        parts = spans.partition_by("entity", maintain_order=True)
        return pl.concat([none, *(self._of_entity(part["entity"][0], part) for part in parts)]).sort("text", "start")

    def _of_entity(self, entity: str, spans: pl.DataFrame) -> pl.DataFrame:
        technique, transform = self._handling[entity]
        self.samples.add(entity, spans["value"])
        new = transform(spans["value"])
        reversible = isinstance(technique, ReversibleTechnique)
        return spans.with_columns(
            technique=pl.lit(technique.name),
            new=enveloped(new, entity, technique.name) if reversible else new,
            sealed=pl.lit(reversible),
            bare=new if technique.name == BARE_TECHNIQUE else pl.lit(""),
        )


def _transform(technique: Technique, scope: Scope) -> Transform:
    transform = Portable(technique.transform, scope)
    return DistinctValues(transform) if technique.linkable else transform


def _counted(spans: pl.DataFrame) -> Spans:
    counts = spans.group_by("entity", "technique").len().iter_rows()
    return Counter({(entity, technique): number for entity, technique, number in counts})


def _outside(spans: pl.DataFrame, texts: Sequence[str]) -> pl.DataFrame:
    """Leave out spans that touch what a reversible technique wrote before, which they would damage."""
    written = [
        (position, each.start, each.end)
        for position, text in enumerate(texts)
        for each in find(text)
        if each.technique in _REVERSIBLE
    ]
    if not written:
        return spans
    kinds = {"text": spans.schema["text"], "from": spans.schema["start"], "to": spans.schema["end"]}
    touched = spans.join(pl.DataFrame(written, schema=kinds, orient="row"), on="text").filter(
        (pl.col("start") < pl.col("to")) & (pl.col("end") > pl.col("from"))
    )
    return spans.join(touched, on=["text", "start", "end"], how="anti", maintain_order="left")
