"""Transforms that can be sent to other machines, where ciphers, locks and generators are made again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from field_level_pseudo_anonymisation.keys import Key, KeyStore
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

Make = Callable[[Scope], Callable[..., pl.Series]]


class _AskedFor:
    """Remembers the keys that were fetched: they alone are sent along, and no access to the key store."""

    def __init__(self, store: KeyStore) -> None:
        self.known: dict[str, Key] = {}
        self._store = store

    def key(self, name: str) -> Key:
        """Fetch a key."""
        self.known[name] = self._store.key(name)
        return self.known[name]


class Portable:
    """A transform that is sent as the technique and the keys it is made of.

    Args:
        make: A method of a technique, such as ``transform`` or ``restore``.
        scope: What it is made for.

    Raises:
        DataServiceError: As ``make``; and when it is sent, if it shares a state with other transforms of the run.

    Examples:
        >>> import pickle
        >>> from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> pickle.loads(pickle.dumps(Portable(Redact().transform, Scope("name", NO_KEYS))))(pl.Series(["Ann"])).item()
        '[REDACTED]'
    """

    def __init__(self, make: Make, scope: Scope) -> None:
        self._make = make
        self._scope = scope
        self._keys = _AskedFor(scope.keys)
        self._transform = make(replace(scope, keys=self._keys))

    def __call__(self, *values: Any) -> pl.Series:
        """Transform values."""
        return self._transform(*values)

    def __reduce__(self) -> tuple[Callable[..., "Portable"], tuple[Any, ...]]:
        """Leave the session here: what it shares cannot be in two places."""
        if self._scope.session.in_use:
            raise DataServiceError(
                "The technique tokenise keeps one mapping table for all rows, which does not run on Spark yet: start "
                "the run with ENGINE=polars."
            )
        keys = MemoryKeyStore({name: key.versions for name, key in self._keys.known.items()})
        return _made_again, (self._make, self._scope.field, keys, self._scope.run_salt)


def _made_again(make: Make, field: str, keys: KeyStore, run_salt: bytes) -> Portable:
    return Portable(make, Scope(field, keys, run_salt))
