from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from data_processing.config import CONFIGS, CleanDataConfig, FillMissingValuesConfig, config_of, step_of
from data_processing.steps import STEPS, ConvertTypes, Fill, FillMissingValues, JoinTable


def made(name: str, **parameters: Any) -> Any:
    return step_of(CONFIGS[name](**parameters), STEPS[name])


def test_a_configuration_makes_the_step_that_its_code_would() -> None:
    assert made("convert_types", types={"a": "date"}) == ConvertTypes(
        types={"a": "date"},
        date_formats=["%Y-%m-%d"],
        datetime_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
        true_values=["true", "yes", "y", "1"],
        false_values=["false", "no", "n", "0"],
    )
    assert made("join_table", table="wards.csv", keys=["k"]) == JoinTable(table="wards.csv", keys=["k"], columns=[])


def test_what_a_parameter_is_made_of_is_made_too() -> None:
    config = FillMissingValuesConfig(columns={"age": {"method": "median", "by": ["sex"]}})  # type: ignore[call-arg]
    assert config.steps == [FillMissingValues(columns={"age": Fill(method="median", by=["sex"])})]


def test_steps_come_in_the_order_given() -> None:
    entries = [{"step": {"drop_columns": {"columns": ["a"]}}}, {"step": {"remove_duplicates": {}}}]
    config = CleanDataConfig(steps=entries)  # type: ignore[arg-type]
    assert [step.name for step in config.steps] == ["drop_columns", "remove_duplicates"]


@pytest.mark.parametrize(("name", "key"), [("sort_rows", "by"), ("convert_types", "types"), ("derive_age", "column")])
def test_required_keys_stay_required(name: str, key: str) -> None:
    assert CONFIGS[name].model_fields[key].is_required()
    with pytest.raises(ValidationError, match=key):
        CONFIGS[name]()


@pytest.mark.parametrize("name", STEPS)
def test_every_key_is_described_and_no_yaml_reader_takes_it_for_something_else(name: str) -> None:
    for key, field in CONFIGS[name].model_fields.items():
        assert key == "kind" or field.description
        assert yaml.safe_load(key) == key
        assert key.lower() not in {"y", "n"}
    assert CONFIGS[name].__doc__


def test_the_same_definition_gives_the_same_keys() -> None:
    assert list(config_of(Fill).model_fields) == ["method", "value", "by", "decimals"]
