"""The space of files that are removed or replaced: file systems may take seconds to give it back."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

_LARGE_BYTES, _MOST_OPENED = 64 << 20, 64


@contextmanager
def given_back(paths: Iterable[Path]) -> Iterator[None]:
    """Remove or replace files within the block; their space is given back in a thread afterwards.

    The space of a file that is open comes back when it is closed.

    Args:
        paths: Of the files; what is small, or is none, is passed over.
    """
    opened: list[int] = []
    with suppress(OSError):  # of a file that another process removes meanwhile
        large = (path for path in paths if path.is_file() and path.stat().st_size >= _LARGE_BYTES)
        opened.extend(os.open(path, os.O_RDONLY) for path in islice(large, _MOST_OPENED))
    try:
        yield
    finally:
        if opened:
            threading.Thread(target=_close, args=(opened,), name="give-back").start()


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
