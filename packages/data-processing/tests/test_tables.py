from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import join_table
from util_services.errors import DataServiceError

KEYS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


@settings(max_examples=50, deadline=None)
@given(KEYS, KEYS, st.sampled_from(["left", "inner"]), st.sampled_from(["first", "repeat"]))
def test_joins_are_those_of_pandas_in_the_order_of_the_rows(
    left: list[str], right: list[str], how: Any, repeated: str
) -> None:
    one = pd.DataFrame({"k": pd.Series(left, dtype="str"), "row": range(len(left))})
    two = pd.DataFrame({"k": pd.Series(right, dtype="str"), "x": [f"x{n}" for n in range(len(right))]}).astype("str")
    second = two.drop_duplicates("k") if repeated == "first" else two
    expected = one.merge(second, on="k", how=how)
    result = join_table(one, table=two, keys=["k"], how=how, repeated_keys=repeated)
    pd.testing.assert_frame_equal(result.frame, expected, check_index_type=False)
    (report,) = result.reports
    assert report.rows_out == len(expected)
    assert report.rejects == (sum(key not in right for key in left) if how == "inner" else 0)


@settings(max_examples=25, deadline=None)
@given(KEYS, KEYS)
def test_an_anti_join_keeps_what_has_no_match(left: list[str], right: list[str]) -> None:
    one = pl.DataFrame({"k": left, "row": range(len(left))}, schema={"k": pl.String, "row": pl.Int64})
    two = pl.DataFrame({"k": right}, schema={"k": pl.String})
    result = join_table(one, table=two, keys=["k"], how="anti")
    assert result.frame.rows() == [(key, row) for row, key in enumerate(left) if key not in right]


def test_a_key_with_a_missing_cell_matches_nothing() -> None:
    one = pl.DataFrame({"k": ["a", None], "l": ["b", "b"]})
    two = pl.DataFrame({"l": ["b", "b"], "k": [None, "a"], "x": [1, 2]})
    assert join_table(one, table=two, keys=["k", "l"]).frame["x"].to_list() == [2, None]
    assert join_table(one, table=two, keys=["k", "l"], how="inner").rejects["k"].to_list() == [None]
    assert join_table(one, table=two, keys=["k", "l"], how="anti").frame.rows() == [(None, "b")]


def test_columns_are_brought_by_choice_and_under_a_prefix() -> None:
    one, two = pl.LazyFrame({"k": ["a"], "x": [1]}), pl.DataFrame({"k": ["a"], "x": [2], "y": [3]})
    result = join_table(one, table=two, keys=["k"], columns=["y", "x"], prefix="ward_").frame
    assert isinstance(result, pl.LazyFrame)
    assert result.collect().rows(named=True) == [{"k": "a", "x": 1, "ward_y": 3, "ward_x": 2}]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"keys": []}, "The step join_table has no key: name at least one column in keys."),
        ({"keys": ["q"]}, "The column 'q' in keys of the step join_table does not exist: choose one of 'k', 'x'."),
        (
            {"keys": ["x"]},
            "The column 'x' in keys of the step join_table does not exist in the second table: choose one of",
        ),
        (
            {"columns": ["z"]},
            "The column 'z' in columns of the step join_table does not exist in the second table: cho",
        ),
        ({"how": "outer"}, "The how 'outer' of the step join_table is unknown: choose left, inner or anti."),
        (
            {"repeated_keys": "any"},
            "The repeated_keys 'any' of the step join_table is unknown: choose refuse, first or",
        ),
        (
            {"columns": ["y"], "prefix": ""},
            "The step join_table finds 1 key several times in the second table: mend it",
        ),
        (
            {"table": pl.DataFrame({"k": [1]})},
            "The step join_table cannot compare the key 'k': it holds String here an",
        ),
        (
            {"table": pl.DataFrame({"k": ["a"], "x": [1]})},
            "The column 'x' in columns of the step join_table exists alre",
        ),
        (
            {"table": "wards.csv"},
            "The location 'wards.csv' cannot be read here: give the table or the file's content i",
        ),
    ],
)
def test_each_mistake_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    table = pl.DataFrame({"k": ["SECRET", "SECRET"], "y": [1, 2]})
    with pytest.raises(DataServiceError) as caught:
        join_table(pl.DataFrame({"k": ["a"], "x": [1]}), **{"table": table, "keys": ["k"]} | how)
    assert str(caught.value).startswith(sentence)
    assert "SECRET" not in str(caught.value)
