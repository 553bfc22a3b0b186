"""A real Spark standalone cluster on loopback, from the PySpark wheel: one master, two workers, a Connect server."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from util_services.servers import HOST, free_port, running

_WORKERS = 2
_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Small parts, and no code is generated: a test's tables have a handful of rows, and the machine two cores.
SETTINGS = {
    "spark.executor.memory": "512m",
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": _QUICK,
    "spark.executor.extraJavaOptions": _QUICK,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": HOST,
    "spark.driver.bindAddress": HOST,
}


def missing() -> str | None:
    """Tell what this machine lacks to run Spark."""
    if find_spec("pyspark") is None:
        return "PySpark is not installed: uv sync installs it"
    if shutil.which("java") is None:
        return "no Java: apt-get install openjdk-17-jre-headless"
    return None


def missing_s3a() -> str | None:
    """Tell what this machine lacks for Spark to reach S3 by itself."""
    if find_spec("h2o") is None:
        return "Hadoop's S3A is missing: uv pip install --require-hashes --no-deps -r tests/s3a.txt"
    return None


def with_s3a(folder: Path) -> dict[str, str]:
    """Make a jar of Hadoop's S3A and what it needs, of those in h2o's jar; gives the settings of Spark that load it."""
    spec = find_spec("h2o")
    assert spec is not None
    assert spec.origin is not None
    jar = folder / "s3a.jar"
    wanted = (
        "org/apache/hadoop/fs/s3a/",
        "org/apache/hadoop/fs/s3native/",
        "com/amazonaws/",
        "org/apache/http/",
        "org/joda/time/",
    )
    with (
        zipfile.ZipFile(Path(spec.origin).parent / "backend" / "bin" / "h2o.jar") as whole,
        zipfile.ZipFile(jar, "w") as own,
    ):
        for name in whole.namelist():
            if name.startswith(wanted):
                own.writestr(name, whole.read(name))
    return {
        "spark.driver.extraClassPath": str(jar),
        "spark.executor.extraClassPath": str(jar),
        # Hadoop's own files of defaults are newer than this S3A, and write durations as 60s.
        "spark.hadoop.fs.s3a.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.threads.keepalivetime": "60",
        "spark.hadoop.fs.s3a.connection.establish.timeout": "5000",
        "spark.hadoop.fs.s3a.connection.timeout": "200000",
        "spark.hadoop.fs.s3a.multipart.purge.age": "86400",
        "spark.hadoop.parquet.hadoop.vectored.io.enabled": "false",
    }


def end_jvm() -> None:
    """End this process's session and JVM, if it has any; the next session starts one, with its own class path."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()
    if gateway := SparkContext._gateway:
        gateway.shutdown()
        gateway.proc.stdin.close()  # which the JVM waits for
        gateway.proc.wait(60)
        SparkContext._gateway = SparkContext._jvm = None


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        master: Its URL.
        home: Folder with logs and the workers' files.
        workers: Process ids of the workers.
    """

    master: str
    home: Path
    workers: tuple[int, ...]


def settings_of(served: Cluster, home: Path, **spark: str) -> dict[str, str]:
    """Give the environment variables that choose the cluster, as an operator sets them.

    Args:
        served: The cluster.
        home: An existing folder for the settings of Spark and the staged tables.
        spark: More settings of Spark, ``_`` in their names for ``.``.
    """
    own = SETTINGS | {name.replace("_", "."): value for name, value in spark.items()}
    (home / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in own.items()))
    return {
        "ENGINE": "spark",
        "SPARK_MASTER": served.master,
        "SPARK_CONF_DIR": str(home),
        "SPARK_LOCAL_IP": HOST,
        "STAGING_URI": (home / "staging").as_uri(),
        "PYSPARK_PYTHON": sys.executable,
    }


@contextmanager
def cluster(home: Path) -> Iterator[Cluster]:
    """Run a master and two workers."""
    port = free_port()
    master = f"spark://{HOST}:{port}"
    with ExitStack() as stack:
        address = ["--host", HOST, "--webui-port", str(free_port())]
        command = [*_spark_class("master.Master"), *address, "--port", str(port)]
        stack.enter_context(_started(command, home / "master.log", "I have been elected leader"))
        workers = []
        for number in range(_WORKERS):
            work = home / f"worker-{number}"
            work.mkdir()
            address = ["--host", HOST, "--port", str(free_port()), "--webui-port", str(free_port())]
            size = ["--cores", "2", "--memory", "2g", "--work-dir", str(work)]
            command = [*_spark_class("worker.Worker"), *address, *size, master]
            process = stack.enter_context(
                _started(command, home / f"worker-{number}.log", "Successfully registered with master")
            )
            workers.append(process.pid)
        yield Cluster(master, home, tuple(workers))


@contextmanager
def connect_server(served: Cluster, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a Spark Connect server on the cluster, with more settings; gives its URL."""
    port = free_port()
    settings = (
        SETTINGS
        | dict(more or {})
        | {"spark.connect.grpc.binding.address": HOST, "spark.connect.grpc.binding.port": str(port)}
    )
    command = [str(_wheel() / "bin" / "spark-submit"), "--master", served.master]
    command += [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    with _started(command, served.home / "connect.log", "Spark Connect server started"):
        yield f"sc://{HOST}:{port}"


def _wheel() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


def _spark_class(role: str) -> list[str]:
    return [str(_wheel() / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}"]


@contextmanager
def _started(command: list[str], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "ENGINE"))},
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(_wheel()),
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_HOSTNAME": HOST,
    }
    with running(command, log, lambda: ready in log.read_text(errors="replace"), environment) as process:
        yield process
