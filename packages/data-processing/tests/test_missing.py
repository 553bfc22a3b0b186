from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import Fill, fill_missing_values, normalise_missing_markers
from data_processing.steps.missing import MARKERS
from util_services.errors import DataServiceError

TEXTS = st.sampled_from([None, "", "Rome", "Évora", "日本"])
NUMBERS = st.none() | st.integers(-50, 50).map(str) | st.sampled_from(["1.5", "-0.25", "1e2", ".5"])
GROUPS = st.sampled_from(["g", "h", None])
COLUMNS = st.lists(st.tuples(GROUPS, TEXTS, NUMBERS), max_size=10)
Rows = list[tuple[str | None, str | None, str | None]]


def table(rows: Rows) -> pd.DataFrame:
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [(), (), ()]
    return pd.DataFrame(dict(zip(("group", "city", "age"), columns, strict=True)), dtype="str")


def written_somehow(text: str) -> st.SearchStrategy[str]:
    cases = st.lists(st.booleans(), min_size=len(text), max_size=len(text))
    spaces = st.sampled_from(["", " ", "\t ", "\u2003"])
    return st.tuples(spaces, cases, spaces).map(
        lambda drawn: (
            drawn[0]
            + "".join(each.upper() if big else each for each, big in zip(text, drawn[1], strict=True))
            + drawn[2]
        )
    )


def filled(frame: pd.DataFrame, column: str, **how: Any) -> "pd.Series[Any]":
    result = fill_missing_values(frame, columns={column: Fill(**how)})
    return result.frame[column]  # type: ignore[no-any-return]


def same_numbers(ours: "pd.Series[Any]", theirs: "pd.Series[Any]") -> None:
    pd.testing.assert_series_equal(pd.to_numeric(ours), theirs, check_dtype=False)


@settings(max_examples=30, deadline=None)
@given(COLUMNS, st.sampled_from(["", "unknown", "ü"]))
def test_a_constant_is_filled_in_as_by_pandas(rows: Rows, value: str) -> None:
    frame = table(rows)
    ours = filled(frame, "city", method="constant", value=value)
    pd.testing.assert_series_equal(ours, frame["city"].fillna(value))


@settings(max_examples=40, deadline=None)
@given(COLUMNS, st.booleans())
def test_forward_and_backward_are_ffill_and_bfill_within_groups_too(rows: Rows, grouped: bool) -> None:
    frame = table(rows)
    by = ["group"] if grouped else []
    cells = frame.groupby("group", dropna=False)["city"] if grouped else frame["city"]
    pd.testing.assert_series_equal(filled(frame, "city", method="forward", by=by), cells.ffill())
    pd.testing.assert_series_equal(filled(frame, "city", method="backward", by=by), cells.bfill())


@settings(max_examples=40, deadline=None)
@given(COLUMNS, st.sampled_from(["mean", "median"]), st.booleans())
def test_mean_and_median_are_those_of_pandas_within_groups_too(rows: Rows, method: str, grouped: bool) -> None:
    frame = table(rows)
    numbers = pd.to_numeric(frame["age"]).astype(float)
    if grouped:
        value: Any = numbers.groupby(frame["group"], dropna=False).transform(method)
    else:
        value = getattr(numbers, method)()
    same_numbers(filled(frame, "age", method=method, by=["group"] if grouped else []), numbers.fillna(value))


@settings(max_examples=40, deadline=None)
@given(COLUMNS, st.booleans())
def test_the_mode_is_the_first_of_pandas_within_groups_too(rows: Rows, grouped: bool) -> None:
    frame = table(rows)
    for group, members in frame.groupby("group", dropna=False) if grouped else [(None, frame)]:
        modes = members["city"].mode()
        expected = members["city"].fillna(modes[0]) if len(modes) else members["city"]
        ours = filled(frame, "city", method="mode", by=["group"] if grouped else [])
        pd.testing.assert_series_equal(ours[members.index], expected, obj=str(group))


@settings(max_examples=40, deadline=None)
@given(COLUMNS, st.booleans())
def test_interpolation_is_that_of_pandas_between_known_numbers(rows: Rows, grouped: bool) -> None:
    frame = table(rows)
    numbers = pd.to_numeric(frame["age"]).astype(float)
    if grouped:
        expected = numbers.groupby(frame["group"], dropna=False).transform(
            lambda cells: cells.interpolate(limit_area="inside")
        )
    else:
        expected = numbers.interpolate(limit_area="inside")
    same_numbers(filled(frame, "age", method="interpolate", by=["group"] if grouped else []), expected)


def test_several_columns_are_filled_at_once_each_from_the_table_as_it_came() -> None:
    frame = pl.DataFrame({"a": ["1", None, "4"], "b": [None, "x", None], "c": ["k", None, "k"]})
    columns = {
        "a": Fill(method="interpolate"),
        "b": Fill(method="forward", by=["c"]),
        "c": Fill(method="constant", value="?"),
    }
    result = fill_missing_values(frame, columns=columns)
    assert result.frame.rows() == [("1", None, "k"), ("2.5", "x", "?"), ("4", None, "k")]
    assert result.reports[0].cells_changed == {"c": 1, "a": 1, "b": 0}


@pytest.mark.parametrize(
    ("numbers", "decimals", "written"),
    [(["1", "2"], None, "1.5"), (["1", "3"], None, "2"), (["1", "1", "2"], None, "1.3333333333333333"),
     (["1", "1", "2"], 2, "1.33"), (["1e-7", "1e-7"], None, "1e-7"), (["1", "2"], 0, "2")],
)  # fmt: skip
def test_numbers_filled_into_text_are_written_as_documented_and_the_others_stay(
    numbers: list[str], decimals: int | None, written: str
) -> None:
    frame = pl.DataFrame({"n": [*numbers, None]})
    result = fill_missing_values(frame, columns={"n": Fill(method="mean", decimals=decimals)}).frame
    assert result["n"].to_list() == [*numbers, written]


def test_columns_of_numbers_stay_numbers() -> None:
    frame = pl.DataFrame({"whole": [1, None, 4], "float": [1.0, None, 2.0]})
    columns = {"whole": Fill(method="constant", value="7"), "float": Fill(method="mean")}
    assert fill_missing_values(frame, columns=columns).frame.rows() == [(1, 1.0), (7, 1.5), (4, 2.0)]
    assert fill_missing_values(frame, columns={"whole": Fill(method="mean")}).frame["whole"].to_list() == [1, 2.5, 4]


def test_a_column_without_any_value_stays_missing() -> None:
    frame = pl.DataFrame({"a": [None, None]}, schema={"a": pl.String})
    for method in ("mean", "median", "mode", "forward", "backward", "interpolate"):
        assert fill_missing_values(frame, columns={"a": Fill(method=method)}).frame["a"].to_list() == [None, None]


@settings(max_examples=25, deadline=None)
@given(COLUMNS, st.sampled_from(["forward", "mode", "median", "interpolate", "mean"]))
def test_filling_twice_fills_once(rows: Rows, method: str) -> None:
    columns = {"age": Fill(method=method, by=["group"])}
    once = fill_missing_values(table(rows), columns=columns).frame
    pd.testing.assert_frame_equal(fill_missing_values(once, columns=columns).frame, once)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (dict, "The step fill_missing_values has nothing to fill: name at least one column in columns."),
        (lambda: {"age": Fill(method="maen")}, "The method 'maen' of filling is unknown: did you mean 'mean'?"),
        (lambda: {"age": Fill(method="constant")}, "The method constant and a value go together: give both, or anothe"),
        (lambda: {"age": Fill(method="mean", value="1")}, "The method constant and a value go together: give both, or"),
        (lambda: {"age": Fill(method="constant", value="", by=["city"])}, "The method constant fills all rows alike: "),
        (lambda: {"ag": Fill(method="mode")}, "The column 'ag' in columns of the step fill_missing_values does not"),
        (lambda: {"age": Fill(method="mode", by=["cty"])}, "The column 'cty' in by of the step fill_missing_values do"),
        (lambda: {"city": Fill(method="mean")}, "The step fill_missing_values needs numbers, but 2 cells of the colum"),
        (lambda: {"city": Fill(method="mean", by=["age"])}, "The step fill_missing_values needs numbers, but 2 cells "),
        (lambda: {"day": Fill(method="mean")}, "The column 'day' of the step fill_missing_values holds Date, not num"),
        (lambda: {"n": Fill(method="constant", value="x")}, "The step fill_missing_values cannot fill the column 'n',"),
        (lambda: {"day": Fill(method="constant", value="x")}, "The step fill_missing_values cannot fill the column 'd"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence_without_cells(columns: Any, sentence: str) -> None:
    frame = pl.DataFrame({"age": ["1", None], "city": ["SECRET", "SECRET"], "n": [1, None]})
    frame = frame.with_columns(day=pl.lit("2026-01-01").str.to_date())
    with pytest.raises(DataServiceError) as caught:
        fill_missing_values(frame, columns=columns())
    assert str(caught.value).startswith(sentence)
    assert "SECRET" not in str(caught.value)


def test_markers_become_missing_whatever_their_case_and_space() -> None:
    frame = pl.DataFrame({"a": ["N/A", " - ", "na", "nation", "0", None], "n": [1, 2, 3, 4, 5, 6]})
    result = normalise_missing_markers(frame)
    assert result.frame["a"].to_list() == [None, None, None, "nation", "0", None]
    assert result.reports[0].cells_changed == {"a": 3}
    assert normalise_missing_markers(result.frame).frame.equals(result.frame)
    assert normalise_missing_markers(frame, markers=["0"]).frame["a"].null_count() == 2


@given(
    st.lists(
        st.sampled_from([*MARKERS, "not applicable", "ÉTAIT", "nope", "un\N{KELVIN SIGN}nown"]).flatmap(written_somehow)
    ),
    st.sampled_from([MARKERS, ["not applicable"], ["Était", "n/a"], [], ["x" * 20, "-"]]),
)
def test_a_marker_may_be_written_in_any_way(cells: list[str], markers: list[str]) -> None:
    frame = pl.DataFrame({"a": cells}, schema={"a": pl.String})
    cleaned = normalise_missing_markers(frame, markers=markers).frame["a"]
    wanted = {marker.lower() for marker in markers}
    assert cleaned.to_list() == [None if cell.strip().lower() in wanted else cell for cell in cells]


def test_markers_are_looked_for_in_text_alone() -> None:
    with pytest.raises(
        DataServiceError, match="The column 'n' of the step normalise_missing_markers holds Int64, not t"
    ):
        normalise_missing_markers(pl.DataFrame({"n": [1]}), columns=["n"])
