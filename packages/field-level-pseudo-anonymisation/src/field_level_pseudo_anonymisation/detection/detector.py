"""Finds personal data in texts."""

from collections.abc import Collection
from functools import partial
from itertools import chain
from typing import Any, Protocol

import polars as pl

from field_level_pseudo_anonymisation.detection import (
    credentials,
    dates,
    internet,
    national_ids,
    payments,
    phones,
    social,
)
from field_level_pseudo_anonymisation.detection.entities import NAMES, Entity
from field_level_pseudo_anonymisation.detection.languages import language as look_up
from field_level_pseudo_anonymisation.detection.names import name_recogniser
from field_level_pseudo_anonymisation.detection.own import Groups, own_patterns, own_words
from field_level_pseudo_anonymisation.detection.spans import SCHEMA, resolve
from util_services.errors import DataServiceError, nearest

_MODULES = (internet, credentials, social, payments, phones, dates, national_ids)
"""Each gives with ``recognisers(language)`` those of its field."""


class Finder(Protocol):
    """What finds spans of one kind or several."""

    @property
    def entities(self) -> frozenset[str]:
        """All kinds that it finds."""

    def find(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Take columns ``text`` (position) and ``content``, give spans as in :data:`.spans.SCHEMA`."""


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
        self._settings: dict[str, Any] = {
            "language": language,
            "entities": None if entities is None else tuple(entities),
            "names": names,
            "model": model,
            "high_recall": high_recall,
            "patterns": dict(patterns),
            "words": dict(words),
        }
        own = (*own_patterns(self._settings["patterns"]), *own_words(self._settings["words"]))
        known = {*map(str, Entity), *chain.from_iterable(recogniser.entities for recogniser in own)}
        self.entities = _wanted(entities, known)
        spoken = look_up(language)
        self._recognisers: list[Finder] = [
            recogniser
            for recogniser in chain(own, *(module.recognisers(spoken) for module in _MODULES))
            if recogniser.entities & self.entities
        ]
        wanted_names = NAMES & self.entities
        if names and wanted_names:
            self._recognisers.append(name_recogniser(spoken, wanted_names, model=model, high_recall=high_recall))
        elif entities is not None:
            _refuse_what_only_models_find(wanted_names.difference(*(recogniser.entities for recogniser in own)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let workers of an engine make their own: expressions and models do not travel."""
        return partial(Detector, **self._settings), ()

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
        found = (recogniser.find(frame) for recogniser in self._recognisers)
        wanted = pl.col("entity").is_in(self.entities)
        return resolve(pl.concat([SCHEMA.to_frame(), *found]).filter(wanted))


def _refuse_what_only_models_find(entities: Collection[str]) -> None:
    if entities:
        raise DataServiceError(
            f"The entity {min(entities)!r} is found by a language model alone: leave out names: false, "
            "or give words or patterns for it."
        )


def _wanted(entities: Collection[str] | None, known: Collection[str]) -> frozenset[str]:
    if entities is None:
        return frozenset(known)
    for entity in map(str, entities):
        if entity not in known:
            raise DataServiceError(f"The entity {entity!r} is unknown: {nearest(entity, sorted(known))}")
    return frozenset(map(str, entities))
