from typing import Any

import polars as pl
import pytest

import data_processing as dp
from util_services.errors import DataServiceError

FRAME = pl.DataFrame({"a": ["x", "y"], "b": [None, "z"], "c": [1, 2]})


def test_columns_are_renamed_reordered_selected_and_dropped() -> None:
    assert dp.rename_columns(FRAME, names={"a": "c", "c": "a"}).frame.rows(named=True)[0] == {
        "c": "x",
        "b": None,
        "a": 1,
    }
    assert dp.reorder_columns(FRAME, columns=["c"]).frame.columns == ["c", "a", "b"]
    assert dp.select_columns(FRAME, columns=["c", "a"]).frame.rows() == [(1, "x"), (2, "y")]
    assert dp.drop_columns(FRAME, columns=["b"]).frame.columns == ["a", "c"]


def test_columns_with_too_many_missing_cells_are_dropped() -> None:
    assert dp.drop_incomplete_columns(FRAME, above=0.5).frame.equals(FRAME)
    assert dp.drop_incomplete_columns(FRAME, above=0.4).frame.columns == ["a", "c"]
    assert dp.drop_incomplete_columns(FRAME, above=0.0, columns=["a"]).frame.equals(FRAME)


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("a-b", ("a", "b")),
        ("a-b-c", ("a", "b-c")),
        ("a", ("a", None)),
        ("", ("", None)),
        (None, (None, None)),
        ("-", ("", "")),
    ],
)
def test_a_cell_is_split_into_as_many_parts_as_there_are_columns(cell: str | None, parts: tuple[Any, Any]) -> None:
    frame = pl.DataFrame({"x": [cell], "y": ["y"]}, schema={"x": pl.String, "y": pl.String})
    result = dp.split_column(frame, column="x", separator="-", into=["p", "q"]).frame
    assert result.columns == ["x", "p", "q", "y"]
    assert result.select("p", "q").row(0) == parts
    assert dp.split_column(frame, column="x", separator="-", into=["p"], drop=True).frame.rows() == [(cell, "y")]


def test_joining_passes_over_missing_cells() -> None:
    frame = pl.DataFrame({"a": ["x", None, None], "n": [1, 2, 3], "b": ["y", "z", None], "d": [1, 1, 1]})
    result = dp.join_columns(frame, columns=["b", "a"], into="ab", separator="/").frame
    assert result.columns == ["a", "n", "b", "ab", "d"]
    assert result["ab"].to_list() == ["y/x", "z", None]
    assert dp.join_columns(frame, columns=["a", "n"], into="an", drop=True).frame.columns == ["an", "b", "d"]


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (
            lambda f: dp.rename_columns(f, names={"d": "e"}),
            "The column 'd' in names of the step rename_columns does not",
        ),
        (
            lambda f: dp.rename_columns(f, names={"a": "b"}),
            "The step rename_columns would give the name 'b' to no or to",
        ),
        (lambda f: dp.rename_columns(f, names={"a": ""}), "The step rename_columns would give the name '' to no or to"),
        (
            lambda f: dp.select_columns(f, columns=[]),
            "The step select_columns would leave no column: name at least one.",
        ),
        (
            lambda f: dp.drop_columns(f, columns=["a", "b", "c"]),
            "The step drop_columns would leave no column: let at le",
        ),
        (
            lambda f: dp.drop_incomplete_columns(f, above=2),
            "The step drop_incomplete_columns cannot use above = 2: give",
        ),
        (lambda f: dp.split_column(f, column="a", separator="", into=["x"]), "The step split_column needs a separator"),
        (
            lambda f: dp.split_column(f, column="a", separator="-", into=["x", "x"]),
            "The column 'x' in into of the step",
        ),
        (
            lambda f: dp.split_column(f, column="c", separator="-", into=["x"]),
            "The column 'c' of the step split_column",
        ),
        (
            lambda f: dp.join_columns(f, columns=[], into="x"),
            "The step join_columns has nothing to join: name at least",
        ),
        (
            lambda f: dp.join_columns(f, columns=["a"], into="c"),
            "The column 'c' in into of the step join_columns exists",
        ),
    ],
)
def test_each_mistake_is_one_sentence(action: Any, sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        action(FRAME)
    assert str(caught.value).startswith(sentence)
