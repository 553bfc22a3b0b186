import hashlib
import hmac

import polars as pl
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques.keyed_hash import KeyedHash
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

VERSIONS = {number: Fernet.generate_key().decode() for number in (1, 2)}
KEYS = MemoryKeyStore({"patients": VERSIONS, "old": {1: VERSIONS[1]}})


def hashed(texts: list[str], technique: KeyedHash, scope: Scope) -> list[str]:
    return technique.transform(scope)(pl.Series(texts, dtype=pl.String)).to_list()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text()))
def test_it_is_the_hmac_of_the_standard_library_under_the_fields_sub_key(texts: list[str]) -> None:
    key = KEYS.key("patients").subkey("keyed_hash", "email").hex().encode()
    expected = [hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for text in texts]
    assert hashed(texts, KeyedHash("patients"), Scope("email", KEYS)) == expected


def test_fields_and_keys_are_not_linkable() -> None:
    results = {
        hashed(["Ann"], KeyedHash(key), Scope(field, KEYS))[0] for key in ("patients", "old") for field in ("a", "b")
    }
    assert len(results) == 4


def test_an_earlier_version_stays_linkable_after_a_rotation() -> None:
    scope = Scope("name", KEYS)
    assert hashed(["Ann"], KeyedHash("patients", key_version=1), scope) == hashed(["Ann"], KeyedHash("old"), scope)
    with pytest.raises(DataServiceError, match=r"The key 'patients' has no version 3: choose one of 1, 2\."):
        KeyedHash("patients", key_version=3).transform(scope)


def test_document_randomised_hashes_are_alike_within_a_run_only() -> None:
    technique = KeyedHash("patients", Policy.DOCUMENT_RANDOMISED)
    first, second = Scope("name", KEYS), Scope("name", KEYS)
    assert hashed(["Ann"], technique, first) == hashed(["Ann"], technique, first)
    assert hashed(["Ann"], technique, first) != hashed(["Ann"], technique, second)


def test_a_randomised_hash_is_refused() -> None:
    with pytest.raises(DataServiceError, match="The policy 'randomised' makes no sense for keyed_hash: choose"):
        KeyedHash("patients", Policy.RANDOMISED).transform(Scope("name", KEYS))
