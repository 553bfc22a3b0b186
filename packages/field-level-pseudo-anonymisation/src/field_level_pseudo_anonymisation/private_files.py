"""Local files that only their owner may read and that are replaced whole or not at all, by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def folder_locked(path: Path) -> Iterator[None]:
    """Make the folder of a file if it is missing (mode 0700) and keep other processes that ask from it.

    Raises:
        OSError: If the folder cannot be made or opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file, mode 0600; the old one stays if that fails.

    Raises:
        OSError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # what is lost here, no other file can give back
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
