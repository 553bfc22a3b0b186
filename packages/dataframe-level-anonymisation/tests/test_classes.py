import itertools
from collections import Counter

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataframe_level_anonymisation.classes import Classes, histogram

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
def test_merging_joins_exactly_the_equal_classes_whatever_the_domain(size: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=20))
    columns = [np.array([row[column] for row in rows], dtype=np.int64) for column in range(4)]
    counts = np.arange(1, len(rows) + 1)
    classes = Classes(counts).merged(columns, [size] * 4)
    for one, other in itertools.combinations(range(len(rows)), 2):
        assert bool(classes.members[one] == classes.members[other]) is (rows[one] == rows[other])
        assert bool(classes.members[one] < classes.members[other]) is (rows[one] < rows[other])
    assert classes.sizes.sum() == counts.sum()
    assert len(classes) == len(set(rows))
    for number in range(len(classes)):
        assert classes.sizes[number] == counts[classes.members == number].sum()
        assert classes.members[classes.first[number]] == number


cell = st.integers(0, 3)


@given(st.lists(st.tuples(cell, cell, cell, cell), max_size=30), st.lists(st.tuples(cell, cell), max_size=10))
def test_a_roll_up_in_two_steps_equals_one_from_the_tuples(
    rows: list[tuple[int, ...]], people: list[tuple[int, ...]]
) -> None:
    frame = nw.from_native(pl.LazyFrame(rows, schema=dict.fromkeys("abst", pl.Int64), orient="row"))
    population = nw.from_native(pl.LazyFrame(people, schema=dict.fromkeys("ab", pl.Int64), orient="row"))
    data = histogram(frame, ["a", "b"], ["s", "t"], population)

    def values(column: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.array(data.values[column], dtype=np.int64)[data.codes[:, column]]

    halves = data.classes.merged([values(0) // 2, values(1)], [2, 4])
    twice = halves.merged([(values(0) // 2)[halves.first], (values(1) // 2)[halves.first]], [2, 2])
    once = data.classes.merged([values(0) // 2, values(1) // 2], [2, 2])
    assert np.array_equal(twice.members, once.members)
    assert np.array_equal(twice.sizes, once.sizes)
    assert twice.population is not None
    assert once.population is not None
    assert np.array_equal(twice.population, once.population)
    assert twice.population.sum() == len(people)
    for attribute, position in (("s", 2), ("t", 3)):
        for one, other in zip(
            vars(twice.entries(attribute)).values(), vars(once.entries(attribute)).values(), strict=True
        ):
            assert np.array_equal(one, other)
        expected = Counter((row[0] // 2, row[1] // 2, row[position]) for row in rows)
        entries = once.entries(attribute)
        found = {
            (
                int(values(0)[once.first[owner]]) // 2,
                int(values(1)[once.first[owner]]) // 2,
                data.sensitive[attribute].values[value],
            ): count
            for owner, value, count in zip(entries.owners, entries.values, entries.counts.tolist(), strict=True)
        }
        assert found == dict(expected)
