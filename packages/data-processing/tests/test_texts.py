import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import replace_pattern, replace_values, standardise_text
from util_services.errors import DataServiceError

TEXTS = st.lists(
    st.none() | st.text(max_size=8) | st.sampled_from(["  Évora\t x", "e\u0301", "ﬁ", "ŁÓDŹ", "ß"]), max_size=8
)


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.sampled_from(["NFC", "NFKC", "NFD", "NFKD"]))
def test_normal_forms_are_those_of_unicodedata(cells: list[str | None], form: str) -> None:
    frame = pl.DataFrame({"t": cells}, schema={"t": pl.String})
    ours = standardise_text(frame, normal_form=form, trim=False, collapse_space=False).frame["t"].to_list()
    # Letters newer than Python's Unicode tables may have a normal form here alone.
    known = [cell is None or all(unicodedata.category(letter) != "Cn" for letter in cell) for cell in cells]
    expected = [cell and unicodedata.normalize(form, cell) for cell in cells]
    assert [a for a, is_known in zip(ours, known, strict=True) if is_known] == [
        b for b, is_known in zip(expected, known, strict=True) if is_known
    ]


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.sampled_from(["keep", "lower", "upper", "title"]), st.booleans())
def test_standardising_twice_standardises_once(cells: list[str | None], case: str, accents: bool) -> None:
    frame = pl.DataFrame({"t": cells}, schema={"t": pl.String})
    once = standardise_text(frame, case=case, strip_accents=accents).frame
    assert standardise_text(once, case=case, strip_accents=accents).frame.equals(once)


def test_space_case_and_accents_are_standardised_and_counted() -> None:
    frame = pl.DataFrame({"t": ["  São\t Paulo\u00a0", "sao paulo", None], "u": ["É", "e", "e"], "n": [1, 2, 3]})
    result = standardise_text(frame, case="lower", strip_accents=True)
    assert result.frame["t"].to_list() == ["sao paulo", "sao paulo", None]
    assert result.reports[0].cells_changed == {"t": 1, "u": 1}
    assert standardise_text(frame, columns=["u"]).frame.equals(frame)


def test_values_are_replaced_by_a_mapping_whole_cells_alone() -> None:
    frame = pl.DataFrame({"sex": ["f", "F", "fm", None]})
    assert replace_values(frame, columns=["sex"], mapping={"f": "w"}).frame["sex"].to_list() == ["w", "F", "fm", None]
    result = replace_values(frame, columns=["sex"], mapping={"f": "w"}, ignore_case=True)
    assert result.frame["sex"].to_list() == ["w", "w", "fm", None]
    assert result.reports[0].cells_changed == {"sex": 2}


def test_a_pattern_is_replaced_wherever_it_matches_with_groups() -> None:
    frame = pl.DataFrame({"phone": ["+49 (30) 12", None]})
    result = replace_pattern(frame, columns=["phone"], pattern=r"\((\d+)\)\s", replacement="$1-")
    assert result.frame["phone"].to_list() == ["+49 30-12", None]


def test_a_pattern_that_would_take_exponential_time_elsewhere_is_linear_here() -> None:
    frame = pl.DataFrame({"t": ["a" * 20_000 + "!"]})
    assert replace_pattern(frame, columns=["t"], pattern="(a+)+$", replacement="").frame.equals(frame)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda f: standardise_text(f, case="Title"), "The case 'Title' of the step standardise_text is unknown: choo"),
        (lambda f: standardise_text(f, normal_form="NFX"), "The normal_form 'NFX' of the step standardise_text is unk"),
        (lambda f: standardise_text(f, columns=["n"]), "The column 'n' of the step standardise_text holds Int64, not "),
        (lambda f: replace_values(f, columns=[], mapping={"a": "b"}), "The step replace_values has nothing to replace"),
        (
            lambda f: replace_values(f, columns=["t"], mapping={"a": "b", "A": "c"}, ignore_case=True),
            "The step replace_values has two entries in mapping that differ in case alone: leave one out.",
        ),
        (lambda f: replace_pattern(f, columns=["t"], pattern="(", replacement=""), "The step replace_pattern cannot u"),
        (
            lambda f: replace_pattern(f, columns=["t"], pattern="(?=a)", replacement=""),
            "The step replace_pattern cannot use the pattern '(?=a)': give a regular expression without look-around",
        ),
        (lambda f: replace_pattern(f, columns=[], pattern="a", replacement=""), "The step replace_pattern has nothing"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(action, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataServiceError) as caught:
        action(pl.DataFrame({"t": ["x"], "n": [1]}))
    assert str(caught.value).startswith(sentence)
