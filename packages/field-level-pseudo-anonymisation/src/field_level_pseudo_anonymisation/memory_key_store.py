"""Keys that a program holds itself, for notebooks and tests."""

from collections.abc import Mapping

from field_level_pseudo_anonymisation.keys import Key
from util_services.errors import DataServiceError, nearest


class MemoryKeyStore:
    """Keys in memory.

    Args:
        keys: For each name the versions: Fernet keys by number. Never shown.

    Examples:
        >>> MemoryKeyStore({}).key("patients")
        Traceback (most recent call last):
        ...
        util_services.errors.DataServiceError: The key 'patients' is not among the keys given: there are none.
    """

    def __init__(self, keys: Mapping[str, Mapping[int, str]]) -> None:
        self._keys = {name: Key(name, versions) for name, versions in keys.items()}

    def key(self, name: str) -> Key:
        """Give a key.

        Raises:
            DataServiceError: If there is none of that name.
        """
        if name not in self._keys:
            raise DataServiceError(f"The key {name!r} is not among the keys given: {nearest(name, self._keys)}")
        return self._keys[name]


NO_KEYS = MemoryKeyStore({})
"""For techniques that need no key."""
