"""Names of persons, organisations and places, found by spaCy's language models."""

import re
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from babel.numbers import list_currencies

from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.spans import SCHEMA
from util_services.errors import DataServiceError, nearest

if TYPE_CHECKING:
    from spacy.language import Language as Pipeline

SIZES = ("lg", "md", "sm")
"""Sizes of official models, the best first."""

SCORE = 0.85  # spaCy gives none; below what a checksum proves, above a bare form

_LABELS = {
    Entity.PERSON: ("PER", "PERSON", "PRS", "persName"),
    Entity.ORGANISATION: ("ORG", "ORGANIZATION", "GPE_ORG", "orgName"),
    Entity.LOCATION: ("LOC", "GPE", "GPE_LOC", "FAC", "FACILITY", "placeName", "geogName"),
}
_ENTITIES = {label: entity for entity, labels in _LABELS.items() for label in labels}

# Named entities that name nobody and nothing: never personal by themselves, even in a high-recall search.
_QUANTITIES = frozenset(
    {"CARDINAL", "DATE", "DATETIME", "LANGUAGE", "MONEY", "MSR", "NUMERIC_VALUE", "ORDINAL"}
    | {"PERCENT", "PERIOD", "QUANTITY", "TIME", "TME", "date", "time"}
)

# Components of a pipeline on which entities do not depend.
_IDLE = "attribute_ruler lemmatizer morphologizer parser senter tagger textcat textcat_multilabel trainable_lemmatizer"

# Words with letters and without figures: models take numbers beside a name for a part of it, or for a name.
_WORD = r"(?<!\S)[^\s\d@]*[^\W\d_][^\s\d@]*(?!\S)"
_NAMES = re.compile(rf"(?s:.*[\u3400-\u9fff].*)|{_WORD}(?:\s+{_WORD})*")  # Chinese sets no spaces
_CURRENCIES = list_currencies()  # codes such as EUR, which some models take for names

_WINDOW = 20_000  # characters that the model reads at once, so that memory does not grow with the text
_BATCH = 128  # texts


@dataclass(frozen=True)
class NameRecogniser:
    """Finds names with a language model.

    Attributes:
        model: Name of an installed spaCy model, or its folder.
        entities: Which of PERSON, ORGANISATION and LOCATION are looked for.
        high_recall: Whether any named entity counts as a person, unless its own kind is looked for.
    """

    model: str
    entities: frozenset[str]
    high_recall: bool = False

    def find(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Find names; see :meth:`.recogniser.Recogniser.find`. Each distinct text is read once."""
        distinct = texts.select(pl.col("content").unique(maintain_order=True)).with_row_index("place")
        contents = distinct["content"].to_list()
        spans = pl.DataFrame(list(self._spans(contents)), schema=SCHEMA, orient="row").rename({"text": "place"})
        located = texts.join(distinct, on="content").select("text", "place").join(spans, on="place")
        return located.select(SCHEMA.names())

    def _spans(self, contents: list[str]) -> Iterator[tuple[int, int, int, str, float]]:
        loaded = load(self.model)
        windows = (
            (window, (place, offset)) for place, text in enumerate(contents) for offset, window in _windows(text)
        )
        with (
            loaded.lock,
            loaded.pipeline.memory_zone(),
        ):  # a pipeline is not safe in several threads, and remembers words
            for document, (place, offset) in loaded.pipeline.pipe(windows, as_tuples=True, batch_size=_BATCH):
                for span in document.ents:
                    if entity := self._entity(span.label_):
                        for first, last in _names(span.text):
                            start = offset + span.start_char
                            yield place, start + first, start + last, entity, SCORE

    def _entity(self, label: str) -> str | None:
        entity = _ENTITIES.get(label)
        if entity in self.entities:
            return str(entity)
        if self.high_recall and Entity.PERSON in self.entities and label not in _QUANTITIES:
            return str(Entity.PERSON)
        return None


def name_recogniser(
    language: Language, entities: Collection[str], *, model: str | None, high_recall: bool
) -> NameRecogniser:
    """Choose and load the model of a language.

    Args:
        language: The language of the texts.
        entities: Which of PERSON, ORGANISATION and LOCATION are looked for.
        model: Name of an installed model or its folder; default the largest official one of the language installed.
        high_recall: Whether any named entity counts as a person, unless its own kind is looked for.

    Raises:
        DataServiceError: If spaCy or the model is not installed, or the model tells no names.
    """
    name = _official(language) if model is None else _chosen(model)
    labels = {label for labels in load(name).pipeline.pipe_labels.values() for label in labels}
    if not any(label in _ENTITIES for label in labels):
        raise DataServiceError(
            f"The spaCy model {name!r} recognises no names: choose one with labels such as PER, ORG and LOC."
        )
    return NameRecogniser(name, frozenset(entities), high_recall)


@dataclass(frozen=True)
class LoadedModel:
    """A pipeline and the lock that those who run it must hold."""

    pipeline: "Pipeline"
    lock: threading.Lock


@lru_cache(maxsize=4)
def load(model: str) -> LoadedModel:
    """Load a model once per process, without what names do not depend on."""
    return LoadedModel(_spacy().load(model, exclude=_IDLE.split()), threading.Lock())


def _spacy() -> Any:
    try:
        import spacy
    except ImportError:
        raise DataServiceError(
            "Names are found by spaCy, which is not installed: install field-level-pseudo-anonymisation[names], "
            "or set names: false."
        ) from None
    return spacy


def _official(language: Language) -> str:
    installed = _spacy().util.get_installed_models()
    for size in SIZES:
        if (name := f"{language.models}_{size}") in installed:
            return name
    raise DataServiceError(
        f"No spaCy model for the language {language.code!r} is installed: run "
        f"`python -m spacy download {language.models}_{SIZES[0]}` (or md, sm), or set names: false."
    )


def _chosen(model: str) -> str:
    """Accept installed models and folders alone: spaCy would import any module of that name."""
    installed = _spacy().util.get_installed_models()
    if model in installed or Path(model, "config.cfg").is_file():
        return model
    official = model.count("_") == 3  # noqa: PLR2004 - language_kind_genre_size
    remedy = f"run `python -m spacy download {model}`." if official else nearest(model, installed)
    raise DataServiceError(f"The spaCy model {model!r} is not installed (names: false does without): {remedy}")


def _names(span: str) -> Iterator[tuple[int, int]]:
    """Give what of a span can be names.

    >>> list(_names("Ann Lee 0176 1234"))
    [(0, 7)]
    """
    return (name.span() for name in _NAMES.finditer(span) if name[0] not in _CURRENCIES)


def _windows(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text between lines, else between words.

    >>> [(offset, len(window)) for offset, window in _windows("word " * 4_001)]
    [(0, 20000), (20000, 5)]
    """
    first = 0
    while len(text) - first > _WINDOW:
        limit = first + _WINDOW
        cut = text.rfind("\n", first, limit) + 1 or text.rfind(" ", first, limit) + 1 or limit
        yield first, text[first:cut]
        first = cut
    yield first, text[first:]
