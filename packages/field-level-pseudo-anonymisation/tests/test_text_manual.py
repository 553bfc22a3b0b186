"""The page on free text is what the code says, and its examples run or are valid."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from dagster import Config, validate_run_config
from reference import section, table

from field_level_pseudo_anonymisation import config, text_jobs
from field_level_pseudo_anonymisation import unstructured_config as configs
from field_level_pseudo_anonymisation.techniques import TECHNIQUES
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique

PAGE = (Path(__file__).parents[1] / "docs" / "text.md").read_text()


def members(step: type[Config]) -> dict[str, type[Config]]:
    return {each.model_fields["name"].default: each for each in get_args(step.model_fields["technique"].annotation)}


UNDO = members(configs.UnstructuredUndoStep)
OPS: dict[str, type[Config]] = {
    "anonymise_pseudonymise_unstructured": configs.UnstructuredConfig,
    "anonymise_pseudonymise_text_columns": configs.TextColumnsConfig,
    "depseudonymise_unstructured": configs.UnstructuredUndoConfig,
    "depseudonymise_text_columns": configs.UndoTextColumnsConfig,
}


@pytest.mark.parametrize("name", [*OPS, *UNDO])
def test_the_reference_has_every_key_as_the_code_does(name: str) -> None:
    expected = table((OPS | UNDO)[name])
    assert expected in section(PAGE, name), f"the section {name} shall have\n\n{expected}"


def test_techniques_have_the_same_parameters_on_texts_as_on_tables() -> None:
    on_texts, on_tables = members(configs.UnstructuredStep), members(config.StructuredStep)
    assert set(on_texts) == set(on_tables) | {"retain"} == set(TECHNIQUES)
    for name, on_table in on_tables.items():
        same = {each: field.description for each, field in on_table.model_fields.items() if each != "share_as"}
        ours = {each: field.description for each, field in on_texts[name].model_fields.items() if each != "share_as"}
        assert {each: said for each, said in ours.items() if each != "pii"} == {
            each: said for each, said in same.items() if each != "columns"
        }
        assert ("share_as" in on_table.model_fields) is ("share_as" in on_texts[name].model_fields)


def test_every_reversible_technique_can_be_undone() -> None:
    given = {"key_name": "key", "mapping_table": "table"}
    undone = {
        kind(**{key: value for key, value in given.items() if key in kind.model_fields}).built().name  # type: ignore[attr-defined]
        for kind in UNDO.values()
    }
    assert undone == {name for name, kind in TECHNIQUES.items() if issubclass(kind, ReversibleTechnique)}


def test_the_configurations_shown_are_valid() -> None:
    there, back = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
    assert validate_run_config(text_jobs.anonymise_pseudonymise_unstructured_job, there)
    assert validate_run_config(text_jobs.depseudonymise_unstructured_job, back)


def test_the_python_shown_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(block, {})
