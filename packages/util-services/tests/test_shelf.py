import gzip
from pathlib import Path

import polars as pl
import pytest

from util_services import shelf
from util_services.errors import DataServiceError
from util_services.formats import scan

ROWS = "a,b\n" + "".join(f"{number},{'x' * 20}\n" for number in range(15_000))  # 0.4 MB, in memory 0.8


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [("in.csv", ROWS, True), ("big.csv", ROWS * 6, False), ("in.csv.gz", ROWS, True), ("big.csv.gz", ROWS * 6, False)],
)
def test_a_table_is_in_memory_where_it_fits_and_the_same_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, held: bool
) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "1")
    source, path = tmp_path / name, tmp_path / "shelf" / "t.lazy.parquet"
    path.parent.mkdir()
    source.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    shelf.put(scan(source), path)
    assert shelf.is_held(path) is held
    assert path.exists() is not held
    assert shelf.scan(path).collect().equals(scan(source).collect())
    assert (shelf.rows(path), shelf.columns(path)) == (text.count("\n") - 1, ["a", "b"])
    shelf.forget(path.parent)


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    source, path = tmp_path / "in.csv", tmp_path / "t.lazy.parquet"
    source.write_text("a,\n")
    shelf.put(scan(source), path)
    assert shelf.is_held(path)
    assert shelf.scan(path).collect_schema() == {"a": pl.String, "": pl.String}
    shelf.forget(tmp_path)


def test_all_tables_together_share_the_memory(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "1")
    first, linked, second = (tmp_path / f"{name}.parquet" for name in ("first", "linked", "second"))
    shelf.put(scan(table), first)
    shelf.link(first, linked)
    shelf.put(scan(table), second)
    assert [shelf.is_held(path) for path in (first, linked, second)] == [True, True, False]
    assert shelf.identity(first) == shelf.identity(linked) != shelf.identity(second)
    shelf.forget(tmp_path)


def test_what_is_written_out_is_private_and_keeps_its_notes(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    shelf.put_parts(iter([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})]), path, {"k": "v"}, hold=True)
    assert not path.exists()
    shelf.write_out(tmp_path)
    assert not shelf.is_held(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert shelf.scan(path).collect()["a"].to_list() == [1, 2]
    assert shelf.notes(path)["k"] == "v"


def test_parts_for_which_there_is_no_room_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "1")
    parts = [pl.DataFrame({"a": [f"{number:0100}" for number in range(start, start + 4000)]}) for start in (0, 1, 2)]
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    shelf.put_parts(iter(parts[:1]), small, {}, hold=True)
    shelf.put_parts(iter(parts), large, {"k": "v"}, hold=True)
    assert [shelf.is_held(path) for path in (small, large)] == [True, False]
    assert shelf.scan(large).collect().equals(pl.concat(parts))
    assert shelf.notes(large)["k"] == "v"
    shelf.forget(tmp_path)


def test_a_malformed_limit_names_the_variable(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(shelf.STAGING_MEMORY, "lots")
    with pytest.raises(DataServiceError, match="STAGING_MEMORY_MB is not a whole number of megabytes"):
        shelf.put(scan(table), tmp_path / "t.parquet")


@pytest.mark.parametrize("hold", [True, False])
def test_a_table_is_kept_whatever_its_types(tmp_path: Path, hold: bool) -> None:
    texts = pl.DataFrame({"a": ["x", None] * 3, "b": [True, None] * 3})
    kinds = texts.with_columns(
        pl.col("a").cast(pl.Enum(["x"])).alias("enum"),
        pl.col("a").cast(pl.Categorical).alias("category"),
        pl.concat_list("a").alias("list"),
        pl.lit(1, pl.Int8).alias("number"),
        pl.duration(days=3).alias("duration"),
    )
    for frame in (texts, kinds, texts.clear(), kinds.clear(), kinds.with_columns(large=pl.lit(1, pl.Int128))):
        shelf.put_beside(frame.lazy(), tmp_path / "beside", {"k": "v"}, hold=hold)
        assert shelf.scan(tmp_path / "beside").collect().equals(frame)
        assert (shelf.notes(tmp_path / "beside")["k"], shelf.rows(tmp_path / "beside")) == ("v", frame.height)
        if "large" not in frame.columns:  # which Arrow does not know
            shelf.put_parts(iter([frame, frame]), tmp_path / "parts", {"k": "v"}, hold=hold)
            assert shelf.scan(tmp_path / "parts").collect().equals(pl.concat([frame, frame]))
    shelf.forget(tmp_path)
