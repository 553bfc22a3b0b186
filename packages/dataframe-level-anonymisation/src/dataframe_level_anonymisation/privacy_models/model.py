"""What every privacy model has."""

from dataclasses import fields
from typing import Any, ClassVar, Protocol

from dataframe_level_anonymisation.classes import Histogram
from dataframe_level_anonymisation.privacy_models.requirements import Test


class PrivacyModel(Protocol):
    """A requirement and its parameters."""

    @property
    def name(self) -> str:
        """The field's name, such as ``t-closeness``."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name, JSON-able."""

    @property
    def attribute(self) -> str | None:
        """The sensitive attribute that is protected, if there is one."""

    @property
    def meaning(self) -> str:
        """What it protects from, in a sentence for somebody who is no statistician."""

    def tests(self, data: Histogram) -> list[Test]:
        """Make the tests.

        Args:
            data: The whole input, whose distributions are the reference.
        """


class Parameterised:
    """Base of models, which are dataclasses: their fields are their parameters."""

    no_parameters: ClassVar[frozenset[str]] = frozenset({"attribute"})

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name, JSON-able."""
        names = [each.name for each in fields(self) if each.name not in self.no_parameters]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}


def title(model: PrivacyModel) -> str:
    """Write a requirement as a phrase.

    Examples:
        >>> from dataframe_level_anonymisation import TCloseness
        >>> title(TCloseness(0.2, "disease"))
        "t-closeness (t = 0.2, distance = equal) of 'disease'"
    """
    parameters = ", ".join(f"{name} = {value}" for name, value in model.parameters.items())
    return f"{model.name} ({parameters})" + (f" of {model.attribute!r}" if model.attribute else "")
