"""A local file of keys, for development: it protects keys no better than its file mode does."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet

from field_level_pseudo_anonymisation.keys import Key, check_name
from field_level_pseudo_anonymisation.private_files import folder_locked, write_private
from util_services.errors import DataServiceError, nearest

Versions = Mapping[int, str]


def _load_json(text: str) -> Any:
    return json.loads(text)


def _dump_json(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"


_FORMATS: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    ".json": (_load_json, _dump_json),
    ".yaml": (yaml.safe_load, yaml.safe_dump),
    ".yml": (yaml.safe_load, yaml.safe_dump),
}


class KeyFile:
    """Keys in a local JSON or YAML file of mode 0600: ``{name: {version: key}}``, or ``{name: key}`` for one version.

    Args:
        path: The file; ``create`` makes it where it is missing.

    Raises:
        DataServiceError: If the ending of the path is neither .json, .yaml nor .yml.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        if self._path.suffix not in _FORMATS:
            raise DataServiceError(f"The key file {path!r} has an unknown ending: use .json, .yaml or .yml.")
        self._load, self._dump = _FORMATS[self._path.suffix]
        self._fetched: dict[str, Key] = {}

    def __repr__(self) -> str:
        return f"KeyFile({str(self._path)!r})"

    def key(self, name: str) -> Key:
        """Fetch a key with all its versions.

        Raises:
            DataServiceError: If the file or the key is missing or malformed, or others may read the file.
        """
        if name not in self._fetched:
            self._fetched[name] = Key(name, self._versions(name))
        return self._fetched[name]

    def names(self) -> list[str]:
        """List the names of the keys, sorted."""
        return sorted(self._read())

    def version_numbers(self, name: str) -> list[int]:
        """List the versions of a key, ascending."""
        return sorted(self._versions(name))

    def create(self, name: str) -> None:
        """Make a key.

        Raises:
            DataServiceError: If there is one of that name, or the file cannot be written.
        """
        check_name(name)
        with self._changing() as keys:
            if name in keys:
                raise DataServiceError(f"The key {name!r} exists already: rotate it, or choose another name.")
            keys[name] = {1: Fernet.generate_key().decode()}

    def rotate(self, name: str) -> int:
        """Make a new version of a key and keep the old ones.

        Raises:
            DataServiceError: If there is no such key, or the file cannot be written.
        """
        with self._changing() as keys:
            versions = _of(keys, name)
            new = max(versions, default=0) + 1
            keys[name] = {**versions, new: Fernet.generate_key().decode()}
        return new

    def _versions(self, name: str) -> Versions:
        return _of(self._read(), name)

    def _read(self) -> dict[str, Versions]:
        try:
            with self._path.open(encoding="utf-8") as file:
                self._check_mode(os.fstat(file.fileno()).st_mode)
                content = self._load(file.read())
        except FileNotFoundError:
            raise DataServiceError(
                f"The key file {self._path.name!r} does not exist: check KEY_FILE, or run simpl-keys create NAME."
            ) from None
        except OSError as error:
            raise DataServiceError(
                f"The key file {self._path.name!r} cannot be read ({error.strerror}): check KEY_FILE."
            ) from None
        except (ValueError, yaml.YAMLError):  # their texts quote the file
            raise self._malformed() from None
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise self._malformed()
        return {self._name(name): self._parsed(name, versions) for name, versions in content.items()}

    def _check_mode(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise DataServiceError(f"The key file {self._path.name!r} is not a regular file: check KEY_FILE.")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise DataServiceError(
                f"The key file {self._path.name!r} has mode {stat.S_IMODE(mode):04o} and so is open to other users: "
                "set its mode to 0600, and rotate its keys if others may have read them."
            )

    def _name(self, name: object) -> str:
        if not isinstance(name, str):
            raise self._malformed()
        return check_name(name)

    def _parsed(self, name: str, versions: object) -> Versions:
        if isinstance(versions, str):
            return {1: versions}
        if not isinstance(versions, dict):
            raise self._malformed(name)
        try:
            parsed = {int(number): material for number, material in versions.items()}
        except (ValueError, TypeError):
            raise self._malformed(name) from None
        if not all(isinstance(material, str) for material in parsed.values()):
            raise self._malformed(name)
        return parsed

    def _malformed(self, name: str | None = None) -> DataServiceError:
        where = f" at the key {name!r}" if name else ""
        return DataServiceError(
            f"The key file {self._path.name!r} is malformed{where}: expected key names, each with its keys by version "
            "number."
        )

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Versions]]:
        """Give the keys to change and store them when the block ends well; one process at a time."""
        try:
            with folder_locked(self._path):
                keys = self._read() if self._path.exists() else {}
                yield keys
                content = {name: dict(versions) for name, versions in keys.items()}
                write_private(self._path, self._dump(content).encode())
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> DataServiceError:
        return DataServiceError(
            f"The key file {self._path.name!r} cannot be written ({error.strerror}): check KEY_FILE."
        )


def _of(keys: Mapping[str, Versions], name: str) -> Versions:
    check_name(name)
    if name not in keys:
        raise DataServiceError(f"The key {name!r} does not exist: {nearest(name, keys)}")
    return keys[name]
