import math
from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataframe_level_anonymisation.pregeneralisation import HISTOGRAM_TUPLES
from dataframe_level_anonymisation.risk import RISK_THRESHOLD, Attacker, assess_risk, attackers
from util_services.errors import DataServiceError

PEOPLE = {"age": ["1", "1", "2", "3"], "sex": ["M", "M", "F", None], "ill": ["flu", "flu", "flu", "cold"]}
KINDS = [pd.DataFrame, pl.DataFrame, lambda data: pl.DataFrame(data).lazy(), pa.table]


def sizes(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_the_attackers_of_a_hand_computed_example() -> None:
    found = attackers(sizes(1, 3, 6), sizes(2, 30, 6), threshold=0.2)
    assert found.prosecutor == Attacker(highest=1.0, average=3 / 10, share_above=4 / 10)
    expected = (1 / 2 + 3 / 30 + 6 / 6) / 10
    assert found.journalist.highest == 1 / 2
    assert found.journalist.average == pytest.approx(max(expected, 3 / 38))
    assert found.journalist.share_above == 1 / 10
    assert found.marketer == pytest.approx(expected)
    assert (found.sample_uniqueness, found.population_uniqueness) == (1 / 10, 0.0)


def test_the_journalist_starts_from_the_population_where_that_pays_more() -> None:
    found = attackers(sizes(1, 1000), sizes(2, 1000))
    assert found.journalist.average == 2 / 1002
    assert found.marketer == pytest.approx(1.5 / 1001)
    assert found.journalist.average > found.marketer


def test_without_a_population_the_journalist_is_rated_like_the_prosecutor_and_it_is_said() -> None:
    found = attackers(sizes(2, 3))
    assert found.journalist == found.prosecutor
    assert found.marketer == 2 / 5
    assert not found.population_known
    assert found.population_uniqueness is None


def test_a_class_of_eleven_is_not_above_the_threshold_of_health_agencies() -> None:
    assert round(RISK_THRESHOLD, 2) == 0.09
    assert attackers(sizes(11)).prosecutor.share_above == 0
    assert attackers(sizes(10)).prosecutor.share_above == 1


@pytest.mark.parametrize("population", [None, sizes()])
def test_no_rows_are_no_risk(population: "np.ndarray[tuple[int], np.dtype[np.int64]] | None") -> None:
    found = attackers(sizes(), population)
    assert found.prosecutor == found.journalist == Attacker(0.0, 0.0, 0.0)
    assert found.marketer == found.sample_uniqueness == 0


@pytest.mark.parametrize("threshold", [0, -1, 1.01, math.nan])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(DataServiceError, match=r"The risk_threshold .* is not a probability"):
        attackers(sizes(1), threshold=threshold)


classes = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 60)), min_size=1, max_size=20)


@given(classes, st.floats(0.01, 1))
def test_the_attackers_equal_a_slow_computation_row_by_row(found: list[tuple[int, int]], threshold: float) -> None:
    risks = attackers(sizes(*(f for f, _ in found)), sizes(*(big for _, big in found)), threshold)
    rows = [(f, max(f, big)) for f, big in found for _ in range(f)]
    prosecutor, journalist = [1 / f for f, _ in rows], [1 / big for _, big in rows]
    assert risks.prosecutor.highest == max(prosecutor)
    assert risks.prosecutor.average == pytest.approx(sum(prosecutor) / len(rows))
    assert risks.prosecutor.share_above == pytest.approx(sum(risk > threshold for risk in prosecutor) / len(rows))
    assert risks.journalist.highest == max(journalist)
    assert risks.journalist.share_above == pytest.approx(sum(risk > threshold for risk in journalist) / len(rows))
    assert risks.marketer == pytest.approx(sum(journalist) / len(rows))
    assert risks.marketer <= risks.journalist.average + 1e-12 <= risks.prosecutor.highest + 1e-9
    assert risks.sample_uniqueness == pytest.approx(sum(f == 1 for f, _ in rows) / len(rows))
    assert risks.population_uniqueness == pytest.approx(sum(big == 1 for _, big in rows) / len(rows))


@pytest.fixture(params=["5000000", "1"])
def histogram_tuples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tuples counted in memory, and in the engine because there are too many."""
    monkeypatch.setenv(HISTOGRAM_TUPLES, request.param)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("histogram_tuples")
def test_every_kind_of_frame_is_assessed_alike(kind: "type[pl.DataFrame]") -> None:
    report = assess_risk(kind(PEOPLE), quasi_identifiers=["age", "sex"], sensitive_attributes=["ill"])
    assert (report.rows, report.k, report.classes.tolist()) == (4, 1, [1, 1, 2])
    assert report.attackers.sample_uniqueness == 0.5
    assert report.unique_by_column == {"age": 0.5, "sex": 0.5}
    (ill,) = report.sensitive
    assert (ill.distinct_l, ill.entropy_l, ill.t, ill.distinct, ill.largest_share) == (1, 1.0, 0.75, 2, 0.75)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("histogram_tuples")
def test_the_population_is_counted_combination_by_combination(kind: "type[pl.DataFrame]") -> None:
    population = {"sex": ["M", "M", "M", "F", "F", "D"], "age": ["1", "1", "1", "2", "3", "9"], "more": list("abcdef")}
    report = assess_risk(kind(PEOPLE), quasi_identifiers=["age", "sex"], population=kind(population))
    assert (report.classes.tolist(), report.population) == ([1, 1, 2], pytest.approx([1, 1, 3]))
    assert report.rows_outside_population == 1  # age 3 without sex
    assert any(warning.startswith("1 row with a combination") for warning in report.warnings)
    assert report.attackers.population_known


cell = st.sampled_from(["a", "b", None])


@pytest.mark.usefixtures("histogram_tuples")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # which does not change between examples
@given(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=25), st.lists(st.tuples(cell, cell), max_size=25))
def test_an_assessment_equals_a_slow_computation(
    rows: list[tuple[str | None, ...]], people: list[tuple[str | None, ...]]
) -> None:
    frame = pl.DataFrame(rows, schema={"x": pl.String, "y": pl.String, "s": pl.String}, orient="row")
    population = pl.DataFrame(people, schema={"x": pl.String, "y": pl.String}, orient="row")
    report = assess_risk(frame, quasi_identifiers=["x", "y"], sensitive_attributes=["s"], population=population)
    members = Counter(row[:2] for row in rows)
    assert report.classes.tolist() == sorted(members.values())
    assert report.k == min(members.values())
    assert report.population is not None
    counted = Counter(people)
    pairs = zip(report.classes.tolist(), report.population.tolist(), strict=True)
    assert sorted(pairs) == sorted((size, max(size, counted[each])) for each, size in members.items())
    assert report.rows_outside_population == sum(row[:2] not in counted for row in rows)
    everywhere = Counter(row[2] for row in rows)
    within = {each: Counter(row[2] for row in rows if row[:2] == each) for each in members}
    (measured,) = report.sensitive
    assert measured.distinct_l == min(map(len, within.values()))
    entropies = [
        -sum(n / members[each] * math.log(n / members[each]) for n in values.values())
        for each, values in within.items()
    ]
    assert measured.entropy_l == pytest.approx(math.exp(min(entropies)))
    distances = [
        sum(abs(values[value] / members[each] - n / len(rows)) for value, n in everywhere.items()) / 2
        for each, values in within.items()
    ]
    assert measured.t == pytest.approx(max(distances))
    assert (measured.distinct, measured.largest_share) == (len(everywhere), max(everywhere.values()) / len(rows))
    for position, column in enumerate("xy"):
        values = Counter(row[position] for row in rows)
        assert report.unique_by_column[column] == sum(count == 1 for count in values.values()) / len(rows)


@pytest.mark.parametrize("population", [pl.DataFrame(PEOPLE).clear(), pl.DataFrame(PEOPLE)])
@pytest.mark.usefixtures("histogram_tuples")
def test_a_table_without_rows_is_assessed_and_it_is_said(population: pl.DataFrame) -> None:
    empty = pl.DataFrame(PEOPLE).clear()
    report = assess_risk(empty, quasi_identifiers=["age", "sex"], sensitive_attributes=["ill"], population=population)
    assert (report.rows, report.k, report.sensitive[0].distinct_l) == (0, 0, 0)
    assert report.warnings == ("The table has no rows, so there is nothing to assess.",)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"quasi_identifiers": ["aeg"]}, "The column 'aeg' in quasi_identifiers does not exist: did you mean 'age'?"),
        ({"quasi_identifiers": []}, "The quasi_identifiers are empty: name at least one column."),
        ({"sensitive_attributes": ["age"]}, "The column 'age' is named in quasi_identifiers and again in"),
        ({"population": pl.DataFrame({"aeg": ["1"]})}, "The population table has no column 'age': did you mean 'aeg'?"),
        ({"risk_threshold": 9}, "The risk_threshold 9 is not a probability: give a number above 0 and up to 1"),
    ],
)
@pytest.mark.usefixtures("histogram_tuples")
def test_a_mistake_is_one_sentence(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataServiceError) as error:
        assess_risk(pl.DataFrame(PEOPLE), **({"quasi_identifiers": ["age"]} | changed))  # type: ignore[arg-type]
    assert str(error.value).startswith(sentence)


def test_warnings_name_what_a_steward_must_see_and_no_cell() -> None:
    frame = pl.DataFrame({"q": ["CANARY-1"] * 30 + ["CANARY-2"] * 2, "s": ["CANARY"] * 31 + ["CANARY-3"]})
    told = " ".join(assess_risk(frame, quasi_identifiers=["q"], sensitive_attributes=["s"]).warnings)
    for words in ("only 32 rows", "the highest is 50.0%", "'s' is in 96.9% of the rows"):
        assert words in told
    assert "CANARY" not in told
    assert "No sensitive attribute is named" in " ".join(assess_risk(frame, quasi_identifiers=["q"]).warnings)


def test_a_safe_table_has_no_warning() -> None:
    frame = pl.DataFrame({"q": ["a"] * 60, "s": ["b", "c"] * 30})
    assert assess_risk(frame, quasi_identifiers=["q"], sensitive_attributes=["s"]).warnings == ()


def test_many_quasi_identifiers_are_matched_with_the_population() -> None:
    rows = list(product("ab", repeat=10))
    frame = pl.DataFrame(rows, schema=[f"q{n}" for n in range(10)], orient="row")
    report = assess_risk(frame, quasi_identifiers=frame.columns, population=pl.concat([frame, frame]))
    assert report.population is not None
    assert set(report.population.tolist()) == {2}
    assert report.attackers.journalist.highest == 0.5
