from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util_services import summaries
from util_services.levels import Levels
from util_services.preview import preview_markdown
from util_services.summaries import summarise, summarise_amended


@pytest.mark.parametrize("convert", [pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_every_engine_gives_the_same_summary(convert: Any) -> None:
    frame = pl.DataFrame({"t": ["x", None, "x"], "n": [1.5, 2.5, 4.0]})
    native = convert(frame)
    assert isinstance(native, pl.LazyFrame | pd.DataFrame | pa.Table)
    summary = summarise(nw.from_native(native).lazy())
    assert (summary.rows, summary.exact) == (3, True)
    text, number = summary.columns
    assert (text.nulls, text.distinct, text.minimum, text.maximum) == (1, 2, None, None)
    assert (number.nulls, number.distinct, number.minimum, number.maximum) == (0, 3, 1.5, 4.0)


def test_large_frames_get_estimates_and_say_so() -> None:
    summary = summarise(nw.from_native(pl.LazyFrame({"i": range(200_000), "c": [1] * 200_000})))
    assert not summary.exact
    assert summary.columns[0].distinct == pytest.approx(200_000, rel=0.05)
    assert summary.columns[1].distinct == 1
    assert "| ≈ " in preview_markdown(summary)


NESTED = pl.DataFrame(
    {"list": [["x"], None, ["x"], []], "record": [{"a": [1]}, {"a": [1]}, None, {"a": [2]}], "plain": [1, 2, 3, 4]}
)


@pytest.mark.parametrize("convert", [pl.DataFrame.lazy, pl.DataFrame.to_arrow])
def test_lists_and_records_are_counted_like_other_values(convert: Any) -> None:
    summary = summarise(nw.from_native(convert(NESTED)).lazy())
    assert [(column.nulls, column.distinct, column.minimum) for column in summary.columns] == [
        (1, 3, None),
        (1, 3, None),
        (0, 4, 1),
    ]


def test_distinct_lists_and_records_of_large_frames_are_estimated() -> None:
    number = pl.int_range(200_000, eager=True)
    lists = pl.DataFrame({"list": (number % 5_000).reshape((-1, 1)).arr.to_list(), "record": number})
    summary = summarise(nw.from_native(lists.lazy().with_columns(pl.struct("record").alias("record"))))
    assert not summary.exact
    assert summary.columns[0].distinct == pytest.approx(5_000, rel=0.3)
    assert summary.columns[1].distinct == pytest.approx(200_000, rel=0.3)


def test_frames_without_rows_or_columns() -> None:
    assert summarise(nw.from_native(pl.LazyFrame({"a": []}))).rows == 0
    assert summarise(nw.from_native(pl.LazyFrame())).columns == ()


def test_names_cannot_break_the_table() -> None:
    summary = summarise(nw.from_native(pl.LazyFrame({"a|b\n<c>": ["x"]})))
    assert "| a\\|b &lt;c> | String | 0 | 1 |" in preview_markdown(summary)


def test_rows_show_only_when_they_are_given() -> None:
    summary = summarise(nw.from_native(pl.LazyFrame({"a": ["VALUE"]})))
    assert "VALUE" not in preview_markdown(summary)
    assert preview_markdown(summary, [("VALUE",)]).endswith("| a |\n|---|\n| VALUE |")


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["x", "y", None]), st.sampled_from([1, 2, None]), st.booleans()), max_size=9
    )
)
def test_what_changed_is_summarised_as_if_all_were_summarised_anew(
    rows: list[tuple[str | None, int | None, bool]],
) -> None:
    before = pl.LazyFrame(rows, schema={"t": pl.String, "n": pl.Int64, "kept": pl.Boolean}, orient="row")
    before = before.with_columns(hidden="n")
    left = before.filter("kept").with_columns(t=pl.col("t").fill_null("z"), hidden=pl.lit("*"))
    after = nw.from_native(left.drop("kept"))
    summary = summarise(nw.from_native(before.drop("kept")))
    kept = sum(row[-1] for row in rows)
    assert summarise_amended(after, kept, summary, ["t"], ["hidden"]) == summarise(after)


def test_an_estimate_stays_where_few_rows_were_left_out_and_all_else_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "_EXACT_UP_TO_ROWS", 100)
    frame = pl.LazyFrame({"id": range(1000), "age": [None, *range(999)], "name": ["x"] * 1000}).with_columns(
        pl.col("id").cast(pl.String)
    )
    before = summarise(nw.from_native(frame))
    as_before = replace(before.columns[0], distinct=-1)  # recognised where it is taken over
    before = replace(before, columns=(as_before, *before.columns[1:]))
    few = nw.from_native(frame.tail(995).with_columns(name=pl.lit("*")))
    amended = summarise_amended(few, 995, before, [], ["name"])
    anew = summarise(few)
    assert amended.columns[0] == before.columns[0]
    assert (amended.rows, amended.columns[1:]) == (anew.rows, anew.columns[1:])
    many = nw.from_native(frame.tail(900).with_columns(name=pl.lit("*")))
    assert summarise_amended(many, 900, before, ["name"], []) == summarise(many)


def test_without_a_row_left_out_no_other_column_is_read() -> None:
    def refuse(_: pl.Series) -> pl.Series:
        raise AssertionError

    frame = pl.LazyFrame({"a": ["x"], "b": ["y"]})
    before = summarise(nw.from_native(frame))
    after = nw.from_native(frame.with_columns(pl.col("b").map_batches(refuse, return_dtype=pl.String)))
    assert summarise_amended(after, 1, before, ["a"], []) == before
    with pytest.raises(AssertionError):
        summarise_amended(after, 1, before, ["b"], [])


def test_columns_whose_levels_are_known_are_not_read() -> None:
    def refuse(_: pl.Series) -> pl.Series:
        raise AssertionError

    frame = pl.LazyFrame({"a": ["x", "y", None, "y"], "n": [1, 2, 3, 3]})
    stored = pl.Series("a", ["x", "Y", "y", None])
    levels = {"a": Levels(stored, pl.Series([1, 1, 1, 1]), stored).recoded(pl.Series(["x", "y", "y", None]))}
    unreadable = frame.with_columns(pl.col("a").map_batches(refuse, return_dtype=pl.String))
    assert summarise(nw.from_native(unreadable), levels) == summarise(nw.from_native(frame))
    assert summarise(nw.from_native(unreadable.select("a")), levels) == summarise(nw.from_native(frame.select("a")))


def test_columns_that_were_replaced_one_to_one_are_not_counted_anew() -> None:
    def refuse(_: pl.Series) -> pl.Series:
        raise AssertionError

    frame = pl.LazyFrame({"a": ["x", "y", None, "y"]})
    before = summarise(nw.from_native(frame))
    after = nw.from_native(frame.with_columns(pl.col("a").map_batches(refuse, return_dtype=pl.String)))
    assert summarise_amended(after, 4, before, ["a"], [], one_to_one=["a"]) == before
    fewer = nw.from_native(frame.head(2))
    assert summarise_amended(fewer, 2, before, ["a"], [], one_to_one=["a"]) == summarise(fewer)
