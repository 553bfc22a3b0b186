import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
from field_level_pseudo_anonymisation.techniques.domain import Domain
from field_level_pseudo_anonymisation.techniques.hash import Hash
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

SCOPE = Scope("name", NO_KEYS)


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "sha512",
            (
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ),
    ],
)
def test_the_standards_examples_come_out(algorithm: str, digest: str) -> None:
    assert Hash(algorithm).transform(SCOPE)(pl.Series(["abc"])).to_list() == [digest]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text()), st.sampled_from(["sha256", "sha512"]))
def test_hashes_are_those_of_the_standard_library(texts: list[str], algorithm: str) -> None:
    hashed = Hash(algorithm).transform(SCOPE)(pl.Series(texts, dtype=pl.String))
    assert hashed.to_list() == [hashlib.new(algorithm, text.encode()).hexdigest() for text in texts]


def test_an_unknown_algorithm_is_one_sentence() -> None:
    with pytest.raises(DataServiceError, match=r"^The algorithm 'sha1' is unknown: did you mean 'sha\d+'\?$"):
        Hash("sha1").transform(SCOPE)


@pytest.mark.parametrize(
    ("domain", "warned"),
    [
        (Domain(rows=1_000, distinct=100, shaped=1e30), True),
        (Domain(rows=999, distinct=100, shaped=1e30), False),
        (Domain(rows=10, distinct=10, shaped=1e12), True),
        (Domain(rows=10, distinct=10, shaped=1.1e12), False),
    ],
)
def test_a_domain_that_can_be_enumerated_is_warned_of(domain: Domain, warned: bool) -> None:
    caution = Hash().caution("age", domain)
    assert (caution is not None) is warned
    assert caution is None or caution.startswith("The hash of 'age' can be undone by trying every value, since ")
