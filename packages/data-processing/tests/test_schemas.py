from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from data_processing.schemas import parse_schema, summary, validate
from util_services.errors import DataServiceError


def schema(*fields: dict[str, Any], **more: Any) -> bytes:
    import json

    return json.dumps({"fields": list(fields), **more}).encode()


def field(kind: str, /, name: str = "cell", format: str | None = None, **constraints: Any) -> dict[str, Any]:  # noqa: A002 - the schema's own word
    described: dict[str, Any] = {"name": name, "type": kind, "constraints": constraints}
    return described | ({"format": format} if format else {})


CASES: dict[str, tuple[dict[str, Any], list[str | None], list[str | None]]] = {
    "integer": (field("integer"), ["1", "-2", "+3", None, ""], ["1.0", "x", " 1", "1e3"]),
    "number": (field("number"), ["1", "-2.5", ".5", "1e3", None], ["1,5", "x", "1e999", "NaN"]),
    "decimal comma": (field("number") | {"decimalChar": ",", "groupChar": "."}, ["1.234,5", "7"], ["x", "1,2,3"]),
    "boolean": (field("boolean"), ["true", "0", "TRUE", None], ["yes", "tRUE", "2"]),
    "own booleans": (field("boolean") | {"trueValues": ["ja"], "falseValues": ["nein"]}, ["ja", "nein"], ["true"]),
    "date": (field("date"), ["2000-02-29", "1999-12-31", None], ["1900-02-29", "2000-2-3", "2000-13-01", "x"]),
    "date in a format": (field("date", format="%d.%m.%Y"), ["29.02.2000"], ["2000-02-29", "31.04.2000"]),
    "datetime": (
        field("datetime"),
        ["2000-02-29T23:59:59Z", "2000-01-01 00:00:00.5+01:00"],
        ["2000-01-01", "2001-02-29T00:00:00", "2000-01-01T24:00:00"],
    ),
    "year": (field("year"), ["2026"], ["26", "20266"]),
    "time": (field("time", minimum="08:00:00"), ["08:00:00", "23:59:59", None], ["07:59:59", "24:00:00", "8:00"]),
    "yearmonth": (field("yearmonth"), ["2026-01"], ["2026-13", "2026", "2026-1"]),
    "own missing values": (field("integer") | {"missingValues": ["-", {"value": "9", "label": "x"}]}, ["-"], ["", "x"]),
    "own missing values are required": (field("any", required=True) | {"missingValues": ["-"]}, ["", "x"], ["-", None]),
    "email": (field("string", format="email"), ["a@b.eu", None], ["a@b", "a b@c.eu", "x"]),
    "uuid": (field("string", format="uuid"), ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]),
    "required": (field("string", required=True), ["x", " "], [None, ""]),
    "not required": (field("string", required=False), ["x", None], []),
    "unique": (field("string", unique=True), ["a", "b", None, None, ""], ["c", "c"]),
    "minimum": (field("integer", minimum=2), ["2", "10", None], ["1", "-5", "x"]),
    "maximum as a text": (field("number", maximum="2.5"), ["2.5"], ["2.6"]),
    "exclusive bounds": (field("number", exclusiveMinimum=0, exclusiveMaximum=1), ["0.5"], ["0", "1"]),
    "dates between": (
        field("date", minimum="2000-01-01", maximum="2000-12-31"),
        ["2000-06-01"],
        ["1999-12-31", "2001-01-01"],
    ),
    "lengths": (field("string", minLength=2, maxLength=3), ["ab", "äöü", None], ["a", "abcd"]),
    "pattern": (field("string", pattern="[A-Z]{2}|x"), ["DE", "x", None], ["DEU", "de", "xx"]),
    "enum": (field("string", enum=["DE", "FR"]), ["DE", "FR", None], ["IT", "de"]),
    "enum of numbers": (field("integer", enum=[1, 2]), ["1", "02"], ["3"]),
}


def sides(frame: Any, described: bytes) -> tuple[list[Any], list[Any]]:
    result = validate(nw.from_native(frame).lazy(), parse_schema(described, "schema.json"))
    return tuple(side.collect("polars")["cell"].to_list() for side in (result.valid, result.rejected))  # type: ignore[return-value]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", [pl.LazyFrame, pa.table, pd.DataFrame], ids=["polars", "pyarrow", "pandas"])
def test_rows_are_divided_by_the_schema_on_every_engine(case: str, engine: Any) -> None:
    described, valid, rejected = CASES[case]
    cells = [cell for pair in zip(valid, rejected, strict=False) for cell in pair]
    cells += valid[len(rejected) :] + rejected[len(valid) :]
    table: dict[str, list[str | None]] = {"cell": cells}
    if engine is pa.table:
        found = sides(pa.table({"cell": pa.array(cells, pa.string())}), schema(described))
    elif engine is pl.LazyFrame:
        found = sides(pl.LazyFrame(table, schema={"cell": pl.String}), schema(described))
    else:
        found = sides(pd.DataFrame(table, dtype="str"), schema(described))
    assert found == (valid, rejected)


def test_rows_are_counted_by_field_and_constraint() -> None:
    frame = nw.from_native(pl.LazyFrame({"id": ["1", "1", None], "age": ["x", "-1", "5"], "more": ["", "", ""]}))
    described = schema(
        field("string", name="id", required=True), field("integer", name="age", minimum=0), primaryKey=["id"]
    )
    result = validate(frame, parse_schema(described, "schema.json"))
    counts = {(each.field, each.constraint): each.rows for each in result.violations()}
    assert counts == {("id", "required"): 1, ("age", "type"): 1, ("age", "minimum"): 1, ("id", "primaryKey"): 3}
    assert summary(result.violations()) == "id: required 1, age: type 1, age: minimum 1, id: primaryKey 3"
    assert result.valid.collect().is_empty()


def test_typed_columns_are_checked_as_they_are() -> None:
    frame = nw.from_native(pl.LazyFrame({"cell": [1.0, 1.5, None]}))
    assert [
        row[0] for row in validate(frame, parse_schema(schema(field("integer")), "s")).rejected.collect().rows()
    ] == [1.5]


def test_yaml_resources_and_packages_are_read_too() -> None:
    for text in (
        "fields: [{name: a, type: date, constraints: {minimum: 2000-01-01}}]\nmissingValues: ['-']",
        "schema: {fields: [{name: a}]}",
        "resources: [{name: r, schema: {fields: [{name: a}]}}]",
    ):
        assert parse_schema(text.encode(), "s.yaml").fields[0].name == "a"
    frame = nw.from_native(pl.LazyFrame({"a": ["-", "1999-01-01"]}))
    first = parse_schema(
        b"fields: [{name: a, type: date, constraints: {minimum: 2000-01-01}}]\nmissingValues: ['-']", "s"
    )
    assert validate(frame, first).valid.collect().rows() == [("-",)]


def test_cells_of_a_key_are_not_mixed_up_whatever_they_hold_and_are() -> None:
    rows = [("1", ":1:a", 1.5), ("1:1", ":a", 1.5), ("", "x", 2.0), ("0", "", 2.5), ("0", "", 2.5)]
    frame = nw.from_native(pl.LazyFrame(rows, schema=["a", "b", "n"], orient="row"))
    described = schema(
        field("any", name="a"),
        field("any", name="b"),
        field("number", name="n", unique=True),
        uniqueKeys=[["a", "b"]],
        missingValues=[],
    )
    result = validate(frame, parse_schema(described, "s"))
    assert summary(result.violations()) == "n: unique 4, a+b: uniqueKeys 2"


def test_rows_that_share_a_unique_key_are_rejected_unless_a_part_is_missing() -> None:
    rows = [("1", "x"), ("1", "x"), ("1", "y"), ("1", None), ("1", None)]
    frame = nw.from_native(pl.LazyFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row"))
    described = schema(field("any", name="a"), field("any", name="b"), uniqueKeys=[["a", "b"], ["a", "b"]])
    result = validate(frame, parse_schema(described, "s"))
    assert result.valid.collect().rows() == rows[2:]
    assert summary(result.violations()) == "a+b: uniqueKeys 2"


@pytest.mark.parametrize(
    ("match", "columns", "sentence"),
    [
        ("exact", ["a", "b"], None),
        ("exact", ["b", "a"], "The column 'b' of the table stands elsewhere in the schema, whose fieldsMatch is exact"),
        ("exact", ["a", "b", "c"], "The column 'c' of the table is not in the schema, whose fieldsMatch is exact: dr"),
        ("equal", ["b", "a"], None),
        ("equal", ["b"], "The column 'a' of the schema does not exist in the table"),
        ("subset", ["c", "b", "a"], None),
        (["subset"], ["a", "c"], "The column 'b' of the schema does not exist in the table"),
        ("superset", ["b"], None),
        ("superset", ["b", "c"], "The column 'c' of the table is not in the schema, whose fieldsMatch is superset"),
        ("partial", ["b", "c"], None),
        ("partial", ["c"], "The table has none of the columns of the schema: choose one of 'c'."),
        ("some", ["a"], "The fieldsMatch 'some' of the schema 's' is unknown: choose one of 'exact', 'equal'"),
    ],
)
def test_columns_and_fields_go_together_as_the_schema_asks(
    match: Any, columns: list[str], sentence: str | None
) -> None:
    frame = nw.from_native(pl.LazyFrame({name: ["1"] for name in columns}))
    described = schema(field("integer", name="a"), field("integer", name="b"), fieldsMatch=match)
    if sentence is None:
        assert validate(frame, parse_schema(described, "s")).valid.collect().rows() == [("1",) * len(columns)]
        return
    with pytest.raises(DataServiceError) as refused:
        validate(frame, parse_schema(described, "s"))
    assert str(refused.value).startswith(sentence)


def test_a_schema_without_rules_rejects_nothing() -> None:
    frame = nw.from_native(pl.LazyFrame({"a": ["x"]}))
    result = validate(frame, parse_schema(b"fields: [{name: a}]", "s"))
    assert (result.valid.collect().shape, result.rejected.collect().shape, result.violations()) == ((1, 1), (0, 1), [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "The schema 's.json' is neither JSON nor YAML"),
        (b"\xff\xfe", "The schema 's.json' is neither JSON nor YAML"),
        (b"[]", "The schema 's.json' has no list of fields"),
        (b"fields: [{type: integer}]", "A field of the schema 's.json' has no name"),
        (b"fields: [{name: a}, {name: a}]", "The schema 's.json' has the field 'a' twice"),
        (
            b"fields: [{name: a, type: intege}]",
            "The type 'intege' of the field 'a' is unknown: did you mean 'integer'?",
        ),
        (
            b"fields: [{name: a, constraints: {minimun: 1}}]",
            "The constraint 'minimun' of the field 'a' is unknown: did you mean 'minimum'?",
        ),
        (b"fields: [{name: a, constraints: 1}]", "The constraints of the field 'a' are no mapping"),
        (
            b"fields: [{name: code}]\nprimaryKey: [cod]",
            "The primaryKey 'cod' of the schema 's.json' is no field: did you mean 'code'?",
        ),
        (b"fields: [{name: a}]\nuniqueKeys: a", "The uniqueKeys of the schema 's.json' are no list"),
        (
            b"fields: [{name: code}]\nuniqueKeys: [[cod]]",
            "The uniqueKeys 'cod' of the schema 's.json' is no field: did you mean 'code'?",
        ),
        (
            b"fields: [{name: cell}, {name: b}]\nuniqueKeys: [[b]]\nfieldsMatch: partial",
            "The uniqueKeys 'b' of the schema has a column that the table lacks.",
        ),
        (b"fields: [{name: a}]\nforeignKeys: [{fields: a}]", "The schema 's.json' has foreignKeys, which are not ch"),
        (b"resources: [{name: a}, {name: b}]", "The data package 's.json' has 2 resources: give the schema of the one"),
        (b"fields: [{name: a, bareNumber: true}]", "The property 'bareNumber' of the field 'a' is not checked here"),
        (b"fields: []" + b" " * 1_000_000, "The schema 's.json' has 1,000,010 bytes, and at most 1,000,000 are read"),
        (schema(field("time", format="%H")), "The format '%H' of the field 'cell' cannot be checked: leave it out"),
        (b"fields: [{name: a}]\nmissingValues: [1]", "The missingValues of 's.json' are no list of texts"),
        (
            schema(field("integer", name="ages")),
            "The column 'ages' of the schema does not exist in the table: choose one of 'cell'.",
        ),
        (
            schema(field("string", format="emial")),
            "The format 'emial' of the field 'cell' is unknown: did you mean 'email'?",
        ),
        (schema(field("date", format="%B")), "The date format '%B' is not one"),
        (
            schema(field("integer", minimum="x")),
            "The constraint 'minimum' of the field 'cell' does not fit the type 'integer': give a number.",
        ),
        (
            schema(field("date", maximum=3)),
            "The constraint 'maximum' of the field 'cell' does not fit the type 'date': give a date.",
        ),
        (
            schema(field("string", minLength=-1)),
            "The constraint 'minLength' of the field 'cell' does not fit the type 'string': give a whole number",
        ),
        (
            schema(field("string", required="yes")),
            "The constraint 'required' of the field 'cell' does not fit the type 'string': give true or",
        ),
        (
            schema(field("string", enum=[])),
            "The constraint 'enum' of the field 'cell' does not fit the type 'string': give a list",
        ),
        (schema(field("string", pattern="(?=a)")), "The pattern '(?=a)' is no regular expression that can be matched"),
    ],
)
def test_a_mistake_in_a_schema_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        validate(nw.from_native(pl.LazyFrame({"cell": ["x"]})), parse_schema(content, "s.json"))
    assert str(refused.value).startswith(sentence)
