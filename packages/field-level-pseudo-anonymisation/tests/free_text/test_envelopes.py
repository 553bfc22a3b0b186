import polars as pl
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.free_text.envelopes import (
    enveloped,
    find,
    literal,
    passage_of,
    stands_alone,
)

KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="  # of the Fernet specification, as is the token
TOKEN = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="


def found(text: str) -> list[str]:
    return [text[each.start : each.end] for each in find(text)]


@given(payloads=st.lists(st.text(min_size=1), min_size=1), before=st.text("[]:A gAAAA"), after=st.text("[]:= A"))
def test_what_is_put_into_an_envelope_is_found_in_any_surroundings(
    payloads: list[str], before: str, after: str
) -> None:
    for payload, sealed in zip(payloads, enveloped(pl.Series(payloads), "EMAIL", "tokenise"), strict=True):
        (each,) = find(before + sealed + after)
        assert (each.entity, each.technique, each.payload) == ("EMAIL", "tokenise", payload)
        assert (each.start, each.end) == (len(before), len(before) + len(sealed))
        assert sealed.isascii()
        assert not any(character.isspace() for character in sealed)


@pytest.mark.parametrize(
    "text", [TOKEN, f"({TOKEN})", f"to={TOKEN}.", f"é{TOKEN}\n", f"\U0001d6fc{TOKEN}é", f"{TOKEN}=x"]
)
def test_a_bare_token_is_found_where_it_stands_alone(text: str) -> None:
    assert found(text) == [TOKEN]


@pytest.mark.parametrize("text", [f"x{TOKEN}", f"_{TOKEN}", f"-{TOKEN}", TOKEN[:50], f"\n{TOKEN[1:]}"])
def test_what_begins_within_a_word_or_is_too_short_is_no_token(text: str) -> None:
    assert found(text) == []


def test_tokens_in_a_row_are_told_apart() -> None:
    assert found(TOKEN * 3) == [TOKEN] * 3


@given(before=st.text(max_size=2), after=st.text(max_size=2), length=st.integers(0, 40))
def test_the_writer_knows_where_a_token_is_found_alone(before: str, after: str, length: int) -> None:
    token = Fernet(KEY).encrypt(b"x" * length).decode()
    if stands_alone(before[-1:], after[:1]):
        assert found(before + token + after) == [token]


@pytest.mark.parametrize(
    "text",
    ["[[EMAIL:hash:]]", "[[email:hash:x]]", "[[EMAIL:Hash:x]]", "[EMAIL:hash:x]", "[[EMAIL:hash:x y]]", "[[1, 2]]"],
)
def test_brackets_of_other_kinds_are_text(text: str) -> None:
    assert found(text) == []


@given(st.text())
def test_a_literal_envelope_stands_for_its_passage(passage: str) -> None:
    (each,) = find(literal(passage + "."))
    assert passage_of(each.payload) == passage + "."


def test_a_malformed_literal_stands_for_nothing() -> None:
    assert passage_of("a") is None
    assert passage_of("_w") is None
