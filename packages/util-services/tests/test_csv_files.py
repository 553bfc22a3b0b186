from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from util_services import csv_files, csv_pieces
from util_services.csv_files import CsvDialect, CsvFile
from util_services.errors import DataServiceError


def read(file: CsvFile, *, in_pieces: bool) -> pa.Table | str:
    """All rows, or what is said of the first fault."""
    try:
        names = file.column_names()
        batches = file.batches(names) if in_pieces else file._batches(names)
        return pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in names]))
    except DataServiceError as error:
        return str(error)


CELLS = st.text(st.sampled_from('ab1"\n\r, \ufeffß😀'), max_size=12)
LINES = st.lists(st.text(st.sampled_from('ab,"\n\r \ufeffß'), max_size=9), max_size=60).map("\n".join)


def quoted(rows: list[list[str]]) -> str:
    return "".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) + "\n" for row in rows)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.one_of(
        st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=40).map(quoted),
        LINES,
        st.lists(st.sampled_from(["x,y", '"x\n",y', '5" disk,y', ",", '"",""', "long" * 30 + ",y"]), max_size=60).map(
            "\n".join
        ),
    ),
    header=st.sampled_from([0, 1, None]),
    block_bytes=st.sampled_from([64, 100, 256]),
    row_bytes=st.sampled_from([4, 32, 1000]),
)
def test_pieces_give_the_rows_and_the_faults_that_reading_in_one_go_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, header: int | None, block_bytes: int, row_bytes: int
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(csv_pieces, "_ROW_BYTES", row_bytes)
    path = tmp_path / "in.csv"
    path.write_bytes(("a,b\nc,d\n" + text).encode())
    file = CsvFile(path, CsvDialect(header=header), None)
    whole, pieces = read(file, in_pieces=False), read(file, in_pieces=True)
    if isinstance(whole, pa.Table):
        assert isinstance(pieces, pa.Table)
        assert pieces.to_pylist() == whole.to_pylist()
    elif "longer than" not in whole:  # what fits into a piece and its neighbour is no fault there
        assert pieces == whole


def test_a_file_without_quotes_is_read_in_pieces_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(CsvFile, "_batches", None)  # the way of reading in one go is closed
    path = tmp_path / "in.csv"
    path.write_text("a,b\n" + "".join(f"{number},x\n" for number in range(1000)) + "1000,without a line end")
    table = read(CsvFile(path, CsvDialect(), None), in_pieces=True)
    assert isinstance(table, pa.Table)
    assert table["a"].to_pylist() == [str(number) for number in range(1001)]


@pytest.mark.parametrize("cell", [b"\xff", b"\xc3", b'"\xe4,\xbd\xa0"', b"\xed\xa0\x80"])
def test_a_piece_that_is_not_utf8_is_refused_and_its_row_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: bytes
) -> None:
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    path = tmp_path / "in.csv"
    path.write_bytes(b"a,b\n" + b"1,\xe4\xbd\xa0\n" * 100 + b"2," + cell + b"\n" + b"3,x\n" * 100)
    file = CsvFile(path, CsvDialect(), None)
    told = read(file, in_pieces=True)
    assert told == read(file, in_pieces=False)
    assert str(told).startswith("The input file is not valid utf-8 in row 102")


def test_stopping_early_leaves_no_thread_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    path = tmp_path / "in.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000)
    batches = CsvFile(path, CsvDialect(), None).batches(["a", "b"])
    assert next(batches).num_rows
    batches.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("csv-piece")]
