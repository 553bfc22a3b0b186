"""Which files and buckets a run may touch: DATA_ROOT and S3_ALLOWED_BUCKETS, and never the bucket of STAGING_URI.

Values in a run config may come from an outsider, so both are checked where they are used.
"""

import os
from pathlib import Path

from util_services.errors import DataServiceError

DATA_ROOT = "DATA_ROOT"
ALLOWED_BUCKETS = "S3_ALLOWED_BUCKETS"
STAGING_URI = "STAGING_URI"
_OBJECTS = "s3a://"


def data_path(path: str) -> Path:
    """Resolve a local path from a run config.

    Without ``DATA_ROOT`` a relative path starts at the working directory and any path is allowed. With it, a relative
    path starts at that folder, and the path, symbolic links followed, must stay inside it.

    Args:
        path: The path as the user wrote it.

    Returns:
        The absolute path with symbolic links resolved.

    Raises:
        DataServiceError: If the path is empty, lies outside ``DATA_ROOT``, or ``DATA_ROOT`` is not a folder.
    """
    if not path or "\0" in path:
        raise DataServiceError("A local path in the run config is empty or contains a NUL character: give a file path.")
    root = os.environ.get(DATA_ROOT)
    if not root:
        return Path(path).resolve()
    base = Path(root).resolve()
    if not base.is_dir():
        raise DataServiceError(f"The environment variable {DATA_ROOT} does not name an existing folder: correct it.")
    resolved = (base / path).resolve()
    if not resolved.is_relative_to(base):
        raise DataServiceError(
            f"The path {path!r} lies outside the folder that {DATA_ROOT} allows: give a path inside that folder."
        )
    return resolved


def input_file(path: str, key: str = "input_path") -> Path:
    """Resolve the path of a file to read; like :func:`data_path`, and the file must exist.

    Args:
        path: The path as the user wrote it.
        key: Name of its configuration key, for messages.

    Raises:
        DataServiceError: If there is no such file, or it is not a regular file.
    """
    resolved = data_path(path)
    if not resolved.exists():
        raise DataServiceError(f"The input file {path!r} does not exist: check {key}.")
    if not resolved.is_file():
        raise DataServiceError(f"The input path {path!r} is not a regular file: give the path of one data file.")
    return resolved


def allowed_buckets() -> frozenset[str] | None:
    """Read ``S3_ALLOWED_BUCKETS``.

    Returns:
        The bucket names, or ``None`` where the variable is not set and every bucket is allowed.
    """
    setting = os.environ.get(ALLOWED_BUCKETS)
    if setting is None:
        return None
    return frozenset(name.strip() for name in setting.split(",") if name.strip())


def check_bucket(bucket: str) -> None:
    """Refuse a bucket that the operator did not allow, and that of what is between steps.

    Raises:
        DataServiceError: If ``S3_ALLOWED_BUCKETS`` is set and does not list the bucket, or ``STAGING_URI`` is in it:
            there are tables of other runs, and values that runs trust.
    """
    if (staging := staging_place()) and bucket == staging[0]:
        raise DataServiceError(
            f"The bucket {bucket!r} is that of {STAGING_URI}, which no job may use: use another bucket."
        )
    allowed = allowed_buckets()
    if allowed is not None and bucket not in allowed:
        raise DataServiceError(
            f"The bucket {bucket!r} is not one that {ALLOWED_BUCKETS} allows: use another or ask the operator."
        )


def staging_place() -> tuple[str, str] | None:
    """Give the bucket and the prefix that ``STAGING_URI`` names; ``None`` if it names a folder, or nothing.

    Raises:
        DataServiceError: If it names no bucket.
    """
    uri = os.environ.get(STAGING_URI) or ""
    if not uri.startswith(_OBJECTS):
        return None
    bucket, _, prefix = uri.removeprefix(_OBJECTS).partition("/")
    if not bucket:
        raise DataServiceError(
            f"The environment variable {STAGING_URI} names no place in object storage: give s3a://bucket/prefix."
        )
    return bucket, prefix.strip("/")
