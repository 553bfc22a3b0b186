from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import bin_numbers, treat_outliers
from util_services.errors import DataServiceError

NUMBERS = st.lists(st.none() | st.integers(-30, 30) | st.sampled_from([500, -500]), min_size=1, max_size=12)


def as_text(numbers: list[int | None]) -> pl.DataFrame:
    return pl.DataFrame({"n": [None if n is None else str(n) for n in numbers]}, schema={"n": pl.String})


def bounds(numbers: list[int | None], method: str) -> tuple[float, float]:
    known = pd.Series([n for n in numbers if n is not None], dtype=float)
    if method == "z_score":
        return known.mean() - 3 * known.std(ddof=0), known.mean() + 3 * known.std(ddof=0)
    if method == "percentile":
        return known.quantile(0.01), known.quantile(0.99)
    low, high = known.quantile(0.25), known.quantile(0.75)
    return low - 1.5 * (high - low), high + 1.5 * (high - low)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.sampled_from(["iqr", "z_score", "percentile"]))
def test_outliers_are_those_that_pandas_finds(numbers: list[int | None], method: str) -> None:
    low, high = bounds(numbers, method)
    result = treat_outliers(as_text(numbers), columns=["n"], method=method, action="drop")
    expected = [n for n in numbers if n is None or not (n < low - 1e-9 or n > high + 1e-9)]
    assert result.frame.equals(as_text(expected))
    assert result.reports[0].rejects == len(numbers) - len(expected)


@settings(max_examples=40, deadline=None)
@given(NUMBERS)
def test_clipping_moves_outliers_to_the_bounds_and_leaves_the_others_as_written(numbers: list[int | None]) -> None:
    low, high = bounds(numbers, "iqr")
    clipped = treat_outliers(as_text(numbers), columns=["n"], action="clip").frame["n"].to_list()
    for before, after in zip(numbers, clipped, strict=True):
        inside = before is None or low <= before <= high
        assert after == (None if before is None else str(before)) if inside else float(after) in {low, high}


@settings(max_examples=25, deadline=None)
@given(NUMBERS, st.sampled_from(["clip", "drop"]))
def test_a_range_is_applied_once_and_for_all(numbers: list[int | None], action: str) -> None:
    how: dict[str, Any] = {"columns": ["n"], "method": "range", "low": -5.0, "high": 7.5, "action": action}
    once = treat_outliers(as_text(numbers), **how).frame
    assert treat_outliers(once, **how).frame.equals(once)
    clipped = ["-5" if n < -5 else "7.5" if n > 7.5 else str(n) for n in numbers if n is not None]
    if action == "clip":
        assert once["n"].drop_nulls().to_list() == clipped


def test_outliers_are_flagged_beside_their_column() -> None:
    frame = pl.DataFrame({"n": ["1", "2", "3", "99", None], "x": [1, 2, 3, 4, 5]})
    result = treat_outliers(frame, columns=["n"], action="flag").frame
    assert result.columns == ["n", "n_outlier", "x"]
    assert result["n_outlier"].to_list() == [False, False, False, True, False]


def test_a_column_without_numbers_has_no_outliers() -> None:
    frame = pl.DataFrame({"n": [None]}, schema={"n": pl.String})
    assert treat_outliers(frame, columns=["n"], action="drop").frame.equals(frame)
    assert treat_outliers(frame, columns=["n"], action="clip").frame.equals(frame)
    assert treat_outliers(frame, columns=["n"], action="flag").frame["n_outlier"].to_list() == [False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.floats(-10, 130), max_size=8))
def test_bins_between_edges_are_those_of_pandas(numbers: list[float | None]) -> None:
    edges = [0, 18, 65, 120]
    frame = pl.DataFrame({"n": numbers}, schema={"n": pl.Float64})
    expected = pd.cut(np.array(numbers, dtype=float), edges, right=False, labels=["a", "b", "c"])
    result = bin_numbers(frame, column="n", edges=edges, labels=["a", "b", "c"], into="bin").frame
    assert result["bin"].to_list() == [None if pd.isna(label) else label for label in expected.tolist()]


def test_bins_of_a_width_start_at_zero() -> None:
    frame = pl.DataFrame({"n": ["-1", "0", "9.99", "10", None]})
    result = bin_numbers(frame, column="n", width=2.5, into="bin", drop=True).frame
    assert result["bin"].to_list() == ["[-2.5, 0)", "[0, 2.5)", "[7.5, 10)", "[10, 12.5)", None]
    assert result.columns == ["bin"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"action": "mark"}, "The action 'mark' of the step treat_outliers is unknown: choose flag, clip or drop."),
        ({"method": "mad"}, "The method 'mad' of the step treat_outliers is unknown: choose iqr, z_score, percentile "),
        ({"factor": -1.0}, "The step treat_outliers cannot use the factor -1: give 0 or more, for percentile below 50"),
        ({"method": "percentile", "factor": 50.0}, "The step treat_outliers cannot use the factor 50: give 0 or more"),
        ({"method": "range"}, "The step treat_outliers needs low, high or both for the method range, and for no other"),
        ({"low": 1.0}, "The step treat_outliers needs low, high or both for the method range, and for no other: give "),
        ({"method": "range", "low": 1.0, "factor": 2.0}, "The step treat_outliers knows no factor for the method rang"),
        ({"method": "range", "low": 2.0, "high": 1.0}, "The step treat_outliers has the bounds 2 and 1: give low and "),
        ({"columns": []}, "The step treat_outliers has no column: name at least one in columns."),
        ({"columns": ["t"]}, "The step treat_outliers needs numbers, but 1 cell of the column 't' is none: run conver"),
        ({"action": "flag"}, "The column 'n_outlier' in columns of the step treat_outliers exists already: choose ano"),
    ],
)  # fmt: skip
def test_each_mistake_about_outliers_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        treat_outliers(
            pl.DataFrame({"n": ["1"], "t": ["x"], "n_outlier": [1]}), **{"columns": ["n"], "action": "drop"} | how
        )
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({}, "The step bin_numbers needs either edges or width: give one of them."),
        ({"width": 1.0, "edges": [1, 2]}, "The step bin_numbers needs either edges or width: give one of them."),
        ({"width": 0.0}, "The step bin_numbers cannot use the width 0: give a number above 0."),
        ({"edges": [1]}, "The step bin_numbers needs at least two edges, each above the one before."),
        ({"edges": [1, 1]}, "The step bin_numbers needs at least two edges, each above the one before."),
        ({"edges": [1, 2], "labels": ["a", "b"]}, "The step bin_numbers has 2 labels: give one for each bin between e"),
    ],
)  # fmt: skip
def test_each_mistake_about_bins_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        bin_numbers(pl.DataFrame({"n": ["1"]}), column="n", into="bin", **how)
    assert str(caught.value).startswith(sentence)
