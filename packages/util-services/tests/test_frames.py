from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from util_services.frames import summarise
from util_services.preview import preview_markdown


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
