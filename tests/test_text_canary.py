"""No text, no key and no token may be anywhere but in the output and, while a run goes on, in staging."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from test_canary import CANARY, execute

from field_level_pseudo_anonymisation.key_stores import key_store
from util_services.servers import KeyServer

TEXT = f"Dear {CANARY},\n\n" + "".join(f"write to {CANARY}.{n}@example.org.\n" for n in range(60))
STEPS = [{"encrypt": {"pii": ["EMAIL"], "key_name": "canary"}}, {"hash": {"pii": ["WORD"]}}]
STEPS += [{"deterministic_encrypt": {"pii": ["NAME"], "key_name": "canary"}}]
UNDO = [{"decrypt": {"key_name": "canary"}}, {"deterministic_decrypt": {"key_name": "canary"}}]
FORWARD, BACK = "anonymise_pseudonymise_unstructured", "depseudonymise_unstructured"


@pytest.fixture
def secrets(vault: KeyServer) -> list[str]:
    """What must not be found: the key and the token of the key store."""
    store = key_store()
    if "canary" not in store.names():
        store.create("canary")
    return [*store.key("canary").fernet_keys(), vault.token]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "in.txt").write_text(TEXT)
    return folder


def service(techniques: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    used = [{"technique": technique} for technique in techniques]
    return {"config": {"language": "en", "used_function": used} | more}


def forward(**more: Any) -> dict[str, Any]:
    return service(STEPS, names=False, words={"NAME": ["Dear"]}, patterns={"WORD": ["[A-Z]{6}"]}, **more)


def run(op: str, source: Path, target: Path, config: dict[str, Any], tmp_path: Path) -> tuple[bool, str]:
    ops = {
        "read_txt_to_string": {"config": {"input_path": str(source)}},
        "write_string_to_txt": {"config": {"output_path": str(target)}},
    }
    return execute(f"{op}_job", ops | {op: config}, tmp_path)


def check_clean(everything: str, secrets: list[str]) -> None:
    assert CANARY not in everything
    assert not [secret for secret in secrets if secret in everything]


def test_pseudonymising_leaves_neither_text_nor_key(data: Path, tmp_path: Path, secrets: list[str]) -> None:
    succeeded, everything = run(FORWARD, data / "in.txt", data / "out.txt", forward(), tmp_path)
    assert succeeded
    assert CANARY not in (data / "out.txt").read_text()
    assert "| EMAIL | encrypt | 60 |" in everything
    check_clean(everything, secrets)
    assert not list((tmp_path / "staging").iterdir())
    assert not list((tmp_path / "tmp").rglob("*.text"))


@pytest.mark.parametrize("foreign", [False, True])
def test_restoring_leaves_neither_text_nor_key(data: Path, tmp_path: Path, secrets: list[str], foreign: bool) -> None:
    key = Fernet(secrets[0])
    tokens = [key.encrypt(CANARY.encode()), Fernet(Fernet.generate_key()).encrypt(CANARY.encode())]
    (data / "in.txt").write_bytes(b"\n".join(tokens[: 1 + foreign]))
    succeeded, everything = run(BACK, data / "in.txt", data / "out.txt", service(UNDO), tmp_path)
    assert succeeded is not foreign
    assert (data / "out.txt").exists() is not foreign
    check_clean(everything, secrets)
    staged = [path.read_bytes() for path in (tmp_path / "staging").rglob("*") if path.is_file()]
    assert CANARY.encode() not in b"".join(staged)  # what was restored before the failure is not kept
