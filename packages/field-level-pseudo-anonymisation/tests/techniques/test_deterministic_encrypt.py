import base64
import re
from collections.abc import Sequence

import polars as pl
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import example, given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques.deterministic_encrypt import DeterministicEncrypt, sealed
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

VERSIONS = {number: Fernet.generate_key().decode() for number in (1, 2)}
KEYS = MemoryKeyStore({"patients": VERSIONS, "old": {1: VERSIONS[1]}, "other": {1: Fernet.generate_key().decode()}})
SCOPE = Scope("name", KEYS)
RUN_ONLY = DeterministicEncrypt("patients", Policy.DOCUMENT_RANDOMISED)


def encrypted(texts: Sequence[str], technique: DeterministicEncrypt | None = None, scope: Scope = SCOPE) -> list[str]:
    return (technique or DeterministicEncrypt("patients")).transform(scope)(pl.Series(texts, dtype=pl.String)).to_list()


def restored(tokens: Sequence[str], key: str = "patients", scope: Scope = SCOPE) -> list[str | None]:
    return DeterministicEncrypt(key).restore(scope)(pl.Series(tokens, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("key", "associated", "plain", "expected"),
    [
        (
            "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            ["101112131415161718191a1b1c1d1e1f2021222324252627"],
            "112233445566778899aabbccddee",
            "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
        ),
        (
            "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
            [
                "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
                "102030405060708090a0",
                "09f911029d74e35bd84156c5635688c0",
            ],
            "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
            (
                "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
                "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
            ),
        ),
    ],
    ids=["A.1", "A.2"],
)
def test_the_examples_of_rfc_5297_come_out(key: str, associated: list[str], plain: str, expected: str) -> None:
    (token,) = sealed(
        [bytes.fromhex(plain)], AESSIV(bytes.fromhex(key)), b"\x01", [bytes.fromhex(each) for each in associated]
    )
    assert base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).hex() == f"01{expected}"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=20), st.sampled_from([DeterministicEncrypt("patients"), RUN_ONLY]))
@example(["", "é", "😀" * 3000, "", "a" * 15, "a" * 16, "a" * 17], RUN_ONLY)
def test_what_was_encrypted_is_restored_and_equal_values_alone_have_equal_tokens(
    texts: list[str], technique: DeterministicEncrypt
) -> None:
    tokens = encrypted(texts, technique)
    assert restored(tokens) == texts
    assert len(set(tokens)) == len(set(texts))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", token) for token in tokens)


def test_another_field_or_key_gives_other_tokens_and_restores_nothing() -> None:
    here, field, key = (
        encrypted(["Ann"]),
        encrypted(["Ann"], scope=Scope("city", KEYS)),
        encrypted(["Ann"], DeterministicEncrypt("other")),
    )
    assert len({*here, *field, *key}) == 3
    assert restored(here, scope=Scope("city", KEYS)) == restored(here, key="other") == [None]


def test_earlier_versions_are_restored_and_can_be_kept_to() -> None:
    assert restored(encrypted(["Ann"], DeterministicEncrypt("old")) + encrypted(["Bo"])) == ["Ann", "Bo"]
    assert encrypted(["Ann"], DeterministicEncrypt("patients", key_version=1)) == encrypted(
        ["Ann"], DeterministicEncrypt("old")
    )


def test_document_randomised_tokens_are_alike_within_a_run_only() -> None:
    assert encrypted(["Ann"], RUN_ONLY) == encrypted(["Ann"], RUN_ONLY)
    assert encrypted(["Ann"], RUN_ONLY) != encrypted(["Ann"], RUN_ONLY, Scope("name", KEYS))


@settings(max_examples=60, deadline=None)
@given(st.text(), st.integers(0, 60), st.integers(1, 255))
def test_what_is_no_token_or_was_tampered_with_is_missing(text: str, place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(encrypted(["Anna Example"])[0] + "=="))
    raw[place % len(raw)] ^= change
    tampered = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert restored([text, tampered, tampered[:5], "AQ", "Ag", "A"]) == [None] * 6


def test_randomised_is_refused() -> None:
    with pytest.raises(DataServiceError, match="The policy 'randomised' is not for deterministic_encrypt: choose"):
        DeterministicEncrypt("patients", Policy.RANDOMISED).transform(SCOPE)
