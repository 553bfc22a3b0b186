"""Deterministic encryption: equal values get equal texts, and the holder of the key can turn them back."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import ClassVar

import numpy as np
import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.techniques.byte_rows import Texts, base64_texts
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Scope
from util_services.distinct import Transform
from util_services.errors import DataServiceError

_KEY_BYTES = 64  # AES-256
_NONCE_BYTES = 16
_CHUNK_VALUES = 16_384  # the arrays of so many stay in the processor's cache
_PLAIN, _WITH_NONCE = b"\x01", b"\x02"  # what a token starts with


@dataclass(frozen=True)
class DeterministicEncrypt(ReversibleTechnique):
    """AES-SIV under a sub-key of the field, which is authenticated too, as URL-safe Base64 without padding.

    A token is a byte that tells its layout, under ``document_randomised`` a nonce of 16 bytes, the synthetic
    initialisation vector of 16 bytes, and the ciphertext. It tells the length of the value.

    Attributes:
        key_name: The stored key.
        policy: deterministic, or document_randomised: alike within one run only.
        key_version: Version of the stored key, to stay linkable with what was made before a rotation; default the
            newest. All versions are tried to turn tokens back.

    References:
        RFC 5297, Synthetic Initialization Vector (SIV) Authenticated Encryption Using AES.
    """

    name: ClassVar[str] = "deterministic_encrypt"
    key_name: str
    policy: Policy = Policy.DETERMINISTIC
    key_version: int | None = None

    @property
    def linkable(self) -> bool:
        """Equal values get equal tokens, in the same field and, unless randomised, under the same key."""
        return True

    @property
    def one_to_one(self) -> bool:
        """Each token turns back into one value."""
        return True

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that encrypts texts.

        Raises:
            DataServiceError: If the key is missing, or the policy would make each token different.
        """
        if self.policy is Policy.RANDOMISED:
            raise DataServiceError(
                "The policy 'randomised' is not for deterministic_encrypt: choose deterministic or "
                "document_randomised, or the technique encrypt."
            )
        cipher = self._cipher(scope.keys.key(self.key_name), scope, self.key_version)
        if self.policy is Policy.DETERMINISTIC:
            return lambda texts: sealed(map(str.encode, texts.to_list()), cipher, _PLAIN, [scope.field.encode()])
        nonce = hmac.digest(scope.run_salt, f"{self.name}\0{scope.field}".encode(), "sha256")[:_NONCE_BYTES]
        associated = [scope.field.encode(), nonce]
        return lambda texts: sealed(map(str.encode, texts.to_list()), cipher, _WITH_NONCE + nonce, associated)

    def restore(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that decrypts tokens of any of its versions.

        Raises:
            DataServiceError: If the key is missing.
        """
        key = scope.keys.key(self.key_name)
        ciphers = [self._cipher(key, scope, version) for version in sorted(key.versions, reverse=True)]
        field = scope.field.encode()
        return lambda tokens: pl.Series(
            tokens.name, [_opened(token, ciphers, field) for token in tokens], dtype=pl.String
        )

    def _cipher(self, key: Key, scope: Scope, version: int | None) -> AESSIV:
        return AESSIV(key.subkey(self.name, scope.field, version=version, length=_KEY_BYTES))


def sealed(values: Iterable[bytes], cipher: AESSIV, prefix: bytes, associated: list[bytes]) -> pl.Series:
    """Encrypt values and write them as texts.

    Args:
        values: What to encrypt.
        cipher: AES-SIV under the sub-key.
        prefix: What each token starts with.
        associated: What is authenticated besides the value, a nonce last (RFC 5297, section 3).
    """
    tokens = map(cipher.encrypt, values, repeat(associated))
    chunks = [_as_texts(chunk, prefix) for chunk in iter(lambda: list(islice(tokens, _CHUNK_VALUES)), [])]
    return pl.concat(chunks) if chunks else pl.Series(dtype=pl.String)


def _as_texts(tokens: Sequence[bytes], prefix: bytes) -> pl.Series:
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    data = np.frombuffer(b"".join(tokens), np.uint8)
    return base64_texts(Texts(data, np.cumsum(lengths) - lengths, lengths), prefix)


def _opened(token: str, ciphers: Sequence[AESSIV], field: bytes) -> str | None:
    """Decrypt a token; nothing if it is none of these keys."""
    try:
        sealed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if sealed[:1] == _PLAIN:
        associated, body = [field], sealed[1:]
    elif sealed[:1] == _WITH_NONCE:
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        associated = [field, nonce]
    else:
        return None
    for cipher in ciphers:
        try:
            return cipher.decrypt(body, associated).decode()
        except (InvalidTag, UnicodeError, ValueError):
            continue
    return None
