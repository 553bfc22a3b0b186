"""Parts of a table below one prefix of S3, marked as whole when they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from util_services.errors import DataServiceError
from util_services.files import SUCCESS
from util_services.objects import Log, Transferred, explained, listed, upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INCOMPLETE = "_INCOMPLETE"
"""Name of the object that is below a prefix as long as parts are missing."""


def check_free(client: "S3Client", bucket: str, key: str) -> None:
    """Refuse a prefix below which there is anything but what a run left behind that did not end.

    Raises:
        DataServiceError: If there is, or as :func:`util_services.objects.download`.
    """
    _left_behind(client, bucket, key)


def upload_parts(client: "S3Client", parts: Sequence[Path], bucket: str, key: str, log: Log) -> list[Transferred]:
    """Store files as ``KEY/NAME`` each, and then an empty ``KEY/_SUCCESS``; if this fails, nothing stays.

    A process that is killed leaves parts without ``_SUCCESS``, but with ``_INCOMPLETE``: the next call removes them.
    Two runs must not write below one prefix at a time: if they do, the last to end fails and marks it as incomplete.

    Args:
        client: An S3 client, which also needs the right to list and to delete objects.
        parts: Local files, in order.
        bucket: Bucket name.
        key: The prefix, without the slash at its end.
        log: As for :func:`util_services.objects.upload`.

    Raises:
        DataServiceError: As :func:`check_free` and :func:`util_services.objects.upload`.
    """
    incomplete, success = f"{key}/{INCOMPLETE}", f"{key}/{SUCCESS}"
    left_behind = _left_behind(client, bucket, key)
    with explained(client, bucket, key):
        client.put_object(Bucket=bucket, Key=incomplete)
        for other in left_behind - {incomplete}:
            client.delete_object(Bucket=bucket, Key=other)
    keys = [f"{key}/{part.name}" for part in parts]
    with _removed_on_failure(client, bucket, [*keys, incomplete]):
        done = [upload(client, part, bucket, each, log) for part, each in zip(parts, keys, strict=True)]
    with explained(client, bucket, key):
        stored = _objects(client, bucket, key)
        stored.pop(incomplete, None)
        if stored != {each.key: each.etag for each in done}:
            client.put_object(Bucket=bucket, Key=incomplete)
            client.delete_object(Bucket=bucket, Key=success)
            raise DataServiceError(
                f"The prefix {key + '/'!r} in the bucket {bucket!r} changed while it was written: run again, and "
                "only one run at a time."
            )
        client.put_object(Bucket=bucket, Key=success)
        client.delete_object(Bucket=bucket, Key=incomplete)
    return done


def _left_behind(client: "S3Client", bucket: str, key: str) -> set[str]:
    with explained(client, bucket, key):
        found = _objects(client, bucket, key).keys()
    if found and f"{key}/{INCOMPLETE}" not in found:
        raise DataServiceError(
            f"There are objects below {key + '/'!r} in the bucket {bucket!r}, and parts are not mixed with what is "
            "there: remove them or choose another file_key."
        )
    return set(found)


def _objects(client: "S3Client", bucket: str, key: str) -> dict[str, str]:
    """List what is below a prefix, with the ETag of each object."""
    return {entry["Key"]: entry["ETag"].strip('"') for entry in listed(client, bucket, f"{key}/")}


@contextmanager
def _removed_on_failure(client: "S3Client", bucket: str, keys: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(ClientError, BotoCoreError):  # what is told is the first failure
            for key in keys:
                client.delete_object(Bucket=bucket, Key=key)
        raise
