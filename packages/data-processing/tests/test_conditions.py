from typing import Any

import polars as pl
import pytest

from data_processing import filter_rows
from util_services.errors import DataServiceError

FRAME = pl.DataFrame({"age": ["17", "18", "SECRET", None], "country": ["DE", "FR", "DE", "IT"]})


def test_rows_that_meet_the_condition_stay_and_the_others_are_told_why_not() -> None:
    result = filter_rows(FRAME, condition="age >= 18")
    assert result.frame.rows() == [("18", "FR")]
    assert result.rejects["rejected_because"].to_list() == [
        "does not meet the condition",
        "age is not a number",
        "has a missing cell that leaves open whether it meets the condition",
    ]
    assert result.reports[0].rejects == 3


def test_a_row_that_meets_the_condition_by_another_cell_stays() -> None:
    assert filter_rows(FRAME, condition='age >= 18 or country == "DE"').frame["country"].to_list() == ["DE", "FR", "DE"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            {"condition": "age >= 18", "on_failure": "fail"},
            "1 cell of 'age' in the condition of the step filter_rows is n",
        ),
        ({"condition": "ag >= 18"}, "The column 'ag'"),
        ({"condition": "age >="}, "The expression"),
        ({"condition": "__import__('os').system('true')"}, "The expression"),
        ({"condition": "age.__class__ == 1"}, "The expression"),
        ({"condition": "open('/etc/passwd') == 1"}, "The "),
        (
            {"condition": "age > 1", "on_failure": "keep"},
            "The on_failure 'keep' of the step filter_rows is unknown: choos",
        ),
    ],
)
def test_each_mistake_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        filter_rows(FRAME, **how)
    assert str(caught.value).startswith(sentence)
    assert "SECRET" not in str(caught.value)
