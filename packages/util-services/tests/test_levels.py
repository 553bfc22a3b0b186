from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util_services import levels
from util_services.levels import Levels, count_levels, write_recoded
from util_services.parquet_files import write_lazy, write_tables

TEXTS = st.none() | st.sampled_from(["", " ", "a", "A", "żółw", "n/a", "a,b", 'say "x"'])
COLUMN = st.lists(TEXTS, min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables come in several parts."""
    monkeypatch.setattr(levels, "_COUNTED_ROWS", 30_000)
    monkeypatch.setattr(levels, "_WRITTEN_ROWS", 30_000)


def staged(frame: pl.DataFrame, path: Path, writer: str) -> Path:
    """Write a table in several row groups, with Arrow or with Polars."""
    path.unlink(missing_ok=True)
    if writer == "arrow":
        write_tables((part.to_arrow(compat_level=pl.CompatLevel.newest()) for part in frame.iter_slices(20_000)), path)
    else:
        write_lazy(frame.lazy(), path)
    return path


def as_dict(found: Levels) -> dict[Any, int]:
    return dict(zip(found.stored, found.counts, strict=True))


@pytest.mark.parametrize("writer", ["arrow", "polars"])
@settings(max_examples=15, deadline=None)
@given(values=st.lists(COLUMN, min_size=1, max_size=3), rows=st.sampled_from([1, 50, 70_001]))
def test_levels_are_the_distinct_values_with_their_rows(
    tmp_path_factory: pytest.TempPathFactory, writer: str, values: list[list[str | None]], rows: int
) -> None:
    names = ["a", "a.b", "a.list.element"][: len(values)]
    frame = pl.DataFrame(
        {
            name: pl.Series(cells * (rows // len(cells) + 1), dtype=pl.String)[:rows]
            for name, cells in zip(names, values, strict=True)
        }
    )
    found = count_levels(staged(frame, tmp_path_factory.getbasetemp() / "t.parquet", writer), names)
    for name, each in found.items():
        expected = frame[name].value_counts()
        assert as_dict(each) == dict(zip(expected[name], expected["count"], strict=True))
        assert each.cells.to_list() == each.stored.to_list()
    if rows > 50:
        assert list(found) == names


@settings(max_examples=15, deadline=None)
@given(cells=COLUMN, data=st.data())
def test_recoded_columns_hold_for_each_row_what_became_of_its_value(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str | None], data: st.DataObject
) -> None:
    rows = 70_001
    column = pl.Series("a.b", cells * (rows // len(cells) + 1), dtype=pl.String)[:rows]
    frame = pl.DataFrame({"a": pl.int_range(rows, eager=True), "a.b": column})
    source = staged(frame, tmp_path_factory.getbasetemp() / "s.parquet", "arrow")
    found = count_levels(source, ["a.b"])["a.b"]
    new = data.draw(st.lists(TEXTS, min_size=len(found.stored), max_size=len(found.stored)))
    recoded = found.recoded(pl.Series(new, dtype=pl.String))
    target = tmp_path_factory.getbasetemp() / "recoded.parquet"
    write_recoded(source, {"a.b": recoded}, target)
    expected = column.replace_strict(found.stored, recoded.cells, return_dtype=pl.String)
    written = pl.read_parquet(target)
    assert written.schema == {"a.b": pl.String}
    assert written["a.b"].equals(expected, null_equal=True)
    assert as_dict(recoded.settled()) == as_dict(count_levels(target, ["a.b"])["a.b"])
    assert recoded.rows(recoded.cells.is_null()) == expected.null_count()


def test_columns_without_few_texts_have_no_levels(tmp_path: Path) -> None:
    rows = 60_000
    number = pl.int_range(rows, eager=True)
    frame = pl.DataFrame(
        {
            "few": (number % 10).cast(pl.String),
            "unlike": number.cast(pl.String),
            "more and more": pl.select(
                pl.when(number < 20_000).then(pl.lit("same")).otherwise((number % 15_000).cast(pl.String))
            ).to_series(),
            "number": number % 10,
            "lists": pl.Series([["a"]] * rows),
        }
    )
    for writer in ("arrow", "polars"):
        found = count_levels(staged(frame, tmp_path / "t.parquet", writer), frame.columns)
        assert list(found) == ["few"]


def test_a_table_without_rows_or_with_types_of_polars_alone_has_no_levels(tmp_path: Path) -> None:
    empty = pl.DataFrame(schema={"a": pl.String})
    assert count_levels(staged(empty, tmp_path / "empty.parquet", "polars"), ["a"]) == {}
    wide = pl.DataFrame({"a": ["x"] * 1000, "wide": pl.Series(np.arange(1000)).cast(pl.Int128)})
    assert count_levels(staged(wide, tmp_path / "wide.parquet", "polars"), ["a"]) == {}


def test_levels_of_another_file_are_refused_without_a_value(tmp_path: Path) -> None:
    first = staged(pl.DataFrame({"a": ["x"] * 1000}), tmp_path / "first.parquet", "arrow")
    second = staged(pl.DataFrame({"a": ["CANARY"] * 1000}), tmp_path / "second.parquet", "arrow")
    with pytest.raises(RuntimeError) as raised:
        write_recoded(second, count_levels(first, ["a"]), tmp_path / "out.parquet")
    assert "CANARY" not in str(raised.value)
