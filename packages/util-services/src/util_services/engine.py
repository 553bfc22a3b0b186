"""Which engine evaluates the tables of a run: Polars in this process, or Apache Spark on a cluster."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from util_services.connections import connection_of
from util_services.csv_files import CsvDialect
from util_services.errors import DataServiceError
from util_services.file_source import File, LocalFile
from util_services.formats import scan
from util_services.object_staging import ObjectStaging, object_staging
from util_services.objects import explained
from util_services.stored_files import StoredFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENGINE, SPARK_REMOTE, SPARK_MASTER = "ENGINE", "SPARK_REMOTE", "SPARK_MASTER"
_KINDS = ("polars", "spark")
_REMOTE = re.compile(r"sc://[^\s/]+(/\S*)?")
_MASTER = re.compile(
    r"(spark://[^\s/]+:\d+(,[^\s/]+:\d+)*|k8s://\S+|yarn|local(\[(\d+|\*)(,\d+)?\])?|local-cluster\[\S+\])"
)
# What the results depend on; an operator's own settings come before all others of Spark.
_SETTINGS = {
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
}


@dataclass(frozen=True)
class EngineSettings:
    """How to reach an engine.

    Attributes:
        kind: polars or spark.
        remote: URL of a Spark Connect server, ``sc://host:port``.
        master: URL of a Spark cluster, such as ``spark://host:7077``.
        spark: Further settings of the Spark session.
    """

    kind: str = "polars"
    remote: str | None = None
    master: str | None = None
    spark: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise DataServiceError(f"The engine {self.kind!r} ({ENGINE}) is unknown: choose polars or spark.")
        if self.kind == "polars":
            return
        if bool(self.remote) == bool(self.master):
            raise DataServiceError(
                f"The engine spark needs either {SPARK_REMOTE} (sc://host:port) or {SPARK_MASTER} (spark://host:7077): "
                f"{'set one of them' if not self.remote else 'set one of them alone'}."
            )
        if self.remote and not _REMOTE.fullmatch(self.remote):
            raise DataServiceError(f"{SPARK_REMOTE} is not the URL of a Spark Connect server: give sc://host:port.")
        if self.master and not _MASTER.fullmatch(self.master):
            raise DataServiceError(
                f"{SPARK_MASTER} is not the URL of a Spark cluster: give spark://host:port, k8s://…, yarn or local[*]."
            )

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "EngineSettings":
        """Take what is given, else what the environment says, else Polars.

        Examples:
            >>> EngineSettings.of({"ENGINE": "spark", "SPARK_MASTER": "local[2]"}).master
            'local[2]'
        """
        remote, master = given.get("remote"), given.get("master")
        if not remote and not master:
            remote, master = environment.get(SPARK_REMOTE) or None, environment.get(SPARK_MASTER) or None
        kind = given.get("kind") or environment.get(ENGINE) or "polars"
        return cls(kind, remote, master, {name: str(value) for name, value in (given.get("spark") or {}).items()})


class Engine(Protocol):
    """What reads tables.

    Attributes:
        kind: polars or spark.
        storage: Where its tables lie, if that is in object storage.
    """

    kind: str
    storage: ObjectStaging | None

    def scan(self, path: Path, dialect: CsvDialect, *, limit_rows: int | None = None) -> Any:
        """Give a table lazily; see :func:`util_services.formats.scan`."""

    def scan_object(
        self, client: "S3Client", bucket: str, key: str, dialect: CsvDialect, *, limit_rows: int | None = None
    ) -> tuple[Any, StoredFile] | None:
        """Give an object as a table lazily, and what was read; ``None`` if it must be fetched first."""


class PolarsEngine:
    """Tables are evaluated in this process, in bounded memory."""

    kind = "polars"
    storage: ObjectStaging | None = None

    def scan(self, path: Path, dialect: CsvDialect, *, limit_rows: int | None = None) -> Any:
        """Scan a table with Polars."""
        return scan(path, dialect, limit_rows=limit_rows)

    def scan_object(
        self, client: "S3Client", bucket: str, key: str, dialect: CsvDialect, *, limit_rows: int | None = None
    ) -> None:
        """An object is fetched first."""


class SparkEngine:
    """Tables are evaluated by a Spark cluster.

    It sees files under the same paths as this process, unless ``STAGING_URI`` names a place in object storage: then it
    reads copies there.

    Args:
        settings: How to reach it.
        run_id: The run whose copies they are.

    Raises:
        DataServiceError: If PySpark is missing, the cluster cannot be reached, or ``STAGING_URI`` is malformed.
    """

    kind = "spark"

    def __init__(self, settings: EngineSettings, run_id: str = "") -> None:
        self.storage = object_staging()
        self.session = _session(settings)
        self._run_id = run_id
        for name, value in (self.storage.settings() if self.storage else {}).items():
            self.session.conf.set(name, value)

    def scan(self, path: Path, dialect: CsvDialect, *, limit_rows: int | None = None) -> Any:
        """Give a table whose rows Spark reads."""
        from util_services.engine_files import read

        return read(self.session, path, dialect, limit_rows, self._shared)

    def scan_object(
        self, client: "S3Client", bucket: str, key: str, dialect: CsvDialect, *, limit_rows: int | None = None
    ) -> tuple[Any, StoredFile] | None:
        """Give an object as a table that Spark's machines read themselves, if these use object storage anyway.

        Raises:
            DataServiceError: As :func:`util_services.objects.download`.
        """
        from util_services.engine_files import read_stored

        connection = connection_of(client)
        if connection is None or self.storage is None:
            return None
        with explained(client, bucket, key):
            head = client.head_object(Bucket=bucket, Key=key)
        stored = StoredFile(connection, bucket, key, head["ContentLength"], head["ETag"].strip('"'))
        table = read_stored(self.session, stored, dialect, limit_rows)
        return None if table is None else (table, stored)

    def _shared(self, path: Path) -> File:
        return self.storage.send(path, self._run_id or "no-run") if self.storage else LocalFile(path)


def start(settings: EngineSettings, run_id: str = "") -> Engine:
    """Start, or reach, an engine for a run."""
    return SparkEngine(settings, run_id) if settings.kind == "spark" else PolarsEngine()


def _session(settings: EngineSettings) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise DataServiceError("The engine spark needs PySpark: install util-services[spark].") from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("template-code-location")
    for name, value in (_SETTINGS | dict(settings.spark)).items():
        builder = builder.config(name, value)
    try:
        if settings.remote:
            return builder.remote(settings.remote).getOrCreate()
        return builder.master(str(settings.master)).getOrCreate()
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote settings
        name = SPARK_REMOTE if settings.remote else SPARK_MASTER
        raise DataServiceError(
            f"Spark cannot be reached ({type(error).__name__}): check {name}, that Java 17 or newer is installed, and "
            "that the cluster has the version of PySpark."
        ) from None


_RUNNING: dict[str, Engine] = {}


@contextmanager
def running(run_id: str, used: Engine) -> Iterator[Engine]:
    """Make an engine that of a run, for as long as the block lasts."""
    _RUNNING[run_id] = used
    try:
        yield used
    finally:
        _RUNNING.pop(run_id, None)


def engine_of(run_id: str) -> Engine:
    """Give the engine of a run; a job that binds none has Polars."""
    return _RUNNING.get(run_id) or PolarsEngine()
