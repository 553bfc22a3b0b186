"""Pipelines without a trained model: entity rulers with the labels that the makers' models of a language have."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import spacy

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.languages import LANGUAGES
from util_services.errors import DataServiceError

# Language as spaCy calls it; its model's labels of persons, organisations, places, and something else with a name.
LABELS = {
    "en": ("en", "PERSON", "ORG", "GPE", "NORP"),
    "fr": ("fr", "PER", "ORG", "LOC", "MISC"),
    "no": ("nb", "PER", "GPE_ORG", "GPE_LOC", "MISC"),
    "pl": ("pl", "persName", "orgName", "placeName", "geogName"),
    "ro": ("ro", "PERSON", "ORGANIZATION", "FACILITY", "EVENT"),
    "sv": ("sv", "PRS", "ORG", "LOC", "EVN"),
}
TEXT = "Anna met Acme in Oslo at Expo ."


def ruler(folder: Path, code: str, *labels: str) -> str:
    pipeline = spacy.blank(code)
    words = zip(("Anna", "Acme", "Oslo", "Expo", "2024"), (*labels, "DATE"), strict=False)
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": word} for word, label in words])
    pipeline.to_disk(folder)
    return str(folder)


def found(detector: Detector, text: str = TEXT) -> list[tuple[str, str]]:
    return [(entity, text[start:end]) for _, start, end, entity, _ in detector.detect(pl.Series([text])).rows()]


@pytest.mark.parametrize("language", LABELS)
def test_labels_of_every_set_become_our_entities(language: str, tmp_path: Path) -> None:
    detector = Detector(language, model=ruler(tmp_path, *LABELS[language]))
    expected = [("PERSON", "Anna"), ("ORGANISATION", "Acme"), ("LOCATION", "Oslo")]
    assert found(detector)[:3] == expected


def test_anything_with_a_name_counts_as_a_person_if_recall_matters_most(tmp_path: Path) -> None:
    model = ruler(tmp_path, *LABELS["en"])
    everything = Detector("en", model=model, high_recall=True)
    assert found(everything) == [("PERSON", "Anna"), ("ORGANISATION", "Acme"), ("LOCATION", "Oslo"), ("PERSON", "Expo")]
    persons = Detector("en", entities=["PERSON"], model=model, high_recall=True)
    assert {entity for entity, _ in found(persons)} == {"PERSON"}
    assert len(found(persons)) == 4


def test_quantities_are_nobodys_name(tmp_path: Path) -> None:
    detector = Detector("en", model=ruler(tmp_path, *LABELS["en"]), high_recall=True)
    assert found(detector, "in 2024 .") == []


def test_a_number_that_the_model_takes_for_part_of_a_name_is_left_to_others(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    pattern = {"label": "ORG", "pattern": "PESEL 44051401359"}
    pipeline.add_pipe("entity_ruler").add_patterns([pattern])
    pipeline.to_disk(tmp_path)
    assert ("NATIONAL_ID", "44051401359") in found(Detector("en", model=str(tmp_path)), "PESEL 44051401359")


def test_offsets_hold_in_texts_longer_than_the_model_reads_at_once(tmp_path: Path) -> None:
    detector = Detector("en", entities=["PERSON"], model=ruler(tmp_path, *LABELS["en"]))
    text = "𝄞 word " * 9_000 + "Anna"
    assert detector.detect(pl.Series([text])).select("start", "end").rows() == [(63_000, 63_004)]


def test_equal_texts_all_have_their_names(tmp_path: Path) -> None:
    detector = Detector("en", entities=["PERSON"], model=ruler(tmp_path, *LABELS["en"]))
    assert detector.detect(pl.Series(["Anna", None, "none", "Anna"]))["text"].to_list() == [0, 3]


def test_several_threads_may_share_a_model(tmp_path: Path) -> None:
    detector = Detector("en", entities=["PERSON"], model=ruler(tmp_path, *LABELS["en"]))
    batches = [pl.Series([f"Anna {n}"] * n) for n in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        assert [frame.height for frame in threads.map(detector.detect, batches)] == list(range(1, 9))


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"fr"}))
def test_a_missing_model_is_told_with_the_command_that_fetches_it(language: str) -> None:
    genre = "web" if language in {"en", "zh"} else "news"
    code = "nb" if language == "no" else language
    with pytest.raises(DataServiceError, match=f"`python -m spacy download {code}_core_{genre}_lg`.*names: false"):
        Detector(language)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("de_core_news_sm", "is not installed.*`python -m spacy download de_core_news_sm`"),
        ("os", "The spaCy model 'os' is not installed"),
        ("/nowhere", "The spaCy model '/nowhere' is not installed"),
    ],
)
def test_a_named_model_that_is_not_there_is_told(model: str, message: str) -> None:
    with pytest.raises(DataServiceError, match=message):
        Detector("de", model=model)


def test_a_model_that_tells_no_names_is_refused(tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(DataServiceError, match="recognises no names"):
        Detector("en", model=str(tmp_path))


def test_no_model_is_needed_unless_names_are_looked_for() -> None:
    assert found(Detector("en", entities=["EMAIL"]), "a@b.example") == [("EMAIL", "a@b.example")]


def test_a_name_that_only_models_find_is_refused_without_one() -> None:
    with pytest.raises(DataServiceError, match="The entity 'PERSON' is found by a language model alone"):
        Detector("en", entities=["PERSON"], names=False)
    words = Detector("en", entities=["PERSON"], names=False, words={"PERSON": ["Anna"]})
    assert found(words) == [("PERSON", "Anna")]
