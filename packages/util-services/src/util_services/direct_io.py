"""Reading and writing large files past the page cache.

Within a memory limit the pages of a large input or output take the place of the tables between steps, which have to be
read from the disk again then. And to get pages can take longer than to read or write the disk directly.
"""

import errno
import fcntl
import mmap
import os

_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux


def bypass_cache(descriptor: int, *, bypass: bool) -> None:
    """Have a file read or written directly from now on, or no more; without effect where that cannot be done."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if bypass else flags & ~_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def read(descriptor: int, memory: memoryview, start: int) -> int:
    """Fill memory with the bytes of a file from a place on.

    Args:
        descriptor: The file.
        memory: Direct reading needs a beginning and a length that are multiples of the disk's blocks.
        start: Likewise.

    Returns:
        How many bytes there were.
    """
    try:
        return os.preadv(descriptor, [memory], start)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        bypass_cache(descriptor, bypass=False)  # some file systems take the flag and then refuse
        return os.preadv(descriptor, [memory], start)


def write(descriptor: int, memory: memoryview, start: int) -> None:
    """Write bytes to a place of a file; what :func:`read` says holds here, too."""
    while memory:
        try:
            done = os.pwrite(descriptor, memory, start)
        except OSError as error:
            if error.errno != errno.EINVAL or not _DIRECT & fcntl.fcntl(descriptor, fcntl.F_GETFL):
                raise
            bypass_cache(descriptor, bypass=False)
            continue
        memory, start = memory[done:], start + done


def aligned_memory(size: int) -> mmap.mmap:
    """Give memory that begins at a page, as direct reading and writing need it.

    Args:
        size: In bytes.
    """
    return mmap.mmap(-1, size)
