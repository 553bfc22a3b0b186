from typing import Any

import polars as pl
import pytest

from data_processing import ValidateSchema, clean, validate_schema
from data_processing.schemas import parse_schema
from util_services.errors import DataServiceError

AGES = b"fields: [{name: id, constraints: {unique: true}}, {name: age, type: integer, constraints: {minimum: 0}}]"
FRAME = pl.DataFrame({"id": ["a", "b", "c", "b"], "age": ["25", "-1", None, "x"], "row": [1, 2, 3, 4]})


def test_a_rejected_row_is_told_with_all_the_rules_that_it_breaks() -> None:
    result = validate_schema(FRAME, schema_file=AGES)
    assert result.frame.equals(FRAME[[0, 2]])
    assert result.rejects.rows() == [
        ("validate_schema", "breaks the schema: age minimum, id unique", "b", "-1", "2"),
        ("validate_schema", "breaks the schema: age type, id unique", "b", "x", "4"),
    ]
    (report,) = result.reports
    assert (report.rows_in, report.rows_out, report.rejects) == (4, 2, 2)
    assert report.details == {"id unique": 2, "age type": 1, "age minimum": 1}


def test_many_rows_stay_in_their_order_though_a_rule_compares_them() -> None:
    numbers = pl.int_range(200_000, eager=True)
    frame = pl.DataFrame({"id": (numbers % 150_000).cast(pl.String), "age": numbers.cast(pl.String)})
    kept = validate_schema(frame.lazy(), schema_file=AGES).frame.collect(engine="streaming")
    assert kept["age"].cast(pl.Int64).to_list() == list(range(50_000, 150_000))


def test_a_row_that_breaks_a_rule_can_stop_everything_instead() -> None:
    with pytest.raises(DataServiceError) as refused:
        validate_schema(FRAME, schema_file=AGES, on_violation="fail")
    assert str(refused.value) == (
        "The step validate_schema finds 2 rows that break the schema (age: type 1, age: minimum 1, id: unique 2): "
        "correct the data, or set on_violation to reject."
    )
    with pytest.raises(DataServiceError, match="finds 1 row that breaks the schema"):
        validate_schema(FRAME[:2], schema_file=AGES, on_violation="fail")
    passed = validate_schema(FRAME[:1], schema_file=AGES, on_violation="fail")
    assert passed.frame.equals(FRAME[:1])
    assert passed.reports[0].details == {"id unique": 0, "age type": 0, "age minimum": 0}


def test_a_lazy_table_is_not_evaluated_by_judging_its_rows_one_by_one() -> None:
    evaluated: list[int] = []

    def spy(rows: pl.DataFrame) -> pl.DataFrame:
        evaluated.append(rows.height)
        return rows

    frame = FRAME.lazy().map_batches(spy, schema=FRAME.schema)
    result = validate_schema(frame, schema_file=AGES.replace(b"unique", b"required"))
    assert evaluated == []
    assert isinstance(result.frame, pl.LazyFrame)


def test_a_schema_that_is_read_already_is_taken_too() -> None:
    schema = parse_schema(AGES, "ages.yaml")
    assert clean(FRAME, [ValidateSchema(schema_file=schema)]).frame.height == 2


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"schema_file": b"fields: [{name: ages}]"},
            "The column 'ages' of the schema does not exist in the table: did you mean 'age'?",
        ),
        (
            {"schema_file": AGES, "on_violation": "warn"},
            "The on_violation 'warn' of the step validate_schema is unknown: choose reject or fail.",
        ),
        ({"schema_file": "ages.yaml"}, "The location 'ages.yaml' cannot be read here: give the table or the file's"),
        ({"schema_file": b"{"}, "The schema 'given' is neither JSON nor YAML"),
    ],
)
def test_a_mistake_is_one_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        validate_schema(FRAME, **parameters)
    assert str(refused.value).startswith(sentence)
