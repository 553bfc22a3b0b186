from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from util_services.parquet_files import write_tables

ROWS = 2_000
TABLE = pl.DataFrame(
    {
        "repeats": ["yes", "no"] * (ROWS // 2),
        "shrinks": [f"{number:09}@hospital.example.org" for number in range(ROWS)],
        "random": pl.Series(range(ROWS)).hash().cast(pl.String),
        "missing": pl.Series([None] * ROWS, dtype=pl.String),
        "number": range(ROWS),
        "list": [[number] for number in range(ROWS)],
        "kept": [True, None] * (ROWS // 2),
        "": ["ü"] * ROWS,
    }
)


@pytest.mark.parametrize("level", [pl.CompatLevel.oldest(), pl.CompatLevel.newest()])
def test_columns_are_stored_as_their_first_rows_advise_and_come_back_as_they_were(
    tmp_path: Path, level: pl.CompatLevel
) -> None:
    path = tmp_path / "t"
    parts = [TABLE.clear(), TABLE[:1000], TABLE[1000:]]
    write_tables((part.to_arrow(compat_level=level) for part in parts), path, {"k": "v"})
    assert pl.read_parquet(path).equals(TABLE)
    assert pl.read_parquet_metadata(path)["k"] == "v"
    group = pq.read_metadata(path).row_group(0)
    stored = {group.column(position).path_in_schema: group.column(position) for position in range(3)}
    assert {name: (column.compression, column.has_dictionary_page) for name, column in stored.items()} == {
        "repeats": ("UNCOMPRESSED", True),
        "shrinks": ("LZ4", False),
        "random": ("UNCOMPRESSED", False),
    }


def test_tables_without_rows_keep_their_columns(tmp_path: Path) -> None:
    write_tables([TABLE.clear().to_arrow()] * 2, tmp_path / "t")
    assert pl.read_parquet(tmp_path / "t").equals(TABLE.clear())
