"""Moving files to and from S3: multipart, with progress, verified, and failures told in one sentence."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error, S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from s3transfer.exceptions import S3DownloadFailedError, TransferNotDoneError

from util_services.connections import MAX_CONCURRENCY
from util_services.errors import DataServiceError, nearest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

_PART_BYTES = 16 << 20
_REPORT_SECONDS = 5.0
_TRANSFER = TransferConfig(
    multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=MAX_CONCURRENCY
)

Log = Callable[[str], object]


@dataclass(frozen=True)
class Transferred:
    """A finished transfer.

    Attributes:
        bucket: Bucket name.
        key: Object key.
        etag: ETag of the object, without quotes.
        size: Bytes.
        seconds: Duration.
    """

    bucket: str
    key: str
    etag: str
    size: int
    seconds: float


class _Stopped(Exception):  # noqa: N818 - a signal between threads, not an error
    """The run was interrupted while a transfer was under way."""


class _Progress:
    """Bytes moved so far; called by boto3's transfer threads."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._lock = threading.Lock()
        self._moved = 0
        self._started = time.monotonic()
        self.stopped = False

    def __call__(self, count: int) -> None:
        if self.stopped:
            raise _Stopped
        with self._lock:
            self._moved += count

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-3)
        share = 100 * self._moved / self._total if self._total else 100.0
        return f"{self._what}: {self._moved:,} bytes, {share:.0f} %, {self._moved / seconds / 1e6:.1f} MB/s"


def download(client: "S3Client", bucket: str, key: str, path: Path, log: Log) -> Transferred:
    """Fetch an object into a local file, in parallel ranges when it is large.

    Args:
        client: An S3 client.
        bucket: Bucket name.
        key: Object key.
        path: Local file to write.
        log: Takes a progress line at least every 10 s.

    Raises:
        DataServiceError: If the bucket or object is missing, access is denied, the endpoint cannot be reached, or the
            size differs from what S3 announced.
    """
    with explained(client, bucket, key):
        head = client.head_object(Bucket=bucket, Key=key)
        size, started = head["ContentLength"], time.monotonic()
        progress = _Progress(f"Reading s3://{bucket}/{key}", size)
        _follow(
            lambda: client.download_file(bucket, key, str(path), Config=_TRANSFER, Callback=progress), progress, log
        )
    if path.stat().st_size != size:
        raise DataServiceError(
            f"The object {key!r} in the bucket {bucket!r} changed while it was read: run again when it is complete."
        )
    return Transferred(bucket, key, head["ETag"].strip('"'), size, time.monotonic() - started)


def upload(
    client: "S3Client", path: Path, bucket: str, key: str, log: Log, *, content_type: str | None = None
) -> Transferred:
    """Store a local file as one object: a single PUT, or a multipart upload that is completed at the end or aborted.

    Args:
        client: An S3 client.
        path: Local file.
        bucket: Bucket name.
        key: Object key.
        log: Takes a progress line at least every 10 s.
        content_type: Media type that the object is served with; ``None`` leaves it to the storage.

    Raises:
        DataServiceError: As :func:`download`, or if the stored size differs from the file's.
    """
    size, started = path.stat().st_size, time.monotonic()
    with explained(client, bucket, key):
        if not _bucket_exists(client, bucket):  # some storages would create it, hiding a mistyped name
            raise DataServiceError(_no_bucket(bucket))
        progress = _Progress(f"Writing s3://{bucket}/{key}", size)
        _follow(
            lambda: client.upload_file(
                str(path),
                bucket,
                key,
                ExtraArgs={"ContentType": content_type} if content_type else {},
                Config=_TRANSFER,
                Callback=progress,
            ),
            progress,
            log,
        )
        head = client.head_object(Bucket=bucket, Key=key)
    if head["ContentLength"] != size:
        raise DataServiceError(
            f"The object {key!r} in the bucket {bucket!r} has {head['ContentLength']} bytes where {size} were sent: "
            "check the storage and run again."
        )
    return Transferred(bucket, key, head["ETag"].strip('"'), size, time.monotonic() - started)


def listed(client: "S3Client", bucket: str, beginning: str) -> list["ObjectTypeDef"]:
    """List all objects whose key begins so; what boto3 raises is to be :func:`explained`."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=beginning)
    return [entry for page in pages for entry in page.get("Contents", [])]


def _follow(transfer: Callable[[], None], progress: _Progress, log: Log) -> None:
    """Run a transfer in a thread and report on it from this one; an interrupt here ends it there."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="s3-transfer") as pool:
        running = pool.submit(transfer)
        try:
            while wait([running], timeout=_REPORT_SECONDS).not_done:
                log(str(progress))
            running.result()
        except BaseException:
            progress.stopped = True
            raise
    log(str(progress))


@contextmanager
def explained(client: "S3Client", bucket: str, key: str) -> Iterator[None]:
    """Turn an S3 client's exceptions into one sentence that names what is missing and the remedy.

    Raises:
        DataServiceError: In place of any exception of boto3 or botocore.
    """
    try:
        yield
    except ClientError as error:
        raise DataServiceError(_explain(client, error, bucket, key)) from None
    except S3UploadFailedError as error:
        if isinstance(error.__context__, ClientError):
            raise DataServiceError(_explain(client, error.__context__, bucket, key)) from None
        raise DataServiceError(f"The object {key!r} could not be stored in the bucket {bucket!r}: run again.") from None
    except NoCredentialsError:
        raise DataServiceError(
            "No S3 credentials are configured: set S3_ACCESS_KEY and S3_SECRET_KEY, or those of the named connection."
        ) from None
    except (Boto3Error, BotoCoreError, S3DownloadFailedError, TransferNotDoneError) as error:
        raise DataServiceError(
            f"The S3 endpoint could not be reached for the bucket {bucket!r} ({type(error).__name__}): check "
            "S3_ENDPOINT_URL, or that of the named connection, and that the storage is up."
        ) from None


def _explain(client: "S3Client", error: ClientError, bucket: str, key: str) -> str:
    code = _code(error)
    if code == "403":
        code = _reason_for_denial(client, bucket)
    if code in {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "AuthorizationHeaderMalformed",
    }:
        return (
            "The S3 storage rejects the credentials: check S3_ACCESS_KEY and S3_SECRET_KEY, or those of the named "
            "connection."
        )
    if code == "NoSuchBucket" or (code in {"404", "NoSuchKey"} and not _bucket_exists(client, bucket)):
        return _no_bucket(bucket)
    if code in {"404", "NoSuchKey"}:
        hint = nearest(key, _neighbours(client, bucket, key))
        return f"The object {key!r} does not exist in the bucket {bucket!r}: {hint}"
    if code in {"403", "AccessDenied", "Forbidden"}:
        return (
            f"The S3 storage denies access to {key!r} in the bucket {bucket!r}: check S3_ACCESS_KEY and "
            "S3_SECRET_KEY, or ask the operator for the permission."
        )
    answer = code or "an error"
    return f"The S3 storage answered {answer} for {key!r} in the bucket {bucket!r}: run again or ask the operator."


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _reason_for_denial(client: "S3Client", bucket: str) -> str:
    """Ask with a request whose answer has a body: that to HEAD has none, so it tells no more than 403."""
    try:
        client.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        return _code(error)
    except BotoCoreError:
        pass
    return "AccessDenied"


def _no_bucket(bucket: str) -> str:
    return f"The bucket {bucket!r} does not exist: check bucket_name, or ask the operator to create it."


def _bucket_exists(client: "S3Client", bucket: str) -> bool:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        return _code(error) not in {"404", "NoSuchBucket"}
    return True


def _neighbours(client: "S3Client", bucket: str, key: str) -> list[str]:
    folder = key.rpartition("/")[0]
    try:
        listing = client.list_objects_v2(Bucket=bucket, Prefix=f"{folder}/" if folder else "", Delimiter="/")
    except (ClientError, BotoCoreError):
        return []
    return [entry["Key"] for entry in listing.get("Contents", []) if "Key" in entry]
