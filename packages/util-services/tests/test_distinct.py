import threading
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util_services import distinct
from util_services.distinct import DistinctValues


class Costly:
    """Turns texts around, counts what it sees, and takes its time on the processor."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, texts: pl.Series) -> pl.Series:
        with self._lock:
            self.seen.extend(texts)
        until = time.thread_time() + len(texts) * 3e-6
        while time.thread_time() < until:
            pass
        return texts.str.reverse()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["", "ab", "é", "😀x", "abc"]), max_size=200), max_size=4))
def test_the_results_are_those_of_the_transform(batches: list[list[str]]) -> None:
    transform = DistinctValues(Costly())
    for batch in batches:
        series = pl.Series("column", batch, dtype=pl.String)
        assert transform(series).to_list() == [text[::-1] for text in batch]


def test_values_are_transformed_once_for_all_batches_and_threads() -> None:
    costly = Costly()
    transform = DistinctValues(costly)
    batches = [pl.Series([f"v{number % 500}" for number in range(shift, shift + 2000)]) for shift in range(0, 400, 50)]
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(transform, batches))
    assert all(result.equals(batch.str.reverse()) for result, batch in zip(results, batches, strict=True))
    trial = costly.seen[:1000]  # which tells that it is costly
    assert sorted(costly.seen[1000:]) == sorted(set(trial)) == sorted(f"v{number}" for number in range(500))


def test_values_that_cost_no_more_than_a_lookup_are_not_kept_but_seen_once_in_a_batch() -> None:
    seen: list[int] = []

    def cheap(texts: pl.Series) -> pl.Series:
        seen.append(len(texts))
        return texts.str.to_uppercase()

    transform = DistinctValues(cheap)
    for _ in range(2):
        assert transform(pl.Series(["a", "b"] * 500)).to_list() == ["A", "B"] * 500
    assert seen == [1000, 2, 2]  # the trial first
    assert transform._known.height == 0


def test_results_that_are_missing_stay_missing() -> None:
    transform = DistinctValues(lambda texts: pl.select(pl.when(texts != "a").then(texts)).to_series())
    for _ in range(2):
        assert transform(pl.Series(["a", "b"] * 50)).to_list() == [None, "b"] * 50


def test_what_is_known_is_bounded_and_results_beyond_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_MOST_BYTES", 1)
    transform = DistinctValues(Costly())
    for start in range(0, 300, 50):
        batch = pl.Series([f"v{number}" for number in range(start, start + 100)] * 2)
        assert transform(batch).equals(batch.str.reverse())
        assert transform._known.height <= 100


def test_values_that_hardly_repeat_are_forgotten_and_transformed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_TRIAL_LOOKUPS", 250)
    costly = Costly()
    transform = DistinctValues(costly)
    transform(pl.Series(["again"] * 100))
    for start in range(0, 1200, 100):
        batch = pl.Series([f"v{number}" for number in range(start, start + 100)])
        assert transform(batch).equals(batch.str.reverse())
    assert not transform._repeats
    assert transform._known.height == 0
    assert len(costly.seen) == 1301  # with the trial


def test_cheap_values_that_never_repeat_are_no_longer_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    share = distinct._distinct_share

    def counted(texts: pl.Series) -> float:
        looked_at.append(len(texts))
        return share(texts)

    monkeypatch.setattr(distinct, "_distinct_share", counted)
    transform = DistinctValues(lambda texts: texts.str.to_uppercase())
    transform._costly = False
    repeating = pl.Series(["a"] * 100)
    for start in range(0, 3000, 100):
        assert transform(pl.Series([f"v{start + number}" for number in range(100)]))[0] == f"V{start}"
        if start == 300:  # hope begins anew
            assert transform(repeating).to_list() == ["A"] * 100
    assert len(looked_at) == 4 + 1 + distinct._TRIAL_BATCHES
