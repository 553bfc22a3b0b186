"""The configuration reference and the decision table are what the code says."""

import re
from pathlib import Path
from typing import get_args

import pytest
from dagster import Config
from reference import section, table

from field_level_pseudo_anonymisation import config as configs
from field_level_pseudo_anonymisation.techniques import TECHNIQUES
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique

PACKAGE = Path(__file__).parents[1]
REFERENCE = (PACKAGE / "docs" / "configuration.md").read_text()
MANUAL = (PACKAGE / "README.md").read_text()
STEPS: dict[str, type[Config]] = {
    step.model_fields["name"].default: step
    for step in get_args(configs.StructuredStep.model_fields["technique"].annotation)
}
OPS: dict[str, type[Config]] = {
    "anonymise_pseudonymise_structured": configs.StructuredConfig,
    "depseudonymise_structured": configs.DepseudonymiseConfig,
    "undo": configs.Undo,
}


@pytest.mark.parametrize("name", [*OPS, *STEPS])
def test_the_reference_has_every_key_as_the_code_does(name: str) -> None:
    expected = table((OPS | STEPS)[name])
    assert expected in section(REFERENCE, name), f"the section {name} shall have\n\n{expected}"


def test_every_technique_can_be_configured_and_is_in_the_decision_table() -> None:
    assert set(STEPS) == set(TECHNIQUES) - {"retain"}  # which leaves spans of a text from later steps
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes[^|]*|no) \|$", MANUAL, flags=re.MULTILINE))
    assert set(rows) == set(STEPS)
    for name, reversible in rows.items():
        assert reversible.startswith("yes") is issubclass(TECHNIQUES[name], ReversibleTechnique), name


def test_each_type_of_undoing_is_described_and_undoes_a_reversible_technique() -> None:
    described = configs.Undo.model_fields["type"].description or ""
    assert all(each in described for each in configs.REVERSALS)
    undo = {"columns": ["a"], "key_name": "key", "mapping_table": "table"}
    undone = {configs.Undo(type=each, **undo).reversal().technique.name for each in configs.REVERSALS}
    assert undone == {name for name, each in TECHNIQUES.items() if issubclass(each, ReversibleTechnique)}
