import random

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from data_processing import similarity
from data_processing.similarity import near_duplicates, representatives
from util_services.errors import DataServiceError

COUNTS = st.dictionaries(st.text("abc ", min_size=1, max_size=6), st.integers(1, 5), max_size=12)


def plain(text: str) -> str:
    return " ".join(text.split()).casefold()


@settings(max_examples=50, deadline=None)
@given(COUNTS, st.sampled_from([0.4, 0.7, 1.0]))
def test_a_text_goes_to_the_most_frequent_text_that_it_is_similar_to(counts: dict[str, int], threshold: float) -> None:
    found = representatives(counts, threshold)
    kept = [text for text in counts if text not in found]
    rank = {text: place for place, text in enumerate(sorted(counts, key=lambda text: (-counts[text], text)))}

    def similar(text: str, other: str) -> bool:
        return Levenshtein.normalized_similarity(plain(text), plain(other)) >= threshold - 1e-9

    for text in counts:
        candidates = [other for other in kept if rank[other] < rank[text] and similar(text, other)]
        assert found.get(text) == min(candidates, key=rank.__getitem__, default=None)


@settings(max_examples=50, deadline=None)
@given(COUNTS, st.sampled_from([0.4, 0.7, 0.8]))
def test_it_does_not_matter_how_many_texts_are_compared_at_once(counts: dict[str, int], threshold: float) -> None:
    expected = representatives(counts, threshold)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(similarity, "_BLOCK", 2)
        assert representatives(counts, threshold) == expected


def test_case_and_white_space_are_no_difference() -> None:
    assert representatives({"Ann  Lee": 2, "ann lee": 1, " ANN LEE ": 1}, 1.0) == {
        " ANN LEE ": "Ann  Lee",
        "ann lee": "Ann  Lee",
    }


@pytest.mark.parametrize("engine", [pl.LazyFrame, pd.DataFrame, pa.table])
def test_every_engine_gives_the_same(engine: type) -> None:
    frame = nw.from_native(engine({"city": ["Lyon", "Lyon", "Lyonn", None, "Paris"]})).lazy()
    assert near_duplicates(frame, "city", 0.8).representatives == {"Lyonn": "Lyon"}


def test_of_many_texts_neighbours_in_some_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "ALL_PAIRS_UP_TO", 10)
    letters = random.Random(1)
    names = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=12)) for _ in range(500)]
    altered = {
        name[:place] + "#" + name[place + 1 :]: name for name, place in zip(names, [0, 5, 11] * 167, strict=False)
    }
    counts = dict.fromkeys(names, 2) | dict.fromkeys(altered, 1)
    found = representatives(counts, 0.9)
    assert set(found.items()) <= set(altered.items())
    assert len(found) > 0.99 * len(altered)


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(
        DataServiceError, match=r"The similarity threshold .* is out of range: give a number above 0, to 1"
    ):
        representatives({"a": 1}, threshold)


def test_an_unknown_column_and_too_many_texts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = nw.from_native(pl.LazyFrame({"city": ["a", "b"]}))
    with pytest.raises(DataServiceError, match=r"The column 'cty' does not exist: did you mean 'city'\?"):
        near_duplicates(frame, "cty", 0.5)
    monkeypatch.setattr(similarity, "MOST_TEXTS", 1)
    with pytest.raises(DataServiceError, match="The column 'city' has 2 distinct texts, and at most 1 can be compared"):
        near_duplicates(frame, "city", 0.5)
