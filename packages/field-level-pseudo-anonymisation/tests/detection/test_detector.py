import pickle
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.languages import LANGUAGES
from util_services.errors import DataServiceError


def found(detector: Detector, *texts: str | None) -> list[tuple[str, str]]:
    series = pl.Series(texts, dtype=pl.String)
    return [(entity, texts[text][start:end]) for text, start, end, entity, _ in detector.detect(series).rows()]


def test_findings_have_the_promised_columns_even_if_there_are_none() -> None:
    expected = {"text": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "entity": pl.String, "score": pl.Float64}
    detector = Detector("en", names=False)
    for texts in (["a@b.example"], ["nothing"], [None], []):
        assert detector.detect(pl.Series(texts, dtype=pl.String)).schema == expected


def test_offsets_count_characters_whatever_their_bytes() -> None:
    assert found(Detector("en", names=False), "𝄞é a@b.example \ufdd0 c@d.example") == [
        ("EMAIL", "a@b.example"),
        ("EMAIL", "c@d.example"),
    ]


def test_a_missing_and_an_empty_text_keep_their_places() -> None:
    detector = Detector("en", names=False)
    assert detector.detect(pl.Series([None, "", "a@b.example"]))["text"].to_list() == [2]


def test_only_the_wanted_entities_are_looked_for() -> None:
    assert found(Detector("en", entities=["IBAN"], names=False), "a@b.example") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_of_the_contract_has_a_detector(language: str) -> None:
    assert found(Detector(language, names=False), "a@b.example") == [("EMAIL", "a@b.example")]


def test_several_threads_may_use_one_detector() -> None:
    detector = Detector("en", names=False)
    batches = [pl.Series([f"{n}@b.example"] * n) for n in range(1, 30)]
    with ThreadPoolExecutor(4) as threads:
        heights = [frame.height for frame in threads.map(detector.detect, batches)]
    assert heights == list(range(1, 30))


def test_a_detector_can_be_sent_to_another_process() -> None:
    detector = Detector("en", entities=["EMAIL", "X"], names=False, patterns=iter([("X", ["x1"])]))
    assert found(pickle.loads(pickle.dumps(detector)), "x1 a@b.example c@d") == [("X", "x1"), ("EMAIL", "a@b.example")]


def test_an_unknown_language_is_told_with_the_choices() -> None:
    with pytest.raises(DataServiceError, match="The language 'xx' is unknown: choose one of 'en', 'it'"):
        Detector("xx")


def test_an_unknown_entity_is_told_with_the_nearest_one() -> None:
    with pytest.raises(DataServiceError, match="The entity 'E_MAIL' is unknown: did you mean 'EMAIL'"):
        Detector("en", entities=["E_MAIL"])
