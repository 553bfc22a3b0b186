"""Configuration references as the packages' manuals show them, rendered from the configuration classes."""

import re
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from dagster import Config


def table(config: type[Config]) -> str:
    """Render the keys of a configuration class as the reference shows them."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in config.model_fields.items():
        if is_literal(field.annotation):  # what a union of classes is told apart by
            continue
        default = "required" if field.is_required() else written(field.default)
        rows.append(f"| `{field.alias or name}` | {kind(field.annotation)} | {default} | {field.description} |")
    return "\n".join(rows)


def written(default: Any) -> str:
    """Write a default."""
    if default is None:
        return "none"
    return f"{default:.4g}" if isinstance(default, float) else str(default)


def kind(annotation: Any) -> str:
    """Write a type in words."""
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


def is_literal(annotation: Any) -> bool:
    """Tell whether a field is a literal."""
    return get_origin(annotation) is Literal


def section(reference: str, name: str) -> str:
    """Find the section of a page that is headed by a name in code marks."""
    found = re.search(rf"^##+ `{name}`.*?(?=^##|\Z)", reference, flags=re.DOTALL | re.MULTILINE)
    return found[0] if found else ""
