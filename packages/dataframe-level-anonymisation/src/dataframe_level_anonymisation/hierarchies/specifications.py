"""From a specification in a run configuration to a hierarchy over the values of a column."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dataframe_level_anonymisation.hierarchies.dates import Dates
from dataframe_level_anonymisation.hierarchies.hierarchy import Hierarchy
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read
from dataframe_level_anonymisation.hierarchies.numbers import AGE, Intervals, OrderedGroups
from dataframe_level_anonymisation.hierarchies.tables import Countries, File, Listed
from dataframe_level_anonymisation.hierarchies.texts import Mask, Nuts, Suppress
from util_services.access import input_file
from util_services.errors import DataServiceError, nearest

HIERARCHIES_DIR = "HIERARCHIES_DIR"

KINDS: dict[str, type[Kind]] = {
    "intervals": Intervals,
    "mask": Mask,
    "dates": Dates,
    "ordered_groups": OrderedGroups,
    "mapping": Listed,
    "file": File,
    "nuts": Nuts,
    "countries": Countries,
    "suppress": Suppress,
}
BUILT_IN: dict[str, Kind] = {"simpl_age": AGE, "simpl_gender": Suppress(), "suppress": Suppress()}

_COMMON = ("min_level", "max_level", "weight")


@dataclass(frozen=True)
class Spec:
    """What a column's hierarchy is built from.

    Attributes:
        column: Column name, for messages.
        kind: Kind of hierarchy with its parameters.
        read: Gives the bytes of a hierarchy file.
        min_level: Lowest level that may be chosen.
        max_level: Highest level that may be chosen; ``None`` for the top.
        weight: Weight of the column in the loss, above 0.
    """

    column: str
    kind: Kind
    read: Read
    min_level: int = 0
    max_level: int | None = None
    weight: float = 1.0

    def build(self, values: Sequence[Any]) -> Hierarchy:
        """Build the hierarchy.

        Args:
            values: Distinct values of the column, a missing one (``None``) last. It stays missing on all levels but the
                top, where all are one group.

        Raises:
            DataServiceError: If the values do not fit, the levels are not nested, or there are fewer than asked for.
        """
        present = values[:-1] if values and values[-1] is None else values
        hierarchy = Hierarchy.topped(self.column, values, self.kind.labels(self.column, present, self.read))
        top = hierarchy.levels - 1
        highest = top if self.max_level is None else self.max_level
        if not values:  # some kinds have no levels then
            return replace(hierarchy, lowest=min(self.min_level, top), highest=min(highest, top), weight=self.weight)
        if not 0 <= self.min_level <= highest <= top:
            raise DataServiceError(
                f"The hierarchy of the column {self.column!r} has the levels 0 to {top}, and min_level "
                f"{self.min_level} to max_level {highest} is no part of them: give other bounds."
            )
        return replace(hierarchy, lowest=self.min_level, highest=highest, weight=self.weight)


def read_local(path: str) -> bytes:
    """Read a hierarchy file at a local path, confined by ``DATA_ROOT``.

    Raises:
        DataServiceError: If it cannot be read, or is an S3 object, which only jobs can read.
    """
    if path.startswith("s3://"):
        raise DataServiceError(f"The hierarchy {path!r} is an S3 object, which only jobs read: give a local path.")
    return input_file(path, "generalisation_hierarchies").read_bytes()


def parse(column: str, spec: str | Mapping[str, Any], read: Read = read_local) -> Spec:
    """Read a specification.

    Args:
        column: Column name, for messages.
        spec: A name (built-in, or of the operator's in ``HIERARCHIES_DIR``), the place of a ``.csv`` file, or a mapping
            with one kind and optionally ``min_level``, ``max_level`` and ``weight``; in place of a kind, ``name`` takes
            a name or place.
        read: Gives the bytes of a hierarchy file.

    Raises:
        DataServiceError: If it is malformed.

    Examples:
        >>> parse("age", "simpl_age").build(["25", "26"]).labels[1]
        ['[20, 30)', '[20, 30)']
        >>> parse("plz", {"mask": {"steps": [1]}, "max_level": 1}).build(["80331", "80333"]).labels[0]
        ['8033*', '8033*']
    """
    if isinstance(spec, str):
        return _named(column, spec, read)
    if not isinstance(spec, Mapping):
        raise DataServiceError(
            f"The hierarchy of the column {column!r} is neither a name nor a specification: write it like "
            f"{Intervals.example}."
        )
    rest = {key: value for key, value in spec.items() if key not in _COMMON}
    bounds = _bounds(column, {key: spec[key] for key in _COMMON if key in spec})
    if "name" in rest:
        name = rest.pop("name")
        if rest or not isinstance(name, str):
            raise DataServiceError(f"The hierarchy of the column {column!r} has a name and more: give name alone.")
        return replace(_named(column, name, read), **bounds)
    kinds = [key for key in rest if key in KINDS]
    if len(kinds) != 1:
        unknown = next((key for key in rest if key not in KINDS), "")
        problem = f"{unknown!r}, which is no kind" if unknown and not kinds else f"{len(kinds)} kinds"
        raise DataServiceError(
            f"The hierarchy of the column {column!r} has {problem}: {nearest(str(unknown), [*KINDS, 'name'])}"
        )
    return replace(Spec(column, _kind(column, kinds[0], rest), read), **bounds)


def _kind(column: str, name: str, rest: Mapping[str, Any]) -> Kind:
    own = rest[name]
    parameters = dict(rest) if name == "mapping" else own or {}  # the fallback stands beside the mapping
    try:
        if name != "mapping" and len(rest) > 1:
            raise DataServiceError(
                f"The hierarchy of the column {column!r} has {next(key for key in rest if key != name)!r} beside "
                f"{name!r}: write it like {KINDS[name].example}."
            )
        return KINDS[name].model_validate(parameters)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join([name, *(str(part) for part in problem["loc"] if part != name)])
        message = problem["msg"].removeprefix("Value error, ")
        raise DataServiceError(
            f"The hierarchy of the column {column!r} is malformed at {place} ({message}): write it like "
            f"{KINDS[name].example}."
        ) from None


def _bounds(column: str, given: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in given.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if key == "weight":
            if not (whole or isinstance(value, float)) or not 0 < value < float("inf"):
                raise DataServiceError(f"The weight of the column {column!r} is not above 0: give a number such as 2.")
        elif not whole or value < 0:
            raise DataServiceError(f"The {key} of the column {column!r} is no level: give a whole number from 0.")
    return dict(given)


def _named(column: str, name: str, read: Read) -> Spec:
    if name in BUILT_IN:
        return Spec(column, BUILT_IN[name], read)
    if name.lower().endswith(".csv"):
        return Spec(column, File(path=name), read)
    folder = _operators_folder()
    if folder and re.fullmatch(r"[\w-]+", name):
        if (table := folder / f"{name}.csv").is_file():
            return Spec(column, File(path=table.name), lambda _: table.read_bytes())
        if (specification := folder / f"{name}.yaml").is_file():
            return _operators(column, specification)
    own = sorted(file.stem for file in folder.iterdir() if file.suffix in {".csv", ".yaml"}) if folder else []
    names = [*BUILT_IN, *own]
    raise DataServiceError(f"The hierarchy {name!r} of the column {column!r} is unknown: {nearest(name, names)}")


def _operators_folder() -> Path | None:
    setting = os.environ.get(HIERARCHIES_DIR)
    if not setting:
        return None
    folder = Path(setting)
    if not folder.is_dir():
        raise DataServiceError(f"The environment variable {HIERARCHIES_DIR} does not name a folder: correct it.")
    return folder


def _operators(column: str, file: Path) -> Spec:
    """Read a specification of the operator's; files that it names lie in the same folder."""
    try:
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        spec = None
    if not isinstance(spec, Mapping):
        raise DataServiceError(
            f"The operator's hierarchy {file.stem!r} is no YAML mapping: write it like {Intervals.example}."
        )
    return parse(column, spec, lambda path: (file.parent / Path(path).name).read_bytes())
