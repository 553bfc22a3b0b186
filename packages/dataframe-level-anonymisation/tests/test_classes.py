import itertools
from collections import Counter

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataframe_level_anonymisation.classes import group, histogram

value = st.sampled_from(["a", "b", "ä", None])


@given(st.lists(st.tuples(value, value), max_size=30))
def test_the_histogram_counts_every_tuple_missing_values_included(rows: list[tuple[str | None, str | None]]) -> None:
    frame = pl.LazyFrame(rows, schema={"x": pl.String, "count": pl.String}, orient="row")
    found = histogram(nw.from_native(frame), ["x", "count"])
    tuples = [tuple(found.values[column][code] for column, code in enumerate(codes)) for codes in found.codes]
    assert dict(zip(tuples, found.counts.tolist(), strict=True)) == dict(Counter(rows))
    assert found.rows == len(rows)
    for column, values in enumerate(found.values):
        present = [each for each in values if each is not None]
        assert present == sorted(present)
        assert None not in values[:-1]
        assert found.value_counts(column).tolist() == [sum(row[column] == each for row in rows) for each in values]
    assert found.codes.tolist() == sorted(found.codes.tolist())


@pytest.mark.parametrize("size", [3, 100_000, 2**40])
@given(data=st.data())
def test_grouping_joins_exactly_the_equal_tuples_whatever_the_domain(size: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=20))
    columns = [np.array([row[column] for row in rows], dtype=np.int64) for column in range(4)]
    counts = np.arange(1, len(rows) + 1)
    classes = group(columns, [size] * 4, counts)
    for one, other in itertools.combinations(range(len(rows)), 2):
        assert bool(classes.members[one] == classes.members[other]) is (rows[one] == rows[other])
    assert classes.sizes.sum() == counts.sum()
    assert len(classes.sizes) == len(set(rows))
    for number in range(len(classes.sizes)):
        assert classes.sizes[number] == counts[classes.members == number].sum()
