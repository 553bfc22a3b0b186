"""Files that Spark reads in pieces, and tables that it stages in several files."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from spark_cluster import Cluster, settings_of

from template_code_location.repository import defs
from util_services import csv_files, engine_files, engine_tables, parts
from util_services.csv_files import COMMA_SEPARATED, CsvDialect
from util_services.engine import Engine, EngineSettings, start
from util_services.engine_rows import ROW, shown
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.formats import scan

PLAIN = "a,b\n" + "".join(f"x{number},{number % 7}\n" for number in range(200))
QUOTED_AT_ENDS = "a,b\n" + "".join(f'"x {number}","two\nlines"\n' for number in range(30)) + "y,z\n" * 100
NO_NAMES = "".join(f"{number},,\n" for number in range(100))


@pytest.fixture(scope="module")
def environment(spark_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables that choose the cluster."""
    return settings_of(spark_cluster, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def engine(environment: Mapping[str, str]) -> Iterator[Any]:
    """A session of this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        started: Any = start(EngineSettings.of(os.environ))
        yield started
        started.session.stop()


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of some rows each, of which a task parses two."""
    monkeypatch.setattr(csv_files, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(engine_files, "_PIECES_A_TASK", 2)


@pytest.mark.parametrize(
    ("text", "dialect", "limit_rows", "in_pieces"),
    [
        (PLAIN, COMMA_SEPARATED, None, True),
        (PLAIN, COMMA_SEPARATED, 60, True),
        (PLAIN, COMMA_SEPARATED, 0, False),
        ("no names\n" + PLAIN.replace(",", ";"), CsvDialect(delimiter=";", header=1), None, True),
        (NO_NAMES, CsvDialect(header=None), 90, True),
        (PLAIN.removesuffix("\n"), COMMA_SEPARATED, None, True),
        (QUOTED_AT_ENDS, COMMA_SEPARATED, None, False),
        (QUOTED_AT_ENDS, COMMA_SEPARATED, 20, False),
    ],
)
def test_a_csv_file_is_parsed_by_several_tasks_unless_it_is_cut_within_a_cell(
    text: str,
    dialect: CsvDialect,
    limit_rows: int | None,
    in_pieces: bool,
    engine: Engine,
    small_pieces: None,
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    expected = scan(path, dialect, limit_rows=limit_rows).collect()
    table = engine.scan(path, dialect, limit_rows=limit_rows)
    assert (table.rdd.getNumPartitions() > 1) == in_pieces
    assert pl.DataFrame(table.toArrow()).rows() == expected.rows()
    assert table.columns == expected.columns
    assert [row[ROW] for row in shown(table).select(ROW).sort(ROW).collect()] == list(range(expected.height))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (b"x,1,2\n", "Row 202 of the input file has 3 cells where the header has 2"),
        (b"x,\xff\n", "The input file is not valid utf-8"),
    ],
)
def test_a_fault_in_a_piece_is_told_as_in_the_whole(
    fault: bytes, sentence: str, engine: Engine, small_pieces: None, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(PLAIN.encode() + fault)
    with pytest.raises(Exception, match=sentence), reported():
        engine.scan(path, COMMA_SEPARATED).toArrow()
    with pytest.raises(DataServiceError, match=sentence):
        scan(path).collect()


def test_what_one_task_wrote_is_read_by_several_in_the_same_order(
    engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine_tables, "_ROWS_A_FILE", 30)
    path = tmp_path / "in.csv"
    path.write_text(PLAIN)
    folder = engine_tables.stage(engine.scan(path, COMMA_SEPARATED), tmp_path / "staged")
    assert len(list(folder.glob("part-*.parquet"))) == 7
    assert engine_tables.in_order(engine.session, folder).collect().equals(scan(path).collect())


def test_parts_are_written_by_the_cluster_and_are_those_of_a_run_without_it(
    engine: Engine, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del engine  # whose session the run takes
    monkeypatch.setattr(parts, "_ROWS_A_PART", 60)
    (tmp_path / "in.csv").write_text(PLAIN)
    ops: dict[str, Any] = {
        "read_csv_to_df": {"input_path": str(tmp_path / "in.csv")},
        "clean_data": {"steps": [{"step": {"sort_rows": {"by": ["b", "a"]}}}]},
        "write_df_to_csv": {"output_path": str(tmp_path / "out.csv"), "single_object": False, "index": True},
    }
    config = {"ops": {name: {"config": each} for name, each in ops.items()}}
    written: list[dict[str, bytes]] = []
    for variables in ({}, environment):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert defs.resolve_job_def("clean_data_job").execute_in_process(run_config=config).success
        written.append({path.name: path.read_bytes() for path in (tmp_path / "out.csv").iterdir()})
        (tmp_path / "out.csv").rename(tmp_path / f"{len(written)}.csv")
    assert sorted(written[0]) == ["_SUCCESS", *(f"part-0000{number}.csv" for number in range(4))]
    assert written[1] == written[0]
