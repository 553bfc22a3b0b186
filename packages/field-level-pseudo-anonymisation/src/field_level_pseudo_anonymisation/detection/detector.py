"""Finds personal data in texts."""

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from field_level_pseudo_anonymisation.detection import patterns as forms
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import language as look_up
from field_level_pseudo_anonymisation.detection.own import Groups, own_patterns, own_words
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser
from field_level_pseudo_anonymisation.detection.spans import SCHEMA, resolve
from util_services.errors import DataServiceError, nearest

_MODULES = (forms,)
"""Each gives with ``recognisers(language)`` those of its field."""


class Detector:
    """Finds personal data in texts of one language.

    It keeps nothing between calls and may be used by several threads at once.

    Examples:
        >>> detector = Detector("en", names=False)
        >>> detector.detect(pl.Series(["Ask ann@example.org."])).rows()
        [(0, 4, 19, 'EMAIL', 0.99)]
    """

    def __init__(
        self,
        language: str,
        *,
        entities: Collection[str] | None = None,
        names: bool = True,
        model: str | None = None,
        high_recall: bool = False,
        patterns: Groups = (),
        words: Groups = (),
    ) -> None:
        """Prepare the recognisers.

        Args:
            language: ISO 639-1 code of the texts' language, one of :data:`.languages.LANGUAGES`.
            entities: Names of what to look for; default everything.
            names: Whether a language model looks for persons, organisations and places.
            model: Name or path of the spaCy model; default the largest official one of the language installed.
            high_recall: Whether any named entity counts as a person, unless its own kind is looked for.
            patterns: The user's own regular expressions: for each entity, ours or a name of the user's own, a list.
            words: The user's own words, likewise; found as whole words in any case.

        Raises:
            DataServiceError: If the language, an entity, the model, a pattern or a word is unknown or malformed.
        """
        del names, model, high_recall  # names come next
        own = (*own_patterns(patterns), *own_words(words))
        known = {*map(str, Entity), *(recogniser.entity for recogniser in own)}
        self.entities = _wanted(entities, known)
        spoken = look_up(language)
        ours = (recogniser for module in _MODULES for recogniser in module.recognisers(spoken))
        self._recognisers: Sequence[Recogniser] = [
            recogniser for recogniser in (*own, *ours) if recogniser.entity in self.entities
        ]

    def detect(self, texts: pl.Series) -> pl.DataFrame:
        """Find personal data.

        Args:
            texts: Texts, shape (n,); a missing one has none.

        Returns:
            A row for each finding, sorted, none overlapping another: ``text`` (position in ``texts``), ``start`` and
            ``end`` (offsets in characters, end exclusive), ``entity``, ``score`` (0 to 1), as in :data:`.spans.SCHEMA`.
        """
        frame = pl.DataFrame(
            [pl.int_range(len(texts), dtype=pl.UInt32, eager=True).alias("text"), texts.alias("content")]
        )
        frame = frame.filter(pl.col("content").is_not_null())
        found: Iterable[pl.DataFrame] = (recogniser.find(frame) for recogniser in self._recognisers)
        return resolve(pl.concat([SCHEMA.to_frame(), *found]))


def _wanted(entities: Collection[str] | None, known: Collection[str]) -> frozenset[str]:
    if entities is None:
        return frozenset(known)
    for entity in map(str, entities):
        if entity not in known:
            raise DataServiceError(f"The entity {entity!r} is unknown: {nearest(entity, sorted(known))}")
    return frozenset(map(str, entities))
