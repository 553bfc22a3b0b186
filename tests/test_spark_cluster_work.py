"""On Spark the work is Spark's: what its event log says about runs, and what executors do."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import run_process
from spark_cluster import Cluster, settings_of
from spark_sessions import Stage, logging_to, stages

from util_services.sample_keys import SAMPLE_KEY_NAME

ROWS = 200_000
QUASI_IDENTIFIERS = ["age", "age_of_partner", "gender"]
METRICS_BYTES = 32 << 10  # that a task sends in any case: what it measured, and sampled row numbers where Spark sorts
K_ANONYMITY = {
    "apply_k_anonymity": {
        "ident": ["name"],
        "quasi_identifiers": QUASI_IDENTIFIERS,
        "sensitive_attributes": [],
        "k": 2,
        "supp_level": 0.0,
        "generalisation_hierarchies": {"age": "simpl_age", "age_of_partner": "simpl_age", "gender": "simpl_gender"},
    }
}
PSEUDONYMS = {
    "anonymise_pseudonymise_structured": {
        "used_function": [{"technique": {"encrypt": {"columns": ["name"], "key_name": SAMPLE_KEY_NAME}}}]
    }
}


@dataclass(frozen=True)
class Sizes:
    """Bytes of results that Spark sends to the driver, as Arrow, which is how Narwhals collects.

    Attributes:
        histogram: When somebody collects the distinct quasi-identifiers with their counts.
        table: When somebody collects the table.
    """

    histogram: int
    table: int


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows that are many times as large as their combinations of quasi-identifiers."""
    number = pl.int_range(ROWS, dtype=pl.UInt64)
    columns = {
        "age": 20 + number.hash(1) % 50,
        "age_of_partner": 20 + number.hash(2) % 50,
        "gender": pl.when(number.hash(3) % 2 == 0).then(pl.lit("f")).otherwise(pl.lit("m")),
        "name": pl.format("{}{}", number.hash(4), number.hash(5)),
        "note": pl.concat_str([number.hash(seed) for seed in range(6, 12)], separator=" "),
    }
    path = tmp_path_factory.mktemp("table") / "in.csv"
    pl.select(**columns).write_csv(path)
    return path


@pytest.fixture(scope="module")
def collected(spark_cluster: Cluster, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    """What the event log says of a program that collects: the control of the tests below."""
    home = tmp_path_factory.mktemp("control")
    environment = settings_of(spark_cluster, home, **logging_to(home / "events"))
    program = [sys.executable, "-c", COLLECT, str(table), *QUASI_IDENTIFIERS]
    subprocess.run(program, env=os.environ | environment, check=True)
    histogram, whole = sorted(sum(stage.result_bytes) for stage in stages(home / "events"))[-2:]
    return Sizes(histogram, whole)


COLLECT = """
import sys
from pathlib import Path
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import EngineSettings, start
engine = start(EngineSettings.of())
table = engine.scan(Path(sys.argv[1]), COMMA_SEPARATED)
table.groupBy(*sys.argv[2:]).count().toArrow()
table.toArrow()
engine.session.stop()
"""


def test_a_program_that_collects_the_table_is_seen_in_the_event_log(collected: Sizes, table: Path) -> None:
    assert collected.table > table.stat().st_size
    assert collected.table > 50 * (collected.histogram + METRICS_BYTES)


@pytest.mark.parametrize(
    ("job", "service", "histograms"),
    [("k_anonymity_job", K_ANONYMITY, 1), ("anonymise_pseudonymise_structured_job", PSEUDONYMS, 0)],
)
def test_no_stage_sends_more_than_the_histogram_to_the_driver(
    job: str,
    service: dict[str, Any],
    histograms: int,
    collected: Sizes,
    spark_cluster: Cluster,
    samples: None,
    table: Path,
    tmp_path: Path,
) -> None:
    del samples
    ops = service | {
        "read_csv_to_df": {"input_path": str(table)},
        "write_df_to_csv": {"output_path": str(tmp_path / "out.csv")},
    }
    environment = settings_of(spark_cluster, tmp_path, **logging_to(tmp_path / "events"))
    assert run_process.start(job, ops, tmp_path / "home", environment).wait() == 0
    assert len((tmp_path / "out.csv").read_bytes().splitlines()) == 1 + ROWS
    done = stages(tmp_path / "events")
    excess = [sum(stage.result_bytes) - len(stage.result_bytes) * METRICS_BYTES for stage in done]
    assert max(excess) <= histograms * collected.histogram
    assert histograms == 0 or max(sum(stage.result_bytes) for stage in done) > collected.histogram / 2  # it is seen


def test_twice_the_cores_shorten_work_on_the_processor(spark_cluster: Cluster, table: Path, tmp_path: Path) -> None:
    """What else the machine does makes tasks longer, but not the time in which two of them run together."""
    one, two = (busiest_stage(spark_cluster, table, tmp_path / str(cores), cores) for cores in (1, 2))
    assert one.seconds > 0.95 * one.task_seconds
    assert two.seconds < 0.75 * two.task_seconds


def busiest_stage(served: Cluster, table: Path, home: Path, cores: int) -> Stage:
    """Have a session with so many cores encrypt a column, and read in its event log what took the most work."""
    home.mkdir()
    more = {"spark_cores_max": str(cores), "spark_sql_files_minPartitionNum": "8", **logging_to(home / "events")}
    subprocess.run(
        [sys.executable, "-c", PSEUDONYMISE, str(table), str(home)],
        env=os.environ | settings_of(served, home, **more),
        stderr=(home / "log").open("wb"),
        check=True,
    )
    return max(stages(home / "events"), key=lambda stage: stage.task_seconds)


PSEUDONYMISE = """
import sys
from pathlib import Path
from field_level_pseudo_anonymisation import Step, pseudonymise
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques import Encrypt
from util_services import engine_files, engine_tables
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import EngineSettings, start
from util_services.sample_keys import SAMPLE_KEY
engine, home = start(EngineSettings.of()), Path(sys.argv[2])
engine_files._PIECES_A_TASK = 1  # more tasks than cores
rows = engine.scan(Path(sys.argv[1]), COMMA_SEPARATED, limit_rows=100_000)
table = engine_tables.load(engine.session, engine_tables.stage(rows, home / "read"))
steps, keys = [Step(Encrypt("key"), ["name"])], MemoryKeyStore({"key": {1: SAMPLE_KEY}})
for _ in range(2):  # the first time executors load what they need
    engine_tables.stage(pseudonymise(table, steps, keys=keys).frame, home / "pseudonyms")
engine.session.stop()
"""


def test_an_executor_that_is_started_as_in_a_pod_works_for_its_driver(
    spark_cluster: Cluster,
    tmp_path: Path,
) -> None:
    """Workers have no room for executors of this size, so that the only one is that which the program starts itself."""
    environment = settings_of(spark_cluster, tmp_path, spark_executor_memory="100g")
    program = [sys.executable, "-c", IN_A_POD]
    done = subprocess.run(program, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "499500 0\n"


IN_A_POD = """
import os, subprocess
from pyspark.sql import functions
from util_services.engine import EngineSettings, start
session = start(EngineSettings.of()).session
spark, host = session.sparkContext.getConf(), "127.0.0.1"
told = {
    "SPARK_DRIVER_URL": f"spark://CoarseGrainedScheduler@{host}:{spark.get('spark.driver.port')}",
    "SPARK_EXECUTOR_ID": "1",
    "SPARK_EXECUTOR_CORES": "1",
    "SPARK_EXECUTOR_MEMORY": "512m",
    "SPARK_APPLICATION_ID": session.sparkContext.applicationId,
    "SPARK_EXECUTOR_POD_IP": host,
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "executor-1",
}
options = enumerate(spark.get("spark.executor.extraJavaOptions").split())
told |= {f"SPARK_JAVA_OPT_{number}": option for number, option in options}
executor = subprocess.Popen(["simpl-spark-executor"], env=os.environ | told, stdout=subprocess.DEVNULL)
try:
    rows = session.range(1000).mapInArrow(lambda batches: batches, "id long")
    total = rows.agg(functions.sum("id")).collect()[0][0]
finally:
    session.stop()
print(total, executor.wait(60))
"""
