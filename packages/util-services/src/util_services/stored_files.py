"""Objects as files that several machines read."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from util_services.connections import Connection
from util_services.errors import DataServiceError
from util_services.file_source import Read
from util_services.objects import download, explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class StoredFile:
    """An object, as :class:`util_services.file_source.File`; should it be replaced, it is not read any further.

    Attributes:
        connection: How to reach it.
        bucket: Bucket name.
        key: Its key; the ending tells its format.
        length: Its length in bytes.
        etag: Its ETag, without quotes.
    """

    connection: Connection
    bucket: str
    key: str
    length: int
    etag: str

    def size(self) -> int:
        """Tell its length in bytes."""
        return self.length

    @contextmanager
    def opened(self) -> Iterator[Read]:
        """Read any part of it, for as long as the block lasts."""
        yield self._read

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Give a private copy, for as long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="simpl-") as folder:
            path = Path(folder) / self.key.rpartition("/")[2]
            done = download(client_of(self.connection), self.bucket, self.key, path, lambda _: None)
            if done.etag != self.etag:
                raise self._changed()
            yield path

    @contextmanager
    def beginning(self, length: int) -> Iterator[Path]:
        """Give the first bytes as a private local file of the same name, for as long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="simpl-") as folder:
            path = Path(folder) / self.key.rpartition("/")[2]
            path.write_bytes(self._body(0, length))
            yield path

    def _read(self, memory: memoryview, start: int) -> int:
        if start >= self.length:
            return 0
        found = self._body(start, len(memory))
        memory[: len(found)] = found
        return len(found)

    def _body(self, start: int, length: int) -> bytes:
        client = client_of(self.connection)
        wanted: Any = {"Bucket": self.bucket, "Key": self.key, "Range": f"bytes={start}-{start + length - 1}"}
        with explained(client, self.bucket, self.key):
            answer = client.get_object(**wanted)
            body = answer["Body"].read()
        if answer["ETag"].strip('"') != self.etag:
            raise self._changed()
        return body

    def _changed(self) -> DataServiceError:
        return DataServiceError(
            f"The object {self.key!r} in the bucket {self.bucket!r} changed while it was read: run again when it is "
            "complete."
        )


@cache
def client_of(connection: Connection) -> "S3Client":
    """Give a client that is not confined to the buckets that jobs may use."""
    client: S3Client = connection.resource().meta.client
    return client
