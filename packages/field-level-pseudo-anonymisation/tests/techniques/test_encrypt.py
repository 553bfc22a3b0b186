import base64
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.fernet import Fernet, InvalidToken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques.encrypt import Encrypt
from field_level_pseudo_anonymisation.techniques.fernet_batches import decrypt_batch, encrypt_batch
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
KEYS = MemoryKeyStore({"patients": {1: OLD, 2: NEW}, "old": {1: OLD}, "other": {1: Fernet.generate_key().decode()}})
SCOPE = Scope("name", KEYS)
# Lengths around the block, and around where long texts go another way.
LENGTHS = [0, 1, 15, 16, 17, 1007, 1008, 1009, 5000]
SPECIFICATION = json.loads((Path(__file__).parent / "fernet_specification.json").read_text())


def encrypted(texts: list[str], technique: Encrypt | None = None, scope: Scope = SCOPE) -> list[str]:
    return (technique or Encrypt("patients")).transform(scope)(pl.Series(texts, dtype=pl.String)).to_list()


def restored(tokens: list[str], key: str = "patients") -> list[str | None]:
    return Encrypt(key).restore(SCOPE)(pl.Series(tokens, dtype=pl.String)).to_list()


def test_the_specifications_token_is_generated_and_verified() -> None:
    vector = SPECIFICATION["generate"]
    tokens = encrypt_batch(
        pl.Series([vector["src"]]), vector["secret"], np.array([vector["iv"]], np.uint8), vector["seconds"]
    )
    assert tokens.to_list() == [vector["token"]]
    assert decrypt_batch(tokens, [vector["secret"]]).to_list() == [vector["src"]]


@pytest.mark.parametrize("vector", SPECIFICATION["invalid"], ids=lambda vector: vector["desc"])
def test_the_specifications_invalid_tokens_are_refused_as_cryptography_does(vector: dict[str, str]) -> None:
    with pytest.raises(InvalidToken):
        Fernet(vector["secret"]).decrypt(vector["token"])
    assert decrypt_batch(pl.Series([vector["token"]]), [vector["secret"]]).to_list() == [None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=30))
@example(["a" * length for length in LENGTHS] * 2)
@example(["😀" * 500, "", "\0", "é" * 8])
@example([f"person{number}@example.org" for number in range(200)])  # enough for Polars' HMAC
def test_what_was_encrypted_is_restored_and_cryptography_agrees_both_ways(texts: list[str]) -> None:
    tokens = encrypted(texts)
    assert restored(tokens) == texts
    assert [Fernet(NEW).decrypt(token).decode() for token in tokens] == texts
    assert restored([Fernet(NEW).encrypt(text.encode()).decode() for text in texts]) == texts
    assert len(set(tokens)) == len(tokens)  # equal values get different tokens


def test_all_versions_of_a_key_are_tried_and_new_tokens_use_the_newest() -> None:
    assert restored(encrypted(["Ann"], Encrypt("old")) + encrypted(["Bo"])) == ["Ann", "Bo"]
    assert restored(encrypted(["Ann"]), "old") == [None]
    assert restored(encrypted(["Ann"] * 100), "other") == [None] * 100


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(0, 255), st.integers(80, 100))
def test_a_token_that_was_tampered_with_is_missing(place: int, byte: int, rows: int) -> None:
    tokens = encrypted(["Ann"] * rows)
    raw = bytearray(base64.urlsafe_b64decode(tokens[0]))
    changed = raw[place % len(raw)] != byte
    raw[place % len(raw)] = byte
    tokens[0] = base64.urlsafe_b64encode(raw).decode()
    assert restored(tokens) == ([None] if changed else ["Ann"]) + ["Ann"] * (rows - 1)


@settings(max_examples=60, deadline=None)
@given(st.text(), st.integers(0, 100))
def test_what_is_no_token_is_missing_and_odd_tokens_are_read_as_cryptography_reads_them(extra: str, place: int) -> None:
    token = encrypted(["Ann"])[0]
    odd = [extra, token[:place] + extra + token[place:], token[:place], token.rstrip("="), f"{token}\n", f"{token}=="]
    for text, result in zip(odd, restored(odd), strict=True):
        try:
            expected = Fernet(NEW).decrypt(text.encode()).decode() if text.startswith("gA") else None
        except (InvalidToken, ValueError):
            expected = None
        assert result == expected, text


def test_bytes_that_are_no_text_are_missing() -> None:
    assert restored([Fernet(NEW).encrypt(b"\xff\xfe").decode()] * 2) == [None, None]


def test_document_randomised_tokens_are_alike_within_a_run_and_field_only() -> None:
    technique = Encrypt("patients", Policy.DOCUMENT_RANDOMISED)
    first, second = encrypted(["Ann", "Ann"], technique), encrypted(["Bo", "Ann"], technique)
    assert first[0] == first[1]
    assert restored(first + second) == ["Ann", "Ann", "Bo", "Ann"]
    transform = technique.transform(SCOPE)
    assert transform(pl.Series(["Ann"]))[0] == transform(pl.Series(["Bo", "Ann"]))[1]
    others = [encrypted(["Ann"], technique, Scope(field, KEYS)) for field in ("name", "name", "other")]
    assert len({token for (token,) in others}) == 3


def test_deterministic_fernet_is_refused() -> None:
    with pytest.raises(DataServiceError, match="The policy 'deterministic' is not for encrypt, whose tokens tell when"):
        Encrypt("patients", Policy.DETERMINISTIC).transform(SCOPE)
