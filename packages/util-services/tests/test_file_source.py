import ctypes
import mmap
import os
import sys
from pathlib import Path

import pytest

from util_services import file_source
from util_services.direct_io import aligned_memory
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


def drop(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(os.urandom(STEP * STEPS))
    drop(path)
    if any(cached(path)):
        pytest.skip("this file system keeps its files in memory")
    return path


@pytest.mark.parametrize("large", [True, False])
def test_only_a_file_that_is_large_for_the_memory_is_read_past_the_page_cache(
    path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(file_source, "memory_bytes", lambda: 4 * STEP * STEPS + (0 if large else 4))
    content, expected = aligned_memory(STEP * STEPS), path.read_bytes()
    drop(path)
    with LocalFile(path).opened() as read:
        assert sum(read(memoryview(content)[start : start + STEP], start) for start in range(0, len(content), STEP))
    assert content[:] == expected
    assert any(cached(path)) != large


@pytest.mark.parametrize("length", [STEP * STEPS - 1, 4096, 4095, 1, 0])
def test_the_end_of_a_file_that_is_read_past_the_page_cache_need_not_be_a_block(
    path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(file_source, "memory_bytes", lambda: 0)
    expected = path.read_bytes()[:length]
    os.truncate(path, length)
    content = aligned_memory(STEP * STEPS)
    with LocalFile(path).opened() as read:
        assert read(memoryview(content), 0) == length
        assert read(memoryview(content)[STEP:], STEP * STEPS) == 0
    assert content[:length] == expected


def test_what_is_not_aligned_is_read_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_source, "memory_bytes", lambda: 0)
    content = bytearray(10)
    with LocalFile(path).opened() as read:
        assert read(memoryview(content), 3) == 10
    assert content == path.read_bytes()[3:13]
