"""Encrypt: Fernet tokens, each different, that the holder of the key can turn back."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import polars_hash as plh

from field_level_pseudo_anonymisation.techniques.byte_rows import Bytes, texts_of
from field_level_pseudo_anonymisation.techniques.fernet_batches import decrypt_batch, encrypt_batch
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Scope
from util_services.distinct import Transform
from util_services.errors import DataServiceError

_VECTOR = 16


@dataclass(frozen=True)
class Encrypt(ReversibleTechnique):
    """Fernet tokens under the stored key itself, as any Fernet library reads and writes them.

    Attributes:
        key_name: The stored key. New tokens are made with its newest version; all versions are tried to turn them back.
        policy: randomised, or document_randomised: equal values of one field get equal tokens within one run.

    References:
        Fernet specification: https://github.com/fernet/spec/blob/master/Spec.md
    """

    name: ClassVar[str] = "encrypt"
    key_name: str
    policy: Policy = Policy.RANDOMISED

    @property
    def linkable(self) -> bool:
        """Equal values get equal tokens only where that is asked for, and within one run."""
        return self.policy.linkable

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that encrypts texts.

        Raises:
            DataServiceError: If the key is missing, or the policy is none that Fernet allows.
        """
        if self.policy is Policy.DETERMINISTIC:
            raise DataServiceError(
                "The policy 'deterministic' is not for encrypt, whose tokens tell when they were made: choose "
                "randomised or document_randomised, or the technique deterministic_encrypt."
            )
        key = scope.keys.key(self.key_name)
        vectors = self._vectors(scope, key.subkey(f"{self.name} vector", scope.field))
        newest = key.fernet_keys()[0]
        started = int(time.time())
        if self.policy is Policy.DOCUMENT_RANDOMISED:
            return lambda texts: encrypt_batch(texts, newest, vectors(texts), started)
        return lambda texts: encrypt_batch(texts, newest, vectors(texts), int(time.time()))

    def _vectors(self, scope: Scope, subkey: bytes) -> Callable[[pl.Series], Bytes]:
        """Give initialisation vectors: random ones, or such as only equal values of this field and run share."""
        if self.policy is Policy.RANDOMISED:
            return _random_vectors
        key = self.policy.secret(subkey, scope.run_salt).hex()
        mark = plh.CryptographicHashingNameSpace(pl.first()).hmac_sha256(key=key).str.head(2 * _VECTOR)

        def vectors(texts: pl.Series) -> Bytes:
            digits = texts_of(texts.to_frame().select(mark).to_series())
            together = digits.rows(np.arange(len(texts)), 2 * _VECTOR).tobytes()
            return np.frombuffer(bytes.fromhex(together.decode()), np.uint8).reshape(-1, _VECTOR)

        return vectors

    def restore(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that decrypts tokens of any of its versions.

        Raises:
            DataServiceError: If the key is missing.
        """
        keys = scope.keys.key(self.key_name).fernet_keys()
        return lambda tokens: decrypt_batch(tokens, keys)


def _random_vectors(texts: pl.Series) -> Bytes:
    return np.frombuffer(secrets.token_bytes(_VECTOR * len(texts)), np.uint8).reshape(-1, _VECTOR)
