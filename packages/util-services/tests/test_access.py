from pathlib import Path

import pytest

from util_services.access import allowed_buckets, check_bucket, data_path, input_file
from util_services.errors import DataServiceError


def test_without_data_root_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_path("a/b.csv") == tmp_path / "a" / "b.csv"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("DATA_ROOT", str(folder))
    return folder


def test_data_root_is_where_relative_paths_start(root: Path) -> None:
    assert data_path("a/b.csv") == root / "a" / "b.csv"
    assert data_path(str(root / "c.csv")) == root / "c.csv"


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "link/secret.csv", "file-link"])
def test_data_root_cannot_be_left(root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n")
    (root / "link").symlink_to(tmp_path)
    (root / "file-link").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataServiceError, match="outside the folder that DATA_ROOT allows: give a path inside"):
        data_path(path)


def test_a_link_that_stays_inside_data_root_is_followed(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to(root / "real")
    assert data_path("link/a.csv") == root / "real" / "a.csv"


def test_a_data_root_that_is_no_folder_is_named_but_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "missing"))
    with pytest.raises(DataServiceError, match="DATA_ROOT") as error:
        data_path("a.csv")
    assert "missing" not in str(error.value)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_an_empty_path_or_a_nul_is_refused(path: str) -> None:
    with pytest.raises(DataServiceError, match="empty or contains a NUL"):
        data_path(path)


def test_input_must_be_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match="does not exist: check input_path"):
        input_file(str(tmp_path / "missing.csv"))
    with pytest.raises(DataServiceError, match="not a regular file"):
        input_file(str(tmp_path))


def test_only_listed_buckets_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_bucket("any")
    assert allowed_buckets() is None
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", "one, two,")
    check_bucket("two")
    with pytest.raises(DataServiceError, match="'three' is not one that S3_ALLOWED_BUCKETS allows"):
        check_bucket("three")


def test_an_empty_list_of_buckets_allows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", "")
    with pytest.raises(DataServiceError):
        check_bucket("any")
