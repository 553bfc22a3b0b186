"""How far equal values get equal pseudonyms.

The three policies of ENISA, "Pseudonymisation techniques and best practices" (2019), section 5.2; see also EDPB,
"Guidelines 01/2025 on Pseudonymisation", on linking records by their pseudonyms.
"""

import hashlib
import hmac
import secrets
from enum import StrEnum


class Policy(StrEnum):
    """How far equal values get equal pseudonyms.

    Attributes:
        DETERMINISTIC: Wherever the same key and field are used: records stay linkable across runs.
        DOCUMENT_RANDOMISED: Within one run only.
        RANDOMISED: Never: every occurrence gets a pseudonym of its own.

    Examples:
        >>> Policy("document_randomised").linkable
        True
    """

    DETERMINISTIC = "deterministic"
    DOCUMENT_RANDOMISED = "document_randomised"
    RANDOMISED = "randomised"

    @property
    def linkable(self) -> bool:
        """Equal values of one run get equal pseudonyms, so that each distinct value need be transformed only once."""
        return self is not Policy.RANDOMISED

    def secret(self, subkey: bytes, run_salt: bytes) -> bytes:
        """Give the secret that pseudonyms are derived from, so that it lasts for as long as they shall be linkable.

        Args:
            subkey: Sub-key of the technique and field.
            run_salt: Random bytes of the run.

        Returns:
            32 bytes; under the randomised policy fresh ones at every call, though it is the caller who must tell equal
            values apart.
        """
        if self is Policy.DETERMINISTIC:
            return subkey
        salt = run_salt if self is Policy.DOCUMENT_RANDOMISED else secrets.token_bytes(32)
        return hmac.digest(subkey, salt, hashlib.sha256)
