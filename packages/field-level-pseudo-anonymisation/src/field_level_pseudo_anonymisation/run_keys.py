"""Keys of one run: the key store is opened when the first key is asked for, and the published sample key is refused."""

import ipaddress
import os
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from field_level_pseudo_anonymisation.key_stores import VAULT_ADDR, key_store
from field_level_pseudo_anonymisation.keys import Key, KeyStore
from util_services.errors import DataServiceError
from util_services.sample_keys import SAMPLE_KEY


class RunKeys:
    """The key store that the environment names.

    A run that needs no key works without a key store. The key that the bundled samples were made with is published; it
    is taken only from a development store: a key file, or a server on this machine.

    Attributes:
        published: Names of the keys given so far that hold the published sample key.

    Args:
        environment: Environment variables.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.published: set[str] = set()
        self._environment = environment
        self._store: KeyStore | None = None
        self._lock = threading.Lock()

    def key(self, name: str) -> Key:
        """Fetch a key.

        Raises:
            DataServiceError: If there is no key store or no such key, or it is the published sample key and the store
                is not one for development.
        """
        with self._lock:
            self._store = self._store or key_store(self._environment)
        key = self._store.key(name)
        if SAMPLE_KEY in key.versions.values():
            if not is_for_development(self._environment):
                raise DataServiceError(
                    f"The key {name!r} holds the published sample key, which protects nothing: make another one with "
                    "simpl-keys create NAME."
                )
            self.published.add(name)
        return key

    def cautions(self) -> list[str]:
        """Give sentences for the report on keys that protect nothing."""
        return [
            f"The key {name!r} is the published sample key, which protects nothing: use it on sample data only."
            for name in sorted(self.published)
        ]


def is_for_development(environment: Mapping[str, str]) -> bool:
    """Tell whether the key store is a key file or a server on this machine.

    Examples:
        >>> is_for_development({"VAULT_ADDR": "http://127.0.0.1:8200"})
        True
        >>> is_for_development({"VAULT_ADDR": "https://bao.example.org"})
        False
    """
    address = environment.get(VAULT_ADDR)
    if not address:
        return True
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
