from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.key_file import KeyFile
from field_level_pseudo_anonymisation.techniques.round_number import RoundNumber
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

SCOPE = Scope("income", KeyFile("no keys needed.json"))


def rounded(technique: RoundNumber, *texts: str) -> list[str]:
    return technique.transform(SCOPE)(pl.Series(texts, dtype=pl.String)).to_list()


numbers = st.from_regex(r"[+-]?[0-9]{1,18}(\.[0-9]{1,12})?", fullmatch=True, alphabet="0123456789+-.")
steps = st.sampled_from(["1", "10", "1000", "25", "0.5", "0.05", "0.25", "3", "0.001", "2.5"])


@settings(max_examples=100, deadline=None)
@given(st.lists(numbers, min_size=1), steps)
def test_it_is_exact_decimal_arithmetic(texts: list[str], step: str) -> None:
    size = Decimal(step)
    results = rounded(RoundNumber(step), *texts)
    for text, result in zip(texts, results, strict=True):
        multiple = (Decimal(text) / size).quantize(Decimal(1), ROUND_HALF_UP)
        assert Decimal(result) == multiple * size
        assert result.partition(".")[2].__len__() == max(0, -int(size.as_tuple().exponent))


@pytest.mark.parametrize(
    ("step", "text", "expected"),
    [
        (10, "15", "20"),
        (10, "-15", "-20"),
        (10, "14.999999999999999999999999999", "10"),
        (0.1, "0.15", "0.2"),
        (10, "-4", "0"),
        (10, "+5", "10"),
        (1e3, "0001500", "2000"),
        ("10.0", "99999999999999999999999999999995", "100000000000000000000000000000000"),
    ],
)
def test_ties_go_away_from_zero(step: float | str, text: str, expected: str) -> None:
    assert rounded(RoundNumber(step), text) == [expected]


def test_a_comma_can_mark_decimals() -> None:
    assert rounded(RoundNumber(0.5, ","), "1,25", "-0,2", "7") == ["1,5", "0,0", "7,0"]


@pytest.mark.parametrize("text", ["", "1e5", "1 000", "1,000.5", "NaN", " 5", "5 ", "5\n", ".5", "5.", "٣", "1" * 40])
def test_what_is_no_plain_number_is_counted_but_not_shown(text: str) -> None:
    with pytest.raises(DataServiceError, match="At least 2 values of 'income' are not plain numbers") as caught:
        rounded(RoundNumber(5), "7", text, text)
    assert "1e5" not in str(caught.value)


@pytest.mark.parametrize("step", [0, -1, "ten", "nan", "Infinity", 1e20, 1e-20])
def test_a_step_must_be_a_number_above_zero(step: float | str) -> None:
    with pytest.raises(DataServiceError, match="is not a number greater than 0"):
        RoundNumber(step)


def test_a_decimal_mark_must_be_a_point_or_comma() -> None:
    with pytest.raises(DataServiceError, match="The decimal_mark ';' of round_number is unknown"):
        RoundNumber(1, ";")
