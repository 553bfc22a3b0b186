"""Hierarchies of codes and texts: masking, NUTS, suppression."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from dataframe_level_anonymisation.hierarchies.hierarchy import SUPPRESSED, Labels
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read, misfits, star, text
from util_services.errors import DataServiceError

_MOST_STEPS = 12
_NUTS = re.compile(r"[A-Z]{2}[0-9A-Z]{0,3}")


class Mask(Kind):
    """Masks more and more characters from one side: ``80331``, ``8033*``, ``803**``, …, then ``*``.

    Shorter values count as filled up, at the side that is masked first, to the length of the longest.
    """

    example: ClassVar[str] = "{mask: {side: right, steps: [1, 3]}}"

    side: Literal["left", "right"] = "right"
    character: str = Field(default=SUPPRESSED, min_length=1, max_length=1)
    steps: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> "Mask":
        if self.steps is not None and (
            not self.steps or list(self.steps) != sorted(set(self.steps)) or self.steps[0] < 1
        ):
            raise ValueError("steps needs whole numbers from 1, each larger than the one before")
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        texts = [text(value) for value in values]
        longest = max(map(len, texts), default=0)
        if self.steps is None and longest > _MOST_STEPS:
            raise DataServiceError(
                f"The mask of the column {column!r} would have {longest} steps, as many as the longest value has "
                "characters: give steps, such as [1, 2, 4]."
            )
        steps = self.steps or range(1, longest)
        masked: list[Labels]
        if self.side == "right":
            masked = [[each[: max(longest - step, 0)] + self.character * step for each in texts] for step in steps]
        else:
            masked = [
                [self.character * step + (each[step - longest :] if step < longest else "") for each in texts]
                for step in steps
            ]
        return [*masked, star(values)]


class Nuts(Kind):
    """Codes of the European Union's nomenclature of territorial units: ``DE212``, ``DE21``, ``DE2``, ``DE``, ``*``."""

    example: ClassVar[str] = "{nuts: {}}"

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        texts = [text(value) for value in values]
        if wrong := sum(not _NUTS.fullmatch(each) for each in texts):
            raise misfits(
                column, wrong, "NUTS codes such as DE212", "correct them or give the column another hierarchy"
            )
        levels: list[Labels] = [[each[:length] for each in texts] for length in (4, 3, 2)]
        return [*levels, star(values)]


class Suppress(Kind):
    """The value, then ``*``."""

    example: ClassVar[str] = "suppress"

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del column, read
        return [star(values)]
