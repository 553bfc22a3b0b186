from typing import Any, Literal

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from util_services.errors import DataServiceError
from util_services.frames import AMENDMENTS, map_batches, summarise
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


def shouted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col("name").str.to_uppercase(), letters=pl.col("name").str.len_chars().cast(pl.Int64))


@pytest.mark.parametrize("convert", [pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_batches_are_mapped_alike_on_every_engine(convert: Any) -> None:
    native = convert(pl.DataFrame({"name": ["Ann", None], "age": [1, 2]}))
    lazy = nw.from_native(native).lazy()
    mapped = map_batches(lazy, shouted, ["name"], {"name": nw.String, "letters": nw.Int64})
    assert type(nw.to_native(mapped)) is type(native)
    assert mapped.collect("polars").to_native().to_dict(as_series=False) == {
        "name": ["ANN", None],
        "age": [1, 2],
        "letters": [3, None],
    }


def test_mapped_batches_keep_the_order_of_rows_and_are_known_as_an_amendment() -> None:
    names = [f"n{number}" for number in range(300_000)]
    lazy = nw.from_native(pl.LazyFrame({"name": names, "age": 1}))
    mapped = nw.to_native(
        map_batches(lazy, lambda rows: rows.select(pl.col("name") + "!"), ["name"], {"name": nw.String})
    )
    assert mapped.collect(engine="streaming")["name"].to_list() == [f"{name}!" for name in names]
    amendment = AMENDMENTS.of(mapped)
    assert amendment is not None
    assert amendment.changes(amendment.source.head(2)).collect().to_dict(as_series=False) == {"name": ["n0!", "n1!"]}


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_a_mistake_found_in_a_batch_is_told_in_its_own_sentence(engine: Literal["streaming", "in-memory"]) -> None:
    def refuse(rows: pl.DataFrame) -> pl.DataFrame:
        raise DataServiceError(f"The column 'a' has {rows.height} rows too many: give none.")

    frame = map_batches(nw.from_native(pl.LazyFrame({"a": ["x"]})), refuse, ["a"], {"a": nw.String})
    with pytest.raises(DataServiceError) as raised:
        frame.to_native().collect(engine=engine)
    assert str(raised.value) == "The column 'a' has 1 rows too many: give none."
