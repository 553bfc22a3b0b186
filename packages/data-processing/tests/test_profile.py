import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_processing import profile as profiling
from data_processing import report
from data_processing.profile import profile
from data_processing.profile_page import profile_figures
from data_processing.role_rules import RULES, Figures, Role, hierarchy, proposed

SMALL: dict[str, list[Any]] = {
    "id": ["a1", "b2", "c3", "d4"],
    "age": ["25", "31", "31", None],
    "e mail": ["a@b.eu", "c@d.eu", "x", "e@f.eu"],
    "seen": ["2026-01-31", "2026-02-28", "2025-02-28", None],
}


def of(table: Any, name: str) -> profiling.ColumnProfile:
    return next(each for each in profile(table).columns if each.name == name)


@pytest.mark.parametrize("engine", [pl.DataFrame, pl.LazyFrame, pa.table, pd.DataFrame])
def test_every_engine_gives_the_same_profile(engine: type) -> None:
    expected = profile(pl.DataFrame(SMALL))
    found = profile(engine(SMALL))
    assert [
        (each.name, each.looks, each.missing, each.distinct, each.unique_share, each.role) for each in found.columns
    ] == [
        (each.name, each.looks, each.missing, each.distinct, each.unique_share, each.role) for each in expected.columns
    ]
    assert found.combinations == expected.combinations
    bins, expected_bins = (
        [each.distribution and (each.distribution.edges, each.distribution.counts) for each in of_engine.columns]
        for of_engine in (found, expected)
    )
    assert bins == expected_bins


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([None, "a", "b", "c"])] * 3), min_size=1, max_size=12))
def test_unique_rows_of_combinations_are_those_that_no_other_row_equals(rows: list[tuple[str | None, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=["x", "y", "z"], orient="row")
    found = profiling._combinations(profiling.nw.from_native(frame).lazy(), ["x", "y", "z"], len(rows))
    assert {each.columns for each in found} == {("x", "y"), ("x", "z"), ("y", "z"), ("x", "y", "z")}
    for each in found:
        projected = frame.select(each.columns).rows()
        assert each.unique_share == sum(projected.count(row) == 1 for row in projected) / len(rows)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9) | st.integers(-50, 50).map(float), min_size=1, max_size=20))
@example([1.5e-129])
@example([0.0])
@example([-1e-05])  # divided by the width of a bin, a little less than a whole number
def test_every_number_is_in_one_bin(numbers: list[float]) -> None:
    distribution = of(pl.DataFrame({"n": numbers}), "n").distribution
    assert distribution
    assert list(distribution.counts) == np.histogram(numbers, [*distribution.edges[:-1], np.inf])[0].tolist()
    assert distribution.mean == pytest.approx(np.mean(numbers), abs=1e-3)


@pytest.mark.parametrize("number", ["80331", "7", "1234567.89", "-42"])
def test_the_edges_do_not_tell_the_only_value(number: str) -> None:
    distribution = of(pl.DataFrame({"n": [number] * 3}), "n").distribution
    assert distribution
    assert distribution.counts == (3,)
    low, high = distribution.edges
    assert high - low >= 0.01 * abs(float(number))


LOOKING = {
    "truth values": ["true", "false", "No"],
    "e-mail addresses": ["a@b.eu", "c.d@e.org"],
    "UUIDs": ["123e4567-e89b-12d3-a456-426614174000"],
    "IBANs": ["DE89 3704 0044 0532 0130 00", "FR1420041010050500013M02606"],
    "IP addresses": ["10.0.0.1"],
    "URLs": ["https://a.eu/b"],
    "dates": ["2026-01-31"],
    "dates written 31.12.2026": ["31.01.2026"],
    "dates written 31/12/2026": ["31/01/2026"],
    "times": ["2026-01-31T10:30:00Z"],
    "whole numbers": ["0", "12", "-7"],
    "digits, some with a leading zero": ["01067", "80331"],
    "decimal numbers": ["1.5", "2"],
    "decimal numbers with a comma": ["1.234,5", "2,0"],
    "telephone numbers": ["+49 89 1234567"],
    "texts": ["Ann", "12 apples"],
}


@pytest.mark.parametrize("look", LOOKING)
def test_cells_are_told_by_their_looks(look: str) -> None:
    assert of(pl.DataFrame({"x": [*LOOKING[look], None]}), "x").looks == look


def test_the_share_that_looks_so_is_counted_over_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_SHAPED_ROWS", 2)
    column = of(pl.DataFrame({"x": ["1", "2", "x", "y", None]}), "x")
    assert (column.looks, column.looks_share) == ("whole numbers", 0.5)


def figures(name: str, looks: str = "texts", distinct: int = 50, unique: float = 0.1, length: float = 5.0) -> Figures:
    return Figures(name, looks, distinct, unique, length, 1000)


@pytest.mark.parametrize(
    ("column", "role", "reason"),
    [
        (figures("x", distinct=1), Role.OTHER, "one value"),
        (figures("x", "e-mail addresses"), Role.IDENTIFIER, "look like e-mail addresses"),
        (figures("Diagnosis_Code"), Role.SENSITIVE, "'diagnosis'"),
        (figures("dateOfBirth", "dates"), Role.QUASI_IDENTIFIER, "'birth'"),
        (figures("PLZ", "whole numbers"), Role.QUASI_IDENTIFIER, "'plz'"),
        (figures("Nachname"), Role.IDENTIFIER, "'nachname'"),
        (figures("first name"), Role.IDENTIFIER, "'name'"),
        (figures("x", unique=0.99), Role.IDENTIFIER, "occurs once"),
        (figures("x", "decimal numbers", unique=0.99), Role.OTHER, "nothing speaks"),
        (figures("x", length=80.0), Role.IDENTIFIER, "free text"),
        (figures("x", "dates"), Role.QUASI_IDENTIFIER, "a date"),
        (figures("x", distinct=7), Role.QUASI_IDENTIFIER, "7 groups"),
        (figures("x"), Role.OTHER, "nothing speaks"),
        (figures("stage"), Role.OTHER, "nothing speaks"),
    ],
    ids=lambda value: value.name if isinstance(value, Figures) else "",
)
def test_a_role_is_proposed_with_its_reason(column: Figures, role: Role, reason: str) -> None:
    proposal = proposed(column)
    assert proposal.role is role
    assert reason in proposal.reason
    assert len(RULES) == 9


def test_hierarchies_are_proposed_by_what_the_column_holds() -> None:
    assert hierarchy(figures("age", "whole numbers")) == "simpl_age"
    assert hierarchy(figures("born", "dates written 31.12.2026")) == {
        "dates": {"levels": ["day", "month", "year", "decade"], "format": "%d.%m.%Y"}
    }
    assert hierarchy(figures("visits", "whole numbers")) == {"intervals": {"widths": [5, 10, 50, 100]}}
    assert hierarchy(figures("city")) == "suppress"


@pytest.mark.parametrize("show_values", [False, True])
def test_values_are_named_only_where_they_are_asked_for(show_values: bool) -> None:
    document = report.headed("profile", profile_figures(profile(pl.DataFrame(SMALL)), show_values=show_values))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for rendered in (report.markdown(document), report.html(document), json.dumps(document)):
        assert ("a@b.eu" in rendered.replace("\\", "")) is show_values


def test_a_longer_table_is_measured_on_its_first_rows_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "MEASURED_ROWS", 2)
    found = profile(pl.DataFrame({"sex": ["f", "m", "f", "f"], "age": ["1", "1", "1", "1"]}))
    assert (found.rows, found.measured_rows) == (4, 2)
    assert found.columns[0].unique_share == 1.0
    page = report.markdown(report.headed("profile", profile_figures(found, show_values=False)))
    assert "measured on the first 2 rows" in page


@pytest.mark.parametrize(
    "table",
    [
        {"a": pl.Series([], dtype=pl.String)},
        {"a": pl.Series([None, None], dtype=pl.String), "b": [1, None]},
        {"a": [b"x", b"y"]},
        {"a": [True, None], "b": [1.5, float("nan")]},
    ],
    ids=["no rows", "no values", "binary", "typed"],
)
def test_strange_tables_have_a_profile_too(table: dict[str, Any]) -> None:
    document = report.headed("profile", profile_figures(profile(pl.DataFrame(table)), show_values=False))
    assert "### " in report.markdown(document)
    assert report.html(document).startswith("<!DOCTYPE html>")
