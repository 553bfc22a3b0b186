"""Transforming each distinct value once, where equal values get equal results and where it pays."""

import threading
import time

import polars as pl
import pyarrow as pa

from field_level_pseudo_anonymisation.techniques.technique import Transform

_FEW_VALUES = 64
_MOSTLY_DISTINCT = 0.9  # of a batch: nothing to gain
_COSTLY_SECONDS = 1e-6  # for a value: several times a lookup
_MOST_BYTES, _MOST_BYTES_COSTLY = 16 * 2**20, 64 * 2**20  # the larger the table, the longer a lookup takes
_TRIAL_LOOKUPS = 200_000
_FEW_HITS, _FEW_HITS_COSTLY = 0.5, 0.1


class DistinctValues:
    """A transform that sees each distinct value once, as far as the results fit into bounded memory.

    It watches whether that pays, and gives it up where values hardly repeat. What is known goes with this object. May
    be called from several threads.

    Args:
        transform: Gives equal results for equal values.

    Examples:
        >>> seen = []
        >>> def shout(texts):
        ...     seen.extend(texts)
        ...     return texts.str.to_uppercase()
        >>> shouted = DistinctValues(shout)(pl.Series(["a", "b"] * 100))
        >>> shouted.to_list() == ["A", "B"] * 100, sorted(seen)
        (True, ['a', 'b'])
    """

    def __init__(self, transform: Transform) -> None:
        self._transform = transform
        self._known = pl.DataFrame(schema={"value": pl.String, "result": pl.String, "known": pl.Boolean})
        self._lock = threading.Lock()
        self._lookups = self._misses = 0
        self._costly = False
        self._helps = True

    def __call__(self, texts: pl.Series) -> pl.Series:
        """Transform texts without missing ones."""
        if len(texts) < _FEW_VALUES or not self._helps:
            return self._transform(texts)
        if self._known.is_empty() and _about_distinct(texts) > _MOSTLY_DISTINCT * len(texts):
            return self._transform(texts)
        found = self._look_up(texts)
        is_new = found["known"].is_null()
        new = texts.filter(is_new)
        if not len(new):
            return found["result"]
        encoded: pa.DictionaryArray = new.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        results = self._completed(pl.Series(encoded.dictionary), len(texts)).gather(pl.Series(encoded.indices))
        return results if len(new) == len(texts) else put_back(is_new, results).zip_with(is_new, found["result"])

    def _look_up(self, texts: pl.Series) -> pl.DataFrame:
        return texts.alias("value").to_frame().join(self._known, on="value", how="left", maintain_order="left")

    def _completed(self, distinct: pl.Series, lookups: int) -> pl.Series:
        """Give the results of distinct values; one thread at a time, lest two compute the same ones."""
        with self._lock:
            found = self._look_up(distinct)
            is_new = found["known"].is_null()
            new = distinct.filter(is_new)
            if not len(new):
                return found["result"]
            started = time.perf_counter()
            results = self._transform(new).cast(pl.String)
            self._costly = time.perf_counter() - started > _COSTLY_SECONDS * len(new)
            self._learn(new, results, lookups)
            return put_back(is_new, results).zip_with(is_new, found["result"])

    def _learn(self, new: pl.Series, results: pl.Series, lookups: int) -> None:
        self._lookups += lookups
        self._misses += len(new)
        few = _FEW_HITS_COSTLY if self._costly else _FEW_HITS
        if self._lookups > _TRIAL_LOOKUPS and self._lookups - self._misses < few * self._lookups:
            self._helps = False
            self._known = self._known.clear()
        elif self._known.estimated_size() < (_MOST_BYTES_COSTLY if self._costly else _MOST_BYTES):
            rows = pl.DataFrame({"value": new, "result": results}).with_columns(known=True)
            self._known = pl.concat([self._known, rows])


def put_back(places: pl.Series, values: pl.Series) -> pl.Series:
    """Spread values over the places that are true, and leave the others missing.

    Examples:
        >>> put_back(pl.Series([True, False, True]), pl.Series(["a", "b"])).to_list()
        ['a', None, 'b']
    """
    position = pl.select(pl.when(places).then(places.cast(pl.UInt32).cum_sum() - 1)).to_series()
    return values.gather(position)


def _about_distinct(texts: pl.Series) -> int:
    estimate: int = texts.to_frame().select(pl.first().approx_n_unique()).item()
    return estimate
