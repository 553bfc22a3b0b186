"""Where OpenBao or Vault is and how to log in, as environment variables tell; ``docs/keys.md`` lists them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from util_services.errors import DataServiceError

if TYPE_CHECKING:
    import hvac

_KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path

Login = Callable[["hvac.Client"], object]


@dataclass(frozen=True)
class Place:
    """Where keys lie.

    Attributes:
        address: URL of the server.
        namespace: Namespace, if the server has such.
        certificates: File of certificate authorities to trust instead of the usual ones.
        mount: Where the secrets engine is mounted.
        prefix: Folder of the keys in it.
    """

    address: str = field(repr=False)  # may hold a password
    namespace: str | None
    certificates: str | None
    mount: str
    prefix: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Place":
        """Read the settings.

        Raises:
            DataServiceError: If one is malformed.
        """
        address = environment["VAULT_ADDR"]
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", address):
            raise DataServiceError(
                "The environment variable VAULT_ADDR is not a URL such as https://openbao.example.org:8200: correct it."
            )
        certificates = environment.get("VAULT_CACERT") or None
        if certificates and not Path(certificates).is_file():
            raise DataServiceError("The environment variable VAULT_CACERT does not name a file: correct it.")
        return cls(
            address,
            environment.get("VAULT_NAMESPACE") or None,
            certificates,
            _folder(environment, "VAULT_MOUNT", "secret"),
            _folder(environment, "VAULT_PREFIX", "encryption_keys"),
        )


def _folder(environment: Mapping[str, str], variable: str, default: str) -> str:
    path = (environment.get(variable) or default).strip("/")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", path, re.ASCII):
        raise DataServiceError(f"The environment variable {variable} is not a path such as {default}: correct it.")
    return path


def login(environment: Mapping[str, str]) -> Login:
    """Tell how to get a token: a given one, else AppRole, else the service account of a Kubernetes pod.

    Raises:
        DataServiceError: If no credentials are set, or only half of a pair.
    """
    if token := environment.get("VAULT_TOKEN"):
        return lambda client: setattr(client, "token", token)
    role_id, secret_id = environment.get("VAULT_ROLE_ID"), environment.get("VAULT_SECRET_ID")
    if bool(role_id) != bool(secret_id):
        missing = "VAULT_SECRET_ID" if role_id else "VAULT_ROLE_ID"
        raise DataServiceError(f"The environment variable {missing} is not set although its counterpart is: set both.")
    if role_id:
        mount = _folder(environment, "VAULT_AUTH_MOUNT", "approle")
        return lambda client: client.auth.approle.login(role_id, secret_id, mount_point=mount)
    if role := environment.get("VAULT_KUBERNETES_ROLE"):
        mount = _folder(environment, "VAULT_AUTH_MOUNT", "kubernetes")
        token_file = environment.get("VAULT_KUBERNETES_TOKEN_FILE") or _KUBERNETES_TOKEN
        return lambda client: client.auth.kubernetes.login(role, _service_account(token_file), mount_point=mount)
    raise DataServiceError(
        "No credentials for the key store are configured: set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or "
        "VAULT_KUBERNETES_ROLE."
    )


def _service_account(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise DataServiceError(
            "The service account token of this pod cannot be read: mount it, or set VAULT_KUBERNETES_TOKEN_FILE."
        ) from None
