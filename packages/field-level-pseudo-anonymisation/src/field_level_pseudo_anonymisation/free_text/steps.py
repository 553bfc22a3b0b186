"""Steps: a technique and the kinds of personal data it is used on."""

from collections.abc import Sequence
from dataclasses import dataclass

from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Technique
from util_services.errors import DataServiceError


@dataclass(frozen=True)
class TextStep:
    """A technique used on personal data of some kinds.

    Attributes:
        technique: What is done.
        pii: Names of entities; each has sub-keys of its own. A span is handled by the first step that names its entity.
        share_as: A name under which these entities share sub-keys, with each other and with columns of tables that are
            called so, so that equal values are linkable on purpose.
    """

    technique: Technique
    pii: Sequence[str]
    share_as: str | None = None

    def field(self, entity: str) -> str:
        """Tell which field's sub-keys an entity uses."""
        return entity if self.share_as is None else self.share_as


@dataclass(frozen=True)
class TextReversal:
    """A technique undone wherever a text has pseudonyms that it made.

    Attributes:
        technique: What was done, with the parameters it was done with.
        share_as: As it was then.
    """

    technique: ReversibleTechnique
    share_as: str | None = None

    def field(self, entity: str) -> str:
        """Tell which field's sub-keys were used."""
        return entity if self.share_as is None else self.share_as


def check_text_steps(steps: Sequence[TextStep]) -> list[str]:
    """Check that each step names something.

    Returns:
        The entities that the steps name, each once.

    Raises:
        DataServiceError: If there is no step, or one names no entity or shares sub-keys under an empty name.
    """
    if not steps:
        raise DataServiceError("The used_function is empty: give at least one technique.")
    for number, step in enumerate(steps, 1):
        title = f"step {number} ({step.technique.name})"
        if not step.pii:
            raise DataServiceError(f"The {title} names no pii: give at least one entity.")
        if step.share_as == "":
            raise DataServiceError(f"The share_as of {title} is empty: give a name, or leave it out.")
    return list(dict.fromkeys(str(entity) for step in steps for entity in step.pii))
