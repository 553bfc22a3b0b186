"""Numbers that techniques draw from, alike for equal texts for as long as a policy says."""

import secrets
from collections.abc import Callable

import numpy as np
import polars as pl
import polars_hash as plh

from field_level_pseudo_anonymisation.techniques.policy import Policy

_BITS = 60
_HEX_DIGITS = _BITS // 4


def pseudorandom(policy: Policy, subkey: bytes, run_salt: bytes) -> Callable[[pl.Series], pl.Series]:
    """Give a function that draws a number for each text, which nobody can tell without the sub-key.

    Args:
        policy: deterministic: always the same for a text; document_randomised: with this salt; randomised: never.
        subkey: Sub-key of the technique and field.
        run_salt: Random bytes of the run.

    Returns:
        Takes texts without missing ones, shape (n,), and gives Int64 numbers, uniform in [0, 2⁶⁰), shape (n,): the
        first 60 bits of HMAC-SHA-256 (RFC 2104) under the hexadecimal text of the policy's secret.

    Examples:
        >>> draw = pseudorandom(Policy.DETERMINISTIC, b"key", b"salt")
        >>> draw(pl.Series(["a", "b", "a"])).to_list() == draw(pl.Series(["a", "b", "a"])).to_list()
        True
    """
    if policy is Policy.RANDOMISED:
        return lambda texts: _fresh(len(texts))
    digest = plh.CryptographicHashingNameSpace(pl.first()).hmac_sha256(key=policy.secret(subkey, run_salt).hex())
    number = digest.str.head(_HEX_DIGITS).str.to_integer(base=16)
    return lambda texts: texts.to_frame().select(number).to_series()


def _fresh(count: int) -> pl.Series:
    numbers = np.frombuffer(secrets.token_bytes(8 * count), np.uint64) >> np.uint64(64 - _BITS)
    return pl.Series(numbers.astype(np.int64))
