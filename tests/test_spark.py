"""What the location's jobs read, refuse and survive on a real Spark cluster."""

import gzip
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from spark_cluster import Cluster
from spark_runs import failure, outputs, run

from util_services import engine_files, engine_tables
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import EngineSettings, start
from util_services.frames import map_batches
from util_services.sample_keys import SAMPLE_KEY_NAME

TO_OUTPUT = {"write_df_to_csv": {"output_path": "output/out.csv"}}


TOO_MANY = {
    "read_csv_to_df": {"input_path": "examples/visits.csv"},
    "apply_k_anonymity": {
        "ident": [],
        "quasi_identifiers": ["sex", "postcode", "admitted"],
        "sensitive_attributes": ["diagnosis"],
        "generalisation_hierarchies": {
            "sex": "suppress",
            "postcode": {"mask": {}},
            "admitted": {"dates": {"levels": ["week"]}},
        },
        "k": 3,
        "supp_level": 5.0,
        "quality": "non_uniform_entropy",
    },
    "write_df_to_csv": {"output_path": "output/out.csv"},
}


def test_too_many_tuples_are_generalised_first_on_spark_too(
    on_spark: Callable[[], None], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("k_anonymity_job", **TOO_MANY)
    assert whole.success
    expected = outputs(here)
    monkeypatch.setenv("HISTOGRAM_TUPLES", "300")
    before = run("k_anonymity_job", **TOO_MANY)
    assert before.success
    assert outputs(here) == expected
    on_spark()
    result = run("k_anonymity_job", **TOO_MANY)
    assert result.success
    metrics = result.output_for_node("apply_k_anonymity", "metrics")
    assert metrics["pregeneralisation"]["levels"] == {"admitted": 2}
    assert metrics["classes"] == whole.output_for_node("apply_k_anonymity", "metrics")["classes"]
    assert outputs(here) == expected


def test_the_risk_of_too_many_tuples_is_counted_by_spark(
    on_spark: Callable[[], None], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del here
    assess = {
        "read_csv_to_df": {"input_path": "examples/visits.csv"},
        "assess_table_risk": {"quasi_identifiers": ["sex", "postcode"], "sensitive_attributes": ["diagnosis"]},
    }
    expected = run("risk_report_job", **assess).output_for_node("assess_table_risk", "metrics")
    monkeypatch.setenv("HISTOGRAM_TUPLES", "3")
    on_spark()
    counted = run("risk_report_job", **assess).output_for_node("assess_table_risk", "metrics")
    assert counted.pop("sensitive") == [pytest.approx(each) for each in expected.pop("sensitive")]
    assert counted == expected


# Cells that CSV readers disagree on: quotes, delimiters and line ends in cells, missing and empty ones, zeros, spaces.
CELLS = b'plz,note,x\n01234,"a, ""b""",\n00007,"two\nlines",""\n" 8 ",\xc3\xa9\xe4\xbd\xa0,\\N\n,,NULL\n'


@pytest.mark.parametrize(
    ("name", "content", "reading", "expected"),
    [
        ("in.csv", CELLS, {}, CELLS.replace(b'" 8 "', b" 8 ")),
        ("in.csv", CELLS, {"limit_rows": 1}, b'plz,note,x\n01234,"a, ""b""",\n'),
        (
            "in.csv",
            "a;b\r\nñ;2\r\n".encode("latin-1"),
            {"encoding": "latin-1", "delimiter": ";"},
            "a,b\nñ,2\n".encode(),
        ),
        ("in.csv.gz", gzip.compress(b"1,2\n3,4\n", mtime=0), {"header": None}, b"column_0,column_1\n1,2\n3,4\n"),
        ("in.csv", b"a,b\n", {}, b"a,b\n"),
        ("in.jsonl", b'{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n', {}, b"a,b\n1,x\n,y\n"),
    ],
)
def test_cells_come_out_of_spark_as_they_were(
    name: str, content: bytes, reading: dict[str, Any], expected: bytes, on_spark: Callable[[], None], here: Path
) -> None:
    (here / name).write_bytes(content)
    copy = {
        "read_csv_to_df": {"input_path": name} | reading,
        "clean_data": {"steps": [{"step": {"select_columns": {"columns": columns_of(expected)}}}]},
        "write_df_to_csv": {"output_path": "output/out.csv"},
    }
    assert run("clean_data_job", **copy).success
    assert outputs(here)["out.csv"] == expected
    on_spark()
    assert run("clean_data_job", **copy).success
    assert outputs(here)["out.csv"] == expected


def columns_of(table: bytes) -> list[str]:
    return table.partition(b"\n")[0].decode().split(",")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n3\n", "Row 3 of the input file has 1 cells where the header has 2: mend that row"),
        (b"a,b\n1,\xff\n", "The input file is not valid utf-8"),
        (b"a.b,c\n1,2\n", "The column 'a.b' has a name that Spark cannot take"),
    ],
)
def test_a_fault_in_a_file_is_told_in_one_sentence(
    content: bytes, sentence: str, on_spark: Callable[[], None], here: Path
) -> None:
    (here / "in.csv").write_bytes(content)
    on_spark()
    told = failure(
        run("remove_duplicates_job", read_csv_to_df={"input_path": "in.csv"}, **TO_OUTPUT, remove_duplicates={})
    )
    assert told.startswith(sentence)
    assert outputs(here) == {}


def test_tokens_of_another_key_are_counted_and_nothing_is_written(
    on_spark: Callable[[], None], samples: None, here: Path
) -> None:
    del samples
    (here / "in.csv").write_text("id,name\n1,no token\n2,\n3,none either\n")
    on_spark()
    decrypt = {"technique": {"type": "decrypt", "columns": ["name"], "key_name": SAMPLE_KEY_NAME}}
    told = failure(
        run(
            "depseudonymise_structured_job",
            read_csv_to_df={"input_path": "in.csv"},
            depseudonymise_structured={"used_function": [decrypt]},
            **TO_OUTPUT,
        )
    )
    assert told.startswith("Of 3 rows, some have values that the key does not authenticate (2 in the column 'name')")
    assert outputs(here) == {}


def test_a_run_whose_worker_is_killed_ends_well(
    spark_cluster: Cluster, settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of this file, as it takes a worker away."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    session = start(EngineSettings.of()).session
    sleep = time.sleep  # what is sent to the workers must not refer to this file, which they do not have
    halfway, goes_on = tmp_path / "halfway", tmp_path / "goes-on"

    def slow(rows: pl.DataFrame) -> pl.DataFrame:
        halfway.touch()
        while not goes_on.exists():
            sleep(0.05)
        return rows.select(pl.col("a").str.to_uppercase())

    (tmp_path / "in.csv").write_text("a\n" + "".join(f"x{number}\n" for number in range(1000)))
    read = engine_tables.load(
        session,
        engine_tables.stage(engine_files.read(session, tmp_path / "in.csv", COMMA_SEPARATED, None), tmp_path / "read"),
    )
    computed = map_batches(nw.from_native(read), slow, ["a"], {"a": nw.String}).to_native()
    with ThreadPoolExecutor(1) as pool:
        staged = pool.submit(engine_tables.fetched, computed, tmp_path / "computed")
        while not halfway.exists() and not staged.done():
            sleep(0.05)
        os.killpg(spark_cluster.workers[0], signal.SIGKILL)
        goes_on.touch()
        rows = staged.result().collect()
    assert rows["a"].to_list() == [f"X{number}" for number in range(1000)]
