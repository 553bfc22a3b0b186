"""Fingerprints of rows: what to compare rows by without holding their cells in memory."""

import secrets
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import polars as pl

from util_services.frames import map_batches

_HALF = pl.lit(2**64, pl.Int128)


def fingerprints(frame: nw.LazyFrame[Any], columns: Sequence[str]) -> pl.Series:
    """Give each row a number of 128 bits that is the same for equal rows, missing cells being equal to each other.

    The numbers come from two hashes of 64 bits with random seeds, so that nobody can prepare rows that collide. If the
    hashes are as good as random, any two of n different rows are taken for equal with probability below n² / 2^129:
    for a thousand million rows 10^-21.

    Args:
        frame: The table.
        columns: What is compared, at least one.

    Returns:
        Shape (rows,), in the order of the rows, 16 bytes each: all that is held in memory.

    Examples:
        >>> numbers = fingerprints(nw.from_native(pl.LazyFrame({"a": ["x", None, "x"]})), ["a"])
        >>> numbers[0] == numbers[2], numbers[0] == numbers[1]
        (True, False)
    """
    high, low = secrets.randbits(63), secrets.randbits(63)

    def hashed(rows: pl.DataFrame) -> pl.DataFrame:
        plain = rows.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))  # whose codes differ by batch
        first = plain.hash_rows(high).reinterpret(signed=True).cast(pl.Int128)
        return pl.select((first * _HALF + plain.hash_rows(low).cast(pl.Int128)).alias("fingerprint"))

    keys = frame.select(*columns)
    hashes = map_batches(keys, hashed, columns, {"fingerprint": nw.Int128}).select("fingerprint")
    native = hashes.to_native()
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming").to_series()
    return pl.DataFrame(hashes.collect().to_arrow()).to_series()
