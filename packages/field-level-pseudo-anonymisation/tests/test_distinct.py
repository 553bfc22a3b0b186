import threading
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation import distinct
from field_level_pseudo_anonymisation.distinct import DistinctValues


class Costly:
    """Turns texts around, counts what it sees, and takes its time."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, texts: pl.Series) -> pl.Series:
        with self._lock:
            self.seen.extend(texts)
        time.sleep(len(texts) * 2e-6)
        return texts.str.reverse()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["", "ab", "é", "😀x", "abc"]), max_size=200), max_size=4))
def test_the_results_are_those_of_the_transform(batches: list[list[str]]) -> None:
    transform = DistinctValues(Costly())
    for batch in batches:
        series = pl.Series("column", batch, dtype=pl.String)
        assert transform(series).to_list() == [text[::-1] for text in batch]


def test_costly_values_are_transformed_once_for_all_batches_and_threads() -> None:
    costly = Costly()
    transform = DistinctValues(costly)
    batches = [pl.Series([f"v{number % 500}" for number in range(shift, shift + 2000)]) for shift in range(0, 400, 50)]
    transform(batches[0])
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(transform, batches))
    assert all(result.equals(batch.str.reverse()) for result, batch in zip(results, batches, strict=True))
    assert len(set(costly.seen)) == 500
    assert len(costly.seen) <= 1500  # once to learn that it is costly, once for each thread that comes too early


def test_results_that_are_missing_stay_missing() -> None:
    transform = DistinctValues(lambda texts: pl.select(pl.when(texts != "a").then(texts)).to_series())
    transform._costly = True
    for _ in range(2):
        assert transform(pl.Series(["a", "b"] * 50)).to_list() == [None, "b"] * 50


def test_what_is_known_is_bounded_and_forgotten_if_it_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_MOST_BYTES", 1)
    monkeypatch.setattr(distinct, "_TRIAL_LOOKUPS", 250)
    transform = DistinctValues(Costly())
    for start in range(0, 600, 100):
        transform(pl.Series([f"v{number}" for number in range(start, start + 100)]))
        assert transform._known._table.height <= 100
    assert not transform._known.helps
    assert transform._known._table.height == 0
