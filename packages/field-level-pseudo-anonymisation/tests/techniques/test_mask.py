import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.key_file import KeyFile
from field_level_pseudo_anonymisation.techniques.mask import Mask
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

SCOPE = Scope("field", KeyFile("no keys needed.json"))


def masked(technique: Mask, *texts: str) -> list[str]:
    return technique.transform(SCOPE)(pl.Series(texts, dtype=pl.String)).to_list()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), min_size=1), st.integers(0, 5), st.integers(0, 5), st.sampled_from("*$é😀\\"))
def test_only_the_ends_stay_and_only_of_values_that_have_more(
    texts: list[str], first: int, last: int, cover: str
) -> None:
    expected = [
        text[:first] + cover * (len(text) - first - last) + text[len(text) - last :]
        if len(text) > first + last
        else cover * len(text)
        for text in texts
    ]
    assert masked(Mask(first, last, cover), *texts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann.lee@example.org", "a******@example.org"),
        ("a@example.org", "*@example.org"),
        ("é\nx@example.org", "é**@example.org"),
        ("no address", "**********"),
        ("a@b@c", "*****"),
        ("@x", "**"),
        ("", ""),
    ],
)
def test_an_email_address_keeps_its_first_character_and_domain(text: str, expected: str) -> None:
    assert masked(Mask(preset="email"), text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111111111111234", "************1234"),
        ("4111 1111-1111 1234", "**** ****-**** 1234"),
        ("4111 1111 1111 1 2 3 4 ", "**** **** **** 1 2 3 4 "),
        ("1234", "****"),
        ("card 1234", "**** ****"),
        ("4111111111111234x", "*****************"),
        ("", ""),
    ],
)
def test_a_card_keeps_its_last_four_digits_and_groups(text: str, expected: str) -> None:
    assert masked(Mask(preset="card"), text) == [expected]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"character": ""}, "The character '' of mask is not one character"),
        ({"character": "**"}, "The character '\\*\\*' of mask is not one character"),
        ({"keep_first": -1}, "The keep_first -1 of mask is negative"),
        ({"preset": "emial"}, r"The preset 'emial' of mask is unknown: did you mean 'email'\?"),
        ({"preset": "card", "keep_last": 2}, "The preset 'card' of mask tells what stays"),
    ],
)
def test_a_wrong_parameter_is_named(parameters: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataServiceError, match=sentence):
        Mask(**parameters)  # type: ignore[arg-type]
