import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from field_level_pseudo_anonymisation.techniques.domain import domains


@pytest.mark.parametrize(
    ("values", "shaped"),
    [
        (["1966-01-03", "1982-01-19"], 1e8),
        (["80469", "A5"], 1e5 + 260),
        (["+49 170 1234567"], 1e12),
        (["Ann"], 26.0**3),
        (["Zoë"], 26.0**3),
        (["王"], 1000.0),
        ([None, None], 0.0),
        (["x" * 1000], 1e300),
    ],
)
def test_shapes_tell_how_many_values_there_can_be(values: list[str | None], shaped: float) -> None:
    frame = nw.from_native(pl.LazyFrame({"column": pl.Series(values, dtype=pl.String)}))
    assert domains(frame, ["column"])["column"].shaped == pytest.approx(shaped)


def test_numbers_and_other_engines_are_looked_at_too() -> None:
    frame = nw.from_native(pd.DataFrame({"age": [25, 26, 26]})).lazy()
    domain = domains(frame, ["age"])["age"]
    assert (domain.rows, domain.distinct, domain.shaped) == (3, 2, pytest.approx(100))


def test_missing_values_are_no_value() -> None:
    frame = nw.from_native(pl.LazyFrame({"age": ["25", None, None]}))
    assert domains(frame, ["age"])["age"].distinct == 1


def test_few_values_are_counted_in_the_whole_column_and_many_in_the_first_rows() -> None:
    frame = nw.from_native(pl.LazyFrame({"few": ["a"] * 20_000 + ["b"], "many": [f"{n}" for n in range(20_001)]}))
    found = domains(frame, ["few", "many"])
    assert (found["few"].rows, found["few"].distinct) == (20_001, 2)
    assert (found["many"].rows, found["many"].distinct) == (10_000, 10_000)
