import pytest

from field_level_pseudo_anonymisation import run_keys
from field_level_pseudo_anonymisation.run_keys import RunKeys, is_for_development
from util_services.errors import DataServiceError
from util_services.sample_keys import SAMPLE_KEY
from util_services.servers import KeyServer


def test_the_key_store_is_opened_when_the_first_key_is_asked_for() -> None:
    keys = RunKeys({})
    with pytest.raises(DataServiceError, match="No key store is configured: set VAULT_ADDR"):
        keys.key("patients")


@pytest.mark.parametrize(
    ("environment", "development"),
    [
        ({}, True),
        ({"VAULT_ADDR": "https://localhost:8200"}, True),
        ({"VAULT_ADDR": "http://[::1]:8200"}, True),
        ({"VAULT_ADDR": "http://127.0.0.1:8200"}, True),
        ({"VAULT_ADDR": "http://localhost.example.org:8200"}, False),
        ({"VAULT_ADDR": "http://10.0.0.1:8200"}, False),
    ],
)
def test_a_development_store_is_one_on_this_machine(environment: dict[str, str], development: bool) -> None:
    assert is_for_development(environment) is development


def test_the_published_key_is_warned_of_and_refused_on_any_other_store(
    vault: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.store_key("copied", SAMPLE_KEY)
    keys = RunKeys()
    assert keys.cautions() == []
    keys.key("copied")
    (caution,) = keys.cautions()
    assert caution.startswith("The key 'copied' is the published sample key, which protects nothing:")
    monkeypatch.setattr(run_keys, "is_for_development", lambda _: False)
    with pytest.raises(DataServiceError, match="The key 'copied' holds the published sample key, which protects") as no:
        RunKeys().key("copied")
    assert SAMPLE_KEY not in str(no.value)
