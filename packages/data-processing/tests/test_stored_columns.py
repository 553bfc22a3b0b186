"""Steps that compute columns once have them stored alone, beside a table that is evaluated again."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data_processing import (
    ConvertTypes,
    DropIncompleteRows,
    Fill,
    FillMissingValues,
    FormatDates,
    JoinColumns,
    NormaliseMissingMarkers,
    RenameColumns,
    ReplacePattern,
    ReplaceValues,
    SortRows,
    StandardiseText,
    clean,
)
from data_processing.steps.step import Step
from util_services import shelf, staged_tables
from util_services.csv_files import COMMA_SEPARATED
from util_services.errors import DataServiceError
from util_services.formats import scan
from util_services.revisions import levels_of
from util_services.staging import checkpoint

ROWS = 50_000


@pytest.fixture(autouse=True)
def given_up(tmp_path: Path) -> Iterator[None]:
    """Tables in memory are given up after each test, as at the end of a run."""
    yield
    for folder in (tmp_path, tmp_path / "run"):
        shelf.forget(folder)


@pytest.fixture
def table() -> pl.DataFrame:
    return table_of(ROWS)


@cache
def table_of(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(3)
    day = pl.Series(random.integers(0, 20_000, rows)).cast(pl.Int32).cast(pl.Date)
    return pl.DataFrame(
        {
            "row": pl.int_range(rows, eager=True).cast(pl.String),
            "city": random.choice([" Łódź", "n/a", "são  paulo", "Roma", None], rows).tolist(),
            "born": pl.select(
                pl.when(pl.Series(random.random(rows)) < 0.9).then(day.dt.to_string("%d.%m.%Y")).otherwise(pl.lit("?!"))
            ).to_series(),
            "weight": random.choice(["70", "71.5", " 80 ", "-", "heavy"], rows, p=[0.3, 0.3, 0.2, 0.1, 0.1]),
        }
    )


STEPS = [
    NormaliseMissingMarkers(),
    StandardiseText(columns=["city"], case="title"),
    FormatDates(columns=["born"], formats=["%d.%m.%Y"]),
    DropIncompleteRows(columns=["city"]),
    ConvertTypes(types={"weight": "decimal"}),
    FillMissingValues(columns={"weight": Fill(method="mean")}),
    StandardiseText(columns=["city"], strip_accents=True),
    SortRows(by=["born"]),
    StandardiseText(columns=["city"], case="upper"),
]


def test_a_staged_table_is_cleaned_as_one_in_memory_and_only_new_columns_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pl.DataFrame
) -> None:
    monkeypatch.setenv("STAGING_DIR", str(tmp_path))
    monkeypatch.setenv("STAGING_MEMORY_MB", "0")
    staged = staged_tables.scan(staged_tables.stage(table.lazy(), tmp_path / "in"))
    stored: list[list[str]] = []

    def store(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        stored.append(frame.collect_schema().names())
        return checkpoint(frame, "run")

    result, expected = clean(staged, STEPS, store=store), clean(table, STEPS)
    assert_frame_equal(result.frame.collect(), expected.frame)
    assert_frame_equal(result.rejects.collect(), expected.rejects)
    assert result.reports == expected.reports
    # Until rows are sorted, which gives a table of its own, nothing but what a step computed is written: the dates, the
    # weights, and the cities once rows were left out; before that, it is enough to compute their levels.
    before_sorting = stored[: next(i for i, names in enumerate(stored) if "row" in names)]
    assert [len(names) for names in before_sorting] == [1, 1, 1]


@pytest.mark.parametrize("megabytes", ["0", "512"])
def test_of_a_cleaned_table_only_what_changed_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pl.DataFrame, megabytes: str
) -> None:
    monkeypatch.setenv("STAGING_DIR", str(tmp_path))
    monkeypatch.setenv("STAGING_MEMORY_MB", megabytes)
    readable = table.with_columns(pl.col("born").replace("?!", "01.01.2000"))
    readable.write_csv(tmp_path / "in.csv")
    source = scan(tmp_path / "in.csv", COMMA_SEPARATED)
    staged = staged_tables.scan(staged_tables.stage(source, tmp_path / "in"))
    result = clean(staged, STEPS[:3], store=lambda frame: checkpoint(frame, "run"))
    path = staged_tables.stage(result.frame, tmp_path / "out")
    parts = [
        len(pl.read_parquet_schema(each)) for each in sorted(tmp_path.glob(f"{staged_tables.PART_OF}{path.name}.*"))
    ]
    if megabytes == "0":  # cities and weights by their levels, the dates as they are stored already
        assert (shelf.columns(path), parts) == ([], [2, 1])
    else:  # weights for their markers; cities and dates as they are stored already
        assert (shelf.columns(path), parts) == (["weight"], [1, 1])
    assert staged_tables.rows(path) == ROWS
    assert_frame_equal(staged_tables.scan(path).collect(), clean(readable, STEPS[:3]).frame)


OF_CELLS = [
    NormaliseMissingMarkers(),
    NormaliseMissingMarkers(columns=["weight"], markers=["heavy"]),
    StandardiseText(columns=["city"], case="title"),
    StandardiseText(strip_accents=True),
    ReplaceValues(columns=["city"], mapping={"Roma": "Rome", "n/a": "Nowhere"}),
    ReplacePattern(columns=["weight", "row"], pattern="[0-9]$", replacement="_"),
    FillMissingValues(columns={"city": Fill(method="constant", value="somewhere")}),
    FillMissingValues(columns={"city": Fill(method="mode"), "weight": Fill(method="constant", value="0")}),
    FillMissingValues(columns={"weight": Fill(method="forward")}),
    FormatDates(columns=["born"], formats=["%d.%m.%Y"], on_failure="missing"),
    FormatDates(columns=["born"], formats=["%d.%m.%Y"]),
    DropIncompleteRows(columns=["city"]),
    RenameColumns(names={"city": "town"}),
    JoinColumns(columns=["city", "weight"], into="both", separator=" "),
]


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(OF_CELLS), min_size=1, max_size=5))
@example(steps=[OF_CELLS[0], OF_CELLS[3], OF_CELLS[6]])
@example(steps=[OF_CELLS[6]])
def test_steps_give_by_level_what_they_give_row_by_row(steps: list[Step]) -> None:
    frame = table_of(20_000)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STAGING_DIR", folder)
        patch.setenv("STAGING_MEMORY_MB", "0")
        place = Path(folder)
        staged = staged_tables.scan(staged_tables.stage(frame.lazy(), place / "in"))
        try:
            expected = clean(frame, steps)
        except DataServiceError as error:  # of a column that was renamed
            with pytest.raises(DataServiceError, match=re.escape(str(error))):
                clean(staged, steps, store=lambda each: checkpoint(each, "run"))
            return
        result = clean(staged, steps, store=lambda each: checkpoint(each, "run"))
        out = staged_tables.scan(staged_tables.stage(result.frame, place / "out"))
        again = staged_tables.scan(staged_tables.stage(out, place / "passed on"))
        for each in (result.frame, out, again):
            assert_frame_equal(each.collect(), expected.frame)
        assert_frame_equal(result.rejects.collect(), expected.rejects)
        assert result.reports == expected.reports
        found = levels_of(nw.from_native(again), expected.frame.columns)
        for name, each in found.items():
            counts = expected.frame[name].value_counts()
            assert dict(zip(each.stored, each.counts, strict=True)) == dict(
                zip(counts[name], counts["count"], strict=True)
            )


def test_levels_of_a_table_that_is_gone_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    """File systems give the numbers of removed files away again."""
    for texts in (["a", "b"], ["c", "d"], ["e", "f"]):
        frame = pl.DataFrame({"x": texts * 5000})
        path = staged_tables.stage(frame.lazy(), tmp_path / "in")
        found = levels_of(nw.from_native(staged_tables.scan(path)), ["x"])
        assert set(found["x"].stored) == set(texts)
        path.unlink()


def test_what_an_attempt_before_recoded_is_not_taken_for_what_this_one_did(tmp_path: Path) -> None:
    table = pl.DataFrame({"city": ["Roma", "n/a"] * 5000, "row": pl.int_range(10_000, eager=True).cast(pl.String)})
    staged = staged_tables.scan(staged_tables.stage(table.lazy(), tmp_path / "in"))
    first = clean(staged, [StandardiseText(columns=["city"], case="upper")]).frame
    second = clean(staged, [ReplacePattern(columns=["row"], pattern="9", replacement="nine")]).frame
    for result in (first, second):
        path = staged_tables.stage(result, tmp_path / "out")
    assert_frame_equal(staged_tables.scan(path).collect(), second.collect())
    third = staged_tables.stage(staged_tables.scan(path), tmp_path / "linked")
    assert_frame_equal(staged_tables.scan(third).collect(), second.collect())
