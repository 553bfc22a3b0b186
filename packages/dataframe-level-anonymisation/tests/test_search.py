import itertools
import math
from collections import Counter
from fractions import Fraction

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataframe_level_anonymisation.classes import Histogram, histogram
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.privacy_models import KAnonymity
from dataframe_level_anonymisation.quality_models import Loss
from dataframe_level_anonymisation.search import Task, search
from util_services.errors import DataServiceError

VALUES = 6


@st.composite
def hierarchies(draw: st.DrawFn, values: int) -> Hierarchy:
    """A random nested hierarchy that ends in one group."""
    labels, groups = [], list(range(values))
    for level in range(draw(st.integers(0, 3))):
        merge = draw(st.lists(st.integers(0, 2), min_size=VALUES, max_size=VALUES))
        groups = [merge[group] for group in groups]
        labels.append([f"{level}:{group}" for group in groups])
    return Hierarchy.from_labels("c", values, [*labels, ["*"] * values])


Instance = tuple[Histogram, list[Hierarchy], list[tuple[int, ...]]]


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    columns = draw(st.integers(1, 3))
    rows = draw(st.lists(st.tuples(*[st.integers(0, VALUES - 1)] * columns), min_size=1, max_size=25))
    names = [f"c{column}" for column in range(columns)]
    data = histogram(nw.from_native(pl.LazyFrame(rows, schema=names, orient="row")), names)
    return data, [draw(hierarchies(len(values))) for values in data.values], rows


def label(hierarchy: Hierarchy, level: int, value: int) -> str:
    return hierarchy.labels[level - 1][value] or "" if level else str(value)


def brute_force(instance: Instance, k: int, limit: float) -> tuple[float, int, tuple[int, ...]] | None:
    """Try every node on the rows themselves; shares no code with the search but the hierarchies' labels."""
    data, hierarchies, rows = instance
    found = []
    for node in itertools.product(*(range(hierarchy.levels) for hierarchy in hierarchies)):
        keys, costs = [], []
        for row in rows:
            key, cost = [], 0.0
            for column, level in enumerate(node):
                values, hierarchy = data.values[column], hierarchies[column]
                own = label(hierarchy, level, values.index(row[column]))
                same = sum(label(hierarchy, level, other) == own for other in range(len(values)))
                key.append(own)
                cost += (same - 1) / (len(values) - 1) if len(values) > 1 else 0.0
            keys.append(tuple(key))
            costs.append(cost)
        sizes = Counter(keys)
        suppressed = [sizes[key] < k for key in keys]
        if sum(suppressed) * 100 <= Fraction(str(limit)) * len(rows):
            lost = [len(node) if gone else cost for gone, cost in zip(suppressed, costs, strict=True)]
            found.append((sum(lost) / (len(rows) * len(node)), sum(node), node))
    if not found:
        return None
    least = min(loss for loss, _, _ in found)
    return min(candidate for candidate in found if math.isclose(candidate[0], least, abs_tol=1e-11))[:1] + min(
        candidate[1:] for candidate in found if math.isclose(candidate[0], least, abs_tol=1e-11)
    )


@settings(max_examples=300, deadline=None)
@given(instances(), st.integers(1, 8), st.sampled_from([0, 4, 10.5, 33.3, 100]))
def test_the_search_finds_what_brute_force_finds(instance: Instance, k: int, limit: float) -> None:
    data, hierarchies, _ = instance
    expected = brute_force(instance, k, limit)
    task = Task(data, hierarchies, [KAnonymity(k)], Loss(), limit)
    if expected is None:
        with pytest.raises(DataServiceError, match=r"k-anonymity \(k = \d\) cannot be met"):
            search(task)
        return
    solution = search(task)
    assert solution.loss == pytest.approx(expected[0], abs=1e-9)
    assert solution.levels == expected[2]
    assert solution.nodes_checked <= solution.nodes


def test_pruning_spares_most_of_a_large_lattice() -> None:
    import numpy as np

    random = np.random.default_rng(0)
    names = [f"c{column}" for column in range(6)]
    frame = pl.DataFrame({name: random.integers(0, 16, 2000) for name in names})
    data = histogram(nw.from_native(frame.lazy()), names)
    halving = [
        Hierarchy.from_labels("c", len(values), [[str(v >> bits) for v in values] for bits in range(1, 5)])
        for values in data.values
    ]
    solution = search(Task(data, halving, [KAnonymity(5)], Loss(), 2))
    assert solution.nodes == 5**6
    assert solution.nodes_checked < solution.nodes / 20


def test_an_infeasible_requirement_tells_how_close_the_data_comes() -> None:
    data = histogram(nw.from_native(pl.LazyFrame({"c": ["a", "b", "c"]})), ["c"])
    hierarchy = Hierarchy.from_labels("c", 3, [["*"] * 3])
    with pytest.raises(DataServiceError) as error:
        search(Task(data, [hierarchy], [KAnonymity(4)], Loss(), 0))
    assert str(error.value) == (
        "The requirement k-anonymity (k = 4) cannot be met: even fully generalised, 3 of 3 rows would have to be left "
        "out where supp_level allows 0 %; the best reachable is k = 3, so lower the requirement or give more rows."
    )


def test_a_lattice_too_large_to_enumerate_is_one_sentence() -> None:
    names = [f"c{column}" for column in range(30)]
    data = histogram(nw.from_native(pl.LazyFrame({name: ["a"] for name in names})), names)
    hierarchy = Hierarchy.from_labels("c", 1, [["*"]])
    with pytest.raises(DataServiceError, match="span 1,073,741,824 combinations of levels where at most 20,000,000"):
        search(Task(data, [hierarchy] * 30, [KAnonymity(1)], Loss(), 0))
