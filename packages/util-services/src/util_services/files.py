"""Local output files, and folders of them, that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from util_services.disk_space import given_back
from util_services.errors import DataServiceError

SUCCESS = "_SUCCESS"
"""Name of the empty file or object that stands beside parts of a table when all are there, as Spark writes it."""


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a private partial file beside the target and rename it when the block ends well.

    The partial file (mode 0600, hidden) is locked while it is written, so a later run recognises one that a killed
    process left behind and removes it. On an exception it is removed and the target stays as it was.

    Args:
        target: Where the output shall appear. Missing parent folders are created.

    Yields:
        The path to write to, on the file system of the target.

    Raises:
        DataServiceError: If the folder cannot be written to.
    """
    with _reserved(target) as partial:
        yield partial
        # No fsync: a killed process cannot tear a rename, and flushing would double the time of a run.
        partial.chmod(0o666 & ~_umask())
        with given_back([target]):
            partial.replace(target)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a private partial folder beside the target and rename it when the block ends well; as :func:`whole_file`.

    Args:
        target: Where the output shall appear; nothing may be there.

    Yields:
        The folder to write to, on the file system of the target.

    Raises:
        DataServiceError: If the target exists, or the folder around it cannot be written to.
    """
    if target.exists():
        raise DataServiceError(
            f"The output {target.name!r} exists, and parts are not mixed with what is there: remove it or choose "
            "another output_path."
        )
    with _reserved(target) as partial:
        folder = _folder_of(partial)
        try:
            folder.mkdir(mode=0o700)
            yield folder
            for path in folder.iterdir():
                path.chmod(0o666 & ~_umask())
            folder.chmod(0o777 & ~_umask())
            folder.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _reserved(target: Path) -> Iterator[Path]:
    """Make an empty partial file beside the target, locked as long as the block lasts."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        partial = target.with_name(f".{target.name}.{uuid4().hex}.partial")
        lock = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except OSError as error:
        raise DataServiceError(
            f"The output {target.name!r} cannot be written to its folder ({error.strerror}): choose a writable folder."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        os.close(lock)


def _remove_abandoned(target: Path) -> None:
    for partial in target.parent.glob(f".{_escaped(target.name)}.*.partial"):
        with suppress(OSError):
            descriptor = os.open(partial, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                shutil.rmtree(_folder_of(partial), ignore_errors=True)
                partial.unlink()
            finally:
                os.close(descriptor)


def _folder_of(partial: Path) -> Path:
    """Name the folder that a partial file reserves."""
    return partial.with_suffix(".parts")


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
