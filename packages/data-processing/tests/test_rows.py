from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_processing as dp
from util_services.errors import DataServiceError

STRATA = st.lists(st.sampled_from(["F", "M", None]), min_size=1, max_size=15)


@settings(max_examples=40, deadline=None)
@given(STRATA, st.floats(0, 1), st.integers(0, 3))
def test_a_stratified_sample_has_the_sizes_of_pandas_and_keeps_the_order(
    strata: list[str | None], share: float, seed: int
) -> None:
    frame = pl.DataFrame({"sex": strata, "row": range(len(strata))}, schema={"sex": pl.String, "row": pl.Int64})
    drawn = dp.sample_rows(frame, share=share, stratify_by=["sex"], seed=seed).frame
    sizes = pd.Series(strata, dtype="str").value_counts(dropna=False)
    counts = drawn["sex"].to_pandas().astype("str").value_counts(dropna=False)
    for stratum, size in sizes.items():
        assert abs(counts.get(stratum, 0) - share * size) <= 0.5 + 1e-9
    assert drawn["row"].to_list() == sorted(drawn["row"].to_list())
    assert drawn.equals(frame.filter(pl.col("row").is_in(drawn["row"].implode())))


def test_the_sample_of_a_seed_is_the_same_everywhere_and_for_ever() -> None:
    frame = pl.DataFrame({"row": range(20)})
    assert dp.sample_rows(frame, size=5, seed=42).frame["row"].to_list() == [4, 8, 10, 15, 17]
    assert dp.sample_rows(frame.to_pandas(), size=5, seed=42).frame["row"].tolist() == [4, 8, 10, 15, 17]
    assert dp.sample_rows(frame, size=5, seed=43).frame["row"].to_list() != [4, 8, 10, 15, 17]


def test_a_sample_of_n_has_n_rows_of_each_stratum_or_all() -> None:
    frame = pl.DataFrame({"g": ["a"] * 5 + ["b"], "row": range(6)})
    assert dp.sample_rows(frame, size=100).frame.equals(frame)
    assert dp.sample_rows(frame, size=0).frame.height == 0
    assert sorted(dp.sample_rows(frame, size=2, stratify_by=["g"]).frame["g"]) == ["a", "a", "b"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["b", "a", "é", "Z", "", None]), st.integers(0, 2)), max_size=10), st.booleans()
)
def test_sorting_is_the_stable_sort_of_pandas(rows: list[tuple[str | None, int]], descending: bool) -> None:
    frame = pd.DataFrame({"t": [t for t, _ in rows], "n": [n for _, n in rows], "row": range(len(rows))}).astype(
        {"t": "str", "n": "int64"}
    )
    expected = frame.sort_values("n", kind="stable").sort_values(
        "t", ascending=not descending, kind="stable", ignore_index=True
    )
    result = dp.sort_rows(frame, by=["t", "n"], descending=["t"] if descending else []).frame
    pd.testing.assert_frame_equal(result, expected)
    pd.testing.assert_frame_equal(
        dp.sort_rows(result, by=["t", "n"], descending=["t"] if descending else []).frame, result
    )


def test_text_sorts_as_numbers_if_asked() -> None:
    frame = pl.DataFrame({"n": ["10", "9", None, "1e1"]})
    assert dp.sort_rows(frame, by=["n"]).frame["n"].to_list() == ["10", "1e1", "9", None]
    assert dp.sort_rows(frame, by=["n"], as_numbers=["n"]).frame["n"].to_list() == ["9", "10", "1e1", None]


def test_rows_with_too_many_missing_cells_are_left_out_and_told() -> None:
    frame = pl.DataFrame({"a": ["x", None, None], "b": ["y", "z", None]})
    result = dp.drop_incomplete_rows(frame, above=0.5)
    assert result.frame.rows() == [("x", "y"), (None, "z")]
    assert result.rejects.rows() == [("drop_incomplete_rows", "has too many missing cells", None, None)]
    assert dp.drop_incomplete_rows(frame, columns=["b"]).frame.height == 2


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (dp.sample_rows, "The step sample_rows needs either size or share: give one of them."),
        (
            lambda f: dp.sample_rows(f, size=1, share=0.5),
            "The step sample_rows needs either size or share: give one of them.",
        ),
        (lambda f: dp.sample_rows(f, size=-1), "The step sample_rows cannot draw size = -1 rows: give 0 or more."),
        (
            lambda f: dp.sample_rows(f, share=1.5),
            "The step sample_rows cannot draw the share 1.5: give a number from 0",
        ),
        (
            lambda f: dp.sample_rows(f, size=1, seed=-1),
            "The step sample_rows cannot use the seed -1: give a whole number fr",
        ),
        (
            lambda f: dp.sample_rows(f, size=1, stratify_by=["x"]),
            "The column 'x' in stratify_by of the step sample_rows do",
        ),
        (
            lambda f: dp.sort_rows(f, by=[]),
            "The step sort_rows has nothing to sort by: name at least one column in by.",
        ),
        (
            lambda f: dp.sort_rows(f, by=["a"], descending=["b"]),
            "The step sort_rows names the column 'b' in descending ",
        ),
        (
            lambda f: dp.sort_rows(f, by=["a"], as_numbers=["a"]),
            "The step sort_rows needs numbers, but 1 cell of the col",
        ),
        (
            lambda f: dp.drop_incomplete_rows(f, above=-1),
            "The step drop_incomplete_rows cannot use above = -1: give a s",
        ),
    ],
)
def test_each_mistake_is_one_sentence(action: Any, sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        action(pl.DataFrame({"a": ["x"], "b": ["y"]}))
    assert str(caught.value).startswith(sentence)
