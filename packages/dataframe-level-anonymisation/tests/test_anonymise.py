from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity

from dataframe_level_anonymisation import KAnonymity, Result, anonymise
from dataframe_level_anonymisation.old_report import markdown, metrics
from util_services.errors import DataServiceError

HIERARCHIES = {"age": "simpl_age", "sex": "simpl_gender"}
FRAME = pl.DataFrame(
    {
        "name": ["Ann", "Bob", "Cy", None, "Eve", "Flo", "Gus"],
        "age": ["25", "26", "27", "28", None, "36", "90"],
        "sex": ["M", "M", "M", "M", "F", "F", None],
        "plz": ["01", " 2", "03", "04", '0"5', "", None],
    }
)


def run(frame: Any, k: int = 2, limit: float = 100, **changed: Any) -> Result:
    arguments = {
        "quasi_identifiers": ["age", "sex"],
        "hierarchies": HIERARCHIES,
        "models": [KAnonymity(k)],
        "identifiers": ["name"],
        "suppression_limit": limit,
    }
    return anonymise(frame, **(arguments | changed))


@pytest.mark.parametrize(
    "convert",
    [lambda f: f, lambda f: f.lazy(), lambda f: f.to_pandas(), lambda f: f.to_arrow()],
    ids=["polars", "lazy", "pandas", "pyarrow"],
)
def test_the_same_type_and_the_same_result_come_out(convert: Callable[[pl.DataFrame], Any]) -> None:
    given_frame = convert(FRAME)
    result = run(given_frame, 3, 45)
    assert type(result.frame) is type(given_frame)
    frame = result.frame
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    elif isinstance(frame, pd.DataFrame):
        frame = pl.from_pandas(frame)
    elif isinstance(frame, pa.Table):
        frame = pl.DataFrame(frame)
    assert frame.to_dict(as_series=False) == {
        "name": ["*"] * 4,
        "age": ["[25, 30)"] * 4,
        "sex": ["M"] * 4,
        "plz": ["01", " 2", "03", "04"],
    }
    assert (result.rows, result.rows_suppressed, result.achieved) == (7, 3, {"k": 4})


def test_numeric_columns_become_intervals_and_stay_numbers_where_they_are_kept() -> None:
    result = run(pl.DataFrame({"name": ["x"] * 4, "age": [25, 25, 36, 36], "sex": ["M"] * 4}), 2, 0)
    assert result.frame["age"].to_list() == [25, 25, 36, 36]
    result = run(pl.DataFrame({"name": ["x"] * 4, "age": [25, 26, 36, 37], "sex": ["M"] * 4}), 2, 0)
    assert result.frame["age"].to_list() == ["[25, 30)", "[25, 30)", "[35, 40)", "[35, 40)"]


ages = st.none() | st.integers(-5, 130).map(str)
people = st.lists(st.tuples(ages, st.sampled_from(["F", "M", "é|\n", "", None])), max_size=40)


@settings(max_examples=100, deadline=None)
@given(people, st.integers(1, 6), st.sampled_from([0.0, 5.0, 50.0, 100.0]))
def test_every_output_is_k_anonymous_in_order_and_within_the_limit(
    rows: list[tuple[str | None, str | None]], k: int, limit: float
) -> None:
    frame = pl.DataFrame(rows, schema={"age": pl.String, "sex": pl.String}, orient="row").with_row_index("id")
    try:
        result = run(frame, k, limit, identifiers=[])
    except DataServiceError as error:
        assert 0 < len(rows) < k  # even one class of all rows would be too small
        assert "cannot be met" in str(error)  # noqa: PT017 - the exception is one of two outcomes
        return
    output = result.frame
    sizes = output.group_by("age", "sex").len()["len"]
    assert output.height == 0 or sizes.min() >= k
    assert (len(rows) - output.height) * 100 <= limit * len(rows)
    assert output["id"].is_sorted()
    assert result.achieved == ({"k": sizes.min()} if output.height else {})
    assert result.rows_suppressed == len(rows) - output.height
    assert 0 <= result.loss <= 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 99).map(str), st.sampled_from(["F", "M"])), min_size=8, max_size=60),
    st.integers(1, 8),
)
def test_pycanon_confirms_the_level(rows: list[tuple[str, str]], k: int) -> None:
    output = run(pd.DataFrame(rows, columns=["age", "sex"]), k, 20, identifiers=[]).frame
    level = anonymity.k_anonymity(output.reset_index(drop=True), ["age", "sex"])
    assert level >= k


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"quasi_identifiers": []}, "The quasi_identifiers are empty: name at least one column."),
        ({"quasi_identifiers": ["agee", "sex"]}, "'agee' in quasi_identifiers does not exist: did you mean 'age'?"),
        ({"identifiers": ["nam"]}, "The column 'nam' in ident does not exist: did you mean 'name'?"),
        ({"identifiers": ["age"]}, "The column 'age' is named in ident and again in quasi_identifiers: give it one"),
        ({"quasi_identifiers": ["age", "age"]}, "The column 'age' is named in quasi_identifiers and again in quasi"),
        ({"sensitive_attributes": ["plzz"]}, "'plzz' in sensitive_attributes does not exist: did you mean 'plz'?"),
        ({"suppression_limit": 100.5}, "The supp_level 100.5 is not a percentage: give 0 to 100."),
        ({"suppression_limit": -1}, "The supp_level -1 is not a percentage"),
        ({"suppression_limit": float("nan")}, "The supp_level nan is not a percentage"),
        ({"hierarchies": {"age": "simpl_age"}}, "The quasi-identifier 'sex' has no hierarchy: name one in generalis"),
        ({"hierarchies": HIERARCHIES | {"plz": "simpl_age"}}, "name the column 'plz', which is no quasi-identifier"),
        ({"hierarchies": HIERARCHIES | {"sex": "x"}}, "The hierarchy 'x' of the column 'sex' is unknown: choose one"),
        ({"hierarchies": HIERARCHIES | {"sex": "simpl_age"}}, "2 distinct value(s) of the column 'sex' are not"),
    ],
)
def test_a_mistake_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as error:
        run(FRAME, **changed)
    assert sentence in str(error.value)


def test_k_below_one_is_refused() -> None:
    with pytest.raises(DataServiceError, match="The requirement k = 0 is not possible: give a whole number from 1"):
        KAnonymity(0)


def test_a_frame_without_rows_stays_one() -> None:
    result = run(FRAME.clear(), 5, 0)
    assert result.frame.height == 0
    assert result.frame.columns == FRAME.columns
    assert "| rows | 0 | 0 |" in markdown(result, ["k"])


def test_the_report_has_figures_and_no_cells() -> None:
    result = run(FRAME, 3, 45)
    text = markdown(result, ["k-anonymity (k = 3)"])
    assert "### k-anonymity (k = 3): met and verified on the output" in text
    assert "| rows | 7 | 4 |" in text
    assert "| smallest class | 1 | 4 |" in text
    assert "| unique rows | 100.0% | 0.0% |" in text
    assert "- Rows suppressed: 3 (42.86%)" in text
    assert "| age | 1 | 5 |" in text
    for cell in ("Ann", "01", "90", "[25"):
        assert cell not in text.replace("100.0%", "").replace("0.0%", "")
    figures = metrics(result)
    assert figures["levels"] == {"age": 1, "sex": 0}
    assert figures["unique_share"] == {"before": 1.0, "after": 0.0}
    assert set(figures) >= {
        "rows",
        "rows_suppressed",
        "achieved",
        "loss",
        "optimal",
        "nodes",
        "nodes_checked",
        "seconds",
    }


def test_a_wrong_output_is_never_released(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verification does not trust the search: break the application of its result."""
    import importlib

    module = importlib.import_module("dataframe_level_anonymisation.anonymise")
    monkeypatch.setattr(module, "_apply", lambda frame, *_: frame)
    with pytest.raises(DataServiceError, match="does not meet the requirement although the search found"):
        run(FRAME, 3, 45)
