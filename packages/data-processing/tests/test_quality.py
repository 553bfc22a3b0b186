import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from data_processing import quality as q
from data_processing.quality import EXPECTATIONS, Expectation, assess, unmet
from data_processing.quality_page import failure, quality_figures
from util_services.errors import DataServiceError

TABLE: dict[str, list[str | None]] = {
    "id": ["1", "2", "2", None],
    "age": ["17", "30", "x", None],
    "sex": ["f", "m", "f", None],
    "seen": ["2026-01-01", "2026-01-31", None, "2025-06-01"],
}
OTHER = {"code": ["f", "d"]}

CASES: list[tuple[Expectation, bool, str]] = [
    (q.RowCount(minimum=4, maximum=4), True, "4"),
    (q.RowCount(minimum=5), False, "4"),
    (q.ColumnsPresent(columns=["id", "age"]), True, "all are there"),
    (q.ColumnsPresent(columns=["id", "name", "city"]), False, "missing: name, city"),
    (q.NotNull(column="id", share=0.75), True, "75.0% (3 of 4)"),
    (q.NotNull(column="id"), False, "75.0% (3 of 4)"),
    (q.Unique(columns=["id"]), False, "2 rows share 1 values"),
    (q.Unique(columns=["id", "age"]), True, "no value occurs twice"),
    (q.InSet(column="sex", values=["f", "m"]), True, "100% (3 of 3)"),
    (q.InSet(column="sex", values=["m"]), False, "33.3% (1 of 3)"),
    (q.InRange(column="age", minimum=18), False, "33.3% (1 of 3)"),
    (q.InRange(column="age", minimum="17", maximum="30", share=0.6), True, "66.7% (2 of 3)"),
    (q.InRange(column="seen", minimum="2025-01-01", maximum="2026-01-31"), True, "100% (3 of 3)"),
    (q.InRange(column="seen", maximum="2026-01-30"), False, "66.7% (2 of 3)"),
    (q.Matches(column="age", pattern="[0-9]+", share=0.6), True, "66.7% (2 of 3)"),
    (q.Matches(column="age", pattern="[0-9]"), False, "0% (0 of 3)"),
    (q.Holds(expression="age > 20 or sex == 'f'"), False, "75.0% (3 of 4)"),
    (q.Holds(expression="age > 20 or sex == 'f'", share=0.75), True, "75.0% (3 of 4)"),
    (q.Fresh(column="seen", days=1, as_of="2026-02-01"), True, "1 days"),
    (q.Fresh(column="seen", days=0, as_of="2026-02-01"), False, "1 days"),
    (q.Fresh(column="age", days=9), False, "there is no date"),
    (q.DistinctCount(column="sex", minimum=2, maximum=2), True, "2"),
    (q.DistinctCount(column="sex", maximum=1), False, "2"),
    (q.Sum(column="age", minimum=47, maximum=47), True, "47"),
    (q.Sum(column="age", maximum=46), False, "47"),
    (q.Mean(column="age", minimum=23), True, "23.5"),
    (q.Mean(column="sex", minimum=0), False, "there is none"),
    (q.Referential(column="sex", reference="other", reference_column="code"), False, "66.7% (2 of 3)"),
    (q.Referential(column="sex", reference="other", reference_column="code", share=0.6), True, "66.7% (2 of 3)"),
]


@pytest.mark.parametrize("engine", [pl.LazyFrame, pl.DataFrame, pa.table, pd.DataFrame])
def test_every_expectation_is_measured_alike_on_every_engine(engine: type) -> None:
    outcomes = assess(engine(TABLE), [case[0] for case in CASES], {"other": engine(OTHER)})
    found = [(each.expected, each.met, each.found) for each in outcomes]
    assert found == [(expectation.expected, met, figure) for expectation, met, figure in CASES]
    assert {case[0].name for case in CASES} == set(EXPECTATIONS)


def test_of_no_rows_every_share_is_enough_and_no_figure_is() -> None:
    empty = pl.DataFrame({"age": []}, schema={"age": pl.String})
    expectations = [q.NotNull(column="age"), q.InRange(column="age", minimum=1), q.Mean(column="age", minimum=0)]
    assert [each.met for each in assess(empty, expectations)] == [True, True, False]


def test_typed_columns_are_compared_as_what_they_are() -> None:
    table = pl.DataFrame({"n": [1, 2], "ok": [True, False]})
    expectations = [
        q.InSet(column="n", values=["1", "2.0"]),
        q.InSet(column="ok", values=["true"]),
        q.Sum(column="n", minimum=3),
    ]
    assert [each.met for each in assess(table, expectations)] == [True, False, True]


def test_the_failure_lists_every_unmet_error_with_its_figure_and_no_warning() -> None:
    outcomes = assess(
        pl.DataFrame(TABLE), [q.NotNull(column="id"), q.RowCount(minimum=9), q.NotNull(column="age", severity="warn")]
    )
    assert failure(quality_figures(outcomes)) == (
        "2 of 3 expectations are not met: not_null: id is not missing (found 75.0% (3 of 4)); "
        "row_count: the number of rows is from 9 (found 4)."
    )
    assert len(unmet(outcomes, "warn")) == 1
    assert failure(quality_figures(outcomes[2:])) is None


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (list, "The expectations are empty: give at least one."),
        (lambda: [q.RowCount()], "The expectation row_count has no bound: give minimum or maximum."),
        (lambda: [q.RowCount(minimum=2, maximum=1)], "The expectation row_count has the minimum 2 above the maximum 1"),
        (lambda: [q.RowCount(minimum=1, severity="wran")], "The severity 'wran' is unknown: did you mean 'warn'?"),
        (lambda: [q.NotNull(column="agee")], "The column 'agee' of an expectation does not exist: did you mean 'age'?"),
        (lambda: [q.NotNull(column="age", share=2)], "The share 2 of an expectation is out of range: give 0 to 1."),
        (lambda: [q.Unique(columns=[])], "The expectation unique names no columns: give at least one."),
        (lambda: [q.Unique(columns=["idd"])], "The column 'idd' of an expectation does not exist: did you mean 'id'?"),
        (lambda: [q.InRange(column="age")], "The expectation in_range has no bound: give minimum or maximum."),
        (lambda: [q.InRange(column="age", minimum="x")], "The bound 'x' of an expectation is neither a number nor a"),
        (lambda: [q.InRange(column="age", minimum=1, maximum="2026-01-01")], "In the expression, the bound is a date"),
        (lambda: [q.InRange(column="age", minimum=float("inf"))], "A bound of an expectation is no finite number"),
        (lambda: [q.Matches(column="age", pattern="(")], "The pattern '(' is no regular expression"),
        (lambda: [q.Holds(expression="age.x")], "The expression is malformed at character 4"),
        (lambda: [q.Fresh(column="seen", days=-1)], "The days -1 of the expectation fresh are negative"),
        (lambda: [q.Fresh(column="seen", days=1, as_of="soon")], "The bound 'soon' of an expectation is neither"),
        (
            lambda: [q.Referential(column="sex", reference="other", reference_column="codes")],
            "The reference_column 'codes' of an expectation does not exist in its table: did you mean 'code'?",
        ),
    ],
)
def test_a_mistake_is_one_sentence(build: Any, sentence: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        assess(pl.DataFrame(TABLE), build(), {"other": pl.DataFrame(OTHER)})
    assert str(refused.value).startswith(sentence)


def test_the_manual_shows_every_expectation() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "quality.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", manual, flags=re.MULTILINE)) == set(EXPECTATIONS)
