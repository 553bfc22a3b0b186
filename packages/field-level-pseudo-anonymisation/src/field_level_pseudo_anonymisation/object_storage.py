"""Where techniques keep files: local ones, and objects ``s3://bucket/key`` through the connection ``selfS3``."""

from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from field_level_pseudo_anonymisation.local_storage import LocalStorage, changed
from field_level_pseudo_anonymisation.techniques.session import Stored
from util_services.connections import SELF
from util_services.locations import object_of
from util_services.objects import explained
from util_services.resources import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING = {"404", "NoSuchKey"}
_NOT_AS_READ = {"412", "409", "PreconditionFailed", "ConditionalRequestConflict"}


class AnyStorage:
    """Local files, and objects, confined by ``S3_ALLOWED_BUCKETS``; the version of an object is its ETag."""

    def __init__(self) -> None:
        self._files = LocalStorage()

    @cached_property
    def _client(self) -> "S3Client":
        return connect(SELF).meta.client

    def read(self, location: str) -> Stored | None:
        """Read a file or object, ``None`` if there is none.

        Raises:
            DataServiceError: If the location is malformed or forbidden, or cannot be read.
        """
        if (found_at := object_of(location)) is None:
            return self._files.read(location)
        bucket, key = found_at
        with explained(self._client, bucket, key):
            try:
                found = self._client.get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _code(error) not in _MISSING:
                    raise
                self._client.head_bucket(Bucket=bucket)  # that it is missing, too, is an error
                return None
            return Stored(found["Body"].read(), found["ETag"])

    def write(self, location: str, content: bytes, *, replacing: str | None) -> str:
        """Replace a file or object that is still as it was read.

        Raises:
            DataServiceError: If it is not, the location is malformed or forbidden, or it cannot be written.
        """
        if (found_at := object_of(location)) is None:
            return self._files.write(location, content, replacing=replacing)
        bucket, key = found_at
        with explained(self._client, bucket, key):
            if self._version(bucket, key) != replacing:
                raise changed(location)  # for storage that does not know the conditions below
            try:
                if replacing is None:
                    stored = self._client.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
                else:
                    stored = self._client.put_object(Bucket=bucket, Key=key, Body=content, IfMatch=replacing)
            except ClientError as error:
                if _code(error) not in _NOT_AS_READ:
                    raise
                raise changed(location) from None
        return stored["ETag"]

    def _version(self, bucket: str, key: str) -> str | None:
        try:
            return self._client.head_object(Bucket=bucket, Key=key)["ETag"]
        except ClientError as error:
            if _code(error) not in _MISSING:
                raise
            return None


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
