"""A sample of the spans of each entity, to tell whether all its values can be tried."""

import narwhals as nw
import polars as pl

from field_level_pseudo_anonymisation.techniques.domain import InspectingTechnique, domains

_SAMPLE_SPANS = 10_000


class Samples:
    """First spans of entities, to tell whether all their values can be tried; they never leave this object."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[InspectingTechnique, list[pl.Series]]] = {}

    def add(self, technique: InspectingTechnique, entity: str, values: pl.Series) -> None:
        """Remember the first values of an entity."""
        _, known = self._values.setdefault(entity, (technique, []))
        if sum(map(len, known)) < _SAMPLE_SPANS:
            known.append(values.head(_SAMPLE_SPANS))

    def cautions(self) -> list[str]:
        """Give the sentences."""
        found = []
        for entity, (technique, values) in sorted(self._values.items()):
            frame = nw.from_native(pl.concat(values).head(_SAMPLE_SPANS).alias(entity).to_frame().lazy())
            found.append(technique.caution(entity, domains(frame, [entity])[entity]))
        return [sentence for sentence in found if sentence]
