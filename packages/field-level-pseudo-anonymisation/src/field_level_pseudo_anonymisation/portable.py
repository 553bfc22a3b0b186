"""Transforms that can be sent to other machines, where ciphers, locks and generators are made again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from field_level_pseudo_anonymisation.keys import Key, KeyStore
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques.technique import Scope

Make = Callable[[Scope], Callable[..., pl.Series]]


class KeysAskedFor:
    """Remembers the keys that were fetched: they alone are sent along, and no access to the key store."""

    def __init__(self, store: KeyStore) -> None:
        self._known: dict[str, Key] = {}
        self._store = store

    def key(self, name: str) -> Key:
        """Fetch a key."""
        self._known[name] = self._store.key(name)
        return self._known[name]

    def __reduce__(self) -> tuple[type[MemoryKeyStore], tuple[dict[str, Any]]]:
        """Give the keys that were fetched."""
        return MemoryKeyStore, ({name: key.versions for name, key in self._known.items()},)


class Portable:
    """A transform that is sent as the technique and the keys it is made of.

    Args:
        make: A method of a technique, such as ``transform`` or ``restore``.
        scope: What it is made for.

    Raises:
        DataServiceError: As ``make``.

    Examples:
        >>> import pickle
        >>> from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> pickle.loads(pickle.dumps(Portable(Redact().transform, Scope("name", NO_KEYS))))(pl.Series(["Ann"])).item()
        '[REDACTED]'
    """

    def __init__(self, make: Make, scope: Scope) -> None:
        self._made_of = make, replace(scope, keys=KeysAskedFor(scope.keys))
        self._transform = make(self._made_of[1])

    def __call__(self, *values: Any) -> pl.Series:
        """Transform values."""
        return self._transform(*values)

    def __reduce__(self) -> tuple[type["Portable"], tuple[Make, Scope]]:
        """Make it anew where it arrives."""
        return Portable, self._made_of
