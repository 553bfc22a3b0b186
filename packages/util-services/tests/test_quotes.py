import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest

from util_services import shelf, staged_tables
from util_services.csv_files import CsvDialect
from util_services.formats import scan, sink
from util_services.frames import amended, map_batches, recoded, selected
from util_services.quotes import PlainColumns, Quoting
from util_services.revisions import levels_of
from util_services.staging import run_folder

CHARACTERS = [*map(chr, range(1, 256)), "\u0131", "\u2028", "\ufeff", "\U0001f600"]
CELLS = [*CHARACTERS, *(f"a{each}b" for each in CHARACTERS), "", '""', "null", " a", "a ", '"a"', None]
DELIMITERS = [",", ";", "\t", "|", " ", "-"]
NOTES = ["see ward 7, please", 'the "chart"', "", "plain", None, "line\nfeed", "carriage\rreturn"]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    shelf.forget(run_folder("quotes"))
    staged_tables.forget_figures(run_folder("quotes"))


def written(frame: pl.DataFrame, delimiter: str, style: Any = "necessary") -> str:
    return frame.write_csv(separator=delimiter, include_header=False, quote_style=style)


def plain(cells: Sequence[str | None], delimiter: str) -> bool:
    columns = PlainColumns(["cell"], delimiter)
    batch = pa.record_batch([pa.array(cells, pa.string())], ["cell"])
    assert list(columns.watched([batch])) == [batch]
    return columns.names == {"cell"}


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("known", [True, False])
def test_cells_get_the_quotes_that_polars_gives_them(delimiter: str, known: bool) -> None:
    frame = pl.DataFrame(
        {"cell": CELLS, "none": [None] * len(CELLS), "same": "-x"}, schema_overrides={"none": pl.String}
    )
    quoting = Quoting(delimiter)
    quoting.take_plain(["none"] * 6)
    for name in ("cell", "same"):
        if known:
            quoting.take_levels(name, frame[name])
        else:
            quoting.take_unknown([name])
    cells = quoting.cells()
    assert cells
    assert written(frame.with_columns(cells), delimiter, "never") == written(frame, delimiter)


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_columns_are_plain_of_which_polars_quotes_no_cell(delimiter: str) -> None:
    for cell in CELLS:
        needs_none = cell is None or written(pl.DataFrame({"cell": [cell]}), delimiter) == f"{cell}\n"
        assert plain(["xyz", cell, None, "z"], delimiter) is needs_none, repr(cell)


def test_a_column_stays_not_plain_and_batches_may_be_parts_of_others() -> None:
    batch = pa.record_batch(
        [pa.array(["1", "2", None]), pa.array(["x,y", "x", "y"]), pa.array(["u", "", "w"])], ["a", "b", "c"]
    )
    columns = PlainColumns(["a", "b", "c"], ",")
    assert len(list(columns.watched([batch.slice(2), batch, batch.slice(2)]))) == 3
    assert columns.names == {"a"}


def test_columns_whose_values_repeat_are_told_by_their_levels_instead() -> None:
    columns = PlainColumns(["ward", "visit"], ",")
    batch = pa.record_batch([pa.array(["w1", "w2"] * 50), pa.array(map(str, range(100)))], ["ward", "visit"])
    list(columns.watched([batch]))
    assert columns.names == {"visit"}


def test_looking_at_every_cell_must_pay() -> None:
    quoting = Quoting(",")
    quoting.take_plain(["a", "b"])
    quoting.take_unknown(["c"])
    assert quoting.cells() is None
    quoting.take_plain(["d"])
    assert quoting.cells() is not None


def table(path: Path, delimiter: str = ",", rows: int = 150_000) -> None:
    pl.DataFrame(
        {
            "visit": [f"v{number}" for number in range(rows)],
            "patient": [None if number % 5 == 0 else f"p{number}é" for number in range(rows)],
            "name": [f"Ann {number}, Bo" for number in range(rows)],
            "ward": [f"w{number % 7}" for number in range(rows)],
            "note": [NOTES[number % len(NOTES)] for number in range(rows)],
            "code": [f"{number}-{number}" for number in range(rows)],
            "day": [f"2026-01-{number % 28:02}T{number}" for number in range(rows)],
            **{f"figure {each}": map(str, range(each, each + rows)) for each in range(6)},
        }
    ).write_csv(path, separator=delimiter)


def staged(frame: nw.LazyFrame[Any], name: str = "x") -> nw.LazyFrame[Any]:
    place = run_folder("quotes") / f"{name}-{secrets.token_hex(4)}"
    return nw.from_native(staged_tables.scan(staged_tables.stage(nw.to_native(frame), place)))


def hashed(frame: nw.LazyFrame[Any], columns: list[str], alphanumeric: list[str]) -> nw.LazyFrame[Any]:
    return map_batches(
        frame,
        lambda rows: rows.select(pl.col(columns).str.replace_all("[^0-9a-z]", "0")),
        columns,
        dict.fromkeys(columns, nw.String()),
        one_to_one=columns,
        again=True,
        plain=alphanumeric,
    )


def by_level(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    known = levels_of(frame, ["ward", "note"])
    assert list(known) == ["ward", "note"]
    new = {
        name: levels.recoded(pl.Series([cell and f"{cell},{cell}" for cell in levels.cells]))
        for name, levels in known.items()
    }
    return recoded(frame, known, {"ward": new["ward"]})


CHANGES = {
    "nothing": lambda frame: frame,
    "constants": lambda frame: amended(frame, {"visit": "*", "name": "-,-"}),
    "fewer rows": lambda frame: amended(frame, {"day": nw.col("note")}, nw.col("ward") != "w3"),
    "by level": by_level,
    "computed": lambda frame: hashed(frame, ["visit", "name"], ["visit", "name"]),
    "computed, perhaps plain": lambda frame: hashed(frame, ["visit", "name"], ["name"]),
    "fewer columns": lambda frame: selected(staged(by_level(frame)), ["day", "note", "ward", "visit", "code"]),
    "all at once": lambda frame: hashed(
        staged(amended(by_level(frame), {"code": "a,b"})), ["visit", "patient"], ["patient", "visit"]
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_staged_table_is_written_with_the_quotes_that_it_needs(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "1")
    table(tmp_path / "in.csv")
    frame = staged(nw.from_native(scan(tmp_path / "in.csv")))
    staged_tables.summary_of(frame)  # finds levels
    after = nw.to_native(staged(CHANGES[change](frame)))
    quotes = staged_tables.quoting(after, ",")
    assert quotes
    sink(staged_tables.in_steps(after, quotes), tmp_path / "quoted.csv", "quoted.csv", quoted=True)
    after.collect().write_csv(tmp_path / "expected.csv")
    assert (tmp_path / "quoted.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


@pytest.mark.parametrize(
    ("read", "write", "memory"), [(",", ";", "1"), (";", ";", "1"), (",", "x", "1"), (",", ",", "512")]
)
def test_what_is_known_of_a_table_is_known_for_its_delimiter_alone(
    read: str, write: str, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, memory)
    table(tmp_path / "in.csv", read)
    frame = nw.to_native(staged(nw.from_native(scan(tmp_path / "in.csv", CsvDialect(read)))))
    quotes = staged_tables.quoting(frame, write)
    assert (quotes is not None) is (read == write and memory == "1")


def test_other_columns_than_text_are_left_to_polars(tmp_path: Path) -> None:
    pl.DataFrame({"age": [1], "name": ["Ann"]}).write_parquet(tmp_path / "in.parquet")
    assert staged_tables.quoting(nw.to_native(staged(nw.from_native(scan(tmp_path / "in.parquet")))), ",") is None
    assert staged_tables.quoting(pl.LazyFrame({"name": ["Ann"]}), ",") is None  # not staged
