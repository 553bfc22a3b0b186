import pytest

from dataframe_level_anonymisation.hierarchies import Hierarchy, build
from util_services.errors import DataServiceError


def test_ages_become_intervals_of_5_10_20_and_100_years_then_a_star() -> None:
    labels = build("age", "simpl_age", ["25", "99", "100", "7.5", "-1", None]).labels
    assert [of_level[0] for of_level in labels] == ["[25, 30)", "[20, 30)", "[20, 40)", "[0, 100)", "*"]
    assert [of_level[1] for of_level in labels] == ["[95, 100)", "[90, 100)", "[80, 100)", "[0, 100)", "*"]
    assert [of_level[2] for of_level in labels] == ["[100, 105)", "[100, 110)", "[100, 120)", "[100, 200)", "*"]
    assert labels[0][3:5] == ["[5, 10)", "[-5, 0)"]
    assert [of_level[5] for of_level in labels] == [None, None, None, None, "*"]


def test_numbers_are_ages_too() -> None:
    assert build("age", "simpl_age", [25, 26.5]).labels[0] == ["[25, 30)", "[25, 30)"]


def test_gender_is_kept_or_suppressed() -> None:
    assert build("sex", "simpl_gender", ["F", "M", None]).labels == (["*", "*", "*"],)


@pytest.mark.parametrize("value", ["SECRET", "", "nan", "inf", "12 years"])
def test_what_is_no_number_is_counted_and_not_shown(value: str) -> None:
    with pytest.raises(DataServiceError) as error:
        build("age", "simpl_age", ["25", value])
    assert str(error.value) == (
        "The hierarchy 'simpl_age' needs numbers, but 1 distinct value(s) of the column 'age' are not: clean the "
        "column first or give it another hierarchy."
    )


def test_an_unknown_hierarchy_is_one_sentence() -> None:
    with pytest.raises(DataServiceError, match="'simpl_aeg' of the column 'age' is unknown: did you mean 'simpl_age'"):
        build("age", "simpl_aeg", ["25"])


def test_a_level_that_splits_a_group_is_refused() -> None:
    with pytest.raises(DataServiceError, match="column 'c' is not nested: level 2 splits a group of level 1"):
        Hierarchy.from_labels("c", 3, [["x", "x", "y"], ["p", "q", "q"]])


def test_groups_of_each_level() -> None:
    hierarchy = Hierarchy.from_labels("c", 3, [["x", "y", "x"], ["*", "*", "*"]])
    assert [groups.tolist() for groups in hierarchy.groups] == [[0, 1, 2], [0, 1, 0], [0, 0, 0]]
    assert hierarchy.sizes == (3, 2, 1)
    assert hierarchy.levels == 3
