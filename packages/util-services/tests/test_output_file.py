import errno
import fcntl
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from util_services import memory, output_file
from util_services.output_file import OutputFile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux writes past the page cache and limits it")
BLOCK = 1 << 16


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "_BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(output_file, "memory_bytes", lambda: 10 * BLOCK)  # the first block may stay in memory


def bypasses(file: OutputFile) -> bool:
    return bool(fcntl.fcntl(file._descriptor, fcntl.F_GETFL) & os.O_DIRECT)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3 * BLOCK), max_size=8))
def test_holds_what_was_written_in_any_portions(tmp_path: Path, portions: list[int]) -> None:
    path = tmp_path / "out.csv"
    content = os.urandom(sum(portions))
    with OutputFile(path) as file:
        start = 0
        for portion in portions:
            assert file.write(memoryview(content)[start : start + portion]) == portion
            start += portion
    assert path.read_bytes() == content


def test_only_what_follows_the_first_tenth_of_the_memory_bypasses_the_page_cache(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "out.csv") as file:
        file.write(bytes(BLOCK))
        if bypasses(file):
            pytest.fail("the first bytes are to stay in the page cache")
        file.write(bytes(5))
        assert bypasses(file)


def test_replaces_a_longer_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(bytes(9 * BLOCK))
    with OutputFile(path) as file:
        file.write(b"x" * (2 * BLOCK + 5))
    assert path.read_bytes() == b"x" * (2 * BLOCK + 5)


@pytest.mark.parametrize("refused", ["the flag", "the bytes"])
def test_file_systems_that_cannot_do_so_get_the_file_through_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    control, pwrite = fcntl.fcntl, os.pwrite

    def refusing_flag(descriptor: int, command: int, flags: int = 0) -> int:
        if refused == "the flag" and command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return control(descriptor, command, flags)

    def refusing_bytes(descriptor: int, data: memoryview, start: int) -> int:
        if refused == "the bytes" and control(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return pwrite(descriptor, data, start)

    monkeypatch.setattr(fcntl, "fcntl", refusing_flag)
    monkeypatch.setattr(os, "pwrite", refusing_bytes)
    path, content = tmp_path / "out.csv", os.urandom(5 * BLOCK + 7)
    with OutputFile(path) as file:
        file.write(content)
        if refused == "the flag":
            assert not bypasses(file)
    assert path.read_bytes() == content


def test_a_full_disk_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "memory_bytes", lambda: 0)
    file = OutputFile(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(9 * BLOCK))  # a thread's failure is told when its buffer is needed again
    file.close()
    assert file.closed


def test_a_full_disk_is_told_at_the_end_at_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    file = OutputFile(Path("/dev/full"))
    file.close()
    monkeypatch.setattr(output_file, "memory_bytes", lambda: 0)
    file = OutputFile(Path("/dev/full"))
    file.write(bytes(BLOCK + 1))
    with pytest.raises(OSError, match="No space left"):
        file.close()
    assert file.closed


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/pods/one\n", {"pods/one/memory.max": "max\n", "pods/memory.max": "7000\n"}, 7000),
        ("0::/\n", {"memory.max": "5000\n"}, 5000),
        ("4:memory:/a/b\n0::/\n", {"memory/a/memory.limit_in_bytes": "3000\n"}, 3000),
        ("4:memory:/not/in/this/container\n", {"memory/memory.limit_in_bytes": "2000\n"}, 2000),
        ("3:cpuset:/a\n", {"a/memory.max": "9\n"}, None),
    ],
)
def test_memory_is_what_control_groups_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], expected: int | None
) -> None:
    of_process = tmp_path / "cgroup"
    of_process.write_text(groups)
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OF_PROCESS", of_process)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory.memory_bytes() == (expected or machine)


@pytest.mark.parametrize(("expected", "native"), [(None, False), (0, True), (BLOCK, True), (BLOCK + 1, False)])
def test_what_surely_stays_in_the_page_cache_needs_no_python(
    tmp_path: Path, expected: int | None, native: bool
) -> None:
    with output_file.open_output(tmp_path / "out.csv", expected) as file:
        assert (type(file) is io.FileIO) is native
        file.write(b"a,b\n")
    assert (tmp_path / "out.csv").read_bytes() == b"a,b\n"
