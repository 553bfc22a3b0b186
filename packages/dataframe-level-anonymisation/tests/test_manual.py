"""The configuration reference is what the code says."""

import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from dagster import Config

from dataframe_level_anonymisation import config as configs

REFERENCE = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()
OPS: dict[str, type[Config]] = {
    "apply_k_anonymity": configs.KAnonymityConfig,
    "apply_l_diversity": configs.LDiversityConfig,
    "apply_t_closeness": configs.TClosenessConfig,
    "apply_privacy_models": configs.AnonymiseConfig,
    "assess_table_risk": configs.RiskReportConfig,
}
MODELS: dict[str, type[Config]] = {
    model.model_fields["kind"].default: model
    for model in get_args(configs.Requirement.model_fields["model"].annotation)
}


def table(config: type[Config]) -> str:
    """Render the keys of a configuration class as the reference shows them."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in config.model_fields.items():
        if name == "kind":
            continue
        default = "required" if field.is_required() else written(field.default)
        rows.append(f"| `{field.alias or name}` | {kind(field.annotation)} | {default} | {field.description} |")
    return "\n".join(rows)


def written(default: Any) -> str:
    if default is None:
        return "none"
    return f"{default:.4g}" if isinstance(default, float) else str(default)


def kind(annotation: Any) -> str:
    if isinstance(annotation, UnionType):
        return kind(get_args(annotation)[0])
    if annotation is Any:
        return "any"
    arguments = get_args(annotation)
    if arguments:
        return "mapping" if annotation.__origin__ is dict else f"list of {kind(arguments[0])}s"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        annotation.__name__, "model"
    )


@pytest.mark.parametrize("name", [*OPS, *MODELS])
def test_the_reference_has_every_key_as_the_code_does(name: str) -> None:
    expected = table((OPS | MODELS)[name])
    section = re.search(rf"^##+ `{name}`.*?(?=^##|\Z)", REFERENCE, flags=re.DOTALL | re.MULTILINE)
    assert section, f"add a section for {name} with\n\n{expected}"
    assert expected in section[0], f"the section {name} shall have\n\n{expected}"
