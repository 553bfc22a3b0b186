"""Fernet tokens of a whole batch of texts at once, several times faster than one by one.

Values are grouped by length, so that every step is one operation on a rectangular array. In CBC mode a value's blocks
depend on each other, but the values do not: the first blocks of all are one call of AES, then the second ones, and so
on. What is odd, such as a token with line breaks, is left to ``cryptography``.

References:
    Fernet specification: https://github.com/fernet/spec/blob/master/Spec.md
    HMAC: RFC 2104. CBC: NIST SP 800-38A. Padding: PKCS #7, RFC 5652, section 6.3.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from field_level_pseudo_anonymisation.techniques.byte_rows import (
    Bytes,
    Integers,
    Texts,
    base64_rows,
    behind,
    binaries,
    binary_rows,
    groups,
    in_order,
    texts_of,
    unbase64_rows,
)

_VERSION = 0x80
_BLOCK = 16
_HEADER = 1 + 8 + _BLOCK  # version, time, initialisation vector
_TAG = 32
_HASH_BLOCK = 64
_BEGINNING = "gA"  # of every token, for some 36,000 years
_SHORTEST = 100  # characters of the token of an empty text
_CHUNK_ROWS = 16_384  # the arrays of so many e-mail addresses stay in the processor's cache
_FEW_ROWS = 64  # where a call of Polars costs more than it saves
_LONG_BLOCKS = 64  # long texts are rarely of equal length, and most of their time is AES's own


@dataclass(frozen=True, repr=False)
class _Secrets:
    """The two halves of a Fernet key; never shown."""

    signing: bytes
    encryption: bytes

    @classmethod
    def of(cls, key: str) -> "_Secrets":
        material = base64.urlsafe_b64decode(key)
        return cls(material[:_BLOCK], material[_BLOCK:])


def encrypt_batch(texts: pl.Series, key: str, vectors: Bytes, timestamp: int) -> pl.Series:
    """Make a Fernet token of every text.

    Args:
        texts: Texts without missing ones, shape (n,).
        key: A Fernet key, URL-safe Base64.
        vectors: Initialisation vectors, shape (n, 16); no two tokens of different texts may share one.
        timestamp: Seconds since 1970 that the tokens carry.

    Examples:
        >>> key = Fernet.generate_key().decode()
        >>> tokens = encrypt_batch(pl.Series(["Ann"]), key, np.zeros((1, 16), np.uint8), 0)
        >>> Fernet(key).decrypt(tokens[0])
        b'Ann'
    """
    secrets = _Secrets.of(key)
    chunks = [
        _encrypt_chunk(texts.slice(start, _CHUNK_ROWS), secrets, vectors[start : start + _CHUNK_ROWS], timestamp)
        for start in range(0, len(texts), _CHUNK_ROWS)
    ]
    return pl.concat(chunks).alias(texts.name) if chunks else texts.clear()


def _encrypt_chunk(series: pl.Series, secrets: _Secrets, vectors: Bytes, timestamp: int) -> pl.Series:
    texts = texts_of(series)
    parts, order = [], []
    for blocks, where in groups(np.minimum(texts.lengths // _BLOCK + 1, _LONG_BLOCKS)):
        if blocks < _LONG_BLOCKS:
            tokens = _tokens(texts, where, blocks, secrets, vectors[where], timestamp)
            parts.append(binary_rows(base64_rows(tokens)).cast(pl.String))
        else:
            long = zip(series.gather(where), vectors[where], strict=True)
            parts.append(pl.Series([_token(text.encode(), secrets, vector, timestamp) for text, vector in long]))
        order.append(where)
    return in_order(parts, order)


def _token(text: bytes, secrets: _Secrets, vector: Bytes, timestamp: int) -> str:
    """Make the token of one long text."""
    padding = _BLOCK - len(text) % _BLOCK
    cipher = Cipher(AES(secrets.encryption), CBC(vector.tobytes())).encryptor()
    header = struct.pack(">BQ", _VERSION, timestamp) + vector.tobytes()
    signed = header + cipher.update(text + bytes([padding]) * padding)
    return base64.urlsafe_b64encode(signed + hmac.digest(secrets.signing, signed, "sha256")).decode()


def _tokens(texts: Texts, where: Integers, blocks: int, secrets: _Secrets, vectors: Bytes, timestamp: int) -> Bytes:
    """Give the tokens, not yet encoded, of texts that fill equally many blocks: shape (texts, bytes)."""
    width = blocks * _BLOCK
    plain = texts.rows(where, width)
    lengths = texts.lengths[where][:, None]
    np.copyto(plain, (width - lengths).astype(np.uint8), where=np.arange(width) >= lengths)
    token = np.empty((len(where), _HEADER + width + _TAG), np.uint8)
    token[:, : _HEADER - _BLOCK] = np.frombuffer(struct.pack(">BQ", _VERSION, timestamp), np.uint8)
    token[:, _HEADER - _BLOCK : _HEADER] = vectors
    token[:, _HEADER:-_TAG] = _cbc(plain, secrets.encryption, vectors)
    token[:, -_TAG:] = _hmac(token[:, :-_TAG], secrets.signing)
    return token


def _cbc(plain: Bytes, key: bytes, vectors: Bytes) -> Bytes:
    """Encrypt rows in CBC mode, block by block."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the building block of CBC
    result = np.empty_like(plain)
    previous = vectors
    for start in range(0, plain.shape[1], _BLOCK):
        chained = plain[:, start : start + _BLOCK] ^ previous
        previous = np.frombuffer(encryptor.update(chained.data), np.uint8).reshape(-1, _BLOCK)
        result[:, start : start + _BLOCK] = previous
    return result


def _hmac(messages: Bytes, key: bytes) -> Bytes:
    """Give the HMAC-SHA-256 of every row: shape (rows, 32)."""
    if len(messages) < _FEW_ROWS:
        digests = [hmac.digest(key, row.tobytes(), "sha256") for row in messages]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _TAG)
    padded = np.zeros(_HASH_BLOCK, np.uint8)
    padded[: len(key)] = np.frombuffer(key, np.uint8)
    inner, outer = padded ^ np.uint8(0x36), padded ^ np.uint8(0x5C)
    return _sha256(behind(outer, _sha256(behind(inner, messages))))


def _sha256(rows: Bytes) -> Bytes:
    digests = binary_rows(rows).alias("rows").to_frame().select(plh.col("rows").chash.sha2_256())
    text = texts_of(digests.to_series()).data
    return np.frombuffer(bytes.fromhex(text.tobytes().decode()), np.uint8).reshape(
        len(rows), hashlib.sha256().digest_size
    )


def decrypt_batch(tokens: pl.Series, keys: Sequence[str]) -> pl.Series:
    """Restore the texts of Fernet tokens; missing where a text is no token of any of the keys.

    A token is decrypted only once it authenticates, and its tag is compared without regard to where it differs; what
    fails after that, padding or encoding, is told in no other way.

    Args:
        tokens: Texts without missing ones, shape (n,).
        keys: Fernet keys, tried in this order.

    Examples:
        >>> key = Fernet.generate_key().decode()
        >>> decrypt_batch(pl.Series([Fernet(key).encrypt(b"Ann").decode(), "Bo"]), [key]).to_list()
        ['Ann', None]
    """
    secrets = [_Secrets.of(key) for key in keys]
    fernets = [Fernet(key) for key in keys]
    chunks = [
        _decrypt_chunk(tokens.slice(start, _CHUNK_ROWS), secrets, fernets)
        for start in range(0, len(tokens), _CHUNK_ROWS)
    ]
    return pl.concat(chunks).alias(tokens.name) if chunks else tokens.clear()


def _decrypt_chunk(series: pl.Series, secrets: Sequence[_Secrets], fernets: Sequence[Fernet]) -> pl.Series:
    texts = texts_of(series)
    parts, order = [], []
    for characters, where in groups(texts.lengths):
        padding = _padding_of(characters)
        if padding is None or characters > _LONG_BLOCKS * _BLOCK * 4 // 3:
            parts.append(_one_by_one(series.gather(where), fernets))
            order.append(where)
            continue
        decoded, valid = unbase64_rows(texts.rows(where, characters))
        valid &= (decoded[:, 0] == _VERSION) & (_padding_in(texts, where, characters) == padding)
        parts.append(_restored(decoded[valid, : decoded.shape[1] - padding], secrets))
        parts.append(_one_by_one(series.gather(where[~valid]), fernets))
        order += [where[valid], where[~valid]]
    return in_order(parts, order)


def _padding_of(characters: int) -> int | None:
    """Tell how many padding characters end a token of that length, if there is such a token."""
    if characters < _SHORTEST or characters % 4:
        return None
    spare = (characters // 4 * 3 - _HEADER - _TAG) % _BLOCK
    return spare if spare <= 2 else None  # noqa: PLR2004 - Base64 pads with one or two characters


def _padding_in(texts: Texts, where: Integers, characters: int) -> Integers:
    ends = texts.starts[where] + characters
    padding: Integers = np.add(texts.data[ends - 1] == ord("="), texts.data[ends - 2] == ord("="), dtype=np.int64)
    return padding


def _restored(tokens: Bytes, secrets: Sequence[_Secrets]) -> pl.Series:
    """Give the texts of well-formed tokens of equal length, missing where none of the keys made it."""
    plain = np.zeros((len(tokens), tokens.shape[1] - _HEADER - _TAG), np.uint8)
    authentic = np.zeros(len(tokens), np.bool_)
    for each in secrets:
        left = np.flatnonzero(~authentic)
        if not len(left):
            break
        expected = _hmac(tokens[left, :-_TAG], each.signing)
        own = left[np.bitwise_or.reduce(expected ^ tokens[left, -_TAG:], axis=1) == 0]
        plain[own] = _cbc_inverse(tokens[own, _HEADER - _BLOCK : -_TAG], each.encryption)
        authentic[own] = True
    padding = plain[:, -1:].astype(np.int64)
    width = plain.shape[1]
    padded = np.arange(width) >= width - padding
    authentic &= ((padding >= 1) & (padding <= _BLOCK))[:, 0] & ((plain == padding) | ~padded).all(axis=1)
    lengths = np.where(authentic, width - padding[:, 0], 0)
    texts = _decoded(binaries(plain[np.arange(width) < lengths[:, None]], lengths))
    return texts.zip_with(pl.Series(authentic), pl.Series([None], dtype=pl.String))


def _decoded(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:  # some token is authentic, but of bytes that are no text
        return pl.Series([_text_of(value) for value in values], dtype=pl.String)


def _text_of(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _cbc_inverse(chained: Bytes, key: bytes) -> Bytes:
    """Decrypt rows of initialisation vector and ciphertext in CBC mode: all blocks are one call."""
    decryptor = Cipher(AES(key), ECB()).decryptor()  # noqa: S305 - the building block of CBC
    cipher = np.ascontiguousarray(chained[:, _BLOCK:])
    blocks = np.frombuffer(decryptor.update(cipher.data), np.uint8) if cipher.size else cipher
    return blocks.reshape(cipher.shape) ^ chained[:, :-_BLOCK]


def _one_by_one(tokens: pl.Series, fernets: Sequence[Fernet]) -> pl.Series:
    """Leave what is odd to cryptography, unless it cannot be a token."""
    return pl.Series([_decrypted(token, fernets) for token in tokens], dtype=pl.String)


def _decrypted(token: str, fernets: Sequence[Fernet]) -> str | None:
    if not token.startswith(_BEGINNING):
        return None
    try:
        return MultiFernet(fernets).decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError):
        return None
