from hypothesis import given
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.free_text.envelopes import LITERAL, find, passage_of
from field_level_pseudo_anonymisation.free_text.rewriting import Place, replaced, sealed

# Of the Fernet specification.
TOKEN = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
ENVELOPE = f"[[A:encrypt:{TOKEN}]]"
# Texts of the pieces that envelopes are made of, so that they come about by chance.
BITS = st.lists(
    st.sampled_from(
        ["[", "]", "[[", "]]", "A:", "b:", "gAAAA", TOKEN, ENVELOPE, "[[A:b:c]]", "x", "=", " ", "é\U0001d6fc"]
    ),
    max_size=8,
).map("".join)


def place(start: int, end: int, kind: str) -> Place:
    return {
        "bare": Place(start, end, ENVELOPE, sealed=True, bare=TOKEN),
        "sealed": Place(start, end, "[[A:tokenise:t]]", sealed=True),
        "plain": Place(start, end, "A:b:c"),
    }[kind]


@given(parts=st.lists(st.tuples(BITS, st.sampled_from(["bare", "sealed", "plain"])), max_size=4), rest=BITS)
def test_a_reader_finds_what_was_sealed_and_gets_the_rest_back(parts: list[tuple[str, str]], rest: str) -> None:
    text, places = "", []
    for before, kind in parts:
        text += before + "S"
        places.append(place(len(text) - 1, len(text), kind))
    text += rest
    result, escaped = sealed(text, places)
    envelopes = list(find(result))
    literals = [each for each in envelopes if each.technique == LITERAL]
    own = [each for each in envelopes if each.technique != LITERAL]
    assert len(literals) == escaped
    assert [each.technique for each in own] == [
        "encrypt" if kind == "bare" else "tokenise" for _, kind in parts if kind != "plain"
    ]
    read = [Place(each.start, each.end, passage_of(each.payload) or "") for each in literals]
    read += [Place(each.start, each.end, "S") for each in own]
    plain = [place for place, (_, kind) in zip(places, parts, strict=True) if kind == "plain"]
    assert replaced(result, sorted(read)) == replaced(text, plain)


def test_a_token_that_touches_a_letter_goes_into_an_envelope() -> None:
    assert sealed("aS b S", [place(1, 2, "bare"), place(5, 6, "bare")])[0] == f"a{ENVELOPE} b {TOKEN}"


def test_text_without_anything_alike_stays_as_it_is() -> None:
    assert sealed("[[1, 2], [3]] S", [place(14, 15, "bare")]) == (f"[[1, 2], [3]] {TOKEN}", 0)
