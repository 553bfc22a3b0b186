"""Privacy models: small objects with a name, parameters and a vectorised test over equivalence classes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from dataframe_level_anonymisation.classes import Classes
from util_services.errors import DataServiceError


class PrivacyModel(Protocol):
    """What the search asks of a privacy model."""

    @property
    def name(self) -> str:
        """The requirement in words, such as ``k-anonymity (k = 4)``."""

    @property
    def monotone(self) -> bool:
        """Whether a node that needs too much suppression implies the same for every finer node."""

    def holds(self, classes: Classes) -> npt.NDArray[np.bool_]:
        """Test each class: array (classes,)."""

    def achieved(self, classes: Classes) -> dict[str, Any]:
        """Tell which parameters the classes reach, by parameter name; empty without classes."""


@dataclass(frozen=True)
class KAnonymity:
    """Every equivalence class has at least ``k`` rows.

    Args:
        k: Whole number from 1.

    Raises:
        DataServiceError: If ``k`` is less than 1.

    References:
        P. Samarati and L. Sweeney, Protecting Privacy when Disclosing Information: k-Anonymity and Its Enforcement
        through Generalization and Suppression, 1998.
    """

    k: int
    monotone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.k < 1:
            raise DataServiceError(f"The requirement k = {self.k} is not possible: give a whole number from 1.")

    @property
    def name(self) -> str:
        """The requirement in words."""
        return f"k-anonymity (k = {self.k})"

    def holds(self, classes: Classes) -> npt.NDArray[np.bool_]:
        """Test each class: array (classes,)."""
        return classes.sizes >= self.k

    def achieved(self, classes: Classes) -> dict[str, Any]:
        """Size of the smallest class."""
        return {"k": int(classes.sizes.min())} if len(classes.sizes) else {}
