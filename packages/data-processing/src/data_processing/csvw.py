"""CSV on the Web metadata, told as a Frictionless Table Schema.

References:
    W3C, Metadata Vocabulary for Tabular Data, 2015 (https://www.w3.org/TR/tabular-metadata/).
"""

import re
from collections.abc import Mapping
from typing import Any

from util_services.errors import DataServiceError, nearest

CONTEXT = "http://www.w3.org/ns/csvw"
_TYPES = {
    "string": "string",
    "normalizedString": "string",
    "token": "string",
    "any": "string",
    "anyURI": "string",
    "language": "string",
    "Name": "string",
    "NMTOKEN": "string",
    "anyAtomicType": "string",
    "integer": "integer",
    "long": "integer",
    "int": "integer",
    "short": "integer",
    "byte": "integer",
    "nonNegativeInteger": "integer",
    "positiveInteger": "integer",
    "nonPositiveInteger": "integer",
    "negativeInteger": "integer",
    "unsignedLong": "integer",
    "unsignedInt": "integer",
    "unsignedShort": "integer",
    "unsignedByte": "integer",
    "decimal": "number",
    "double": "number",
    "number": "number",
    "float": "number",
    "boolean": "boolean",
    "date": "date",
    "dateTime": "datetime",
    "datetime": "datetime",
    "dateTimeStamp": "datetime",
    "time": "time",
    "gYear": "year",
    "gYearMonth": "yearmonth",
}
_RANGES: Mapping[str, tuple[int | None, int | None]] = {
    "long": (-(2**63), 2**63 - 1),
    "int": (-(2**31), 2**31 - 1),
    "short": (-(2**15), 2**15 - 1),
    "byte": (-128, 127),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
    "unsignedLong": (0, None),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedByte": (0, 255),
}
_CONSTRAINTS = {
    "minimum": "minimum",
    "minInclusive": "minimum",
    "maximum": "maximum",
    "maxInclusive": "maximum",
    "minExclusive": "exclusiveMinimum",
    "maxExclusive": "exclusiveMaximum",
    "minLength": "minLength",
    "maxLength": "maxLength",
}
_DATE_PARTS = {"yyyy": "%Y", "MM": "%m", "dd": "%d"}
_KNOWN = {"base", "format", "length", "@id", "name", "title", "dc:title", "dc:description", *_CONSTRAINTS}


def is_csvw(read: Any) -> bool:
    """Tell whether a file is CSV on the Web metadata.

    Examples:
        >>> is_csvw({"@context": "http://www.w3.org/ns/csvw"}), is_csvw({"fields": []})
        (True, False)
    """
    if not isinstance(read, Mapping):
        return False
    context = read.get("@context")
    return context == CONTEXT or (isinstance(context, list) and CONTEXT in context)


def table_schema(read: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Tell the metadata of one table as a Table Schema.

    Args:
        read: The metadata, ``@context`` included.
        name: How messages call the file.

    Raises:
        DataServiceError: If it describes several tables, or says something that is not checked here.

    Examples:
        >>> table_schema(
        ...     {
        ...         "@context": "http://www.w3.org/ns/csvw",
        ...         "tableSchema": {"columns": [{"titles": "age", "datatype": {"base": "byte", "minimum": 0}}]},
        ...     },
        ...     "ages.json",
        ... )["fields"]
        [{'name': 'age', 'type': 'integer', 'missingValues': [''], 'constraints': {'minimum': 0, 'maximum': 127}}]
    """
    tables = read.get("tables")
    if isinstance(tables, list):
        if len(tables) != 1 or not isinstance(tables[0], Mapping):
            raise DataServiceError(
                f"The metadata {name!r} describe {len(tables):,} tables: give those of the one that is checked."
            )
        read = {**read, **tables[0]}
    schema = read.get("tableSchema")
    columns = schema.get("columns") if isinstance(schema, Mapping) else None
    if not isinstance(schema, Mapping) or not isinstance(columns, list):
        raise DataServiceError(f"The metadata {name!r} have no tableSchema with columns: give them in the file itself.")
    inherited = {
        key: level[key] for level in (read, schema) for key in ("null", "datatype", "required") if key in level
    }
    real = [each for each in columns if not (isinstance(each, Mapping) and each.get("virtual"))]
    described = [_field(each, inherited, name) for each in real]
    titles = {each.get("name"): field["name"] for each, field in zip(real, described, strict=True)}
    key = schema.get("primaryKey") or []
    keys = [key] if isinstance(key, str) else list(key)
    return {
        "fields": described,
        "primaryKey": [titles.get(each, each) for each in keys],
        "foreignKeys": schema.get("foreignKeys") or [],
    }


def _field(described: Any, inherited: Mapping[str, Any], where: str) -> dict[str, Any]:
    title = _title(described)
    if title is None:
        raise DataServiceError(f"A column of the metadata {where!r} has no name: give titles or name of each.")
    column = {**inherited, **described}
    datatype = column.get("datatype", "string")
    derived = dict(datatype) if isinstance(datatype, Mapping) else {"base": datatype}
    base = str(derived.get("base", "string"))
    if base not in _TYPES:
        raise DataServiceError(f"The datatype {base!r} of the column {title!r} is unknown: {nearest(base, _TYPES)}")
    if unknown := next((key for key in derived if key not in _KNOWN), None):
        raise DataServiceError(
            f"The property {unknown!r} of the datatype of {title!r} is unknown: {nearest(unknown, _KNOWN)}"
        )
    if column.get("separator"):
        raise DataServiceError(f"The column {title!r} has a separator: lists in cells are not checked, take it out.")
    null = column.get("null", "")
    constraints = {"required": True} if column.get("required") else {}
    field = {"name": title, "type": _TYPES[base], "missingValues": [null] if isinstance(null, str) else null}
    form = _format(derived.get("format"), _TYPES[base], title)
    return field | form | {"constraints": {**constraints, **_constraints(derived, base), **form.get("constraints", {})}}


def _title(column: Any) -> str | None:
    """Give the name of the column in the header: its (first) title, else its name."""
    if not isinstance(column, Mapping):
        return None
    titles = column.get("titles", column.get("name"))
    if isinstance(titles, Mapping):
        titles = next(iter(titles.values()), None)
    first = titles[0] if isinstance(titles, list) and titles else titles
    return first if isinstance(first, str) else None


def _constraints(derived: Mapping[str, Any], base: str) -> dict[str, Any]:
    smallest, largest = _RANGES.get(base, (None, None))
    given = {_CONSTRAINTS[key]: value for key, value in derived.items() if key in _CONSTRAINTS}
    if "length" in derived:
        given |= {"minLength": derived["length"], "maxLength": derived["length"]}
    bounds = {"minimum": smallest, "maximum": largest}
    return given | {key: bound for key, bound in bounds.items() if bound is not None and key not in given}


def _format(form: Any, kind: str, title: str) -> dict[str, Any]:
    if form is None:
        return {}
    if kind in {"integer", "number"} and isinstance(form, Mapping) and "pattern" not in form:
        return {key: value for key, value in form.items() if key in {"decimalChar", "groupChar"}}
    if isinstance(form, str) and kind == "boolean" and form.count("|") == 1:
        true, false = form.split("|")
        return {"trueValues": [true], "falseValues": [false]}
    if isinstance(form, str) and kind == "date":
        return {"format": re.sub("|".join(_DATE_PARTS), lambda part: _DATE_PARTS[part[0]], form)}
    if isinstance(form, str) and kind == "string":
        return {"constraints": {"pattern": form}}
    raise DataServiceError(f"The format of the column {title!r} cannot be checked: leave it out, or give a pattern.")
