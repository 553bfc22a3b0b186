"""Side inputs of a job, such as a hierarchy or a population table: a local path or ``s3://bucket/key``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from util_services.access import input_file
from util_services.connections import SELF
from util_services.errors import DataServiceError
from util_services.objects import download
from util_services.resources import connect
from util_services.staging import run_folder

_SCHEME = "s3://"


def object_of(location: str) -> tuple[str, str] | None:
    """Give bucket and key of an object, ``None`` for a local path.

    Raises:
        DataServiceError: If the location is that of an object and lacks one of the two.

    Examples:
        >>> object_of("s3://intake/2026/visits.csv"), object_of("visits.csv")
        (('intake', '2026/visits.csv'), None)
    """
    if not location.startswith(_SCHEME):
        return None
    bucket, _, key = location.removeprefix(_SCHEME).partition("/")
    if not bucket or not key:
        raise DataServiceError(f"The location {location!r} is malformed: give s3://bucket/key or a path.")
    return bucket, key


@contextmanager
def opened(location: str, run_id: str, log: Callable[[str], object], key: str = "input_path") -> Iterator[Path]:
    """Give a side input as a local file; an object is fetched for as long as the block lasts.

    Objects come through the connection ``selfS3``, confined by ``S3_ALLOWED_BUCKETS`` as any other, so that a job on
    local files can use them, too. Local paths are confined by ``DATA_ROOT``.

    Args:
        location: A path or ``s3://bucket/key``.
        run_id: The run whose private folder holds the copy.
        log: Takes progress lines.
        key: Name of its configuration key, for messages.

    Raises:
        DataServiceError: If the location is malformed or cannot be read.
    """
    if (found := object_of(location)) is None:
        yield input_file(location, key)
        return
    bucket, object_key = found
    path = run_folder(run_id) / f"side-{uuid4().hex}{''.join(Path(object_key).suffixes[-2:])}"
    try:
        download(connect(SELF).meta.client, bucket, object_key, path, log)
        yield path
    finally:
        path.unlink(missing_ok=True)
