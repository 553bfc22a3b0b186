"""Keys in OpenBao or HashiCorp Vault, in a Key Value secrets engine of version 2.

Reading takes no more than ``read`` on ``data/<prefix>/<name>``; making keys takes more, see ``docs/keys.md``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

from field_level_pseudo_anonymisation.keys import Key, check_name
from field_level_pseudo_anonymisation.openbao_settings import Place, login
from util_services.errors import DataServiceError, nearest

if TYPE_CHECKING:
    import hvac

_TIMEOUT_SECONDS = 15
_RETRIES = 3
_BACK_OFF_SECONDS = 0.2
_PASSING_FAULTS = (429, 502, 503, 504)
_MAX_VERSIONS = 100
_FIELD = "key"


class OpenBao:
    """Keys under ``<mount>/<prefix>/<name>``, field ``key``.

    Connects at first use. Remembers the keys it fetched, so open one per run and drop it then.

    Args:
        environment: Environment variables; see ``docs/keys.md``.

    Raises:
        DataServiceError: If a setting is malformed or missing.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._place = Place.of(environment)
        self._log_in = login(environment)
        self._fetched: dict[str, Key] = {}

    def __repr__(self) -> str:
        return f"OpenBao({self._place!r})"

    def key(self, name: str) -> Key:
        """Fetch a key with all versions that are neither deleted nor destroyed.

        Raises:
            DataServiceError: If the store cannot be reached, is sealed, denies access or has no such key, or the key is
                malformed.
        """
        if check_name(name) not in self._fetched:
            with self._explained(name):
                self._fetched[name] = Key(name, self._versions(name))
        return self._fetched[name]

    def names(self) -> list[str]:
        """List the names of the keys, sorted.

        Raises:
            DataServiceError: If the store cannot be reached, is sealed or denies access.
        """
        with self._explained():
            return self._listed()

    def version_numbers(self, name: str) -> list[int]:
        """List the versions of a key that are left, ascending; takes ``read`` on the metadata.

        Raises:
            DataServiceError: As :meth:`key`.
        """
        with self._explained(check_name(name)):
            versions = self._metadata(name)["versions"]
        return sorted(int(number) for number, version in versions.items() if _is_left(version))

    def create(self, name: str) -> None:
        """Make a key.

        Raises:
            DataServiceError: If there is or was a key of that name, or the store denies access.
        """
        with self._explained(check_name(name)):
            self._write(name, {_FIELD: Fernet.generate_key().decode()}, after=0)
            self._kv.update_metadata(self._path(name), max_versions=_MAX_VERSIONS, mount_point=self._place.mount)

    def rotate(self, name: str) -> int:
        """Make a new version of a key; the number of versions that the store keeps is raised first if need be.

        Returns:
            The number of the new version.

        Raises:
            DataServiceError: If there is no such key, or the store denies access.
        """
        with self._explained(check_name(name)):
            metadata = self._metadata(name)
            current: int = metadata["current_version"]
            # 0 stands for the engine's own limit, which may be as low as 1.
            if metadata["max_versions"] <= current:
                limit = max(_MAX_VERSIONS, 2 * current)
                self._kv.update_metadata(self._path(name), max_versions=limit, mount_point=self._place.mount)
            others = self._data(name, current) or {}  # what operators noted beside the key stays
            return self._write(name, {**others, _FIELD: Fernet.generate_key().decode()}, after=current)

    @cached_property
    def _kv(self) -> Any:
        return self._client.secrets.kv.v2

    @cached_property
    def _client(self) -> "hvac.Client":
        import hvac  # imported where a key is needed: it takes a tenth of a second
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import Retry

        session = requests.Session()
        session.verify = self._place.certificates or True
        retry = Retry(
            _RETRIES,
            backoff_factor=_BACK_OFF_SECONDS,
            status_forcelist=_PASSING_FAULTS,
            allowed_methods={"GET", "LIST"},
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        client = hvac.Client(
            url=self._place.address.rstrip("/"),
            token="",  # else hvac would look for one in the home folder
            session=session,
            timeout=_TIMEOUT_SECONDS,
            namespace=self._place.namespace,
        )
        self._log_in(client)
        return client

    def _path(self, name: str) -> str:
        return f"{self._place.prefix}/{name}"

    def _versions(self, name: str) -> dict[int, str]:
        newest = self._newest(name)
        versions = {number: self._data(name, number) for number in range(newest, 0, -1)}
        return {number: _material(name, number, data) for number, data in versions.items() if data is not None}

    def _newest(self, name: str) -> int:
        """Give the number of the newest version, deleted or not: its data are readable where metadata may not be."""
        from hvac.exceptions import InvalidPath

        try:
            answer = self._read(name)
        except InvalidPath as error:
            if not _has_data(error.json):
                raise
            answer = error.json
        number: int = answer["data"]["metadata"]["version"]
        return number

    def _data(self, name: str, version: int) -> dict[str, Any] | None:
        """Fetch one version, ``None`` if it was deleted, destroyed or dropped."""
        from hvac.exceptions import InvalidPath

        try:
            data: dict[str, Any] = self._read(name, version)["data"]["data"]
        except InvalidPath:
            return None
        return data

    def _read(self, name: str, version: int | None = None) -> Any:
        return self._kv.read_secret_version(
            self._path(name), version, mount_point=self._place.mount, raise_on_deleted_version=True
        )

    def _metadata(self, name: str) -> Any:
        return self._kv.read_secret_metadata(self._path(name), mount_point=self._place.mount)["data"]

    def _write(self, name: str, data: dict[str, Any], *, after: int) -> int:
        """Store a version, only if it follows the one given, so that no two writers lose a key."""
        from hvac.exceptions import InvalidRequest

        try:
            answer = self._kv.create_or_update_secret(self._path(name), data, after, mount_point=self._place.mount)
        except InvalidRequest as error:
            if "check-and-set" not in str(error):
                raise
            raise DataServiceError(
                f"The key {name!r} exists already or did before: rotate it, or choose another name."
                if after == 0
                else f"The key {name!r} was changed while it was rotated: check its versions, then rotate it again."
            ) from None
        number: int = answer["data"]["version"]
        return number

    def _listed(self) -> list[str]:
        from hvac.exceptions import InvalidPath

        try:
            entries = self._kv.list_secrets(self._place.prefix, mount_point=self._place.mount)["data"]["keys"]
        except InvalidPath as error:
            if error.errors:  # such as no engine at that mount; an empty folder has none
                raise
            return []
        return sorted(entry for entry in entries if not entry.endswith("/"))

    @contextmanager
    def _explained(self, name: str | None = None) -> Iterator[None]:
        """Turn the client's exceptions, which quote addresses and answers, into one sentence.

        Raises:
            DataServiceError: In place of them.
        """
        from hvac import exceptions
        from requests.exceptions import RequestException, SSLError

        try:
            yield
        except exceptions.VaultDown:
            raise DataServiceError("The key store is sealed or down: ask its operator to unseal it.") from None
        except exceptions.VaultNotInitialized:
            raise DataServiceError("The key store is not initialised: ask its operator to do that.") from None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise DataServiceError(self._why_denied(name)) from None
        except exceptions.InvalidPath as error:
            raise DataServiceError(self._why_missing(name, error.errors)) from None
        except exceptions.VaultError as error:
            raise DataServiceError(self._why_refused(type(error).__name__)) from None
        except SSLError:
            raise DataServiceError(
                "The certificate of the key store is not trusted: set VAULT_CACERT to the file of its authority."
            ) from None
        except (RequestException, OSError) as error:
            raise DataServiceError(
                f"The key store could not be reached ({type(error).__name__}): check VAULT_ADDR and that it is up."
            ) from None
        except (KeyError, TypeError):  # an answer in other words than OpenBao's
            raise DataServiceError(
                "The key store answered in an unknown way: check that VAULT_ADDR names an OpenBao or Vault server and "
                "VAULT_MOUNT a Key Value engine of version 2."
            ) from None

    @property
    def _logged_in(self) -> bool:
        return "_client" in self.__dict__

    def _why_denied(self, name: str | None) -> str:
        from hvac.exceptions import VaultError
        from requests.exceptions import RequestException

        if not self._logged_in:
            return self._why_refused("Forbidden")
        try:
            self._client.auth.token.lookup_self()
        except (VaultError, RequestException):
            return (
                "The key store rejects the token, as it is wrong, revoked or expired: give a valid VAULT_TOKEN or "
                "log in by a role."
            )
        what = f"the key {name!r}" if name else "the list of keys"
        return f"The key store denies access to {what}: ask its operator for a policy that permits it (docs/keys.md)."

    def _why_missing(self, name: str | None, errors: object) -> str:
        if errors or name is None:
            return (
                f"The key store has no Key Value engine of version 2 at {self._place.mount!r}: check VAULT_MOUNT, or "
                "ask its operator to enable one."
            )
        if others := self._neighbours():
            return f"The key {name!r} does not exist: {nearest(name, others)}"
        return f"The key {name!r} does not exist: check the name, or create it with simpl-keys create {name}."

    def _neighbours(self) -> list[str]:
        from hvac.exceptions import VaultError
        from requests.exceptions import RequestException

        try:
            return self._listed()
        except (VaultError, RequestException):  # most who may read keys may not list them
            return []

    def _why_refused(self, answer: str) -> str:
        if self._logged_in:
            return f"The key store answered {answer}: run again or ask its operator."
        return (
            "The key store refuses the login: check VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE, and "
            "VAULT_AUTH_MOUNT."
        )


def _has_data(answer: object) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("data"), dict)


def _is_left(version: Mapping[str, Any]) -> bool:
    if version["destroyed"]:
        return False
    deleted = version["deletion_time"]  # may lie ahead
    return not deleted or datetime.fromisoformat(deleted) > datetime.now(UTC)


def _material(name: str, version: int, data: Mapping[str, Any]) -> str:
    material = data.get(_FIELD)
    if not isinstance(material, str):
        raise DataServiceError(
            f"The key {name!r} has no text in the field {_FIELD!r} of version {version}: store 32 random bytes, "
            "URL-safe Base64, there."
        )
    return material.strip()  # stored from a file, it ends with a newline
