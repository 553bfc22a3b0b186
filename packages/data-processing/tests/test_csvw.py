import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_processing import validate_schema
from util_services.errors import DataServiceError

CONTEXT = ["http://www.w3.org/ns/csvw", {"@language": "en"}]


def metadata(*columns: Any, **more: Any) -> bytes:
    return json.dumps({"@context": CONTEXT, "tableSchema": {"columns": list(columns), **more}}).encode()


def column(datatype: Any = "string", **more: Any) -> dict[str, Any]:
    return {"titles": "cell", "datatype": datatype, **more}


CASES: dict[str, tuple[dict[str, Any], list[str | None], list[str | None]]] = {
    "any text": (column(), ["x", None], []),
    "required": (column(required=True), ["x"], [None, ""]),
    "null": (column("integer", null=["-", "n"], required=False), ["-", "n", "1"], ["", "x"]),
    "bounds of the type": (column("byte"), ["-128", "127"], ["128", "x", "1.5"]),
    "bounds": (column({"base": "decimal", "minInclusive": 1, "maxExclusive": 2}), ["1", "1.9"], ["0.9", "2"]),
    "narrower bounds": (column({"base": "positiveInteger", "maximum": 3}), ["1", "3"], ["0", "4"]),
    "decimal comma": (
        column({"base": "number", "format": {"decimalChar": ",", "groupChar": "."}}),
        ["1.234,5"],
        ["1,2,3"],
    ),
    "boolean": (column({"base": "boolean", "format": "ja|nein"}), ["ja", "nein"], ["true"]),
    "date": (column({"base": "date", "format": "dd.MM.yyyy"}), ["29.02.2000"], ["2000-02-29", "31.04.2000"]),
    "date bound": (column({"base": "date", "minimum": "2000-01-01"}), ["2000-01-01"], ["1999-12-31"]),
    "pattern": (column({"base": "string", "format": "[A-Z]{2}"}), ["DE"], ["de", "DEU"]),
    "length": (column({"base": "string", "length": 2}), ["äö"], ["a", "abc"]),
    "gYearMonth": (column("gYearMonth"), ["2026-01"], ["2026"]),
}


def sides(cells: list[str | None], described: bytes) -> tuple[list[Any], list[Any]]:
    result = validate_schema(pl.DataFrame({"cell": cells}, schema={"cell": pl.String}), schema_file=described)
    return result.frame["cell"].to_list(), result.rejects["cell"].to_list()


@pytest.mark.parametrize("case", CASES)
def test_rows_are_divided_by_the_metadata(case: str) -> None:
    described, valid, rejected = CASES[case]
    assert sides([*valid, *rejected], metadata(described)) == (valid, rejected)


def test_columns_inherit_and_are_named_by_their_title_or_name() -> None:
    inherited = metadata({"name": "cell"}, datatype="integer", required=True)
    assert sides(["1", "x", None], inherited) == (["1"], ["x", None])
    titles = metadata({"name": "c", "titles": {"en": ["cell"]}}, {"virtual": True, "name": "v"}, primaryKey="c")
    assert sides(["1", "2", "2"], titles) == (["1"], ["2", "2"])
    table = {"url": "x.csv", "tableSchema": {"columns": [column("integer")]}}
    assert sides(["1", "x"], json.dumps({"@context": CONTEXT[0], "tables": [table]}).encode()) == (["1"], ["x"])


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        (metadata(column("integr")), "The datatype 'integr' of the column 'cell' is unknown: did you mean 'integer'?"),
        (
            metadata(column({"base": "string", "minimun": 1})),
            "The property 'minimun' of the datatype of 'cell' is unkn",
        ),
        (metadata(column(separator=";")), "The column 'cell' has a separator: lists in cells are not checked"),
        (
            metadata({"datatype": "string"}),
            "A column of the metadata 'given' has no name: give titles or name of each.",
        ),
        (metadata("cell"), "A column of the metadata 'given' has no name"),
        (metadata(column({"base": "time", "format": "HH:mm"})), "The format of the column 'cell' cannot be checked"),
        (metadata(column(), foreignKeys=[{}]), "The schema 'given' has foreignKeys, which are not checked here"),
        (json.dumps({"@context": CONTEXT, "tables": [{}, {}]}).encode(), "The metadata 'given' describe 2 tables"),
        (
            json.dumps({"@context": CONTEXT, "url": "x.csv"}).encode(),
            "The metadata 'given' have no tableSchema with co",
        ),
    ],
)
def test_a_mistake_is_one_sentence(described: bytes, sentence: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        sides(["x"], described)
    assert str(refused.value).startswith(sentence)


def test_the_manuals_metadata_are_understood() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "schemas.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", manual, flags=re.DOTALL)
    frame = pl.DataFrame(
        [("R0001", "171.5", "31.01.2026"), ("R0002", "-", "2026-01-31"), ("R0003", "500", "31.01.2026")],
        schema=["registration", "height_cm", "registered_on"],
        orient="row",
    )
    details = validate_schema(frame, schema_file=example.encode()).reports[0].details
    found = {rule: rows for rule, rows in details.items() if rows}
    assert found == {"height_cm maximum": 1, "registered_on type": 1}
