"""The search against brute force on the rows themselves, which shares no code with it but the hierarchies' labels."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from any_model import MODELS
from hypothesis import given, settings
from hypothesis import strategies as st

from dataframe_level_anonymisation import search as searching
from dataframe_level_anonymisation.classes import Histogram, histogram
from dataframe_level_anonymisation.evaluation import Task, limit_of
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.privacy_models import (
    AlphaKAnonymity,
    AverageRisk,
    BetaLikeness,
    ClassTest,
    DeltaDisclosurePrivacy,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    KMap,
    PrivacyModel,
    RecursiveCLDiversity,
    SampleUniqueness,
    TCloseness,
)
from dataframe_level_anonymisation.quality_models import (
    QUALITY_MODELS,
    AverageClassSize,
    Discernibility,
    Loss,
    NonUniformEntropy,
    Precision,
    QualityModel,
)
from dataframe_level_anonymisation.search import infeasible, search

VALUES = 6
Rows = list[tuple[int, ...]]
Shares = dict[Any, float]


@st.composite
def hierarchies(draw: st.DrawFn, values: int) -> Hierarchy:
    """A random nested hierarchy that ends in one group, with a random weight."""
    labels, groups = [], list(range(values))
    for level in range(draw(st.integers(0, 3))):
        merge = draw(st.lists(st.integers(0, 2), min_size=VALUES, max_size=VALUES))
        groups = [merge[group] for group in groups]
        labels.append([f"{level}:{group}" for group in groups])
    built = Hierarchy.from_labels("c", values, [*labels, ["*"] * values])
    return replace(built, weight=draw(st.sampled_from([1.0, 1.0, 2.0, 0.5])))


Instance = tuple[Histogram, list[Hierarchy], Rows, Rows]


@st.composite
def instances(draw: st.DrawFn, *, population: bool = False) -> Instance:
    """Rows of one to three quasi-identifiers and a sensitive value, their histogram and hierarchies, a population."""
    columns = draw(st.integers(1, 3))
    cells = [*[st.integers(0, VALUES - 1)] * columns, st.integers(0, 3)]
    rows = draw(st.lists(st.tuples(*cells), min_size=1, max_size=25))
    others = draw(st.lists(st.tuples(*cells), max_size=25)) if population else []
    names = [f"c{column}" for column in range(columns)]
    people = rows + others
    data = histogram(frame(rows, names), names, ["s"], frame(people, names).select(*names) if population else None)
    return data, [draw(hierarchies(len(values))) for values in data.values], rows, people


def frame(rows: Rows, names: list[str]) -> nw.LazyFrame[Any]:
    return nw.from_native(pl.LazyFrame(rows, schema=dict.fromkeys([*names, "s"], pl.Int64), orient="row"))


def label(hierarchy: Hierarchy, level: int, value: int) -> str:
    return hierarchy.labels[level - 1][value] or "" if level else str(value)


class Slow:
    """Models and measures as their papers define them, on lists of rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.whole = self.shares([row[-1] for row in rows])

    @staticmethod
    def shares(values: list[int]) -> Shares:
        return {value: count / len(values) for value, count in Counter(values).items()}

    def class_passes(self, model: PrivacyModel, members: list[int], people: int) -> bool:
        q, p, n = self.shares(members), self.whole, len(members)
        counts = sorted(Counter(members).values(), reverse=True)
        match model:
            case KAnonymity(k):
                return n >= k
            case KMap(k):
                return people >= k
            case AlphaKAnonymity(alpha, k, _):
                return n >= k and counts[0] / n <= alpha + 1e-9
            case DistinctLDiversity(least, _):
                return len(counts) >= least
            case EntropyLDiversity(least, _):
                return -sum(share * math.log(share) for share in q.values()) >= math.log(least) - 1e-9
            case RecursiveCLDiversity(c, least, _):
                return counts[0] < c * sum(counts[least - 1 :]) - 1e-9
            case TCloseness(t, _, "equal", _):
                return sum(abs(q.get(v, 0) - p[v]) for v in p) / 2 <= t + 1e-9
            case TCloseness(t, _, "ordered", _):
                order = sorted(p)
                sums = [abs(sum(q.get(v, 0) - p[v] for v in order[: i + 1])) for i in range(len(order))]
                return sum(sums) / max(len(order) - 1, 1) <= t + 1e-9
            case TCloseness(t, _, "hierarchical", _):
                return self.hierarchical(q, p) <= t + 1e-9
            case BetaLikeness(beta, _, enhanced):
                limit = {v: min(beta, -math.log(p[v])) if enhanced else beta for v in p}
                return all((q[v] - p[v]) / p[v] <= limit[v] + 1e-9 for v in q)
            case DeltaDisclosurePrivacy(delta, _):
                return all(v in q and abs(math.log2(q[v] / p[v])) < delta - 1e-9 for v in p)
        return True

    @staticmethod
    def hierarchical(q: Shares, p: Shares) -> float:
        """Li et al. 2007, section 5.2.2: the cost at each inner node of the tree; here 0, 1 | 2 | 3 under one top."""
        extra = {v: q.get(v, 0) - p.get(v, 0) for v in range(4)}
        pairs = [([extra[0], extra[1]], 1 / 2), ([extra[0] + extra[1], extra[2], extra[3]], 2 / 2)]
        return sum(
            height * min(sum(max(e, 0) for e in extras), sum(max(-e, 0) for e in extras)) for extras, height in pairs
        )

    @staticmethod
    def table_passes(model: PrivacyModel, sizes: list[int]) -> bool:
        match model:
            case AverageRisk(threshold):
                return not sizes or len(sizes) / sum(sizes) <= threshold + 1e-9
            case SampleUniqueness(threshold):
                return not sizes or sizes.count(1) / sum(sizes) <= threshold + 1e-9
        return True


def brute_force(
    instance: Instance, models: list[PrivacyModel], quality: QualityModel, limit: float
) -> tuple[float, int, tuple[int, ...]] | None:
    data, hierarchies, rows, people = instance
    slow, found = Slow(rows), []
    for node in itertools.product(*(range(h.lowest, h.highest + 1) for h in hierarchies)):

        def key(row: tuple[int, ...], node: tuple[int, ...] = node) -> tuple[str, ...]:
            return tuple(
                label(h, level, values.index(cell))
                for h, level, values, cell in zip(hierarchies, node, data.values, row, strict=False)
            )

        def order(of: tuple[str, ...], node: tuple[int, ...] = node) -> tuple[int, ...]:
            return tuple(
                next(v for v in range(len(values)) if label(h, level, v) == cell)
                for h, level, values, cell in zip(hierarchies, node, data.values, of, strict=True)
            )

        classes: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            classes.setdefault(key(row), []).append(row[-1])
        population = Counter(key(person) for person in people)
        kept = sorted(
            (of for of in classes if all(slow.class_passes(m, classes[of], population[of]) for m in models)),
            key=lambda of: (len(classes[of]), order(of)),
        )
        while not all(slow.table_passes(m, [len(classes[of]) for of in kept]) for m in models):
            kept.pop(0)
        suppressed = len(rows) - sum(len(classes[of]) for of in kept)
        if suppressed * 100 <= Fraction(str(limit)) * len(rows):
            loss = slow_loss(quality, instance, node, [key(row) in kept for row in rows], key)
            found.append((loss, sum(node), node))
    if not found:
        return None
    least = min(loss for loss, _, _ in found)
    return min((least, *candidate[1:]) for candidate in found if math.isclose(candidate[0], least, abs_tol=1e-11))


def slow_loss(
    quality: QualityModel,
    instance: Instance,
    node: tuple[int, ...],
    kept: list[bool],
    key: Callable[[tuple[int, ...]], tuple[str, ...]],
) -> float:
    data, hierarchies, rows, _ = instance
    n, sizes = len(rows), Counter(key(row) for row, stays in zip(rows, kept, strict=True) if stays)
    match quality:
        case Discernibility():
            return sum(sizes[key(row)] if stays else n for row, stays in zip(rows, kept, strict=True)) / n**2
        case AverageClassSize():
            of_kept = sum(sizes.values()) * (sum(sizes.values()) / len(sizes)) / n if sizes else 0.0
            return (of_kept + n - sum(sizes.values())) / n
    total = 0.0
    for column, (level, hierarchy, values) in enumerate(zip(node, hierarchies, data.values, strict=True)):
        own = [values.index(row[column]) for row in rows]
        labels = [label(hierarchy, level, value) for value in own]
        weight = hierarchy.weight / sum(h.weight for h in hierarchies)
        column_entropy = -sum(c / n * math.log(c / n) for c in Counter(own).values())
        for value, cell, stays in zip(own, labels, kept, strict=True):
            present = sum(label(hierarchy, level, v) == cell for v in set(own))
            match quality:
                case Loss():
                    cost = (present - 1) / (len(set(own)) - 1) if len(set(own)) > 1 else 0.0
                case Precision():
                    cost = level / max(hierarchy.levels - 1, 1)
                case NonUniformEntropy():
                    cost = math.log(labels.count(cell) / own.count(value)) / column_entropy if column_entropy else 0.0
            total += weight * (cost if stays else 1.0) / n
    return total


LIMITS = st.sampled_from([0, 0, 4, 10.5, 33.3, 60, 100])


def check(instance: Instance, models: list[PrivacyModel], quality: QualityModel, limit: float) -> None:
    data, hierarchies, _, _ = instance
    expected = brute_force(instance, models, quality, limit)
    tests = [test for model in models for test in model.tests(data)]
    solution = search(Task(data, hierarchies, tests, quality, limit_of(data.rows, limit)))
    if expected is None:
        assert solution is None
        return
    assert solution is not None
    assert solution.loss == pytest.approx(expected[0], abs=1e-9)
    assert solution.levels == expected[2]
    assert solution.optimal


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_search_finds_what_brute_force_finds_for_each_model(name: str, data: st.DataObject) -> None:
    instance = data.draw(instances(population=name == "k-map"))
    check(instance, [data.draw(MODELS[name])], Loss(), data.draw(LIMITS))


@pytest.mark.parametrize("name", QUALITY_MODELS)
@settings(max_examples=150, deadline=None)
@given(instance=instances(), k=st.integers(1, 6), limit=LIMITS)
def test_the_search_finds_what_brute_force_finds_for_each_quality_model(
    name: str, instance: Instance, k: int, limit: float
) -> None:
    check(instance, [KAnonymity(k)], QUALITY_MODELS[name], limit)


def test_the_least_levels_win_a_tie_whose_bound_is_rounded_up() -> None:
    rows = [(0, 0, 0), (0, 1, 0), (0, 2, 0), (1, 0, 0), (2, 4, 0), (2, 4, 0), (4, 0, 0), (4, 1, 0)]
    data = histogram(frame(rows, ["c0", "c1"]), ["c0", "c1"], ["s"])
    twice = Hierarchy.from_labels("c0", 4, [["a", "b", "b", "a"]] * 2 + [["*"] * 4])
    check(
        (data, [twice, Hierarchy.from_labels("c1", 4, [["*"] * 4] * 2)], rows, rows),
        [KAnonymity(2)],
        NonUniformEntropy(),
        33.3,
    )


@settings(max_examples=150, deadline=None)
@given(
    instance=instances(population=True),
    models=st.lists(st.one_of(*MODELS.values()), min_size=2, max_size=4),
    quality=st.sampled_from(list(QUALITY_MODELS.values())),
    limit=LIMITS,
)
def test_the_search_finds_what_brute_force_finds_for_any_combination(
    instance: Instance, models: list[PrivacyModel], quality: QualityModel, limit: float
) -> None:
    check(instance, models, quality, limit)


def grid(columns: int, values: int, rows: int, seed: int = 0) -> tuple[Histogram, list[Hierarchy]]:
    """Random numbers with hierarchies that halve the number of values at each level."""
    random = np.random.default_rng(seed)
    names = [f"c{column}" for column in range(columns)]
    data = histogram(nw.from_native(pl.LazyFrame({n: random.integers(0, values, rows) for n in names})), names)
    bits = range(1, values.bit_length())
    return data, [
        Hierarchy.from_labels("c", len(known), [[str(v >> shift) for v in known] for shift in bits])
        for known in data.values
    ]


def test_pruning_spares_most_of_a_large_lattice() -> None:
    data, halving = grid(6, 16, 2000)
    solution = search(Task(data, halving, KAnonymity(5).tests(data), Loss(), limit_of(2000, 2)))
    assert solution is not None
    assert solution.nodes == 5**6
    assert solution.nodes_checked < solution.nodes / 20


@settings(max_examples=25, deadline=None)
@given(instance=instances(), k=st.integers(1, 6), limit=LIMITS, name=st.sampled_from(["loss", "discernibility"]))
def test_a_lattice_too_large_to_list_is_searched_to_the_end_if_time_allows(
    instance: Instance, k: int, limit: float, name: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "MAX_NODES", 1)
        check(instance, [KAnonymity(k)], QUALITY_MODELS[name], limit)


def test_what_the_budget_leaves_open_is_told_as_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MAX_NODES", 100)
    data, halving = grid(6, 16, 2000)
    task = Task(data, halving, KAnonymity(5).tests(data), Loss(), 0)
    in_short = search(task, 0.05)
    monkeypatch.undo()
    proven = search(task)
    assert in_short is not None
    assert proven is not None
    assert proven.optimal
    assert not in_short.optimal
    assert in_short.lower_bound <= proven.loss <= in_short.loss
    assert in_short.nodes == 5**6


def test_ten_million_nodes_are_proven() -> None:
    data, halving = grid(10, 16, 3000)
    solution = search(Task(data, halving, KAnonymity(300).tests(data), Loss(), 0))
    assert solution is not None
    assert solution.nodes == 5**10
    assert solution.optimal


def test_levels_outside_the_given_range_are_not_chosen() -> None:
    data, halving = grid(3, 16, 200)
    free = search(Task(data, halving, KAnonymity(3).tests(data), Loss(), 0))
    assert free is not None
    bounded = [replace(hierarchy, lowest=2, highest=3) for hierarchy in halving]
    solution = search(Task(data, bounded, KAnonymity(3).tests(data), Loss(), 0))
    assert solution is not None
    assert all(2 <= level <= 3 for level in solution.levels)
    assert solution.nodes == 8
    assert solution.loss >= free.loss


def test_an_infeasible_requirement_tells_how_close_the_data_comes() -> None:
    rows = [(value, value % 3) for value in range(10)]
    data = histogram(nw.from_native(pl.LazyFrame(rows, schema=["c", "s"], orient="row")), ["c"], ["s"])
    hierarchy = replace(Hierarchy.from_labels("c", 10, [["low"] * 3 + ["high"] * 7, ["*"] * 10]), lowest=1, highest=1)
    tests = [test for model in (KAnonymity(6), TCloseness(0.01, "s")) for test in model.tests(data)]
    assert search(Task(data, [hierarchy], tests, Loss(), 3)) is None
    reached, suppressed = infeasible(Task(data, [hierarchy], tests, Loss(), 3))
    assert reached["k"] == 7
    assert reached["t"] == pytest.approx(4 / 10 - 2 / 7 + 1e-13, abs=0.2)
    assert suppressed == 10


def test_what_finer_nodes_must_suppress_is_not_overstated() -> None:
    """The first class is one row of each value and five more of one: without these five it is as the whole table."""
    rows = [(0, value) for value in range(10)] + [(0, 0)] * 5 + [(1, value) for value in range(1, 10)] * 5
    data = histogram(nw.from_native(pl.LazyFrame(rows, schema=["c", "s"], orient="row")), ["c"], ["s"])
    (test,) = TCloseness(0.0, "s").tests(data)
    assert isinstance(test, ClassTest)
    least = test.least_suppressed(data.classes, test.figures(data.classes))
    assert 4 < least[0] <= 5
