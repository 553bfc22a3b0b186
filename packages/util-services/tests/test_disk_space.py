import os
from pathlib import Path

import pytest
from polling import wait_for_threads

from util_services import disk_space
from util_services.files import whole_file


def opened() -> set[str]:
    return {str(link.resolve()) for link in Path("/proc/self/fd").iterdir()}


def test_the_space_of_a_large_file_that_is_replaced_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "_LARGE_BYTES", 4)
    closed, close = [], disk_space._close
    monkeypatch.setattr(disk_space, "_close", lambda descriptors: (closed.extend(descriptors), close(descriptors)))
    target = tmp_path / "out.csv"
    for text in ("old", "older", "new"):
        with whole_file(target) as partial:
            partial.write_text(text)
    wait_for_threads("give-back")
    assert target.read_text() == "new"
    assert len(closed) == 1  # that of "older", the only one that was large
    assert not any(str(tmp_path) in path for path in opened())


def test_files_that_are_none_or_are_gone_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "_LARGE_BYTES", 0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # to open it would wait for a writer
    with disk_space.given_back([tmp_path / "missing", tmp_path, pipe]):
        assert not any(str(tmp_path) in path for path in opened())
