"""Where techniques keep files: local ones, confined by ``DATA_ROOT``."""

import hashlib
from pathlib import Path

from field_level_pseudo_anonymisation.private_files import folder_locked, write_private
from field_level_pseudo_anonymisation.techniques.session import Stored
from util_services.access import data_path
from util_services.errors import DataServiceError


class LocalStorage:
    """Local files of mode 0600; their version is the SHA-256 digest of their content.

    Examples:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "table")
        >>> storage = LocalStorage()
        >>> version = storage.write(path, b"tokens", replacing=None)
        >>> storage.read(path).version == version
        True
    """

    def read(self, location: str) -> Stored | None:
        """Read a file, ``None`` if there is none.

        Raises:
            DataServiceError: If it lies outside ``DATA_ROOT`` or cannot be read.
        """
        return _read(data_path(location), location)

    def write(self, location: str, content: bytes, *, replacing: str | None) -> str:
        """Replace a file that is still as it was read.

        Raises:
            DataServiceError: If it is not, lies outside ``DATA_ROOT``, or cannot be written.
        """
        path = data_path(location)
        try:
            with folder_locked(path):
                now = _read(path, location)
                if (None if now is None else now.version) != replacing:
                    raise changed(location)
                write_private(path, content)
        except OSError as error:
            raise DataServiceError(
                f"The file {location!r} cannot be written ({error.strerror}): choose a writable folder."
            ) from None
        return _version(content)


def changed(location: str) -> DataServiceError:
    """Say that another run was quicker."""
    return DataServiceError(f"The file {location!r} was changed by another run meanwhile: run this one again.")


def _read(path: Path, location: str) -> Stored | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataServiceError(f"The file {location!r} cannot be read ({error.strerror}): check its path.") from None
    return Stored(content, _version(content))


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
