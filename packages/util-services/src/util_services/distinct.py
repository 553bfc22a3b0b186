"""Transforming each distinct value once, where equal values get equal results and where it pays."""

import threading
import time
from collections.abc import Callable

import polars as pl
import pyarrow as pa

Transform = Callable[[pl.Series], pl.Series]
"""Takes texts without missing ones, shape (n,), and gives as many, in order. May be called from several threads."""

_FEW_VALUES = 64
_MOSTLY_DISTINCT, _MOSTLY_DISTINCT_CHEAP = 0.9, 0.3  # share of a batch from which on there is nothing to gain
_TRIAL_VALUES, _COSTLY_SECONDS = 1000, 1e-6  # of processor time for a value: several times a lookup
_MOST_BYTES = 64 * 2**20
_TRIAL_LOOKUPS, _FEW_HITS = 200_000, 0.1
_TRIAL_BATCHES = 8  # without hope, one after the other


class DistinctValues:
    """A transform that sees each distinct value once, as far as the results fit into bounded memory.

    It watches whether that pays: a hash takes hardly longer than a lookup among earlier batches, so that only the batch
    itself is searched for equal values; and some values hardly repeat. What is known goes with this object. May be
    called from several threads.

    Args:
        transform: Gives equal results for equal values.

    Examples:
        >>> shouted = DistinctValues(lambda texts: texts.str.to_uppercase())(pl.Series(["a", "b"] * 100))
        >>> shouted.to_list() == ["A", "B"] * 100
        True
    """

    def __init__(self, transform: Transform) -> None:
        self._transform = transform
        self._known = pl.DataFrame(schema={"value": pl.String, "result": pl.String, "known": pl.Boolean})
        self._lock = threading.Lock()
        self._lookups = self._misses = 0
        self._costly: bool | None = None  # not known before the first values
        self._repeats = True
        self._hopeless = 0

    def __call__(self, texts: pl.Series) -> pl.Series:
        """Transform texts without missing ones."""
        if len(texts) < _FEW_VALUES or not self._repeats:
            return self._transform(texts)
        costly, known = self._is_costly(texts), self._known
        hopeless = _MOSTLY_DISTINCT if costly else _MOSTLY_DISTINCT_CHEAP
        if known.is_empty():
            self._hopeless = self._hopeless + 1 if _distinct_share(texts) > hopeless else 0
            self._repeats = self._hopeless < _TRIAL_BATCHES
            if self._hopeless:
                return self._transform(texts)
        distinct, places = _encoded(texts)
        results = self._results(distinct, known, len(texts)) if costly else self._transform(distinct)
        return results.gather(places)

    def __reduce__(self) -> tuple[type["DistinctValues"], tuple[Transform]]:
        """A copy on another machine knows no values."""
        return DistinctValues, (self._transform,)

    def _is_costly(self, texts: pl.Series) -> bool:
        with self._lock:
            if self._costly is None:
                started = time.thread_time()
                trial = texts.head(_TRIAL_VALUES)
                self._transform(trial)
                self._costly = time.thread_time() - started > _COSTLY_SECONDS * len(trial)
            return self._costly

    def _results(self, distinct: pl.Series, known: pl.DataFrame, lookups: int) -> pl.Series:
        """Look distinct values up among known ones, and compute the others; one thread at a time, lest two do so."""
        found = _look_up(distinct, known)
        if not found["known"].null_count():
            return found["result"]
        with self._lock:
            if self._known is not known:  # another thread may have been quicker
                found = _look_up(distinct, self._known)
            is_new = found["known"].is_null()
            new = distinct.filter(is_new)
            if not len(new):
                return found["result"]
            results = self._transform(new).cast(pl.String)
            self._learn(new, results, lookups)
        return put_back(is_new, results).zip_with(is_new, found["result"])

    def _learn(self, new: pl.Series, results: pl.Series, lookups: int) -> None:
        self._lookups += lookups
        self._misses += len(new)
        if self._lookups > _TRIAL_LOOKUPS and self._lookups - self._misses < _FEW_HITS * self._lookups:
            self._repeats = False
            self._known = self._known.clear()
        elif self._known.estimated_size() < _MOST_BYTES:
            rows = pl.DataFrame({"value": new, "result": results}).with_columns(known=True)
            self._known = pl.concat([self._known, rows])


def of_present(transform: Transform, texts: pl.Series) -> pl.Series:
    """Transform the texts that are not missing.

    Examples:
        >>> of_present(lambda texts: texts.str.to_uppercase(), pl.Series(["a", None])).to_list()
        ['A', None]
    """
    if not texts.null_count():
        return transform(texts)
    return put_back(texts.is_not_null(), transform(texts.drop_nulls()))


def _look_up(texts: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    return texts.alias("value").to_frame().join(known, on="value", how="left", maintain_order="left")


def put_back(places: pl.Series, values: pl.Series) -> pl.Series:
    """Spread values over the places that are true, and leave the others missing.

    Examples:
        >>> put_back(pl.Series([True, False, True]), pl.Series(["a", "b"])).to_list()
        ['a', None, 'b']
    """
    position = pl.select(pl.when(places).then(places.cast(pl.UInt32).cum_sum() - 1)).to_series()
    return values.gather(position)


def _encoded(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Give the distinct texts, and for each text the position of its own."""
    encoded: pa.DictionaryArray = texts.to_arrow(compat_level=pl.CompatLevel.newest()).dictionary_encode()
    return pl.Series(encoded.dictionary), pl.Series(encoded.indices)


def _distinct_share(texts: pl.Series) -> float:
    """Estimate the share of distinct values (HyperLogLog, some 2 % off)."""
    estimate: int = texts.to_frame().select(pl.first().approx_n_unique()).item()
    return estimate / len(texts)
