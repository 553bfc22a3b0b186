"""Hash: a fingerprint that whoever guesses the value can check."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
import polars_hash as plh

from field_level_pseudo_anonymisation.techniques.domain import Domain, InspectingTechnique
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.distinct import Transform
from util_services.errors import DataServiceError, nearest

_ALGORITHMS = {
    "sha256": plh.CryptographicHashingNameSpace.sha2_256,
    "sha512": plh.CryptographicHashingNameSpace.sha2_512,
}


@dataclass(frozen=True)
class Hash(InspectingTechnique):
    """SHA-2 of the UTF-8 value, as lower-case hexadecimal digits.

    Attributes:
        algorithm: sha256 or sha512.

    References:
        FIPS 180-4, Secure Hash Standard.

    Examples:
        >>> from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
        >>> Hash().transform(Scope("name", NO_KEYS))(pl.Series(["abc"]))[0][:8]
        'ba7816bf'
    """

    name: ClassVar[str] = "hash"
    algorithm: str = "sha256"

    @property
    def linkable(self) -> bool:
        """Equal values have equal fingerprints, everywhere."""
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
        """Give the function that hashes texts.

        Raises:
            DataServiceError: If the algorithm is unknown.
        """
        del scope  # a fingerprint is the same in every field
        if self.algorithm not in _ALGORITHMS:
            raise DataServiceError(
                f"The algorithm {self.algorithm!r} is unknown: {nearest(self.algorithm, _ALGORITHMS)}"
            )
        digest = _ALGORITHMS[self.algorithm]
        expression = digest(plh.CryptographicHashingNameSpace(pl.first()))
        return lambda texts: texts.to_frame().select(expression).to_series()

    def caution(self, column: str, domain: Domain) -> str | None:
        """Warn where all values can be tried."""
        if (reason := domain.enumerable) is None:
            return None
        return (
            f"The hash of {column!r} can be undone by trying every value, since {reason}: use keyed_hash, which nobody "
            "without the key can try."
        )
