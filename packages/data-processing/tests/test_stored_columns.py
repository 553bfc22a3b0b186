"""Steps that compute columns once have them stored alone, beside a table that is evaluated again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data_processing import (
    ConvertTypes,
    DropIncompleteRows,
    Fill,
    FillMissingValues,
    FormatDates,
    NormaliseMissingMarkers,
    SortRows,
    StandardiseText,
    clean,
)
from util_services import shelf, staged_tables
from util_services.csv_files import COMMA_SEPARATED
from util_services.formats import scan
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
    random = np.random.default_rng(3)
    day = pl.Series(random.integers(0, 20_000, ROWS)).cast(pl.Int32).cast(pl.Date)
    return pl.DataFrame(
        {
            "row": pl.int_range(ROWS, eager=True).cast(pl.String),
            "city": random.choice([" Łódź", "n/a", "são  paulo", "Roma", None], ROWS),
            "born": pl.select(
                pl.when(pl.Series(random.random(ROWS)) < 0.9).then(day.dt.to_string("%d.%m.%Y")).otherwise(pl.lit("?!"))
            ).to_series(),
            "weight": random.choice(["70", "71.5", " 80 ", "-", "heavy"], ROWS, p=[0.3, 0.3, 0.2, 0.1, 0.1]),
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
    # Until rows are sorted, which gives a table of its own, nothing but what a step computed is written.
    before_sorting = stored[: next(i for i, names in enumerate(stored) if "row" in names)]
    assert [len(names) for names in before_sorting] == [1, 1, 1, 1]


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
    assert shelf.columns(path) == ["city", "born", "weight"]  # weight for its markers
    assert staged_tables.rows(path) == ROWS
    assert_frame_equal(staged_tables.scan(path).collect(), clean(readable, STEPS[:3]).frame)
