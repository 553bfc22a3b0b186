import subprocess
import sys
from pathlib import Path

import pytest

from util_services.errors import DataServiceError
from util_services.files import whole_file


def test_the_target_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.csv"
    with whole_file(target) as partial:
        partial.write_text("a\n")
        assert not target.exists()
        assert partial.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == "a\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_target_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def fail() -> None:
        with whole_file(target) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_partial_file_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    target = tmp_path / "out[1].csv"
    code = (
        "import os, sys; from pathlib import Path; from util_services.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('SECRET')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert len(list(tmp_path.glob(".*.partial"))) == 1
    with whole_file(target) as outer:
        outer.write_text("outer")
        with whole_file(target) as inner:
            inner.write_text("inner")
        assert outer.exists()
    assert target.read_text() == "outer"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataServiceError, match=r"'out.csv' cannot be written .* choose a writable folder"):
        whole_file(tmp_path / "file" / "out.csv").__enter__()
