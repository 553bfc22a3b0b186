"""The mapping table of tokens: in memory while a run lasts, encrypted where it is stored.

A stored table is ``simpl-tokens-1``, the version of the key (4 bytes, big-endian), a salt of 16 bytes, and a Parquet
file in pieces of 16 MiB, each sealed by AES-256-GCM. The key of a file is HMAC-SHA-256 of its salt under the sub-key; a
nonce is the number of its piece and whether it is the last, so that pieces cannot be left out, added or moved.

References:
    NIST SP 800-38D (GCM); V. T. Hoang, R. Reyhanitabar, P. Rogaway, D. Vizár, "Online Authenticated-Encryption and its
    Nonce-Reuse Misuse-Resistance", CRYPTO 2015 (STREAM).
"""

import hmac
import io
import json
import secrets
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.session import Storage
from util_services.errors import DataServiceError

_MAGIC = b"simpl-tokens-1"
_HEADER = struct.Struct(f">{len(_MAGIC)}sI16s")
_PIECE_BYTES = 16 * 2**20
_TAG_BYTES = 16
_SCHEMA = pl.Schema({"field": pl.String, "policy": pl.String, "value": pl.String, "token": pl.String})


class TokenTable:
    """Tokens of values and values of tokens.

    Copies of it may be on several machines, of which none can wait for another: there, a token is a pseudo-random
    function of the value, under a key that lives as long as the run, instead of drawn at random, and so the same in all
    of them. What is new in a copy comes back encrypted, and is in the table once.

    May be used from several threads: an entry is made by one step of the interpreter (``setdefault``, ``append``), so
    that no lock is held while an engine works.

    Args:
        location: Where it is stored.
        key: Whose sub-key encrypts it.
        storage: Where the location is.

    Raises:
        DataServiceError: If the stored table cannot be read, or the key does not authenticate it.
    """

    def __init__(self, location: str, key: Key, storage: Storage) -> None:
        self._location, self._key, self._storage = location, key, storage
        stored = storage.read(location)
        self._version = None if stored is None else stored.version
        self._stored = _SCHEMA.to_frame() if stored is None else self._opened(stored.content)
        self._alike: dict[tuple[str, Policy], dict[str, str]] = {}
        self._single: list[pl.DataFrame] = []
        self._by_token: dict[str, tuple[int, dict[str, str]]] = {}
        self._grew = False
        self._run_key, self._seal = secrets.token_bytes(32), Fernet.generate_key()

    def __reduce__(self) -> tuple[type["_Copy"], tuple[Any, ...]]:
        """A copy knows all tokens so far."""
        return _Copy, (self._version, self._stored, self._alike, self._run_key, self._seal)

    @property
    def is_new(self) -> bool:
        """Nothing was stored there when this run began."""
        return self._version is None

    def tokens(self, values: pl.Series, field: str, policy: Policy, bits: int) -> pl.Series:
        """Give a token for each value; equal ones as the policy says.

        Args:
            values: Without missing ones.
            field: Which values share tokens.
            policy: deterministic looks into what was stored, too.
            bits: Of each new token, a multiple of 8.
        """
        if policy is Policy.RANDOMISED:
            tokens = pl.Series(values.name, random_tokens(len(values), bits), dtype=pl.String)
            self._single.append(_entries(field, policy, values, tokens))
            self._grew = True
            return tokens
        known = self._known(field, policy)
        wanted = values.to_list()
        missing = [value for value in dict.fromkeys(wanted) if value not in known]
        for value, token in zip(missing, self._new(missing, field, policy, bits), strict=True):
            known.setdefault(value, token)  # another thread may have been first
            self._grew = True
        return pl.Series(values.name, [known[value] for value in wanted], dtype=pl.String)

    def values(self, tokens: pl.Series, field: str) -> pl.Series:
        """Give the value of each token, missing where it is none of this field."""
        size, known = self._by_token.get(field, (-1, {}))
        if size != self._size:
            size, entries = self._size, self._all().filter(pl.col("field") == field)
            known = dict(zip(entries["token"].to_list(), entries["value"].to_list(), strict=True))
            self._by_token[field] = size, known
        return pl.Series(tokens.name, list(map(known.get, tokens.to_list())), dtype=pl.String)

    def taken(self) -> str:
        """Nothing: only copies have tokens that this table does not know."""
        return ""

    def add_taken(self, taken: str) -> None:
        """Add the tokens that a copy made."""
        new = pl.read_parquet(io.BytesIO(Fernet(self._seal).decrypt(taken)))
        for (field, name), entries in new.partition_by("field", "policy", as_dict=True).items():
            policy = Policy(name)
            if policy is Policy.RANDOMISED:
                self._single.append(entries)
            else:
                known = self._known(field, policy)
                for value, token in entries.select("value", "token").iter_rows():
                    known.setdefault(value, token)  # another copy may have made it, too
            self._grew = True

    def finish(self) -> None:
        """Store the table if it grew, whole or not at all.

        Raises:
            DataServiceError: If it cannot be stored, or another run changed it.
        """
        if not self._grew:
            return
        file = io.BytesIO()
        self._all().write_parquet(file)
        content = _sealed(file.getbuffer(), self._key)
        self._version = self._storage.write(self._location, content, replacing=self._version)
        self._grew = False

    def _new(self, values: Sequence[str], field: str, policy: Policy, bits: int) -> list[str]:
        """Make tokens of distinct values."""
        del field, policy
        return random_tokens(len(values), bits)

    @property
    def _size(self) -> int:
        """Grows with every entry that is made."""
        return self._stored.height + sum(map(len, self._single)) + sum(map(len, self._alike.values()))

    def _known(self, field: str, policy: Policy) -> dict[str, str]:
        known = self._alike.get((field, policy))
        if known is None:
            known = self._alike.setdefault((field, policy), self._to_use_again(field, policy))
        return known

    def _to_use_again(self, field: str, policy: Policy) -> dict[str, str]:
        """Give the stored tokens that this run shall use, too; those of the other policies are each run's own."""
        if policy is not Policy.DETERMINISTIC:
            return {}
        entries = self._stored.filter(pl.col("field") == field, pl.col("policy") == policy)
        return dict(zip(entries["value"].to_list(), entries["token"].to_list(), strict=True))

    def _all(self) -> pl.DataFrame:
        """Give the stored entries and those of this run."""
        parts, rest = [*self._single], self._stored
        for (field, policy), known in list(self._alike.items()):
            pairs = list(known.items())  # in one step: others may add some
            values, tokens = (pl.Series([pair[place] for pair in pairs], dtype=pl.String) for place in (0, 1))
            parts.append(_entries(field, policy, values, tokens))
            if policy is Policy.DETERMINISTIC:  # what was stored of this is in here
                rest = rest.filter((pl.col("field") != field) | (pl.col("policy") != policy))
        return pl.concat([rest, *parts])

    def _opened(self, content: bytes) -> pl.DataFrame:
        try:
            magic, version, salt = _HEADER.unpack_from(content)
        except struct.error:
            magic, version, salt = b"", 0, b""
        if magic != _MAGIC:
            raise DataServiceError(f"The mapping table {self._location!r} is no table of tokens: check its location.")
        cipher = AESGCM(_file_key(self._key, version, salt))
        header, size = content[: _HEADER.size], _PIECE_BYTES + _TAG_BYTES
        body = memoryview(content)[_HEADER.size :]
        pieces = [body[start : start + size] for start in range(0, len(body), size)] or [body]
        try:
            plain = b"".join(cipher.decrypt(nonce, bytes(piece), header) for nonce, piece in _numbered(pieces))
        except InvalidTag:
            raise DataServiceError(
                f"The key {self._key.name!r} does not authenticate the mapping table {self._location!r}: give the key "
                "that it was made with, or restore the file if it was damaged."
            ) from None
        return pl.read_parquet(io.BytesIO(plain))


class _Copy(TokenTable):
    """The table on another machine, where nothing is stored."""

    def __init__(
        self,
        version: str | None,
        stored: pl.DataFrame,
        alike: dict[tuple[str, Policy], dict[str, str]],
        run_key: bytes,
        seal: bytes,
    ) -> None:
        self._version, self._stored, self._alike = version, stored, alike
        self._run_key, self._seal = run_key, seal
        self._single, self._by_token = [], {}
        self._derived: list[pl.DataFrame] = []

    def taken(self) -> str:
        """Write down the tokens made since the last time, encrypted for this run alone."""
        new = pl.concat([_SCHEMA.to_frame(), *self._single, *self._derived])
        self._single, self._derived = [], []
        file = io.BytesIO()
        new.write_parquet(file)
        return Fernet(self._seal).encrypt(file.getvalue()).decode()

    def _new(self, values: Sequence[str], field: str, policy: Policy, bits: int) -> list[str]:
        names = (json.dumps([field, policy, value]).encode() for value in values)
        tokens = [hmac.digest(self._run_key, name, "sha512")[: bits // 8].hex() for name in names]
        new = pl.Series(values, dtype=pl.String), pl.Series(tokens, dtype=pl.String)
        self._derived.append(_entries(field, policy, *new))
        return tokens


def _sealed(plain: memoryview, key: Key) -> bytes:
    version, salt = key.newest, secrets.token_bytes(16)
    header = _HEADER.pack(_MAGIC, version, salt)
    cipher = AESGCM(_file_key(key, version, salt))
    pieces = [plain[start : start + _PIECE_BYTES] for start in range(0, len(plain), _PIECE_BYTES)]
    return b"".join([header, *(cipher.encrypt(nonce, bytes(piece), header) for nonce, piece in _numbered(pieces))])


def _file_key(key: Key, version: int, salt: bytes) -> bytes:
    return hmac.digest(key.subkey("tokenise", "mapping table", version=version), salt, "sha256")


def _numbered(pieces: list[memoryview]) -> Iterator[tuple[bytes, memoryview]]:
    for number, piece in enumerate(pieces, 1):
        yield struct.pack(">QI", number, number == len(pieces)), piece


def _entries(field: str, policy: Policy, values: pl.Series, tokens: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"value": values, "token": tokens}).select(
        pl.lit(field).alias("field"), pl.lit(policy.value).alias("policy"), "value", "token"
    )


def random_tokens(count: int, bits: int) -> list[str]:
    """Draw random tokens as lower-case hexadecimal digits.

    Examples:
        >>> [len(token) for token in random_tokens(2, 128)]
        [32, 32]
    """
    digits, width = secrets.token_hex(count * bits // 8), bits // 4
    return [digits[start : start + width] for start in range(0, count * width, width)]
