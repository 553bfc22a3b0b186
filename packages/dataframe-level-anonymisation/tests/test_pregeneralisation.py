"""With few tuples allowed, everything must come out as it does from all of them."""

import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from any_model import MODELS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pregeneralisation import EVERY, FEW, generate
from pregeneralisation import run as benchmarked

from dataframe_level_anonymisation import (
    DistinctLDiversity,
    KAnonymity,
    KMap,
    PrivacyModel,
    Result,
    TCloseness,
    anonymise,
)
from dataframe_level_anonymisation.hierarchies import Hierarchy
from dataframe_level_anonymisation.pregeneralisation import histogram_tuples
from dataframe_level_anonymisation.quality_models import QUALITY_MODELS, CellQuality
from util_services.errors import DataServiceError

VALUES = "abcdef"
cells = st.sampled_from([*VALUES, None])


@dataclass(frozen=True)
class Instance:
    frame: pl.DataFrame
    population: pl.DataFrame | None
    hierarchies: dict[str, Any]

    def tuples(self, *columns: str) -> int:
        return max(len(table.unique(columns)) for table in (self.frame, self.population) if table is not None)


@st.composite
def hierarchies(draw: st.DrawFn) -> dict[str, Any]:
    """A random nested hierarchy, its top open to choice, with a random weight."""
    groups = draw(st.lists(st.integers(0, 4), min_size=len(VALUES), max_size=len(VALUES)))
    labels = [[f"0:{group}"] for group in groups]
    for level in range(1, draw(st.integers(1, 3))):
        merge = draw(st.lists(st.integers(0, 2), min_size=5, max_size=5))
        groups = [merge[group] for group in groups]
        for own, group in zip(labels, groups, strict=True):
            own.append(f"{level}:{group}")
    bounds = {"min_level": draw(st.sampled_from([0, 0, 0, 1]))}
    return {"mapping": dict(zip(VALUES, labels, strict=True)), "weight": draw(st.sampled_from([1, 1, 2.5])), **bounds}


@st.composite
def instances(draw: st.DrawFn, *, population: bool = False) -> Instance:
    names = ["x", "y", "z"][: draw(st.integers(2, 3))]
    rows = draw(st.lists(st.tuples(*[cells] * len(names), st.integers(0, 3)), min_size=8, max_size=40))
    frame = pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.String), "s": pl.Int64}, orient="row")
    people = frame.select(names)
    if population:
        others = draw(st.lists(st.tuples(*[cells] * len(names)), max_size=20))
        people = pl.concat([people, pl.DataFrame(others, schema=people.schema, orient="row")])
    return Instance(
        frame.with_row_index("id"), people if population else None, {name: draw(hierarchies()) for name in names}
    )


def run(
    instance: Instance, models: list[PrivacyModel], limit: float, most: int, quality: str = "loss", **more: Any
) -> Result | str:
    """The result, or the sentence that refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HISTOGRAM_TUPLES", str(most))
        try:
            return anonymise(
                instance.frame,
                quasi_identifiers=list(instance.hierarchies),
                hierarchies=instance.hierarchies,
                models=models,
                sensitive_attributes=["s"],
                suppression_limit=limit,
                quality=quality,
                population=instance.population,
                **more,
            )
        except DataServiceError as error:
            return str(error)


def assert_same(found: Result, expected: Result) -> None:
    """All but what tells how it was found."""
    assert found.quality == (expected.quality[0], pytest.approx(expected.quality[1], abs=1e-11))
    if found.levels != expected.levels:  # a tie whose costs are logarithms may be broken by their last digit
        assert found.quality[0] == "non-uniform entropy"
        return
    assert found.frame.write_csv() == expected.frame.write_csv()
    for name in ("rows", "rows_suppressed", "achieved", "achieved_by_attribute", "optimal", "nodes", "requirements"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.loss == pytest.approx(expected.loss, abs=1e-11)
    assert found.lower_bound == pytest.approx(expected.lower_bound, abs=1e-11)
    for ours, theirs in zip(found.columns, expected.columns, strict=True):
        assert (ours.level, ours.highest, ours.examples) == (theirs.level, theirs.highest, theirs.examples)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-11)
    assert pairs(found.classes_before, found.population_before) == pairs(
        expected.classes_before, expected.population_before
    )
    assert pairs(found.classes_after, found.population_after) == pairs(
        expected.classes_after, expected.population_after
    )
    for of_ours, of_theirs in zip(found.sensitive, expected.sensitive, strict=True):
        assert of_ours.values == of_theirs.values
        assert of_ours.after.tolist() == of_theirs.after.tolist()


def pairs(sizes: Any, population: Any) -> list[tuple[int, int]]:
    assert sizes.tolist() == sorted(sizes.tolist())
    return sorted(zip(sizes.tolist(), (sizes if population is None else population).tolist(), strict=True))


def check(instance: Instance, models: list[PrivacyModel], limit: float, less: int, quality: str) -> None:
    protected = sorted({model.attribute for model in models if model.attribute})
    names = list(instance.hierarchies)
    all_tuples = max(instance.tuples(*names), len(instance.frame.unique([*names, *protected])))
    most = max(all_tuples - less, *(instance.tuples(name) for name in names))
    assume(most < all_tuples)
    expected = run(instance, models, limit, all_tuples, quality)
    found = run(instance, models, limit, most, quality)
    if isinstance(found, str):
        assert found == expected or "at levels that could meet the requirement" in found
        return
    assert isinstance(expected, Result)
    assert expected.pregeneralisation is None
    assert found.pregeneralisation is not None
    assert found.pregeneralisation.most == most
    assert all(found.levels[name] >= level > 0 for name, level in found.pregeneralisation.levels.items())
    assert_same(found, expected)


LIMITS = st.sampled_from([0, 0, 4, 10.5, 33.3])


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), limit=LIMITS, less=st.integers(1, 30), k=st.integers(2, 5))
def test_nothing_changes_with_any_model(name: str, data: st.DataObject, limit: float, less: int, k: int) -> None:
    instance = data.draw(instances(population=name == "k-map"))
    check(instance, [data.draw(MODELS[name]), KAnonymity(k)][: data.draw(st.integers(1, 2))], limit, less, "loss")


@pytest.mark.parametrize("quality", QUALITY_MODELS)
@settings(max_examples=60, deadline=None)
@given(instance=instances(), limit=LIMITS, less=st.integers(1, 30), k=st.integers(2, 6))
def test_nothing_changes_with_any_quality_model(
    quality: str, instance: Instance, limit: float, less: int, k: int
) -> None:
    check(instance, [KAnonymity(k)], limit, less, quality)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    k=st.integers(3, 6),
    limit=st.sampled_from([0, 5, 15]),
    quality=st.sampled_from(list(QUALITY_MODELS)),
    of=st.lists(hierarchies(), min_size=3, max_size=3),
    more=st.sampled_from([[], [DistinctLDiversity(2, "s")], [TCloseness(0.4, "s")]]),
)
def test_nothing_changes_if_the_lattice_is_searched_in_parts(
    seed: int, k: int, limit: float, quality: str, of: list[dict[str, Any]], more: list[PrivacyModel]
) -> None:
    """Each column alone could stay as it is."""
    random, names = np.random.default_rng(seed), ["x", "y", "z"]
    frame = pl.DataFrame({name: random.choice([*VALUES], 100) for name in names} | {"s": random.integers(0, 4, 100)})
    instance = Instance(frame.with_row_index("id"), None, dict(zip(names, of, strict=True)))
    fewest = len(frame.unique(["x", "s"])) + random.integers(0, 40)
    check(instance, [KAnonymity(k), *more], limit, len(frame.unique(names)) - int(fewest), quality)


def test_a_lattice_is_searched_in_parts_if_no_level_is_out_of_reach_of_every_column() -> None:
    random = np.random.default_rng(0)
    frame = pl.DataFrame({name: random.integers(0, 60, 3000).astype(str) for name in ("x", "y", "z")})
    fine = {"intervals": {"widths": [3, 12]}}
    instance = Instance(frame.with_columns(s=pl.lit(0)).with_row_index("id"), None, dict.fromkeys("xyz", fine))
    expected = run(instance, [KAnonymity(4)], 20, 3000, "discernibility")
    found = run(instance, [KAnonymity(4)], 20, 1000, "discernibility")
    assert isinstance(found, Result)
    assert found.pregeneralisation is not None
    assert found.pregeneralisation.parts > 1
    assert_same(found, expected)  # type: ignore[arg-type]


def test_few_tuples_take_less_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Python and NumPy, which hold the histogram; what the engine needs to group rows is its own."""
    generate(400_000, tmp_path / "in.parquet")

    def peak(most: int) -> int:
        monkeypatch.setenv("HISTOGRAM_TUPLES", str(most))
        tracemalloc.start()
        try:
            benchmarked(tmp_path / "in.parquet", tmp_path / "outcome", most)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, every = peak(FEW // 10), peak(EVERY)
    assert few < 0.6 * every


MINUTES = pl.DataFrame(
    {
        "minute": [f"{number // 2:03}" for number in range(240)],
        "sex": ["F", "M"] * 120,
        "ward": [str(number // 120) for number in range(240)],
        "s": [number // 2 % 4 for number in range(240)],
    }
)
ALL = 240  # distinct tuples
MASKED: dict[str, Any] = {"minute": {"mask": {}}, "sex": "suppress", "ward": "suppress"}


def minutes(most: int, *models: PrivacyModel, frame: Any = MINUTES, **more: Any) -> Result | str:
    hierarchies = MASKED | more.pop("hierarchies", {})
    return run(Instance(frame, None, hierarchies), list(models), more.pop("limit", 0), most, **more)


def test_a_column_is_generalised_first_to_the_lowest_level_that_it_alone_can_have() -> None:
    found = minutes(ALL - 1, KAnonymity(8))
    assert isinstance(found, Result)
    assert found.pregeneralisation is not None
    assert found.pregeneralisation.levels == {"minute": 1}  # ten minutes to a group, where each has two rows
    assert_same(found, minutes(ALL, KAnonymity(8)))  # type: ignore[arg-type]


def test_the_sensitive_values_of_a_group_tell_its_lowest_level_too() -> None:
    found = minutes(ALL - 1, DistinctLDiversity(2, "s"), limit=5)
    assert isinstance(found, Result)
    assert found.pregeneralisation is not None
    assert found.pregeneralisation.levels == {"minute": 1}
    assert_same(found, minutes(ALL, DistinctLDiversity(2, "s"), limit=5))  # type: ignore[arg-type]


def test_a_minimum_level_spares_tuples_even_if_any_level_could_do() -> None:
    found = minutes(ALL - 1, KAnonymity(1), hierarchies={"minute": {"mask": {}, "min_level": 1}})
    assert isinstance(found, Result)
    assert found.levels == {"minute": 1, "sex": 0, "ward": 0}
    assert_same(found, minutes(ALL, KAnonymity(1), hierarchies={"minute": {"mask": {}, "min_level": 1}}))  # type: ignore[arg-type]


def test_a_requirement_out_of_reach_is_told_as_with_all_tuples() -> None:
    refused = minutes(ALL - 1, KAnonymity(241))
    assert "cannot be met: even at the highest levels, 240 of 240 rows" in str(refused)
    assert refused == minutes(ALL, KAnonymity(241))


@pytest.mark.parametrize(
    "convert",
    [lambda f: f.lazy(), lambda f: f.to_pandas(), lambda f: f.to_arrow()],
    ids=["lazy", "pandas", "pyarrow"],
)
@pytest.mark.parametrize("quality", ["loss", "non_uniform_entropy"])
def test_every_engine_gives_the_same(convert: Any, quality: str) -> None:
    frame = MINUTES.with_columns(pl.when(pl.col("sex") == "M").then("sex"))
    expected = minutes(ALL, KAnonymity(3), frame=frame, quality=quality, limit=10)
    found = minutes(ALL - 1, KAnonymity(3), frame=convert(frame), quality=quality, limit=10)
    assert isinstance(found, Result)
    assert isinstance(expected, Result)
    assert found.pregeneralisation is not None
    output = found.frame.collect() if isinstance(found.frame, pl.LazyFrame) else pl.DataFrame(found.frame)
    assert output.rows() == expected.frame.rows()
    assert found.quality[1] == pytest.approx(expected.quality[1], abs=1e-11)


TOO_LARGE: dict[str, tuple[int, list[PrivacyModel], dict[str, Any], str]] = {
    "tuples": (
        ALL - 1,
        [TCloseness(1, "s")],
        {},
        "could meet the requirement (minute 0, sex 0, ward 0), where HISTOGRAM_TUPLES allows 239: give a higher min",
    ),
    "values": (
        50,
        [KAnonymity(8)],
        {},
        "The column 'minute' alone has more than the 50 distinct values that HISTOGRAM_TUPLES allows: round or shorten",
    ),
    "local": (
        ALL - 1,
        [KAnonymity(8)],
        {"recoding": "local"},
        "and recoding local needs all of them: choose recoding global, or give more memory",
    ),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_nevertheless_is_one_sentence(name: str) -> None:
    most, models, more, sentence = TOO_LARGE[name]
    assert str(minutes(most, *models, **more)).count(sentence) == 1


def test_a_population_of_too_many_tuples_is_named() -> None:
    people = MINUTES.select(list(MASKED))
    refused = run(Instance(MINUTES.head(20), people, MASKED), [KMap(1)], 0, ALL - 1)
    assert str(refused).startswith("The population table has 240 distinct combinations")
    found = run(Instance(MINUTES.head(20), people, MASKED), [KMap(5)], 0, ALL - 1)
    assert isinstance(found, Result)
    assert found.pregeneralisation is not None
    assert_same(found, run(Instance(MINUTES.head(20), people, MASKED), [KMap(5)], 0, ALL))  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["0", "-1", "many", "1e6", "²"])
def test_a_limit_that_is_no_number_is_refused(setting: str) -> None:
    with pytest.raises(DataServiceError, match=r"HISTOGRAM_TUPLES is not a whole number from 1, such as 5000000"):
        histogram_tuples({"HISTOGRAM_TUPLES": setting})


@pytest.mark.parametrize("name", [name for name, model in QUALITY_MODELS.items() if isinstance(model, CellQuality)])
@given(counts=st.lists(st.integers(0, 9), min_size=6, max_size=6), merge=st.lists(st.integers(0, 2), min_size=6))
def test_costs_rise_alike_within_a_group(name: str, counts: list[int], merge: list[int]) -> None:
    """What sums of differences rest on."""
    labels = [[f"{each}" for each in merge[:6]], ["*"] * 6]
    hierarchy, model = Hierarchy.from_labels("c", 6, labels), QUALITY_MODELS[name]
    assert isinstance(model, CellQuality)
    fine, coarse = model.cell_costs(hierarchy, np.array(counts))[1:]
    for one, other in zip(*np.triu_indices(6), strict=True):
        if merge[one] == merge[other] and counts[one] and counts[other]:
            assert coarse[one] - fine[one] == pytest.approx(coarse[other] - fine[other], abs=1e-12)
