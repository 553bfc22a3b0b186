"""Hierarchies that list every value: in the specification, in a file, or in a library."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from dataframe_level_anonymisation.hierarchies.hierarchy import Hierarchy, Labels
from dataframe_level_anonymisation.hierarchies.kind import Kind, Read, misfits, star, text
from util_services.errors import DataServiceError


class Listed(Kind):
    """A mapping from each value to its labels, from fine to coarse; ``fallback`` for values that it lacks."""

    example: ClassVar[str] = "{mapping: {Munich: [Bavaria, Germany], Graz: [Styria, Austria]}, fallback: Other}"

    mapping: Mapping[str, tuple[str, ...]]
    fallback: str | tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_texts(cls, data: Any) -> Any:
        """Take keys and labels as they are written, numbers too, and one label for a list of one."""
        if not isinstance(data, Mapping) or not isinstance(data.get("mapping"), Mapping):
            return data
        listed = {
            text(value): [text(label) for label in (labels if isinstance(labels, list | tuple) else [labels])]
            for value, labels in data["mapping"].items()
        }
        return {**data, "mapping": listed}

    @model_validator(mode="after")
    def _even(self) -> "Listed":
        lengths = {len(labels) for labels in self.mapping.values()}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("mapping needs values with the same number of labels each, at least one")
        _fallback(self.fallback, lengths.pop())
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        return looked_up(column, values, self.mapping, self.fallback)


class File(Kind):
    """A CSV file as ARX writes it: one row a value, one column a level, no header; ``;``, ``,`` or tab."""

    example: ClassVar[str] = "{file: {path: hierarchies/city.csv, fallback: Other}}"

    path: str
    fallback: str | tuple[str, ...] | None = None

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        table = read_table(self.path, read(self.path))
        levels = len(next(iter(table.values())))
        try:
            _fallback(self.fallback, levels)
        except ValueError as error:
            raise DataServiceError(f"The hierarchy of the column {column!r} is malformed: {error}.") from None
        return looked_up(column, values, table, self.fallback)


class Countries(Kind):
    """Countries by ISO 3166 code or English name, then their United Nations sub-region and region, then ``*``."""

    example: ClassVar[str] = "{countries: {levels: [subregion, region]}}"

    levels: tuple[Literal["subregion", "region"], ...] = ("subregion", "region")
    fallback: str | None = None

    @model_validator(mode="after")
    def _nested(self) -> "Countries":
        if self.levels not in {("subregion", "region"), ("subregion",), ("region",)}:
            raise ValueError("levels needs subregion, region or both, in this order")
        return self

    def labels(self, column: str, values: Sequence[Any], read: Read) -> list[Labels]:
        """Give the labels."""
        del read
        table = {}
        for names, regions in _countries():
            table.update(dict.fromkeys(names, tuple(regions[level] for level in self.levels)))
        return looked_up(column, [text(value).strip().lower() for value in values], table, self.fallback)


def _countries() -> Iterable[tuple[list[str], dict[str, str]]]:
    """Give each country's codes and name in lower case, and its regions."""
    try:
        from countryinfo import all_countries
    except ModuleNotFoundError:
        raise DataServiceError(
            "The hierarchy kind 'countries' needs the extra of that name: install "
            "dataframe-level-anonymisation[countries]."
        ) from None
    for country in all_countries():
        region, subregion = country.region(), country.subregion()
        if region and subregion:
            codes = [str(code).lower() for code in country.iso().values()]
            yield [country.name().lower(), *codes], {"region": region, "subregion": subregion}


def _fallback(fallback: str | tuple[str, ...] | None, levels: int) -> tuple[str, ...] | None:
    """Give the labels of values that are not listed; one label stands for all levels."""
    if fallback is None:
        return None
    labels = (fallback,) * levels if isinstance(fallback, str) else fallback
    if len(labels) != levels:
        raise ValueError(f"fallback needs one label or {levels}, one for each level")
    return labels


def looked_up(
    column: str, values: Sequence[Any], table: Mapping[str, Sequence[str]], fallback: str | tuple[str, ...] | None
) -> list[Labels]:
    """Look up the labels of each value; ``*`` follows unless the last labels of the whole table are one.

    Raises:
        DataServiceError: If a value is not listed and there is no fallback.
    """
    levels = len(next(iter(table.values())))
    # Nested as a whole, whichever values occur.
    Hierarchy.from_labels(column, len(table), [[row[level] for row in table.values()] for level in range(levels)])
    otherwise = _fallback(fallback, levels)
    rows = [table.get(text(value), otherwise) for value in values]
    if wrong := rows.count(None):
        raise misfits(column, wrong, "every value to be listed", "add them, or give a fallback such as '*'")
    labels: list[Labels] = [[row[level] for row in rows if row] for level in range(levels)]
    last = {row[-1] for row in [*table.values(), *([otherwise] if otherwise else [])]}
    return labels if len(last) == 1 else [*labels, star(values)]


def _next_row(reader: Any, path: str) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error:
        raise DataServiceError(
            f"The hierarchy file {path!r} is no CSV file in line {reader.line_num}: check the quotes there."
        ) from None


def read_table(path: str, content: bytes) -> dict[str, tuple[str, ...]]:
    """Read a hierarchy file.

    Args:
        path: Its name, for messages.
        content: UTF-8, a byte order mark is skipped.

    Returns:
        The labels of each value.

    Raises:
        DataServiceError: If it is malformed; the sentence names the line and no value.
    """
    try:
        lines = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataServiceError(f"The hierarchy file {path!r} is not UTF-8: save it as UTF-8.") from None
    first = lines.partition("\n")[0]
    delimiter = next((each for each in ";\t" if each in first), ",")
    table: dict[str, tuple[str, ...]] = {}
    width = 0
    reader = csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter, strict=True)
    while (row := _next_row(reader, path)) is not None:
        if not row:
            continue
        width = width or len(row)
        if len(row) < 2 or len(row) != width:  # noqa: PLR2004 - a value and a label
            raise DataServiceError(
                f"The hierarchy file {path!r} has {len(row)} cell(s) in line {reader.line_num}: give each line a value "
                f"and {'as many labels as the first line has' if width > 1 else 'at least one label'}."
            )
        value, *labels = row
        if table.setdefault(value, tuple(labels)) != tuple(labels):
            raise DataServiceError(
                f"The hierarchy file {path!r} lists a value twice with different labels, again in line "
                f"{reader.line_num}: keep one of them."
            )
    if not table:
        raise DataServiceError(f"The hierarchy file {path!r} is empty: give one line a value, one column a level.")
    return table
