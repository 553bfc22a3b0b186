"""What a technique is: it makes a function of texts, to be used on the cells of a column or on spans of a text."""

import dataclasses
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.keys import KeyStore
from field_level_pseudo_anonymisation.techniques.session import Session
from util_services.distinct import Transform
from util_services.errors import DataServiceError

RowTransform = Callable[[pl.Series, pl.DataFrame], pl.Series]
"""As :data:`Transform`, and takes the companion columns of the same rows as text, shape (n, number of companions)."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """What pseudonyms depend on besides the value.

    Attributes:
        field: Column or entity that sub-keys are derived for; equal values of two fields are not linkable.
        keys: Where keys come from.
        run_salt: Random bytes of this run (document-randomised pseudonyms: alike within one run only); never shown.
        session: What the techniques of one run share and write in the end: give all scopes of a run the same one.
    """

    field: str
    keys: KeyStore
    run_salt: bytes = dataclasses.field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    session: Session = dataclasses.field(default_factory=Session, repr=False)


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

    @property
    def one_to_one(self) -> bool:
        """Equal values of a run get equal results and different ones different results, but for negligible odds."""
        return False

    @property
    def quick(self) -> bool:
        """A result is computed as quickly as it is stored and read again, and is the same each time in a run."""
        return False

    @property
    def plain(self) -> bool:
        """A result is ASCII letters and digits, at least one."""
        return False

    @abstractmethod
    def transform(self, scope: Scope) -> Transform:
        """Fetch keys, check parameters and give the function that protects values.

        Raises:
            DataServiceError: If a parameter or a key is wrong; before any value is seen.
        """


class RowTechnique(Technique):
    """A technique that looks at other columns of the row, too."""

    @property
    @abstractmethod
    def companions(self) -> tuple[str, ...]:
        """Columns whose cells it needs besides the value; may be none."""

    @abstractmethod
    def transform_rows(self, scope: Scope) -> RowTransform:
        """Fetch keys, check parameters and give the function that protects values beside their companions.

        A missing companion arrives as a missing cell.

        Raises:
            DataServiceError: If a parameter or a key is wrong; before any value is seen.
        """

    def transform(self, scope: Scope) -> Transform:
        """Give the function for values that stand alone, such as spans of a text.

        Raises:
            DataServiceError: If the technique needs companions.
        """
        if self.companions:
            names = ", ".join(map(repr, self.companions))
            raise DataServiceError(
                f"The technique {self.name!r} was told to use the column {names}: use it on a table."
            )
        of_rows = self.transform_rows(scope)
        return lambda values: of_rows(values, pl.DataFrame())


class ReversibleTechnique(Technique):
    """A technique with a way back, for those who have the key."""

    @abstractmethod
    def restore(self, scope: Scope) -> Transform:
        """Fetch keys and give the function that restores values: missing where a text is no pseudonym of that key.

        Raises:
            DataServiceError: If a parameter or a key is wrong; before any pseudonym is seen.
        """
