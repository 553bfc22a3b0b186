"""The configuration reference is what the code says."""

from pathlib import Path
from typing import get_args

import pytest
from dagster import Config
from reference import section, table

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


@pytest.mark.parametrize("name", [*OPS, *MODELS])
def test_the_reference_has_every_key_as_the_code_does(name: str) -> None:
    expected = table((OPS | MODELS)[name])
    assert expected in section(REFERENCE, name), f"the section {name} shall have\n\n{expected}"
