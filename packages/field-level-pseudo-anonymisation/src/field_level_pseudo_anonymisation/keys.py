"""Keys: one stored key serves every technique, held in memory only for as long as it is used."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from util_services.errors import DataServiceError


@dataclass(frozen=True)
class Key:
    """A stored key with its earlier versions, as rotation left them.

    Attributes:
        name: What it is stored under.
        versions: Fernet keys (32 bytes as URL-safe Base64 text) by version number; never shown.
    """

    name: str
    versions: Mapping[int, str] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.versions:
            raise DataServiceError(f"The key {self.name!r} has no version left: create it again.")
        for version, material in self.versions.items():
            try:
                Fernet(material)
            except (ValueError, TypeError):
                raise DataServiceError(
                    f"The key {self.name!r} is malformed in version {version}: store 32 random bytes, URL-safe Base64."
                ) from None

    @property
    def newest(self) -> int:
        """Number of the version that new pseudonyms are made with."""
        return max(self.versions)

    def fernet_keys(self) -> list[str]:
        """Give the stored keys themselves, newest first: for Fernet alone, so that existing tokens stay readable."""
        return [self.versions[version] for version in sorted(self.versions, reverse=True)]

    def subkey(self, purpose: str, field: str, *, version: int | None = None, length: int = 32) -> bytes:
        """Derive a key for one purpose and one field (HKDF-SHA256, RFC 5869), so that no two techniques share one.

        Args:
            purpose: The technique.
            field: The column or entity, or what several share on purpose.
            version: Version of the stored key; default the newest.
            length: Bytes.

        Raises:
            DataServiceError: If the key has no such version.
        """
        version = self.newest if version is None else version
        if version not in self.versions:
            known = ", ".join(map(str, sorted(self.versions)))
            raise DataServiceError(f"The key {self.name!r} has no version {version}: choose one of {known}.")
        context = f"simpl pseudonymisation v1\0{purpose}\0{field}"
        return HKDF(SHA256(), length, salt=None, info=context.encode()).derive(self.versions[version].encode())


class KeyStore(Protocol):
    """Where keys lie."""

    def key(self, name: str) -> Key:
        """Fetch a key with all versions that are left.

        Raises:
            DataServiceError: If the store cannot be reached, denies access, or has no such key.
        """


class ManagedKeyStore(KeyStore, Protocol):
    """A store in which keys can also be made, for those whom it permits."""

    def names(self) -> list[str]:
        """List the names of the keys, sorted.

        Raises:
            DataServiceError: If the store cannot be reached or denies access.
        """

    def version_numbers(self, name: str) -> list[int]:
        """List the versions of a key that are left, ascending, without fetching the key.

        Raises:
            DataServiceError: As :meth:`KeyStore.key`.
        """

    def create(self, name: str) -> None:
        """Make a key of 32 random bytes.

        Raises:
            DataServiceError: If there is or was a key of that name, or the store denies access; nothing is overwritten.
        """

    def rotate(self, name: str) -> int:
        """Make a new version of a key; all that are left stay for what was made with them.

        Returns:
            The number of the new version.

        Raises:
            DataServiceError: If there is no such key, or the store denies access.
        """


def check_name(name: str) -> str:
    """Refuse a key name that could lead elsewhere, such as one with a slash.

    Raises:
        DataServiceError: If the name is malformed.

    Examples:
        >>> check_name("patients-2026")
        'patients-2026'
        >>> check_name("../other")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        util_services.errors.DataServiceError: The key name '../other' is malformed: use 1 to 128 letters, ...
    """
    if not _NAME.fullmatch(name):
        raise DataServiceError(
            f"The key name {name[:128]!r} is malformed: use 1 to 128 letters, digits, ., - and _, "
            "a letter or digit first."
        )
    return name


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
