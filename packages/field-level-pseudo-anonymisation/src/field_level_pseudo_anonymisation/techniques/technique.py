"""What a technique is: it makes a function of texts, to be used on the cells of a column or on spans of a text."""

import dataclasses
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.keys import KeyStore

Transform = Callable[[pl.Series], pl.Series]
"""Takes texts without missing ones, shape (n,), and gives as many, in order. May be called from several threads."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """What pseudonyms depend on besides the value.

    Attributes:
        field: Column or entity that sub-keys are derived for; equal values of two fields are not linkable.
        keys: Where keys come from.
        run_salt: Random bytes of this run (document-randomised pseudonyms: alike within one run only); never shown.
    """

    field: str
    keys: KeyStore
    run_salt: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(32), repr=False)


class Technique(ABC):
    """A way to protect a value.

    Attributes:
        name: What run configurations call it.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def linkable(self) -> bool:
        """Equal values get equal results, so that each distinct value need be transformed only once."""

    @abstractmethod
    def transform(self, scope: Scope) -> Transform:
        """Fetch keys, check parameters and give the function that protects values.

        Raises:
            DataServiceError: If a parameter or a key is wrong; before any value is seen.
        """


class ReversibleTechnique(Technique):
    """A technique with a way back, for those who have the key."""

    @abstractmethod
    def restore(self, scope: Scope) -> Transform:
        """Fetch keys and give the function that restores values: missing where a text is no pseudonym of that key.

        Raises:
            DataServiceError: If a parameter or a key is wrong; before any pseudonym is seen.
        """
