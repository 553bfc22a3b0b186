import ctypes
import mmap
import os
import sys
from pathlib import Path

import pytest

from util_services import file_source
from util_services.file_source import LocalFile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is in the page cache")
STEP, STEPS = 1 << 20, 12


def cached(path: Path) -> list[bool]:
    """Tell of the beginning of each step whether it is in the page cache, without reading it."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as pages:
        start = ctypes.c_char.from_buffer(pages)
        known = (ctypes.c_ubyte * (len(pages) // mmap.PAGESIZE))()
        failed = ctypes.CDLL(None).mincore(ctypes.byref(start), ctypes.c_size_t(len(pages)), known)
        del start  # or the mapping could not be closed
    assert not failed
    return [bool(known[step * STEP // mmap.PAGESIZE] & 1) for step in range(STEPS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(os.urandom(STEP * STEPS))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if any(cached(path)):
        pytest.skip("this file system keeps its files in memory")
    return path


@pytest.mark.parametrize("large", [True, False])
def test_only_a_large_file_is_dropped_from_the_page_cache_behind_the_reader(
    path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(file_source, "_LARGE_BYTES", STEP * (STEPS if large else STEPS + 1))
    monkeypatch.setattr(file_source, "_BEHIND_BYTES", 4 * STEP)
    monkeypatch.setattr(file_source, "_DROPPED_BYTES", 2 * STEP)
    content, expected = bytearray(STEP * STEPS), path.read_bytes()
    with LocalFile(path).opened() as read:
        assert sum(read(memoryview(content)[start : start + STEP], start) for start in range(0, len(content), STEP))
    assert content == expected
    assert cached(path) == [not large or step > 8 for step in range(STEPS)]
