"""Texts as arrays of bytes: what a cipher needs to work on a whole batch of values at once."""

import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Texts:
    """The UTF-8 bytes of several texts, one behind the other.

    Attributes:
        data: All bytes, shape (bytes,).
        starts: Where each text starts in ``data``, shape (texts,).
        lengths: Bytes of each text, shape (texts,).
    """

    data: Bytes
    starts: Integers
    lengths: Integers

    def rows(self, which: Integers, width: int) -> Bytes:
        """Lay texts out in rows of equal width; what lies beyond a text's end is not told.

        Args:
            which: Positions of the texts, shape (rows,).
            width: Bytes of a row.

        Returns:
            Shape (rows, width).
        """
        places = self.starts[which][:, None] + np.arange(width)
        return self.data.take(places, mode="clip") if len(self.data) else np.zeros(places.shape, np.uint8)


def texts_of(series: pl.Series) -> Texts:
    """Give the bytes of texts, without copying them where that can be avoided.

    Args:
        series: Texts without missing ones.
    """
    array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    return Texts(content, bounds[:-1], np.diff(bounds))


def groups(values: Integers) -> Iterator[tuple[int, Integers]]:
    """Give each distinct value with the positions that have it.

    Examples:
        >>> [(value, where.tolist()) for value, where in groups(np.array([2, 1, 2]))]
        [(1, [1]), (2, [0, 2])]
    """
    order = np.argsort(values, kind="stable")
    distinct, firsts = np.unique(values[order], return_index=True)
    yield from zip(distinct.tolist(), np.split(order, firsts[1:]), strict=True) if len(distinct) else ()


def binaries(data: Bytes, lengths: Integers) -> pl.Series:
    """Make a series of bytes.

    Args:
        data: All bytes, one value behind the other.
        lengths: Bytes of each value.
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data).reshape(-1))]
    return pl.Series(pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers))


def binary_rows(rows: Bytes) -> pl.Series:
    """Make a series of bytes, all equally long, of an array (values, width)."""
    return binaries(rows, np.full(len(rows), rows.shape[1], np.int64))


def base64_rows(rows: Bytes) -> Bytes:
    """Encode each row in URL-safe Base64 with padding (RFC 4648, section 5).

    Args:
        rows: Shape (values, bytes).

    Returns:
        Shape (values, characters).
    """
    count, width = rows.shape
    missing = -width % 3
    if missing:
        rows = np.concatenate([rows, np.zeros((count, missing), np.uint8)], axis=1)
    encoded = binascii.b2a_base64(np.ascontiguousarray(rows).data, newline=False).translate(_URL_SAFE)
    text = np.frombuffer(encoded, np.uint8).reshape(count, (width + missing) // 3 * 4)
    if missing:
        text = text.copy()
        text[:, -missing:] = ord("=")
    return text


def base64_texts(values: Texts, prefix: bytes = b"") -> pl.Series:
    """Encode values, each behind a prefix, in URL-safe Base64 without padding, as texts.

    Examples:
        >>> base64_texts(texts_of(pl.Series(["bc", "?"])), b"a").to_list()
        ['YWJj', 'YT8']
    """
    before = np.frombuffer(prefix, np.uint8)
    parts, order = [pl.Series([], dtype=pl.String)], [np.zeros(0, np.int64)]
    for width, where in groups(values.lengths):
        encoded = base64_rows(behind(before, values.rows(where, width)))
        padding = -(len(before) + width) % 3
        parts.append(binary_rows(encoded[:, : encoded.shape[1] - padding]).cast(pl.String))
        order.append(where)
    return in_order(parts, order)


def behind(prefix: Bytes, rows: Bytes) -> Bytes:
    """Put a prefix, shape (prefix,), before each row, shape (rows, width)."""
    result = np.empty((len(rows), len(prefix) + rows.shape[1]), np.uint8)
    result[:, : len(prefix)] = prefix
    result[:, len(prefix) :] = rows
    return result


def in_order(parts: Sequence[pl.Series], positions: Sequence[Integers]) -> pl.Series:
    """Put values back to where they were.

    Args:
        parts: Values of some positions each.
        positions: Their positions; all together, each from 0 once.

    Examples:
        >>> in_order([pl.Series(["a"]), pl.Series(["b", "c"])], [np.array([1]), np.array([2, 0])]).to_list()
        ['c', 'a', 'b']
    """
    order = np.concatenate(positions)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pl.concat(parts).gather(pl.Series(back))


def unbase64_rows(text: Bytes) -> tuple[Bytes, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Decode rows of URL-safe Base64 with padding.

    Args:
        text: Shape (values, characters); characters are a multiple of 4, at least 4.

    Returns:
        Shape (values, bytes), where padding gives zeros, and which rows are the very text that encoding their bytes
        gives, shape (values,). Padding may differ between rows.
    """
    sextets = _SEXTETS[text]
    padding = text[:, -2:] == ord("=")
    valid = (sextets[:, :-2] < _INVALID).all(axis=1)
    valid &= ((sextets[:, -2:] < _INVALID) | padding).all(axis=1) & (padding[:, 1] | ~padding[:, 0])
    sextets[:, -2:][padding] = 0
    first, second, third, fourth = (sextets[:, position::4] for position in range(4))
    decoded = np.empty((len(text), text.shape[1] // 4, 3), np.uint8)
    decoded[:, :, 0] = first << 2 | second >> 4
    decoded[:, :, 1] = second << 4 | third >> 2
    decoded[:, :, 2] = third << 6 | fourth
    decoded = decoded.reshape(len(text), -1)
    valid &= ~(padding & (decoded[:, -2:] != 0)).any(axis=1)  # bits that encoding would not have set
    return decoded, valid


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_INVALID = 64
_SEXTETS = np.full(256, _INVALID, np.uint8)
_SEXTETS[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)] = np.arange(64)
