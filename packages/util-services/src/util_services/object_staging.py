"""Tables and files of a run in object storage, for a cluster whose machines share no folder.

Spark reads and writes its tables there itself, by ``s3a://`` of Hadoop; this process and functions of batches use boto3
and Polars. The environment variable ``STAGING_URI`` names the place, the S3 connection ``selfS3`` how to get there.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import polars as pl

from util_services.access import STAGING_URI, staging_place
from util_services.connections import SELF, Connection
from util_services.errors import DataServiceError
from util_services.objects import Transferred, download, explained, listed, upload
from util_services.stored_files import StoredFile, client_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef, ObjectTypeDef

_MOST_AT_A_TIME = 1000  # objects, by S3's rules
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as Dagster numbers them


@dataclass(frozen=True)
class ObjectStaging:
    """A place for the tables and files of runs.

    Attributes:
        bucket: Bucket name.
        prefix: What all keys begin with; empty, or with a slash at its end.
        connection: How to reach it.
    """

    bucket: str
    prefix: str
    connection: Connection

    def uri(self, path: Path) -> str:
        """Give the place of what has a path in a run's folder, for Spark."""
        return f"s3a://{self.bucket}/{self.key(path)}"

    def key(self, path: Path) -> str:
        """Give the key, or beginning of keys, of what has a path in a run's folder."""
        return f"{self.prefix}{path.parent.name}/{path.name}"

    def key_of(self, uri: str) -> str:
        """Give the key, or beginning of keys, of a place for Spark."""
        return uri.removeprefix(f"s3a://{self.bucket}/")

    def settings(self) -> dict[str, str]:
        """Tell Spark how to reach this bucket, and no other; Hadoop's names (``fs.s3a.bucket.BUCKET.…``)."""
        connection = self.connection
        settings = {"path.style.access": "true", "endpoint.region": connection.region}
        if connection.endpoint:
            settings["endpoint"] = connection.endpoint
            settings["connection.ssl.enabled"] = str(connection.endpoint.startswith("https:")).lower()
        if connection.access_key and connection.secret_key:
            settings |= {
                "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
                "access.key": connection.access_key,
                "secret.key": connection.secret_key,
            }
        return {f"fs.s3a.bucket.{self.bucket}.{name}": value for name, value in settings.items()}

    def scan(self, uri: str) -> pl.LazyFrame:
        """Give a table that Spark wrote, lazily, its files in the order of their names."""
        files = [entry["Key"] for entry in self._listed(f"{self.key_of(uri)}/")]
        connection = self.connection
        options = {
            "aws_region": connection.region,
            "aws_virtual_hosted_style_request": "false",
            "aws_allow_http": "true",
        }
        if connection.endpoint:
            options["aws_endpoint_url"] = connection.endpoint
        if connection.access_key and connection.secret_key:
            options |= {"aws_access_key_id": connection.access_key, "aws_secret_access_key": connection.secret_key}
        parts = [f"s3://{self.bucket}/{key}" for key in sorted(files) if key.endswith(".parquet")]
        return pl.scan_parquet(parts, glob=False, storage_options=options)

    def send(self, path: Path, run: str) -> StoredFile:
        """Store a file where the machines of a cluster can read it, until the run's end."""
        key = f"{self.prefix}{run}/input-{uuid4().hex}/{path.name}"
        done = self._upload(path, key)
        return StoredFile(self.connection, self.bucket, key, done.size, done.etag)

    def put(self, own: Path, folder: Path) -> None:
        """Store the files of a folder under the path of another one in a run's folder."""
        for path in own.iterdir():
            self._upload(path, f"{self.key(folder)}/{path.name}")

    def take(self, folder: Path) -> None:
        """Fetch all files that were stored under the path of a folder into it, and remove them there."""
        beginning = f"{self.key(folder)}/"
        for entry in self._listed(beginning):
            self._download(entry["Key"], folder / entry["Key"].removeprefix(beginning))
        self.remove(beginning)

    def keep(self, path: Path) -> None:
        """Store a file of a run's folder, too, for another process that executes the run again."""
        self._upload(path, self._kept(path))

    def kept(self, beginning: Path) -> list[Path]:
        """Fetch the files that were stored whose paths begin so."""
        folder, found = self._kept(beginning).removesuffix(beginning.name), []
        for entry in self._listed(self._kept(beginning)):
            path = beginning.with_name(entry["Key"].removeprefix(folder))
            self._download(entry["Key"], path)
            path.chmod(0o600)
            found.append(path)
        return found

    def _kept(self, path: Path) -> str:
        return f"{self.prefix}{path.parent.name}/kept/{path.name}"

    def remove(self, beginning: str) -> None:
        """Remove all objects whose key begins so."""
        found: list[ObjectIdentifierTypeDef] = [{"Key": entry["Key"]} for entry in self._listed(beginning)]
        client = client_of(self.connection)
        with _explained(client, self.bucket, beginning):
            for start in range(0, len(found), _MOST_AT_A_TIME):
                some = found[start : start + _MOST_AT_A_TIME]
                client.delete_objects(Bucket=self.bucket, Delete={"Objects": some, "Quiet": True})

    def remove_run(self, run: str) -> None:
        """Remove all that a run has left."""
        self.remove(f"{self.prefix}{run}/")

    def runs(self) -> dict[str, datetime]:
        """Tell when each run that has left anything last wrote; what else lies there is none of our business."""
        last: dict[str, datetime] = {}
        for entry in self._listed(self.prefix):
            run, written = entry["Key"].removeprefix(self.prefix).partition("/")[0], entry["LastModified"]
            if _RUN.fullmatch(run):
                last[run] = max(written, last.get(run, written))
        return last

    def _upload(self, path: Path, key: str) -> Transferred:
        with _told():
            return upload(client_of(self.connection), path, self.bucket, key, lambda _: None)

    def _download(self, key: str, path: Path) -> None:
        with _told():
            download(client_of(self.connection), self.bucket, key, path, lambda _: None)

    def _listed(self, beginning: str) -> list["ObjectTypeDef"]:
        client = client_of(self.connection)
        with _explained(client, self.bucket, beginning):
            return listed(client, self.bucket, beginning)


@contextmanager
def _told() -> Iterator[None]:
    """Say in the sentence that tells what went wrong with the storage that it is the operator's."""
    try:
        yield
    except DataServiceError as error:
        sentence = str(error)
        raise DataServiceError(
            f"What {STAGING_URI} names cannot be used, as {sentence[0].lower()}{sentence[1:]}"
        ) from None


@contextmanager
def _explained(client: "S3Client", bucket: str, key: str) -> Iterator[None]:
    with _told(), explained(client, bucket, key):
        yield


def object_staging() -> ObjectStaging | None:
    """Give the place in object storage that ``STAGING_URI`` names; ``None`` if it names a folder, or nothing.

    Raises:
        DataServiceError: If it names no bucket, or a setting of the connection is malformed.
    """
    if (place := staging_place()) is None:
        return None
    bucket, prefix = place
    return ObjectStaging(bucket, f"{prefix}/" if prefix else "", Connection.of(SELF))
