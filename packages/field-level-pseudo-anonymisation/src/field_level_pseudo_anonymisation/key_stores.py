"""Which key store there is: the environment tells, never the run configuration.

References:
    Key Value secrets engine, version 2, as OpenBao and HashiCorp Vault document it.
"""

import os
from collections.abc import Mapping

from field_level_pseudo_anonymisation.key_file import KeyFile
from field_level_pseudo_anonymisation.keys import ManagedKeyStore
from field_level_pseudo_anonymisation.openbao import OpenBao
from util_services.errors import DataServiceError

VAULT_ADDR = "VAULT_ADDR"
KEY_FILE = "KEY_FILE"


def key_store(environment: Mapping[str, str] = os.environ) -> ManagedKeyStore:
    """Open the key store that the environment names: OpenBao or Vault if ``VAULT_ADDR`` is set, else ``KEY_FILE``.

    Open one per run: a store remembers the keys it fetched, so that a rotation during a run cannot split its results.

    Args:
        environment: Environment variables; see ``docs/keys.md`` for all of them.

    Raises:
        DataServiceError: If neither is set or a setting is malformed; nothing is connected to yet.

    Examples:
        >>> key_store({})
        Traceback (most recent call last):
        ...
        util_services.errors.DataServiceError: No key store is configured: set VAULT_ADDR, or KEY_FILE for development.
    """
    if environment.get(VAULT_ADDR):
        return OpenBao(environment)
    if path := environment.get(KEY_FILE):
        return KeyFile(path)
    raise DataServiceError(f"No key store is configured: set {VAULT_ADDR}, or {KEY_FILE} for development.")
