"""What its form alone gives away: e-mail addresses."""

from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import Recogniser

EMAIL = Recogniser(
    Entity.EMAIL,
    value=r"[\w.!#$%&'*+/=?^`{|}~-]*[\w!#$%&*+=^{|}~-]@(?:[\w](?:[\w-]*[\w])?\.)+[\p{L}][\w-]*[\p{L}]",
    hint="@",
    score=0.99,
)


def recognisers(language: Language) -> tuple[Recogniser, ...]:  # noqa: ARG001 - alike in all languages
    """Give the recognisers of this module for texts in a language."""
    return (EMAIL,)
