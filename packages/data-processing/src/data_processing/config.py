"""Run configuration of the cleaning ops, made of the steps' own definitions; the descriptions show in the Launchpad."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Optional, Union, cast, get_args, get_origin, get_type_hints

from dagster import Config
from dagster_shared.check import CheckError
from pydantic import Field, ValidationError, create_model

from data_processing.steps import STEPS, FillMissingValues, RemoveDuplicates, Step

KIND = "kind"


def config_of(definition: type) -> type[Config]:
    """Make the configuration class of a step, or of what a step's parameters are made of.

    Each parameter becomes a key with the same description and default. A step can be told from others by ``kind``.

    Args:
        definition: A dataclass whose fields are made by :func:`data_processing.steps.step.parameter`.

    Examples:
        >>> config_of(RemoveDuplicates).model_fields["keep"].default
        'first'
    """
    hints = get_type_hints(definition)
    fields: dict[str, Any] = {}
    if issubclass(definition, Step):
        fields[KIND] = (Literal[definition.name], definition.name)
    for field in dataclasses.fields(definition):
        described: Any = {"description": field.metadata["description"]}
        if field.default is not dataclasses.MISSING:
            default = field.default
            described["default"] = list(default) if isinstance(default, tuple) else default
        elif field.default_factory is not dataclasses.MISSING:
            described["default_factory"] = field.default_factory
        fields[field.name] = (_kind_of_key(hints[field.name]), Field(**described))
    summary = (definition.__doc__ or "").partition("\n")[0]
    return cast("type[Config]", create_model(definition.__name__, __base__=Config, __doc__=summary, **fields))


def _kind_of_key(hint: Any) -> Any:
    """Translate a parameter's type into one that Dagster's configuration knows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return config_of(cast("type", hint))
    if origin is Sequence:
        return list[_kind_of_key(arguments[0])]  # type: ignore[misc]  # known at run time
    if origin is Mapping:
        return dict[str, _kind_of_key(arguments[1])]  # type: ignore[misc]
    if origin in {Union, UnionType}:
        kind = _kind_of_key(next(each for each in arguments if each is not NoneType))
        return Optional[kind] if NoneType in arguments else kind  # noqa: UP045 - made at run time
    return hint


def step_of(config: Config, definition: type[Step]) -> Step:
    """Make a step of its configuration.

    Raises:
        DataServiceError: If a parameter is wrong.

    Examples:
        >>> step_of(config_of(RemoveDuplicates)(keep="last"), RemoveDuplicates)
        RemoveDuplicates(columns=[], keep='last', ignore_case=False, ignore_space=False, similarity={})
    """
    return cast("Step", _built(config, definition))


def _built(config: Any, definition: type) -> Any:
    hints = get_type_hints(definition)
    return definition(
        **{
            field.name: _value(getattr(config, field.name), hints[field.name])
            for field in dataclasses.fields(definition)
        }
    )


def _value(value: Any, hint: Any) -> Any:
    parts = [each for each in get_args(hint) if dataclasses.is_dataclass(each)]
    if not parts:
        return value
    part = cast("type", parts[0])
    return {key: _built(each, part) for key, each in value.items()}


CONFIGS: dict[str, type[Config]] = {name: config_of(step) for name, step in STEPS.items()}
"""The configuration class of each step, by the step's name."""


class Rejects(Config):
    """Where the rows go that are left out because of what they hold."""

    rejects_path: str | None = Field(
        default=None, description="Local jobs: write the rows left out there, .csv, .jsonl or .parquet."
    )
    rejects_key: str | None = Field(
        default=None, description="S3 jobs: write the rows left out there, .csv, .jsonl or .parquet."
    )
    rejects_bucket: str | None = Field(
        default=None, description="S3 jobs: bucket of the rows left out, if it is another than the output's."
    )

    @property
    def steps(self) -> list[Step]:
        """Give the steps, in order."""
        raise NotImplementedError


_RemoveDuplicates: Any = CONFIGS[RemoveDuplicates.name]
_FillMissingValues: Any = CONFIGS[FillMissingValues.name]


def check(config: type[Rejects], written: Mapping[str, Any]) -> None:
    """Refuse parameters that are wrong whatever the table, before a run starts.

    Args:
        config: The configuration class.
        written: The configuration as the user wrote it. What only Dagster can tell of it (variables of the environment,
            missing keys) is left to Dagster.

    Raises:
        DataServiceError: If a parameter is wrong.

    Examples:
        >>> check(RemoveDuplicatesConfig, {"keep": "last"})
    """
    try:
        steps = config(**written)
    except (ValidationError, CheckError):
        return
    _ = steps.steps


class RemoveDuplicatesConfig(_RemoveDuplicates, Rejects):  # type: ignore[misc]  # its base is made at run time
    """Which rows are duplicates, and which of them stay."""

    @property
    def steps(self) -> list[Step]:
        """Give the one step."""
        return [step_of(self, RemoveDuplicates)]


class FillMissingValuesConfig(_FillMissingValues, Rejects):  # type: ignore[misc]
    """How the missing cells of each column are filled."""

    @property
    def steps(self) -> list[Step]:
        """Give the one step."""
        return [step_of(self, FillMissingValues)]


_AnyStep: Any = Union[tuple(CONFIGS.values())]  # noqa: UP007 - made at run time


class Entry(Config):
    """One step."""

    step: _AnyStep = Field(discriminator=KIND, description="A step by its name, with its parameters.")


class CleanDataConfig(Rejects):
    """Any steps, in order."""

    entries: list[Entry] = Field(alias="steps", description="What to do, in this order: {step: {NAME: {parameters}}}.")

    @property
    def steps(self) -> list[Step]:
        """Give the steps, in order."""
        return [step_of(entry.step, STEPS[entry.step.kind]) for entry in self.entries]
