import codecs
import gzip
import io
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from util_services.csv_files import COMMA_SEPARATED, CsvDialect
from util_services.errors import DataServiceError
from util_services.formats import format_of, read_inferred, read_text, scan, sink, write_text
from util_services.texts import Text


def round_trip(folder: Path, data: bytes, dialect: CsvDialect = COMMA_SEPARATED, name: str = "in.csv") -> bytes:
    """Read, stage as Parquet, write, as a job does."""
    source, staged, target = folder / name, folder / "staged.parquet", folder / "out.csv"
    source.write_bytes(data)
    scan(source, dialect).sink_parquet(staged)
    sink(pl.scan_parquet(staged), target, target.name, dialect)
    return target.read_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"id,plz\n007,01234\n",
        b'a,b\n"say ""hi""",x\n',
        b'a,b\n"1,5","line 1\nline 2"\n',
        b'a,b\n"carriage\rreturn","both\r\n"\n',
        b'a,b\n,""\n"",\n',
        b"a,b\n x , y  \n",
        "Größe,名\nŽluť,😀\u200b \n".encode(),
        b'a\n\n""\nx\n',
        b"a,b\n1e5,1.10\nNaN,NULL\nTrue,-0\n",
        b",a\n0,x\n",
        b"a,b\n",
        b'"a,1","b\n2"\nx,y\n',
        b"a,b\nnul\x00,y\n",
    ],
    ids=[
        "leading zeros",
        "quotes",
        "delimiters and newlines",
        "carriage returns",
        "empty and quoted empty",
        "spaces",
        "unicode",
        "one column",
        "numbers and markers",
        "unnamed column",
        "header only",
        "quoted header",
        "nul",
    ],
)
def test_cells_are_byte_identical_after_a_round_trip(tmp_path: Path, data: bytes) -> None:
    assert round_trip(tmp_path, data) == data


cells = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(cells, cells, st.text("ab,\"\n\r '", max_size=5)), max_size=8))
def test_any_text_survives_a_round_trip(tmp_path: Path, rows: list[tuple[str | None, str | None, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String, "c": pl.String}, orient="row")
    path = tmp_path / "any.csv"
    sink(frame.lazy(), path, path.name)
    assert scan(path).collect().equals(frame)


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"a,b\r\nx,y\r\n", b"a,b\nx,y\n"),
        (b"a,b\nx,y", b"a,b\nx,y\n"),
        (b"a,b", b"a,b\n"),
        (codecs.BOM_UTF8 + b"a,b\nx,y\n", b"a,b\nx,y\n"),
        (b"a,b\n\nx,y\n\n", b"a,b\nx,y\n"),
        (b'a,b\nx"y,"z"\n', b'a,b\n"x""y",z\n'),
    ],
    ids=["line ends", "no last line end", "header without line end", "byte order mark", "empty lines", "bare quote"],
)
def test_what_is_no_cell_is_normalised(tmp_path: Path, data: bytes, written: bytes) -> None:
    assert round_trip(tmp_path, data) == written


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The input file is empty: give a file with at least a header line."),
        (b"\n", "The input file is empty: give a file with at least a header line."),
        (
            b"a,b,a\nSECRET,2,3\n",
            "The header names the column 'a' more than once: give every column a name of its own.",
        ),
        (b"a,b\n1,2\nSECRET\n", "Row 3 of the input file has 1 cells where the header has 2"),
        (b"a,b\n1,2,SECRET\n", "Row 2 of the input file has 3 cells where the header has 2"),
        (b'a,b\n"SECRET,2\n', "Row 2 of the input file has 1 cells where the header has 2"),
        (b"a,b\nSECRET,\xff\n", "The input file is not valid utf-8 in row 2: give its true encoding"),
        (b"\xff,b\nSECRET,\n", "The input file is not valid utf-8: give its true encoding"),
    ],
)
def test_a_malformed_file_is_one_sentence_without_cells(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(DataServiceError) as error:
        round_trip(tmp_path, data)
    assert str(error.value).startswith(sentence)
    assert "SECRET" not in str(error.value)


def test_a_ragged_row_is_found_far_into_the_file(tmp_path: Path) -> None:
    data = b"a,b\n" + b"1,2\n" * 2_000_000 + b"3\n"
    with pytest.raises(DataServiceError, match="Row 2000002 of the input file has 1 cells"):
        round_trip(tmp_path, data)


def test_an_unclosed_quote_in_a_large_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="longer than 4 MiB: most likely a quote is not closed"):
        round_trip(tmp_path, b'a,b\n"1,2\n' + b"1,2\n" * 3_000_000)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "iso8859-15", "koi8-r"])
def test_any_codec_can_be_read_and_written(tmp_path: Path, encoding: str) -> None:
    text = "имя,b\nя,1\n" if encoding == "koi8-r" else 'é,b\nñ,"x,y"\n'
    data = text.encode(encoding)
    assert round_trip(tmp_path, data, CsvDialect(encoding=encoding)).decode(encoding) == text


def test_a_character_outside_the_codec_is_one_sentence(tmp_path: Path) -> None:
    frame = pl.LazyFrame({"a": ["é"]})
    with pytest.raises(DataServiceError, match="encoding 'ascii' cannot express: write utf-8"):
        sink(frame, tmp_path / "o.csv", "o.csv", CsvDialect(encoding="ascii"))


@pytest.mark.parametrize(
    ("dialect", "sentence"),
    [
        ({"delimiter": "ab"}, "delimiter 'ab' cannot be used"),
        ({"delimiter": "§"}, "delimiter '§' cannot be used"),
        ({"encoding": "klingon"}, "encoding 'klingon' is unknown"),
        ({"encoding": "base64"}, "encoding 'base64' is unknown"),
        ({"header": -1}, "header -1 is not a line index"),
    ],
)
def test_a_wrong_dialect_is_one_sentence(dialect: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataServiceError, match=sentence):
        CsvDialect(**dialect)  # type: ignore[arg-type]


def test_delimiter_and_header_line(tmp_path: Path) -> None:
    assert round_trip(tmp_path, b"a;b\n1;2,5\n", CsvDialect(";")) == b"a;b\n1;2,5\n"
    assert round_trip(tmp_path, b"1,2\n3,4\n", CsvDialect(header=None)) == b"1,2\n3,4\n"
    assert round_trip(tmp_path, b"junk\na,b\n3,4\n", CsvDialect(header=1)) == b"a,b\n3,4\n"


@pytest.mark.parametrize(
    "name", ["o.csv", "o.csv.gz", "o.csv.zst", "o.jsonl", "o.jsonl.gz", "o.jsonl.zst", "o.parquet"]
)
def test_every_format_returns_what_was_written(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"a": ["01", None, ""], "b": ["x", "y", "z"]})
    sink(frame.lazy(), tmp_path / name, name)
    assert scan(tmp_path / name).collect().equals(frame)
    assert scan(tmp_path / name, limit_rows=1).collect().height == 1


def test_compressed_output_is_what_its_ending_says(tmp_path: Path) -> None:
    sink(pl.LazyFrame({"a": ["1"]}), tmp_path / "partial", "o.csv.gz")
    assert gzip.decompress((tmp_path / "partial").read_bytes()) == b"a\n1\n"


def test_json_lines_that_are_none_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text('{"a": SECRET}\n')
    with pytest.raises(DataServiceError, match="not valid JSON lines") as error:
        scan(tmp_path / "i.jsonl")
    assert "SECRET" not in str(error.value)


def test_a_wrong_compression_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="cannot be decompressed"):
        round_trip(tmp_path, b"a,b\n1,2\n", name="in.csv.gz")


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz", "a.zip"])
def test_an_unknown_ending_is_one_sentence(name: str) -> None:
    with pytest.raises(DataServiceError, match=r"does not end in a supported format: use \.csv"):
        format_of(name)


@pytest.mark.parametrize("name", ["i.csv", "i.csv.gz", "i.csv.zst"])
def test_inferred_types_are_what_pandas_infers(tmp_path: Path, name: str) -> None:
    text = "i,f,b,s,z\n1,1.5,True,x,007\n2,,False,NA,8\n"
    write_text(text, tmp_path / name, name, "utf-8")
    expected = pd.read_csv(io.StringIO(text))
    pd.testing.assert_frame_equal(read_inferred(tmp_path / name, COMMA_SEPARATED), expected)
    first = read_inferred(tmp_path / name, COMMA_SEPARATED, limit_rows=1)
    pd.testing.assert_frame_equal(first, pd.read_csv(io.StringIO(text), nrows=1))


def test_inferred_types_do_not_hide_a_ragged_row(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(DataServiceError, match="Row 3"):
        read_inferred(path, COMMA_SEPARATED)


def test_the_row_number_goes_in_front_as_with_pandas(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [True, False], "b": [1.0, 2.5]})
    sink(frame.lazy(), tmp_path / "o.csv", "o.csv", index=True)
    assert (tmp_path / "o.csv").read_text() == frame.to_pandas().to_csv()


def test_lists_cannot_go_into_csv(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match=r"column 'a' holds lists or records, which CSV cannot: write \.parquet"):
        sink(pl.LazyFrame({"a": [[1]]}), tmp_path / "o.csv", "o.csv")


ODD = "\ufeffé\r\n\r\n\U0001d6fc\rno line end"


@pytest.mark.parametrize("name", ["t.txt", "t.txt.gz", "t.txt.zst"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "utf-7"])
def test_a_text_keeps_every_character_in_any_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    long = ODD * 60_000  # characters and surrogate pairs across the borders of blocks
    write_text(long, tmp_path / name, name, encoding)
    text = Text.write(read_text(tmp_path / name, encoding), tmp_path / "decoded")
    assert text.read() == long
    again = f"again-{name}"
    write_text(text, tmp_path / again, again, encoding)
    assert (tmp_path / again).read_bytes()[10:] == (tmp_path / name).read_bytes()[10:]  # gzip notes the time


@pytest.mark.parametrize(
    ("name", "encoding", "sentence"),
    [
        ("t.txt", "utf-8", "The input file is not valid utf-8: give its true encoding"),
        ("t.txt", "utf-16", "The input file is not valid utf-16: give its true encoding"),
        ("t.txt", "utf-9", "The encoding 'utf-9' is unknown"),
        ("t.txt.gz", "utf-8", "The input file cannot be decompressed"),
        ("t.txt.zst", "utf-8", "The input file cannot be decompressed"),
    ],
)
def test_a_text_that_cannot_be_read_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, name: str, encoding: str, sentence: str
) -> None:
    (tmp_path / name).write_bytes("né".encode("latin-1"))
    with pytest.raises(DataServiceError, match=sentence):
        Text.write(read_text(tmp_path / name, encoding), tmp_path / "decoded")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_truncated_compressed_text_is_one_sentence(tmp_path: Path) -> None:
    write_text(str(list(range(9999))), tmp_path / "t.txt.gz", "t.txt.gz", "utf-8")
    (tmp_path / "t.txt.gz").write_bytes((tmp_path / "t.txt.gz").read_bytes()[:-100])
    with pytest.raises(DataServiceError, match="cannot be decompressed"):
        "".join(read_text(tmp_path / "t.txt.gz", "utf-8"))


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_is_the_same_however_large_it_is_expected_to_be(tmp_path: Path, name: str, encoding: str) -> None:
    frame = pl.LazyFrame({"name": ["Zoë, Ann", None, ""], "age": ["25", "26", "27"]})
    contents = set()
    for expected in (None, 1, 1 << 60):
        path = tmp_path / f"{expected}.partial"
        sink(frame, path, name, CsvDialect(encoding=encoding), index=True, expected_bytes=expected)
        content = path.read_bytes()
        contents.add(gzip.decompress(content) if name.endswith(".gz") else content)
    assert contents == {',name,age\n0,"Zoë, Ann",25\n1,,26\n2,"",27\n'.encode(encoding)}
