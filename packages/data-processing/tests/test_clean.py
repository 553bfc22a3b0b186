"""What holds for every step: the same on each kind of table, untouched columns as they were, order, laziness."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data_processing as dp
from data_processing import Fill
from data_processing.steps import STEPS, Step
from util_services.errors import DataServiceError

WARDS = pl.DataFrame({"city": ["Rome", "Oslo"], "ward": ["7", "9"]})
# At least one way to use each step; those that change nothing when they are run again are said to be cleaning.
CLEANING: dict[str, Step] = {
    "duplicates": dp.RemoveDuplicates(columns=["city"], ignore_case=True),
    "markers": dp.NormaliseMissingMarkers(),
    "fill": dp.FillMissingValues(columns={"age": Fill(method="median"), "city": Fill(method="mode")}),
    "fill along": dp.FillMissingValues(
        columns={"age": Fill(method="interpolate"), "city": Fill(method="forward", by=["sex"])}
    ),
    "filter": dp.FilterRows(condition='age > 2 and city != "Oslo"'),
    "incomplete rows": dp.DropIncompleteRows(columns=["age", "city"], above=0.5),
    "incomplete columns": dp.DropIncompleteColumns(above=0.6),
    "text": dp.StandardiseText(case="title", strip_accents=True),
    "values": dp.ReplaceValues(columns=["sex"], mapping={"f": "female", "m": "male"}),
    "pattern": dp.ReplacePattern(columns=["city"], pattern="[0-9]+", replacement=""),
    "types": dp.ConvertTypes(types={"age": "decimal", "day": "date"}),
    "dates": dp.FormatDates(columns=["day"], formats=["%Y-%m-%d", "%d.%m.%Y"]),
    "outliers": dp.TreatOutliers(columns=["age"], method="range", low=0, high=99, action="clip"),
    "reorder": dp.ReorderColumns(columns=["sex", "city"]),
    "select": dp.SelectColumns(columns=["sex", "row", "untouched"]),
    "sort": dp.SortRows(by=["age", "city"], as_numbers=["age"], descending=["age"]),
    "anti join": dp.JoinTable(table=WARDS, keys=["city"], how="anti"),
    "schema": dp.ValidateSchema(
        schema_file=b"fields: [{name: age, type: number, constraints: {minimum: 0}}, {name: sex, constraints: "
        b"{enum: [f, m]}}, {name: day, constraints: {unique: true}}]"
    ),
}
OTHERS: dict[str, Step] = {
    "near duplicates": dp.RemoveDuplicates(columns=["city", "sex"], similarity={"city": 0.7}, keep="last"),
    "age": dp.DeriveAge(column="day", reference_date="2026-01-01", into="years", formats=["%Y-%m-%d", "%d.%m.%Y"]),
    "bins": dp.BinNumbers(column="age", width=10, into="decade"),
    "flags": dp.TreatOutliers(columns=["age"], action="flag"),
    "outliers": dp.TreatOutliers(columns=["age"], method="z_score", factor=1, action="drop"),
    "rename": dp.RenameColumns(names={"city": "town"}),
    "drop": dp.DropColumns(columns=["city"]),
    "split": dp.SplitColumn(column="city", separator=" ", into=["one", "two"]),
    "join": dp.JoinColumns(columns=["city", "sex"], into="both"),
    "sample": dp.SampleRows(share=0.5, stratify_by=["sex"], seed=1),
    "left join": dp.JoinTable(table=WARDS, keys=["city"]),
    "inner join": dp.JoinTable(table=WARDS, keys=["city"], how="inner"),
}
EVERY = CLEANING | {f"{name} (again)" if name in CLEANING else name: step for name, step in OTHERS.items()}
EXISTS, GONE, AGAIN = "exists already", "does not exist", "another result"
# What becomes of a step that is run again and is none of those that clean, as the manual says.
EXCEPTIONS = {
    "derive_age": EXISTS,
    "bin_numbers": EXISTS,
    "split_column": EXISTS,
    "join_columns": EXISTS,
    "rename_columns": GONE,
    "drop_columns": GONE,
    "sample_rows": AGAIN,
}
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Rome", "rome", "Oslo", "São Paulo 2", "n/a", " x ", "", None]),
        st.sampled_from(["1", "2.50", "40", "-7", "500", None]),
        st.sampled_from(["f", "m", None]),
        st.sampled_from(["2000-02-29", "31.12.1999", None]),
    ),
    max_size=8,
)
Rows = list[tuple[str | None, str | None, str | None, str | None]]


def table(rows: Rows) -> pl.DataFrame:
    names = ["city", "age", "sex", "day"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    untouched = pl.Series("untouched", [1 / 3 if n % 2 else None for n in range(len(rows))], dtype=pl.Float64)
    return frame.with_columns(pl.int_range(pl.len()).alias("row"), untouched)


KINDS: dict[str, tuple[Callable[[pl.DataFrame], Any], Callable[[Any], pl.DataFrame]]] = {
    "lazy": (pl.DataFrame.lazy, pl.LazyFrame.collect),
    "arrow": (pl.DataFrame.to_arrow, lambda frame: pl.DataFrame(pl.from_arrow(frame))),
    "pandas": (lambda frame: frame.to_arrow().to_pandas(), pl.from_pandas),
}


@settings(max_examples=8, deadline=None)
@given(ROWS)
@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_table_gets_the_same_result_and_report(name: str, rows: Rows) -> None:
    frame = table(rows)
    reference = dp.clean(frame, [EVERY[name]])
    for kind, (to, back) in KINDS.items():
        result = dp.clean(to(frame), [EVERY[name]])
        assert type(result.frame) is type(to(frame)), kind
        ours, expected = back(result.frame), reference.frame
        if kind == "pandas":  # which knows no missing whole number or truth value, and tells no type of nothing
            ours, expected = (
                ours.select(pl.all().cast(pl.String)),
                expected.select(pl.all().cast(pl.String, strict=False)),
            )
            ours, expected = (
                each.select(pl.all().str.replace(r"\.0$", "").str.to_lowercase()) for each in (ours, expected)
            )
        assert ours.equals(expected), kind
        assert result.reports == reference.reports
        assert back(result.rejects).rows() == reference.rejects.rows()


@settings(max_examples=8, deadline=None)
@given(ROWS)
@pytest.mark.parametrize("name", CLEANING)
def test_cleaning_twice_is_cleaning_once(name: str, rows: Rows) -> None:
    once = dp.clean(table(rows), [CLEANING[name]]).frame
    twice = dp.clean(once, [CLEANING[name]])
    assert twice.frame.equals(once)
    assert sum(twice.reports[0].cells_changed.values()) == 0


@settings(max_examples=8, deadline=None)
@given(ROWS)
@pytest.mark.parametrize("name", EVERY)
def test_no_row_is_lost_untouched_columns_stay_and_so_does_the_order(name: str, rows: Rows) -> None:
    frame = table(rows)
    result = dp.clean(frame, [EVERY[name]])
    (report,) = result.reports
    out = result.frame
    assert (report.rows_in, report.rows_out) == (frame.height, out.height)
    assert report.rejects == result.rejects.height
    if not isinstance(EVERY[name], dp.SampleRows) and name != "anti join":
        assert report.rejects == frame.height - out.height
        left = [int(row) for row in result.rejects["row"]]
        assert sorted([*out["row"].to_list(), *left]) == list(range(frame.height))
    if not isinstance(EVERY[name], dp.SortRows):
        assert out["row"].to_list() == sorted(out["row"].to_list())
    for column in set(frame.columns) & set(out.columns) - set(report.cells_changed):
        assert out[column].equals(frame[column].gather(out["row"]), check_dtypes=True), column


def test_every_step_is_among_those_tested_here() -> None:
    assert {step.name for step in EVERY.values()} == set(STEPS)


def test_every_step_cleans_or_is_a_known_exception() -> None:
    assert {step.name for step in CLEANING.values()} | set(EXCEPTIONS) == set(STEPS)
    assert not {step.name for step in CLEANING.values()} & set(EXCEPTIONS)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_a_step_that_does_not_clean_is_refused_or_gives_another_result_when_it_is_run_again(name: str) -> None:
    step = next(each for each in OTHERS.values() if each.name == name)
    rows: Rows = [("Rome 1", str(number), sex, "2000-02-29") for number in range(8) for sex in "fm"]
    once = dp.clean(table(rows), [step]).frame
    if EXCEPTIONS[name] == AGAIN:
        assert not dp.clean(once, [step]).frame.equals(once)
    else:
        with pytest.raises(DataServiceError, match=EXCEPTIONS[name]):
            dp.clean(once, [step])


def test_a_lazy_table_is_not_evaluated_but_for_aggregates() -> None:
    collected: list[int] = []

    def spy(rows: pl.DataFrame) -> pl.DataFrame:
        collected.append(rows.height)
        return rows

    frame = pl.LazyFrame({"a": ["x ", None]}).map_batches(spy, schema={"a": pl.String})
    result = dp.clean(
        frame, [dp.StandardiseText(), dp.FillMissingValues(columns={"a": Fill(method="constant", value="")})]
    )
    assert collected == []
    assert result.frame.collect().rows() == [("x",), ("",)]


def test_reports_follow_the_rows_from_step_to_step() -> None:
    frame = pl.DataFrame({"a": ["x", "X", None, "n/a"], "n": ["1", "2", "x", "4"]})
    result = dp.clean(
        frame,
        [
            dp.NormaliseMissingMarkers(),
            dp.RemoveDuplicates(columns=["a"], ignore_case=True),
            dp.ConvertTypes(types={"n": "integer"}),
            dp.FillMissingValues(columns={"a": Fill(method="constant", value="?")}),
        ],
    )
    assert result.frame.rows() == [("x", 1)]
    assert [(r.rows_in, r.rows_out, r.rejects, r.cells_changed) for r in result.reports] == [
        (4, 4, 0, {"a": 1, "n": 0}),
        (4, 2, 2, {}),
        (2, 1, 1, {"n": 0}),
        (1, 1, 0, {"a": 0}),
    ]
    assert result.rejects.rows() == [
        ("remove_duplicates", "is a duplicate", "X", "2"),
        ("remove_duplicates", "is a duplicate", None, "4"),
        ("convert_types", "n is not a whole number of 64 bits", None, "x"),
    ]


def test_rejects_of_steps_with_different_columns_go_into_one_table() -> None:
    frame = pl.DataFrame({"rejected_by": ["x", "x", None], "a": ["1", "1", "2"]})
    result = dp.clean(frame, [dp.RemoveDuplicates(), dp.RenameColumns(names={"a": "b"}), dp.DropIncompleteRows()])
    assert result.rejects.columns == ["rejected_by_", "rejected_because", "rejected_by", "a", "b"]
    assert result.rejects.rows() == [
        ("remove_duplicates", "is a duplicate", "x", "1", None),
        ("drop_incomplete_rows", "has too many missing cells", None, None, "2"),
    ]


def test_what_is_costly_to_compute_is_stored_if_there_is_a_store() -> None:
    stored = []
    frame = pl.LazyFrame({"a": ["2", "1"]})
    steps = [dp.SortRows(by=["a"]), dp.RenameColumns(names={"a": "b"})]
    result = dp.clean(frame, steps, store=lambda each: stored.append(each) or each)
    assert len(stored) == 1
    assert result.frame.collect().rows() == [("1",), ("2",)]


def test_columns_of_a_pandas_table_that_no_step_touches_keep_their_type() -> None:
    frame = pd.DataFrame(
        {
            "key": ["a", "a", "b"],
            "whole": pd.array([2**60 + 1, None, None], dtype="Int64"),
            "truth": pd.array([True, None, False], dtype="boolean"),
            "kind": pd.Categorical(["u", "u", "v"]),
            "when": pd.to_datetime(["2026-01-01"] * 3).tz_localize("Europe/Rome"),
            "number": [1.5, None, 2.0],
        },
        index=[7, 8, 9],
    )
    result = dp.remove_duplicates(frame, columns=["key"]).frame
    pd.testing.assert_frame_equal(result, frame.iloc[[0, 2]].reset_index(drop=True))


def test_columns_of_an_arrow_table_keep_their_type() -> None:
    frame = pa.table({"a": pa.array(["x", "x"], pa.string()), "b": pa.array([1, 2], pa.int8())})
    assert dp.remove_duplicates(frame, columns=["a"]).frame.schema == frame.schema


def test_a_pandas_column_of_several_types_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataServiceError, match="A column of the table holds values of several types: make them of one"):
        dp.remove_duplicates(pd.DataFrame({"a": ["x", 1, None]}, dtype=object))


@pytest.mark.parametrize(
    ("step", "as_it_came", "sorted_before"),
    [
        (dp.RemoveDuplicates(columns=["a"]), [(2, "x", "q")], [(1, "x", None)]),
        (dp.RemoveDuplicates(columns=["a"], keep="last"), [(3, "x", "s")], [(3, "x", "s")]),
        (
            dp.FillMissingValues(columns={"b": Fill(method="forward")}),
            [(2, "x", "q"), (1, "x", "q"), (3, "x", "s")],
            [(1, "x", None), (2, "x", "q"), (3, "x", "s")],
        ),
        (
            dp.FillMissingValues(columns={"b": Fill(method="backward")}),
            [(2, "x", "q"), (1, "x", "s"), (3, "x", "s")],
            [(1, "x", "q"), (2, "x", "q"), (3, "x", "s")],
        ),
        (dp.SampleRows(size=1, seed=2), [(2, "x", "q")], [(1, "x", None)]),
    ],
)
def test_steps_that_go_by_the_order_take_that_of_the_input_unless_rows_were_sorted_before(
    step: Step, as_it_came: list[Any], sorted_before: list[Any]
) -> None:
    frame = pl.DataFrame([(2, "x", "q"), (1, "x", None), (3, "x", "s")], schema=["n", "a", "b"], orient="row")
    assert dp.clean(frame, [step]).frame.rows() == as_it_came
    assert dp.clean(frame, [dp.SortRows(by=["n"]), step]).frame.rows() == sorted_before


def test_no_steps_are_refused() -> None:
    with pytest.raises(DataServiceError, match="The steps are empty: give at least one"):
        dp.clean(pl.DataFrame({"a": [1]}), [])


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_a_function_of_its_name_with_its_documentation(name: str) -> None:
    function = getattr(dp, name)
    assert function.__doc__ == STEPS[name].__doc__
    assert "Examples:" in function.__doc__
    assert name in dp.__all__
    assert STEPS[name].__name__ in dp.__all__
