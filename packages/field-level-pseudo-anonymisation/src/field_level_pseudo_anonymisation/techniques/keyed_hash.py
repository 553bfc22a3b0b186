"""Keyed hash: a fingerprint that only the holder of the key can make."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
import polars_hash as plh

from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class KeyedHash(Technique):
    """HMAC-SHA-256 under a sub-key of the field, as lower-case hexadecimal digits.

    The HMAC key is the sub-key written as 64 hexadecimal digits, in ASCII; under ``document_randomised`` it is the HMAC
    of the run's salt under the sub-key, written likewise.

    Attributes:
        key_name: The stored key.
        policy: deterministic, or document_randomised: alike within one run only.
        key_version: Version of the stored key, to stay linkable with what was made before a rotation; default the
            newest.

    References:
        RFC 2104 (HMAC), FIPS 198-1.
    """

    name: ClassVar[str] = "keyed_hash"
    key_name: str
    policy: Policy = Policy.DETERMINISTIC
    key_version: int | None = None

    @property
    def linkable(self) -> bool:
        """Equal values have equal fingerprints, in the same field and, unless randomised, under the same key."""
        return True

    @property
    def one_to_one(self) -> bool:
        """Nobody knows two values with the same fingerprint."""
        return True

    @property
    def quick(self) -> bool:
        """A fingerprint is longer than most values, but takes a fraction of a microsecond."""
        return True

    @property
    def plain(self) -> bool:
        """A fingerprint is hexadecimal digits."""
        return True

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that hashes texts.

        Raises:
            DataServiceError: If the key is missing or the policy would make each fingerprint different.
        """
        if self.policy is Policy.RANDOMISED:
            raise DataServiceError(
                "The policy 'randomised' makes no sense for keyed_hash: choose deterministic or document_randomised, "
                "or the technique redact."
            )
        key = scope.keys.key(self.key_name).subkey(self.name, scope.field, version=self.key_version)
        secret = self.policy.secret(key, scope.run_salt)
        expression = plh.CryptographicHashingNameSpace(pl.first()).hmac_sha256(key=secret.hex())
        return lambda texts: texts.to_frame().select(expression).to_series()
