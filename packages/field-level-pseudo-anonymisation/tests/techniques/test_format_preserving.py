import string

import polars as pl
import pytest
from cryptography.fernet import Fernet
from fastfpe import ff1
from ffx import FF1
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.techniques.format_preserving import ALPHABETS, FormatPreserving
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

VERSIONS = {number: Fernet.generate_key().decode() for number in (1, 2)}
# NIST SP 800-38G, FF1 samples 1 to 9: the keys of 128, 192 and 256 bits begin alike.
LONGEST_KEY = "2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94"
BASE_36 = string.digits + string.ascii_lowercase
NIST_SAMPLES = [
    ("", string.digits, "0123456789", ["2433477484", "2830668132", "6657667009"]),
    ("39383736353433323130", string.digits, "0123456789", ["6124200773", "2496655549", "1001623463"]),
    (
        "3737373770717273373737",
        BASE_36,
        "0123456789abcdefghi",
        ["a9tv40mll9kdu509eum", "xbj3kv35jrawxv32ysr", "xs8a0azh2avyalyzuwd"],
    ),
]


class Keys:
    def key(self, name: str) -> Key:
        return Key(name, VERSIONS)


SCOPE = Scope("card", Keys())


def run(technique: FormatPreserving, texts: list[str], scope: Scope = SCOPE) -> list[str]:
    return technique.transform(scope)(pl.Series(texts, dtype=pl.String)).to_list()


def undone(technique: FormatPreserving, texts: list[str], scope: Scope = SCOPE) -> list[str | None]:
    return technique.restore(scope)(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(("tweak", "alphabet", "plain", "expected"), NIST_SAMPLES)
def test_the_samples_of_nist_come_out(tweak: str, alphabet: str, plain: str, expected: list[str]) -> None:
    keys = [LONGEST_KEY[:length] for length in (32, 48, 64)]
    assert [ff1.encrypt(key, tweak, alphabet, plain) for key in keys] == expected
    assert {ff1.decrypt(key, tweak, alphabet, text) for key, text in zip(keys, expected, strict=True)} == {plain}


alphabets = st.one_of(
    st.sampled_from(sorted(ALPHABETS)),
    st.lists(st.characters(exclude_categories=["Cs"]), min_size=10, max_size=256, unique=True).map("".join),
)


@settings(max_examples=60, deadline=None)
@given(st.data(), alphabets)
def test_it_is_what_an_independent_implementation_computes_and_turns_back(data: st.DataObject, alphabet: str) -> None:
    technique = FormatPreserving("k", alphabet)
    lengths = {"min_size": technique.shortest, "max_size": 40}
    texts = data.draw(st.lists(st.text(technique.characters, **lengths), min_size=1, max_size=5))  # type: ignore[arg-type]
    other = FF1(KEY_OF_CARD, alphabet=technique.characters)
    results = run(technique, texts)
    assert results == [other.encrypt(text, tweak=b"card") for text in texts]
    assert undone(technique, results) == texts


KEY_OF_CARD = SCOPE.keys.key("k").subkey("format_preserving", "card")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r"([^0-9]{0,3}[0-9]){6,12}[^0-9]{0,3}", fullmatch=True), min_size=1, max_size=5))
def test_other_characters_stay_in_place(texts: list[str]) -> None:
    texts = [text for text in texts if sum(each in string.digits for each in text) >= 6]
    technique = FormatPreserving("k", keep_other=True)
    results = run(technique, texts)
    for text, result in zip(texts, results, strict=True):
        assert [each in string.digits or each for each in text] == [each in string.digits or each for each in result]
        digits = "".join(each for each in text if each in string.digits)
        assert "".join(each for each in result if each in string.digits) == run(FormatPreserving("k"), [digits])[0]
    assert undone(technique, results) == texts


def test_a_class_of_awkward_characters_is_told_apart() -> None:
    alphabet = "^]-\\[&~#{}()*+?. |$é😀"
    text = alphabet + "x" + alphabet
    technique = FormatPreserving("k", alphabet, keep_other=True)
    (result,) = run(technique, [text])
    assert result.index("x") == text.index("x")
    assert undone(technique, [result]) == [text]


def test_long_and_empty_texts_are_taken() -> None:
    texts = ["7" * 5_000, ""]
    results = run(FormatPreserving("k"), texts)
    assert results[1] == ""
    assert undone(FormatPreserving("k"), results) == texts


def test_fields_and_versions_are_not_linkable() -> None:
    text = ["4111111111111111"]
    results = [
        run(FormatPreserving("k"), text)[0],
        run(FormatPreserving("k"), text, Scope("account", Keys()))[0],
        run(FormatPreserving("k", key_version=1), text)[0],
    ]
    assert len({*results, *text}) == 4


def test_what_was_encrypted_before_a_rotation_needs_its_version() -> None:
    before = run(FormatPreserving("k", key_version=1), ["4111111111111111"])
    assert undone(FormatPreserving("k", key_version=1), before) == ["4111111111111111"]
    assert undone(FormatPreserving("k"), before) != ["4111111111111111"]


@pytest.mark.parametrize(
    ("alphabet", "keep_other", "short"),
    [("digits", False, "12345"), ("letters", False, "abc"), ("digits", True, "1-2-3-4-5"), ("digits", True, "n/a")],
)
def test_a_domain_below_a_million_is_refused_with_a_count(alphabet: str, keep_other: bool, short: str) -> None:
    technique = FormatPreserving("k", alphabet, keep_other=keep_other)
    with pytest.raises(
        DataServiceError, match=f"At least 2 values of 'card' have fewer than {technique.shortest}"
    ) as e:
        run(technique, [short, short])
    assert short not in str(e.value)
    assert undone(technique, [short]) == [None]


def test_other_characters_are_refused_with_a_count_unless_kept() -> None:
    with pytest.raises(DataServiceError, match="At least 1 values of 'card' have characters outside") as caught:
        run(FormatPreserving("k"), ["4111 1111", "41111111"])
    assert "4111" not in str(caught.value)
    assert undone(FormatPreserving("k"), ["4111 1111"]) == [None]


@pytest.mark.parametrize("alphabet", ["", "x", "abca", "digit", "".join(map(chr, range(300, 600)))])
def test_an_alphabet_has_2_to_256_different_characters(alphabet: str) -> None:
    with pytest.raises(DataServiceError, match="of format_preserving is neither one of digits"):
        FormatPreserving("k", alphabet)
