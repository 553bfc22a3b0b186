import pytest

from field_level_pseudo_anonymisation.key_file import KeyFile
from field_level_pseudo_anonymisation.key_stores import key_store
from field_level_pseudo_anonymisation.openbao import OpenBao
from util_services.errors import DataServiceError


def test_a_key_file_is_never_chosen_while_a_server_is_named() -> None:
    both = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t", "KEY_FILE": "keys.json"}
    assert isinstance(key_store(both), OpenBao)
    with pytest.raises(DataServiceError, match="No credentials for the key store"):
        key_store({"VAULT_ADDR": "http://127.0.0.1:1", "KEY_FILE": "keys.json"})


def test_a_key_file_is_chosen_where_no_server_is_named() -> None:
    assert isinstance(key_store({"KEY_FILE": "keys.json"}), KeyFile)


def test_without_settings_there_is_no_store() -> None:
    with pytest.raises(DataServiceError, match="No key store is configured: set VAULT_ADDR, or KEY_FILE"):
        key_store({})
