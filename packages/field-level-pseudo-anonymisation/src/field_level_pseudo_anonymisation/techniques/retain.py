"""Retain: what a step leaves as it is, so that no later step changes it."""

from dataclasses import dataclass
from typing import ClassVar

from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform


@dataclass(frozen=True)
class Retain(Technique):
    """The value itself."""

    name: ClassVar[str] = "retain"

    @property
    def linkable(self) -> bool:
        """Equal values stay equal."""
        return True

    def transform(self, scope: Scope) -> Transform:
        """Give the function that changes nothing."""
        del scope
        return lambda texts: texts
