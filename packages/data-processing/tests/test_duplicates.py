from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import remove_duplicates, similarity
from util_services.errors import DataServiceError

CELLS = st.sampled_from(["", "a", "A", " a", "b ", "é", "e\u0301", "É", "日本", None])
TABLES = st.lists(st.tuples(CELLS, CELLS), max_size=12)
KEEP = {"first": "first", "last": "last", "none": False}


def table(rows: list[tuple[str | None, str | None]]) -> pd.DataFrame:
    return pd.DataFrame({"a": [a for a, _ in rows], "b": [b for _, b in rows], "row": range(len(rows))}).astype(
        {"a": "str", "b": "str"}
    )


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from([["a"], ["b", "a"]]), st.sampled_from(list(KEEP)))
def test_the_same_rows_stay_as_with_pandas(
    rows: list[tuple[str | None, str | None]], columns: list[str], keep: str
) -> None:
    frame = table(rows)
    expected = frame.drop_duplicates(columns, keep=KEEP[keep], ignore_index=True)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(remove_duplicates(frame, columns=columns, keep=keep).frame, expected)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.booleans(), st.booleans())
def test_case_and_surrounding_space_can_be_ignored_and_the_kept_rows_stay_as_they_are(
    rows: list[tuple[str | None, str | None]], case: bool, space: bool
) -> None:
    frame = table(rows)
    keys = frame[["a", "b"]].copy()
    if space:
        keys = keys.apply(lambda cells: cells.str.strip())
    if case:
        keys = keys.apply(lambda cells: cells.str.lower())
    expected = frame[~keys.duplicated()].reset_index(drop=True)
    result = remove_duplicates(frame, columns=["a", "b"], ignore_case=case, ignore_space=space)
    pd.testing.assert_frame_equal(result.frame, expected)
    assert result.reports[0].rejects == len(rows) - len(expected)


@settings(max_examples=25, deadline=None)
@given(TABLES, st.sampled_from(list(KEEP)))
def test_removing_duplicates_twice_removes_them_once(rows: list[tuple[str | None, str | None]], keep: str) -> None:
    once = remove_duplicates(table(rows), columns=["a"], keep=keep).frame
    pd.testing.assert_frame_equal(remove_duplicates(once, columns=["a"], keep=keep).frame, once)


def test_no_columns_named_means_all_of_whatever_type() -> None:
    frame = pl.DataFrame({"n": [1, 1, 1], "x": [0.5, 0.5, 0.5], "c": pl.Series(["u", "u", "v"], dtype=pl.Categorical)})
    assert remove_duplicates(frame).frame.rows() == [(1, 0.5, "u"), (1, 0.5, "v")]


CITIES = ["Lyon", "Lyon", "lyonn", "Paris", "Pariss", None, None]


def test_nearly_equal_texts_are_duplicates_if_asked_and_the_report_tells_whether_all_were_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = pl.DataFrame({"city": CITIES, "ward": ["7", "7", "7", "7", "9", "7", "7"]})
    result = remove_duplicates(frame, similarity={"city": 0.8})
    assert result.frame.rows() == [("Lyon", "7"), ("Paris", "7"), ("Pariss", "9"), (None, "7")]
    assert result.reports[0].details == {"distinct texts of city": 4, "all texts of city compared": True}
    assert remove_duplicates(frame, similarity={"city": 0.8}, keep="last").frame["city"].to_list() == [
        "lyonn",
        "Paris",
        "Pariss",
        None,
    ]
    monkeypatch.setattr(similarity, "ALL_PAIRS_UP_TO", 3)
    details = remove_duplicates(frame, similarity={"city": 0.8}).reports[0].details
    assert details["all texts of city compared"] is False


@settings(max_examples=25, deadline=None)
@given(TABLES, st.sampled_from(list(KEEP)))
def test_a_similarity_of_one_is_equality_but_for_case_and_white_space(
    rows: list[tuple[str | None, str | None]], keep: str
) -> None:
    keys = [None if a is None else " ".join(a.split()).casefold() for a, _ in rows]
    expected = table(rows)[~pd.Series(keys, dtype="str").duplicated(keep=KEEP[keep])]  # type: ignore[call-overload]
    result = remove_duplicates(table(rows), columns=["a"], similarity={"a": 1.0}, keep=keep)
    assert result.frame["row"].tolist() == expected["row"].tolist()


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"similarity": {"name": 0}},
            "The step remove_duplicates cannot use the similarity 0 for 'name': give a number",
        ),
        (
            {"columns": ["age"], "similarity": {"name": 0.9}},
            "The step remove_duplicates names the column 'name' in similarity but not in columns: add it there.",
        ),
        ({"similarity": {"nam": 0.9}}, "The column 'nam' in columns of the step remove_duplicates does not exist"),
        ({"similarity": {"age": 0.9}}, "The column 'age' of the step remove_duplicates holds Int64, not text"),
    ],
)
def test_a_mistake_about_similarity_is_one_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        remove_duplicates(pl.DataFrame({"name": ["x"], "age": [1]}), **parameters)
    assert str(refused.value).startswith(sentence)


def test_the_rejected_rows_are_told_with_their_step_and_reason() -> None:
    result = remove_duplicates(pl.LazyFrame({"a": ["x", "x"], "n": [1, 2]}), columns=["a"])
    assert isinstance(result.frame, pl.LazyFrame)
    assert result.rejects.collect().rows() == [("remove_duplicates", "is a duplicate", "x", "2")]


def test_an_empty_table_has_no_duplicates() -> None:
    assert remove_duplicates(pl.DataFrame({"a": []}, schema={"a": pl.String})).frame.height == 0


def test_what_to_keep_is_one_of_three_and_columns_exist() -> None:
    frame = pl.DataFrame({"name": ["x"]})
    with pytest.raises(
        DataServiceError, match="The keep 'some' of the step remove_duplicates is unknown: choose first"
    ):
        remove_duplicates(frame, keep="some")
    with pytest.raises(DataServiceError, match="The column 'nam' in columns of the step remove_duplicates does not ex"):
        remove_duplicates(frame, columns=["nam"])


def test_fingerprints_tell_cells_apart_that_join_to_the_same_text() -> None:
    frame = pl.DataFrame({"a": ["x", "xy", None, "", "x"], "b": ["yz", "z", "x", "x", None]})
    assert remove_duplicates(frame).frame.equals(frame)


def test_many_rows_in_many_batches_are_compared_across_batches() -> None:
    numbers = pl.int_range(300_000, eager=True) % 100_000
    frame = pl.DataFrame({"key": "person-" + numbers.cast(pl.String), "row": pl.int_range(300_000, eager=True)})
    kept = remove_duplicates(frame.lazy(), columns=["key"]).frame.collect()
    assert kept["row"].to_list() == list(range(100_000))
