import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from field_level_pseudo_anonymisation.key_commands import main
from util_services.servers import KeyServer

PROGRAM = Path(sysconfig.get_path("scripts")) / "simpl-keys"


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys.json"
    monkeypatch.setenv("KEY_FILE", str(path))
    return path


def test_keys_are_made_rotated_and_listed_but_never_shown(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(["create", "b"]), main(["create", "a"]), main(["rotate", "a"]), main(["list"])] == [0, 0, 0, 0]
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        "Created the key 'b', version 1.",
        "Created the key 'a', version 1.",
        "Rotated the key 'a': new pseudonyms are made with version 2.",
        "a\t1, 2",
        "b\t1",
    ]
    for versions in json.loads(key_file.read_text()).values():
        assert not [material for material in versions.values() if material in printed.out]


def test_a_mistake_is_one_sentence_and_exit_code_1(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["create", "a"])
    before = key_file.read_bytes()
    assert main(["create", "a"]) == 1
    assert capsys.readouterr().err == "The key 'a' exists already: rotate it, or choose another name.\n"
    assert key_file.read_bytes() == before
    assert main(["rotate", "b"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_keys_are_made_in_openbao(vault: KeyServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(["create", "commanded"]), main(["rotate", "commanded"]), main(["list"])] == [0, 0, 0]
    assert "commanded\t1, 2" in capsys.readouterr().out
    del vault


def test_the_installed_command_explains_itself_and_uses_exit_codes() -> None:
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    assert "create" in shown
    assert "VAULT_ADDR" in shown
    assert subprocess.run([PROGRAM, "destroy"], capture_output=True, check=False).returncode == 2
    failed = subprocess.run([PROGRAM, "list"], capture_output=True, text=True, check=False, env={})
    assert (failed.returncode, failed.stderr.count("\n"), "KEY_FILE" in failed.stderr) == (1, 1, True)
