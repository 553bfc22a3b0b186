import json
import stat
from pathlib import Path

import pytest
import yaml

from field_level_pseudo_anonymisation.key_file import KeyFile
from util_services.errors import DataServiceError

MATERIAL = "mde" + "A" * 40 + "="  # fixed, because it is in the names of tests


def written(path: Path, content: object, mode: int = 0o600) -> KeyFile:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return KeyFile(str(path))


@pytest.mark.parametrize("ending", ["json", "yaml", "yml"])
def test_keys_are_created_rotated_and_listed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "new" / f"keys.{ending}"
    KeyFile(str(path)).create("a")
    KeyFile(str(path)).create("b")
    before = KeyFile(str(path)).key("a")
    assert KeyFile(str(path)).rotate("a") == 2
    after = KeyFile(str(path))
    assert after.names() == ["a", "b"]
    assert after.version_numbers("a") == [1, 2]
    assert after.key("a").versions[1] == before.versions[1] != after.key("a").versions[2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_may_be_written_without_versions(tmp_path: Path) -> None:
    assert written(tmp_path / "keys.json", {"a": MATERIAL}).key("a").versions == {1: MATERIAL}


def test_yaml_may_number_versions_without_quotes(tmp_path: Path) -> None:
    store = written(tmp_path / "keys.yaml", yaml.safe_dump({"a": {3: MATERIAL}}))
    assert store.key("a").newest == 3


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    store = written(tmp_path / "keys.json", {"a": MATERIAL}, mode)
    for use in (store.key, store.create, store.rotate):
        with pytest.raises(DataServiceError, match=f"'keys.json' has mode {mode:04o} .* set its mode to 0600"):
            use("a")


def test_create_never_overwrites(tmp_path: Path) -> None:
    store = written(tmp_path / "keys.json", {"a": MATERIAL})
    before = (tmp_path / "keys.json").read_bytes()
    with pytest.raises(DataServiceError, match="'a' exists already"):
        store.create("a")
    assert (tmp_path / "keys.json").read_bytes() == before


def test_an_unknown_key_is_told_with_the_nearest(tmp_path: Path) -> None:
    store = written(tmp_path / "keys.json", {"patients": MATERIAL})
    for use in (store.key, store.rotate, store.version_numbers):
        with pytest.raises(DataServiceError, match=r"'patient' does not exist: did you mean 'patients'\?"):
            use("patient")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"a": []}', '{"a": {"x": "y"}}', '{"a": {"1": 5}}', f'{{"a": "{MATERIAL[:-9]}"}}', '{"../a": "x"}'],
)
def test_a_malformed_file_is_told_without_quoting_it(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataServiceError, match="malformed") as caught:
        written(tmp_path / "keys.json", content).key("a")
    assert MATERIAL[:10] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_missing_file_and_an_unknown_ending_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataServiceError, match=r"'none.json' does not exist: check KEY_FILE"):
        KeyFile(str(tmp_path / "none.json")).key("a")
    (tmp_path / "pipe.json").symlink_to("/dev/null")
    with pytest.raises(DataServiceError, match="is not a regular file"):
        KeyFile(str(tmp_path / "pipe.json")).key("a")
    with pytest.raises(DataServiceError, match=r"unknown ending: use .json, .yaml or .yml"):
        KeyFile(str(tmp_path / "keys.txt"))


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    store = written(tmp_path / "keys.json", {"a": MATERIAL})
    assert MATERIAL not in repr(store.key("a")) + repr(store)
