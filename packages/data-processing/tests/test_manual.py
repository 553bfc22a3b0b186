"""The manual and the configuration reference are what the code says."""

import re
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import polars as pl
import pytest
import yaml
from dagster import Config

from data_processing import Inputs, clean
from data_processing import config as configs
from data_processing.steps import STEPS, Fill, Step

PACKAGE = Path(__file__).parents[1]
REFERENCE = (PACKAGE / "docs" / "configuration.md").read_text()
MANUAL = (PACKAGE / "README.md").read_text()
OPS: dict[str, type[Config]] = {
    "remove_duplicates": configs.RemoveDuplicatesConfig,
    "fill_missing_values": configs.FillMissingValuesConfig,
    "clean_data": configs.CleanDataConfig,
}
PARTS = {"fill": configs.config_of(Fill)}
SECTIONS = {f"## `{name}`": config for name, config in OPS.items()}
SECTIONS |= {f"### `{name}`": config for name, config in (configs.CONFIGS | PARTS).items()}
EXAMPLES = re.findall(r"^\| `\w+` \| [^|]+ \| `(\{.*\})` \|$", MANUAL, flags=re.MULTILINE)
TABLE = pl.DataFrame(
    {
        "name": ["Ann Dyk", " bo  Li", "Ann Dyk"],
        "email": ["A@x.org", "b@x.org", "a@x.org"],
        "sex": ["f", "n/a", "f"],
        "birth_date": ["1980-02-29", "31.12.1999", "1980-02-29"],
        "ward": ["7", "9", "7"],
        "weight": ["71,5", "80", None],
        "age": ["46", "26", "46"],
    }
)
WARDS = pl.DataFrame({"ward": ["7", "9"], "clinic": ["Surgery", "Eyes"]})
SCHEMA = b"fields: [{name: ward, type: integer}]"


def table(config: type[Config]) -> str:
    """Render the keys of a configuration class as the reference shows them."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in config.model_fields.items():
        if name == configs.KIND:
            continue
        default = "required" if field.is_required() else written(field.get_default(call_default_factory=True))
        rows.append(f"| `{field.alias or name}` | {kind(field.annotation)} | {default} | {field.description} |")
    return "\n".join(rows)


def written(default: Any) -> str:
    if default in (None, [], {}, ""):
        return "none"
    if isinstance(default, list):
        return ", ".join(f"`{each}`" for each in default if each)
    return f"{default:g}" if isinstance(default, float) else str(default)


def kind(annotation: Any) -> str:
    if get_origin(annotation) in {Union, UnionType}:
        return kind(get_args(annotation)[0])
    arguments = get_args(annotation)
    if arguments and get_origin(annotation) is dict:
        return "mapping" if arguments[1] is str else f"mapping to {kind(arguments[1])}s"
    if arguments:
        return f"list of {kind(arguments[0])}s"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Fill": "fill"}
    return names.get(getattr(annotation, "__name__", "any"), "step" if annotation is configs.Entry else "any")


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_reference_has_every_key_as_the_code_does(heading: str) -> None:
    expected = table(SECTIONS[heading])
    section = re.search(rf"^{heading}$.*?(?=^##|\Z)", REFERENCE, flags=re.DOTALL | re.MULTILINE)
    assert section, f"add a section {heading} with\n\n{expected}"
    assert expected in section[0], f"the section {heading} shall have\n\n{expected}"


def configured(example: str) -> Step:
    (entry,) = yaml.safe_load(example).items()
    name, parameters = entry
    return configs.step_of(configs.CONFIGS[name](**parameters), STEPS[name])


def test_the_manual_has_an_example_of_every_step() -> None:
    assert {next(iter(yaml.safe_load(example))) for example in EXAMPLES} == set(STEPS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_manual_works(example: str) -> None:
    step = configured(example)
    inputs = Inputs(table=lambda _: WARDS, document=lambda _: SCHEMA)
    result = clean(TABLE, [step], inputs=inputs)
    assert result.frame.columns
    assert result.reports[0].rows_in == 3
