"""Validate a table against a schema file: Frictionless Table Schema, or CSV on the Web, as JSON or YAML.

Pandera and frictionless-py collect the rows that they check, which a table larger than memory forbids; here every rule
is a lazy condition, so that valid and rejected rows stay lazy and one aggregation counts what failed.

References:
    Frictionless Data, Table Schema v2 (https://datapackage.org/standard/table-schema/).
    W3C, Metadata Vocabulary for Tabular Data (https://www.w3.org/TR/tabular-metadata/), by :mod:`data_processing.csvw`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import yaml

from data_processing import csvw
from data_processing.evaluation import how_many
from data_processing.expressions import check_pattern
from data_processing.expressions.values import Kind, Value, column, constant, converted, to_date, to_number
from util_services.errors import DataServiceError, nearest
from util_services.frames import amended, collected

_INTEGER = r"\A[+-]?[0-9]+\z"
_YEAR = r"\A[0-9]{4}\z"
_TIME = r"\A.{10}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?\z"
_HOURS = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_MONTH = r"[0-9]{4}-(0[1-9]|1[0-2])"
LARGEST = 1_000_000
"""A schema file has at most so many bytes."""
_UNCHECKED = ("bareNumber", "categories", "categoriesOrdered", "delimiter", "itemType")
"""Properties of fields that change what is valid."""

_TRUE = ["true", "True", "TRUE", "1"]
_FALSE = ["false", "False", "FALSE", "0"]
_FORMATS = {
    "default": None,
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "uuid": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
}


@dataclass(frozen=True)
class SchemaField:
    """A column as a schema describes it.

    Attributes:
        name: Column name.
        type: A name of :data:`TYPES`.
        format: How its texts are written; depends on the type.
        constraints: Arguments of :data:`CONSTRAINTS` by name.
        options: Further properties, such as ``decimalChar`` or ``trueValues``.
        missing_values: Texts that stand for a missing cell in this column.
    """

    name: str
    type: str
    format: str
    constraints: Mapping[str, Any]
    options: Mapping[str, Any]
    missing_values: tuple[str, ...]


@dataclass(frozen=True)
class TableSchema:
    """What a table shall look like.

    Attributes:
        fields: The columns that are checked.
        primary_key: Columns that together identify a row; empty if the schema names none.
        unique_keys: Further such sets of columns; rows where one of them is missing are not compared.
        match: How the columns of a table and the fields go together, a name of :data:`MATCHES`.
    """

    fields: tuple[SchemaField, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    match: str = "subset"


@dataclass(frozen=True)
class Check:
    """One rule for one column.

    Attributes:
        field: Column name, or several joined by ``+``.
        constraint: ``type`` or a name of :data:`CONSTRAINTS`, or ``primaryKey`` or ``uniqueKeys``.
        failed: Whether a row breaks it; never null.
    """

    field: str
    constraint: str
    failed: nw.Expr

    @property
    def name(self) -> str:
        """The columns and the rule."""
        return f"{self.field} {self.constraint}"


@dataclass(frozen=True)
class Violations:
    """How many rows break a rule."""

    field: str
    constraint: str
    rows: int


@dataclass(frozen=True)
class Validation:
    """A table divided by a schema; it is evaluated when it is used.

    Attributes:
        valid: Rows that break no rule, in order.
        rejected: The other rows, in order.
        counts: One row with the number of rows that break each rule, by :attr:`Check.name`; ``None`` if there is none.
        reason: Of a rejected row: the rules that it breaks, without a cell value.
        checks: The rules.
    """

    valid: nw.LazyFrame[Any]
    rejected: nw.LazyFrame[Any]
    counts: nw.LazyFrame[Any] | None
    reason: nw.Expr
    checks: tuple[Check, ...]

    def violations(self) -> list[Violations]:
        """Count the rows that break each rule, in one pass; a row may break several."""
        if self.counts is None:
            return []
        counts = collected(self.counts).rows()[0]
        return [
            Violations(check.field, check.constraint, int(rows or 0))
            for check, rows in zip(self.checks, counts, strict=True)
        ]


def parse_schema(content: bytes, name: str) -> TableSchema:
    """Read a schema file.

    Args:
        content: JSON or YAML of at most :data:`LARGEST` bytes: a Table Schema, a data resource with one (``schema``), a
            data package whose only resource has one, or CSV on the Web metadata of one table.
        name: How messages call the file.

    Raises:
        DataServiceError: If it is none, or uses a type or constraint that is not known here.

    Examples:
        >>> schema = parse_schema(b"fields: [{name: age, type: integer, constraints: {minimum: 0}}]", "visits.yaml")
        >>> schema.fields[0].type, dict(schema.fields[0].constraints)
        ('integer', {'minimum': 0})
    """
    if len(content) > LARGEST:
        raise DataServiceError(
            f"The schema {name!r} has {len(content):,} bytes, and at most {LARGEST:,} are read: give a schema file, "
            "not the data."
        )
    try:
        read = yaml.safe_load(content.decode("utf-8-sig"))  # JSON is YAML
    except (yaml.YAMLError, UnicodeError, RecursionError):
        raise DataServiceError(f"The schema {name!r} is neither JSON nor YAML: give a Table Schema file.") from None
    table = csvw.table_schema(read, name) if csvw.is_csvw(read) else _table_of(read, name)
    fields = table.get("fields") if isinstance(table, Mapping) else None
    if not isinstance(table, Mapping) or not isinstance(fields, list) or not fields:
        raise DataServiceError(f"The schema {name!r} has no list of fields: give a Frictionless Table Schema.")
    if table.get("foreignKeys"):
        raise DataServiceError(
            f"The schema {name!r} has foreignKeys, which are not checked here: take them out, and use the expectation "
            "referential of data_quality_job."
        )
    match = _match(table, name)
    missing = _missing_values(table.get("missingValues", [""]), name)
    parsed = tuple(_field(each, name, missing) for each in fields)
    known = [each.name for each in parsed]
    if repeated := next((each for each in known if known.count(each) > 1), None):
        raise DataServiceError(f"The schema {name!r} has the field {repeated!r} twice: leave one out.")
    primary = _key(table.get("primaryKey") or [], "primaryKey", known, name)
    unique_keys = table.get("uniqueKeys") or []
    if not isinstance(unique_keys, list):
        raise DataServiceError(f"The uniqueKeys of the schema {name!r} are no list: write them as [[a, b], [c]].")
    unique = dict.fromkeys(_key(each, "uniqueKeys", known, name) for each in unique_keys)
    return TableSchema(parsed, primary, tuple(unique), match)


def _table_of(read: Any, name: str) -> Any:
    if isinstance(read, Mapping) and isinstance(read.get("resources"), list) and read["resources"]:
        if len(read["resources"]) > 1:
            raise DataServiceError(
                f"The data package {name!r} has {len(read['resources']):,} resources: give the schema of the one that "
                "the table is."
            )
        read = read["resources"][0]
    return read["schema"] if isinstance(read, Mapping) and "schema" in read else read


def _match(table: Mapping[str, Any], name: str) -> str:
    match = table.get("fieldsMatch", "subset")
    match = match[0] if isinstance(match, list) and len(match) == 1 else match  # as the second version has it
    if match not in MATCHES:
        raise DataServiceError(
            f"The fieldsMatch {match!r} of the schema {name!r} is unknown: {nearest(str(match), MATCHES)}"
        )
    return str(match)


def _key(key: Any, kind: str, known: Sequence[str], name: str) -> tuple[str, ...]:
    columns = _texts([key] if isinstance(key, str) else key, kind, name)
    if unknown := next((each for each in columns if each not in known), None):
        raise DataServiceError(f"The {kind} {unknown!r} of the schema {name!r} is no field: {nearest(unknown, known)}")
    return tuple(columns)


def _missing_values(values: Any, where: str) -> tuple[str, ...]:
    """Read texts, or, as the second version of the standard allows, such with a label."""
    if isinstance(values, list):
        values = [each["value"] if isinstance(each, Mapping) and "value" in each else each for each in values]
    return tuple(_texts(values, "missingValues", where))


def _field(described: Any, schema: str, missing: tuple[str, ...]) -> SchemaField:
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        raise DataServiceError(f"A field of the schema {schema!r} has no name: give name and type of each.")
    name, kind = described["name"], described.get("type", "any")
    if unchecked := next((key for key in _UNCHECKED if described.get(key)), None):
        raise DataServiceError(
            f"The property {unchecked!r} of the field {name!r} is not checked here: take it out of {schema!r}."
        )
    if kind not in TYPES:
        raise DataServiceError(f"The type {kind!r} of the field {name!r} is unknown: {nearest(str(kind), TYPES)}")
    constraints = described.get("constraints") or {}
    if not isinstance(constraints, Mapping):
        raise DataServiceError(f"The constraints of the field {name!r} are no mapping: give {{required: true}}, say.")
    if unknown := next((each for each in constraints if each not in CONSTRAINTS), None):
        raise DataServiceError(
            f"The constraint {unknown!r} of the field {name!r} is unknown: {nearest(str(unknown), CONSTRAINTS)}"
        )
    if "missingValues" in described:
        missing = _missing_values(described["missingValues"], name)
    form = str(described.get("format", "default"))
    return SchemaField(name, kind, form, dict(constraints), dict(described), missing)


def _texts(values: Any, key: str, where: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise DataServiceError(f"The {key} of {where!r} are no list of texts: write them as ['true', 'yes'].")
    return values


def validate(frame: nw.LazyFrame[Any], schema: TableSchema) -> Validation:
    """Divide a table into the rows that meet a schema and those that do not.

    Rows that repeat a unique value are all rejected, since none of them is known to be the right one. Which values are
    repeated is evaluated at once, in memory in proportion to the distinct values of that column; nothing else is.

    Args:
        frame: The table; cells of CSV files are texts and are read as the schema says.
        schema: What :func:`parse_schema` gave.

    Raises:
        DataServiceError: If a column is missing, or an argument of a constraint does not fit the type.

    Examples:
        >>> import polars as pl
        >>> frame = nw.from_native(pl.LazyFrame({"age": ["17", "x", "-1"]}))
        >>> age = b"fields: [{name: age, type: integer, constraints: {minimum: 0}}]"
        >>> result = validate(frame, parse_schema(age, "ages"))
        >>> result.valid.collect().rows(), result.rejected.collect().rows()
        ([('17',)], [('x',), ('-1',)])
        >>> [(each.constraint, each.rows) for each in result.violations()]
        [('type', 1), ('minimum', 1)]
    """
    types = frame.collect_schema()
    fields = _matched(schema, types)
    checks = tuple(check for field in fields for check in _checks(field, types[field.name]))
    checks += _keys(frame, fields, schema)
    if not checks:
        return Validation(frame, frame.head(0), None, nw.lit(""), ())
    failed = nw.any_horizontal(*(check.failed for check in checks), ignore_nulls=False)
    counts = frame.select(*(how_many(check.failed).alias(check.name) for check in checks))
    broken = (nw.when(check.failed).then(nw.lit(check.name)) for check in checks)
    return Validation(
        amended(frame, {}, ~failed),
        frame.filter(failed),
        counts,
        nw.concat_str(*broken, separator=", ", ignore_nulls=True),
        checks,
    )


def _matched(schema: TableSchema, names: Mapping[str, Any]) -> list[SchemaField]:
    """Give the fields that the table has, if it has the columns that it shall.

    Raises:
        DataServiceError: If a column is missing, is not in the schema, or stands elsewhere.
    """
    known = [field.name for field in schema.fields]
    rule = MATCHES[schema.match]
    for name in known:
        if name not in names and rule.needs_all:
            raise DataServiceError(
                f"The column {name!r} of the schema does not exist in the table: {nearest(name, names)}"
            )
    for name in names:
        if name not in known and rule.allows_no_more:
            raise DataServiceError(
                f"The column {name!r} of the table is not in the schema, whose fieldsMatch is {schema.match}: "
                "drop it, or set fieldsMatch to subset."
            )
    if rule.in_order and (moved := next((a for a, b in zip(names, known, strict=True) if a != b), None)):
        raise DataServiceError(
            f"The column {moved!r} of the table stands elsewhere in the schema, whose fieldsMatch is {schema.match}: "
            "reorder the columns, or set fieldsMatch to equal."
        )
    shared = [field for field in schema.fields if field.name in names]
    if not shared:
        raise DataServiceError(f"The table has none of the columns of the schema: {nearest(known[0], names)}")
    return shared


@dataclass(frozen=True)
class Match:
    """What ``fieldsMatch`` asks of the columns of a table.

    Attributes:
        needs_all: Every field is a column.
        allows_no_more: Every column is a field.
        in_order: They come in the same order.
    """

    needs_all: bool = False
    allows_no_more: bool = False
    in_order: bool = False


MATCHES: Mapping[str, Match] = {
    "exact": Match(needs_all=True, allows_no_more=True, in_order=True),
    "equal": Match(needs_all=True, allows_no_more=True),
    "subset": Match(needs_all=True),
    "superset": Match(allows_no_more=True),
    "partial": Match(),
}
"""By the value of ``fieldsMatch``."""


def _checks(field: SchemaField, dtype: Any) -> list[Check]:
    cells = _present(field, dtype)
    typed = TYPES[field.type](field, cells)
    read_at_all = cells.present & ~typed.present
    checks = [] if typed is cells else [Check(field.name, "type", read_at_all)]
    for name, argument in field.constraints.items():
        failed = CONSTRAINTS[name](field, cells, typed, argument)
        if failed is not None:
            checks.append(Check(field.name, name, failed))
    return checks


def _present(field: SchemaField, dtype: Any) -> Value:
    """Give the cells of a column, without those that stand for a missing one."""
    cells = column(field.name, dtype)
    if cells.kind is not Kind.TEXT or not field.missing_values:
        return cells
    return replace(cells, known=cells.where(~cells.cells.is_in(list(field.missing_values))))


def _keys(frame: nw.LazyFrame[Any], fields: Sequence[SchemaField], schema: TableSchema) -> tuple[Check, ...]:
    """Give the rules that compare rows; the values that occur several times are evaluated, a pass for each rule."""
    types = frame.collect_schema()
    described = {field.name: field for field in fields}
    primary = [("primaryKey", schema.primary_key)] if schema.primary_key else []
    unique = [("unique", (field.name,)) for field in fields if field.constraints.get("unique")]
    checks = []
    for kind, columns in [*unique, *primary, *(("uniqueKeys", each) for each in schema.unique_keys)]:
        if any(name not in described for name in columns):
            raise DataServiceError(f"The {kind} {'+'.join(columns)!r} of the schema has a column that the table lacks.")
        known = [_present(described[name], types[name]).present for name in columns]
        complete = nw.all_horizontal(*known, ignore_nulls=False)
        key = _key_text(columns)
        repeated = complete & key.is_in(_repeated(frame.filter(complete).select(key.alias("key"))))
        checks.append(Check("+".join(columns), kind, ~complete | repeated if kind == "primaryKey" else repeated))
    return tuple(checks)


def _key_text(columns: Sequence[str]) -> nw.Expr:
    """Make one text of the cells of a row, which differs where any of them does."""
    texts = [nw.col(name).cast(nw.String).fill_null("") for name in columns]
    return nw.concat_str(
        *(part for text in texts for part in (text.str.len_chars().cast(nw.String), text)), separator=":"
    )


def _repeated(keys: nw.LazyFrame[Any]) -> list[str]:
    counted = keys.group_by("key").agg(nw.len().alias("rows"))
    found: list[str] = collected(counted.filter(nw.col("rows") > 1))["key"].to_list()
    return found


# Types: how a field's cells are read; what cannot be read is not known any more


def _string(field: SchemaField, cells: Value) -> Value:
    if field.format not in _FORMATS:
        raise DataServiceError(
            f"The format {field.format!r} of the field {field.name!r} is unknown: {nearest(field.format, _FORMATS)}"
        )
    pattern = _FORMATS[field.format]
    if pattern is None:
        return cells
    text = converted(cells, Kind.TEXT)
    return replace(text, known=text.where(text.cells.str.contains(rf"\A(?:{pattern})\z")))


def _integer(field: SchemaField, cells: Value) -> Value:
    del field
    if cells.kind is Kind.TEXT:
        return to_number(replace(cells, known=cells.where(cells.cells.str.contains(_INTEGER))))
    number = converted(cells, Kind.NUMBER)
    return number if number.whole else replace(number, known=number.where(number.cells == number.cells.floor()))


def _number(field: SchemaField, cells: Value) -> Value:
    if cells.kind is not Kind.TEXT:
        return converted(cells, Kind.NUMBER)
    text, point = cells.cells, str(field.options.get("decimalChar", "."))
    if group := field.options.get("groupChar"):
        text = text.str.replace_all(str(group), "", literal=True)
    if point != ".":
        text = text.str.replace_all(point, ".", literal=True)
    return to_number(replace(cells, cells=text))


def _boolean(field: SchemaField, cells: Value) -> Value:
    if cells.kind is not Kind.TEXT:
        return converted(cells, Kind.BOOLEAN)
    true, false = (
        _texts(field.options.get(key, default), key, field.name)
        for key, default in (("trueValues", _TRUE), ("falseValues", _FALSE))
    )
    known = cells.where(cells.cells.is_in([*true, *false]))
    return replace(cells, kind=Kind.BOOLEAN, cells=cells.cells.is_in(true), known=known)


def _date(field: SchemaField, cells: Value) -> Value:
    if cells.kind is not Kind.TEXT:
        return converted(cells, Kind.DATE)
    return to_date(cells) if field.format == "default" else to_date(cells, field.format)


def _datetime(field: SchemaField, cells: Value) -> Value:
    if cells.kind is not Kind.TEXT:
        return converted(cells, Kind.DATE)
    if field.format != "default":
        raise DataServiceError(
            f"The format {field.format!r} of the field {field.name!r} cannot be checked: leave it out for ISO 8601."
        )
    day = to_date(replace(cells, cells=cells.cells.str.slice(0, 10)))
    return replace(day, known=day.where(cells.cells.str.contains(_TIME)))


def _year(field: SchemaField, cells: Value) -> Value:
    if cells.kind is Kind.TEXT:
        return to_number(replace(cells, known=cells.where(cells.cells.str.contains(_YEAR))))
    return _integer(field, cells)


def _written_as(pattern: str) -> Callable[[SchemaField, Value], Value]:
    """Read texts of a pattern, whose order as texts is that of what they mean."""

    def read(field: SchemaField, cells: Value) -> Value:
        if field.format != "default":
            raise DataServiceError(
                f"The format {field.format!r} of the field {field.name!r} cannot be checked: leave it out for ISO 8601."
            )
        text = converted(cells, Kind.TEXT)
        return replace(text, known=text.where(text.cells.str.contains(rf"\A(?:{pattern})\z")))

    return read


TYPES: Mapping[str, Callable[[SchemaField, Value], Value]] = {
    "any": lambda field, cells: cells,  # noqa: ARG005 - nothing to check
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "year": _year,
    "time": _written_as(_HOURS),
    "yearmonth": _written_as(_MONTH),
}
"""By the name that a schema gives them."""


# Constraints: each tells which rows break it


def _required(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr | None:
    del typed
    return cells.missing if _truth(field, "required", argument) else None


def _unique(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr | None:
    """Refuse what is no truth value; it takes other rows to tell which break it."""
    del cells, typed
    _truth(field, "unique", argument)
    return None


def _bound(name: str, breaks: Callable[[Any, Any], nw.Expr]) -> "Constraint":
    def failed(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr:
        del cells
        return typed.where(breaks(typed.cells, _constant(field, name, typed, argument)))

    return failed


def _length(name: str, breaks: Callable[[Any, int], nw.Expr]) -> "Constraint":
    def failed(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr:
        del typed
        if isinstance(argument, bool) or not isinstance(argument, int) or argument < 0:
            raise _wrong(field, name, "a whole number from 0")
        return cells.where(breaks(converted(cells, Kind.TEXT).cells.str.len_chars(), argument))

    return failed


def _pattern(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr:
    del typed
    if not isinstance(argument, str):
        raise _wrong(field, "pattern", "a regular expression")
    check_pattern(argument)
    return cells.where(~converted(cells, Kind.TEXT).cells.str.contains(rf"\A(?:{argument})\z"))


def _enum(field: SchemaField, cells: Value, typed: Value, argument: Any) -> nw.Expr:
    del cells
    if not isinstance(argument, list) or not argument:
        raise _wrong(field, "enum", "a list of values")
    choices = [_constant(field, "enum", typed, each) for each in argument]
    values = typed.cells.cast(nw.Float64) if typed.kind is Kind.NUMBER else typed.cells
    return typed.where(~values.is_in([float(each) for each in choices] if typed.kind is Kind.NUMBER else choices))


Constraint = Callable[[SchemaField, Value, Value, Any], nw.Expr | None]
"""Takes the field, its cells as they are and as their type, and the argument; gives which rows break it, never null."""

CONSTRAINTS: Mapping[str, Constraint] = {
    "required": _required,
    "unique": _unique,
    "minimum": _bound("minimum", lambda cells, bound: cells < bound),
    "maximum": _bound("maximum", lambda cells, bound: cells > bound),
    "exclusiveMinimum": _bound("exclusiveMinimum", lambda cells, bound: cells <= bound),
    "exclusiveMaximum": _bound("exclusiveMaximum", lambda cells, bound: cells >= bound),
    "minLength": _length("minLength", lambda length, bound: length < bound),
    "maxLength": _length("maxLength", lambda length, bound: length > bound),
    "pattern": _pattern,
    "enum": _enum,
}
"""By the name that a schema gives them."""


def _truth(field: SchemaField, name: str, argument: Any) -> bool:
    if not isinstance(argument, bool):
        raise _wrong(field, name, "true or false")
    return argument


def _constant(field: SchemaField, name: str, typed: Value, argument: Any) -> Any:
    """Read an argument as the field's cells are read; JSON has no dates, YAML has."""
    if isinstance(argument, (list, dict, type(None))) or (isinstance(argument, float) and not math.isfinite(argument)):
        raise _wrong(field, name, typed.kind.value)
    try:
        read = constant(argument, name)
        text = constant(str(argument), name) if typed.kind is Kind.TEXT else read
        return converted(text, typed.kind).constant_cell
    except DataServiceError:
        raise _wrong(field, name, typed.kind.value) from None


def _wrong(field: SchemaField, constraint: str, expected: str) -> DataServiceError:
    return DataServiceError(
        f"The constraint {constraint!r} of the field {field.name!r} does not fit the type {field.type!r}: "
        f"give {expected}."
    )


def summary(violations: Sequence[Violations]) -> str:
    """Tell in a few words which rules are broken; it names no cell value.

    Examples:
        >>> summary([Violations("age", "type", 3), Violations("age", "minimum", 0)])
        'age: type 3'
    """
    return ", ".join(f"{each.field}: {each.constraint} {each.rows:,}" for each in violations if each.rows)
