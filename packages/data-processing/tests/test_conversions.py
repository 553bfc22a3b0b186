from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import convert_types
from util_services.errors import DataServiceError


def converted(cells: list[str | None], kind: str, **how: Any) -> list[Any]:
    frame = pl.DataFrame({"c": cells}, schema={"c": pl.String})
    return convert_types(frame, types={"c": kind}, on_failure="missing", **how).frame["c"].to_list()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_whole_numbers_of_64_bits_come_back_exactly(numbers: list[int | None]) -> None:
    assert converted([None if number is None else f" {number}" for number in numbers], "integer") == numbers


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=6), st.booleans())
def test_decimals_come_back_exactly_whatever_the_mark(numbers: list[float], comma: bool) -> None:
    mark = "," if comma else "."
    assert converted([repr(number).replace(".", mark) for number in numbers], "decimal", decimal_mark=mark) == numbers


@pytest.mark.parametrize(
    ("kind", "how", "cells", "expected"),
    [
        ("integer", {}, ["007", "+5", "42.0", "42.5", "1e3", "9223372036854775808", "٣", ""], [7, 5, 42] + [None] * 5),
        ("integer", {"thousands_mark": ","}, ["1,234,567", "12,34", "1234", ",123"], [1234567, None, 1234, None]),
        ("decimal", {}, [".5", "5.", "1e3", "1e999", "inf", "NaN", "1,5", "."], [0.5, 5.0, 1000.0] + [None] * 5),
        (
            "decimal",
            {"decimal_mark": ",", "thousands_mark": "."},
            ["1.070,5", "1070,5", "1.07", "1.0705", "-,5"],
            [1070.5, 1070.5, None, None, -0.5],
        ),
        ("decimal", {"decimal_mark": ",", "thousands_mark": " "}, ["1 070,5", "10 70"], [1070.5, None]),
        ("boolean", {}, ["Yes", " n ", "1", "FALSE", "oui"], [True, False, True, False, None]),
        ("boolean", {"true_values": ["oui"], "false_values": ["non"]}, ["OUI", "non", "yes"], [True, False, None]),
        ("date", {}, ["2024-02-29", "2023-02-29", "31.12.1999"], [date(2024, 2, 29), None, None]),
        ("date", {"date_formats": ["%d.%m.%Y", "%Y-%m-%d"]}, ["31.12.1999", "2000-01-02"],
         [date(1999, 12, 31), date(2000, 1, 2)]),
        ("datetime", {}, ["2024-02-29T12:30:00", "2024-02-29 12:30:01", "2024-02-29"],
         [datetime.fromisoformat("2024-02-29T12:30"), datetime.fromisoformat("2024-02-29T12:30:01"), None]),
        ("text", {}, [" x ", None], ["x", None]),
    ],
)  # fmt: skip
def test_texts_are_read_as_documented(kind: str, how: dict[str, Any], cells: list[str], expected: list[Any]) -> None:
    assert converted(cells, kind, **how) == expected


def test_rows_with_a_cell_that_does_not_convert_are_rejected_with_the_first_reason() -> None:
    frame = pl.DataFrame({"id": ["1", "2", "3"], "age": ["30", "x", None], "day": ["2024-01-01", "y", "z"]})
    result = convert_types(frame, types={"age": "integer", "day": "date"})
    assert result.frame.rows() == [("1", 30, date(2024, 1, 1))]
    assert result.rejects.rows() == [
        ("convert_types", "age is not a whole number of 64 bits", "2", "x", "y"),
        ("convert_types", "day is not a date in a known format", "3", None, "z"),
    ]
    (report,) = result.reports
    assert (report.rows_in, report.rows_out, report.rejects) == (3, 1, 2)


def test_a_cell_counts_as_changed_if_it_is_written_otherwise() -> None:
    result = convert_types(pl.DataFrame({"n": ["1.50", "1.5", None]}), types={"n": "decimal"})
    assert result.reports[0].cells_changed == {"n": 1}


def test_what_does_not_convert_can_stop_the_run_without_showing_cells() -> None:
    frame = pl.DataFrame({"age": ["30", "SECRET"]})
    with pytest.raises(DataServiceError) as caught:
        convert_types(frame, types={"age": "integer"}, on_failure="fail")
    assert str(caught.value) == (
        "1 cell of the column 'age' of the step convert_types is not a whole number of 64 bits: correct the data, or "
        "set on_failure to reject or missing."
    )
    assert convert_types(frame.head(1), types={"age": "integer"}, on_failure="fail").frame.rows() == [(30,)]


def test_converting_twice_converts_once() -> None:
    types = {"a": "integer", "b": "decimal", "c": "date", "d": "boolean", "e": "text"}
    frame = pl.DataFrame({"a": ["1"], "b": ["1.5"], "c": ["2024-01-01"], "d": ["yes"], "e": [5]})
    once = convert_types(frame, types=types).frame
    assert convert_types(once, types=types).frame.equals(once)
    assert once["e"].to_list() == ["5"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"types": {}}, "The step convert_types has nothing to convert: give the type of at least one column."),
        ({"types": {"a": "int"}}, "The type 'int' of the step convert_types is unknown: did you mean 'integer'?"),
        ({"types": {"b": "date"}}, "The column 'b' in types of the step convert_types does not exist: "),
        ({"types": {"a": "date"}, "date_formats": ["%d.%m"]}, "The step convert_types cannot use the format '%d.%m': "),
        ({"types": {"a": "date"}, "date_formats": []}, "The step convert_types has no format of dates: give at least "),
        (
            {"types": {"a": "datetime"}, "datetime_formats": ["%Y-%m-%dT%H:%M:%S%z"]},
            "The step convert_types cannot use the format '%Y-%m-%dT%H:%M:%S%z': give one that tells a day and a time ",
        ),
        ({"types": {"a": "date"}, "on_failure": "drop"}, "The on_failure 'drop' of the step convert_types is unknown:"),
        ({"types": {"a": "decimal"}, "decimal_mark": ",", "thousands_mark": ","}, "The step convert_types needs a dec"),
        ({"types": {"a": "boolean"}, "true_values": ["1"], "false_values": ["1"]}, "The step convert_types takes '1'"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        convert_types(pl.DataFrame({"a": ["1"]}), **how)
    assert str(caught.value).startswith(sentence)
