"""No cell value and no key may be anywhere but in the output and, while a run goes on, in staging."""

import base64
from pathlib import Path
from typing import Any

import pytest
from test_canary import CANARY, TABLE, data, run

from field_level_pseudo_anonymisation.key_stores import key_store
from util_services.servers import KeyServer

__all__ = ["data"]  # the fixture
JOB = "anonymise_pseudonymise_depseudonymise_structured_job"
FORWARD, BACK = "anonymise_pseudonymise_structured", "depseudonymise_structured"
KEY = "canaries"


def used(*techniques: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"technique": technique} for technique in techniques]


@pytest.fixture
def secrets(vault: KeyServer) -> list[str]:
    """Everything that leads to a plain value: the key, its halves, sub-keys, the token."""
    store = key_store()
    if KEY not in store.names():
        store.create(KEY)
    key = store.key(KEY)
    (stored,) = key.fernet_keys()
    subkeys = [key.subkey(purpose, field) for purpose in ("keyed_hash", "encrypt vector") for field in ("id", "Name")]
    subkeys += [key.subkey("deterministic_encrypt", "gender", length=64)]
    halves = base64.urlsafe_b64decode(stored)
    raw = [halves[:16], halves[16:], *subkeys]
    return [vault.token, stored, *(form for each in raw for form in (each.hex(), str(each)[2:-1]))]


def forward_and_back(secrets: list[str], tmp_path: Path, folder: Path, undo_column: str) -> tuple[bool, str]:
    (folder / "in.csv").write_text(TABLE)
    there = used(
        {"hash": {"columns": ["disease"]}},
        {"keyed_hash": {"columns": ["id"], "key_name": KEY}},
        {"encrypt": {"columns": ["Name"], "key_name": KEY}},
        {"deterministic_encrypt": {"columns": ["gender"], "key_name": KEY}},
        {"mask": {"columns": ["disease"], "keep_first": 1}},
    )
    back = used(
        {"type": "decrypt", "columns": [undo_column], "key_name": KEY},
        {"type": "deterministic_decrypt", "columns": ["gender"], "key_name": KEY},
    )
    succeeded, everything = run(
        JOB,
        {"input_path": str(folder / "in.csv")},
        {"output_path": str(folder / "out.csv")},
        tmp_path,
        op=FORWARD,
        more_ops={BACK: {"config": {"used_function": back}}},
        used_function=there,
    )
    assert CANARY not in everything
    assert [secret for secret in secrets if secret in everything] == []
    return succeeded, everything


def test_pseudonymising_and_turning_back_leaves_no_cell_and_no_key(
    secrets: list[str], data: Path, tmp_path: Path
) -> None:
    succeeded, everything = forward_and_back(secrets, tmp_path, data, "Name")
    assert succeeded
    assert "values restored" in everything  # the report was searched
    assert f"{CANARY}-name-1" in (data / "out.csv").read_text()
    assert f"{CANARY}-flu" not in (data / "out.csv").read_text()
    assert list((tmp_path / "staging").iterdir()) == []


def test_values_that_do_not_authenticate_leave_no_cell_and_no_key(
    secrets: list[str], data: Path, tmp_path: Path
) -> None:
    succeeded, everything = forward_and_back(secrets, tmp_path, data, "age")  # was never encrypted
    assert not succeeded
    assert "(60 in the column 'age')" in everything.replace("\\", "")
    assert not (data / "out.csv").exists()
    assert not list((tmp_path / "staging").rglob("*checkpoint*"))
