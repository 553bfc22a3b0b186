"""Transforming each distinct value once, where equal values get equal results and where it pays."""

import threading
import time

import polars as pl
import pyarrow as pa

from field_level_pseudo_anonymisation.techniques.technique import Transform

_FEW_VALUES = 64
_COSTLY_SECONDS = 1e-6  # for a value: more than looking it up among those known
_WORTH_FOR_CHEAP, _WORTH_FOR_COSTLY = 0.3, 0.9  # largest share of distinct values at which finding them pays
_MOST_BYTES = 64 * 2**20
_TRIAL_LOOKUPS, _FEW_HITS = 100_000, 0.2


class DistinctValues:
    """A transform that sees each distinct value of a batch once, and costly ones once for many batches.

    What is known is bounded in memory, is dropped if it does not help, and goes with this object. May be called from
    several threads.

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
        self._known = _Known()
        self._costly: bool | None = None

    def __call__(self, texts: pl.Series) -> pl.Series:
        """Transform texts without missing ones."""
        if len(texts) < _FEW_VALUES:
            return self._transform(texts)
        worth = _WORTH_FOR_COSTLY if self._costly is not False else _WORTH_FOR_CHEAP
        remembers = self._costly and self._known.helps
        if not remembers and _about_distinct(texts) > worth * len(texts):
            return self._timed(texts)
        encoded: pa.DictionaryArray = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        distinct = pl.Series(texts.name, encoded.dictionary)
        results = self._known.completed(distinct, self._timed) if remembers else self._timed(distinct)
        return results.gather(pl.Series(encoded.indices))

    def _timed(self, texts: pl.Series) -> pl.Series:
        """Transform, and learn whether that is costly."""
        if not len(texts):
            return self._transform(texts)
        started = time.perf_counter()
        results = self._transform(texts)
        if self._costly is None:
            self._costly = time.perf_counter() - started > _COSTLY_SECONDS * len(texts)
        return results


def _about_distinct(texts: pl.Series) -> int:
    estimate: int = texts.to_frame().select(pl.first().approx_n_unique()).item()
    return estimate


class _Known:
    """Results of earlier batches."""

    def __init__(self) -> None:
        self._table = pl.DataFrame(schema={"value": pl.String, "result": pl.String})
        self._lock = threading.Lock()
        self._lookups = self._hits = 0
        self.helps = True

    def completed(self, distinct: pl.Series, transform: Transform) -> pl.Series:
        """Give the results of distinct values: known ones, and new ones, which are kept for later batches."""
        values = distinct.alias("value").to_frame()
        found = values.join(self._table.with_columns(known=True), on="value", how="left", maintain_order="left")
        is_new = found["known"].is_null()
        new = found.filter(is_new)["value"]
        results = transform(new).cast(pl.String)
        self._learn(new, results, len(distinct))
        place = pl.select(pl.when(is_new).then(is_new.cast(pl.UInt32).cum_sum() - 1)).to_series()
        return results.gather(place).zip_with(is_new, found["result"]) if len(new) else found["result"]

    def _learn(self, new: pl.Series, results: pl.Series, lookups: int) -> None:
        with self._lock:
            self._lookups += lookups
            self._hits += lookups - len(new)
            if self._lookups > _TRIAL_LOOKUPS and self._hits < _FEW_HITS * self._lookups:
                self.helps = False
                self._table = self._table.clear()
            elif self._table.estimated_size() < _MOST_BYTES:
                rows = pl.DataFrame({"value": new, "result": results})
                self._table = pl.concat([self._table, rows.join(self._table, on="value", how="anti")])
