from pathlib import Path

import pytest

from field_level_pseudo_anonymisation.detection import Entity
from field_level_pseudo_anonymisation.detection.identifiers import IDENTIFIERS, Identifier
from field_level_pseudo_anonymisation.detection.languages import LANGUAGES
from field_level_pseudo_anonymisation.detection.names import _LABELS

MANUAL = (Path(__file__).parents[2] / "docs" / "detection.md").read_text("utf-8")


def test_the_manual_names_every_entity_and_language() -> None:
    assert [entity for entity in Entity if f"`{entity}`" not in MANUAL] == []
    assert " ".join(LANGUAGES) in MANUAL


@pytest.mark.parametrize("identifier", IDENTIFIERS, ids=lambda identifier: f"{identifier.country} {identifier.name}")
def test_the_manual_tells_what_each_identifier_needs(identifier: Identifier) -> None:
    (row,) = [line for line in MANUAL.splitlines() if line.startswith(f"| {identifier.country} | {identifier.name} |")]
    assert ("a text of its country" in row) == identifier.distinctive


def test_the_manual_tells_what_becomes_of_every_label() -> None:
    for entity, labels in _LABELS.items():
        assert f"{', '.join(labels)} → `{entity}`" in " ".join(MANUAL.split())
