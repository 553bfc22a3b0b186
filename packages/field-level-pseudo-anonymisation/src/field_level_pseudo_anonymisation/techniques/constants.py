"""Techniques that leave nothing of a value: redact, replace, drop."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform

REDACTED = "[REDACTED]"


@dataclass(frozen=True)
class Replace(Technique):
    """The same text for every value; missing values stay missing.

    Attributes:
        new_value: The text.

    Examples:
        >>> from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
        >>> Replace("n/a").transform(Scope("name", NO_KEYS))(pl.Series(["Ann", "Bo"])).to_list()
        ['n/a', 'n/a']
    """

    name: ClassVar[str] = "replace"
    new_value: str

    @property
    def linkable(self) -> bool:
        """All values become alike, so that none can be linked."""
        return False

    def transform(self, scope: Scope) -> Transform:
        """Give the function that replaces texts."""
        del scope
        return lambda texts: pl.repeat(self.new_value, len(texts), dtype=pl.String, eager=True).alias(texts.name)


@dataclass(frozen=True)
class Redact(Replace):
    """``[REDACTED]`` for every value; missing values stay missing."""

    name: ClassVar[str] = "redact"
    new_value: str = REDACTED


@dataclass(frozen=True)
class Drop(Technique):
    """Nothing for every value: a table loses the column, a text the span."""

    name: ClassVar[str] = "drop"

    @property
    def linkable(self) -> bool:
        """Nothing is left to link."""
        return False

    def transform(self, scope: Scope) -> Transform:
        """Give the function that leaves nothing."""
        del scope
        return lambda texts: pl.repeat("", len(texts), dtype=pl.String, eager=True).alias(texts.name)
