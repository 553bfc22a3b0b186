import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataframe_level_anonymisation.hierarchies import KINDS, Hierarchy, parse
from util_services.errors import DataServiceError

MANUAL = Path(__file__).parents[1] / "docs" / "hierarchies.md"


def labels(spec: Any, values: list[Any]) -> list[list[str | None]]:
    return list(parse("c", spec).build(values).labels)


def test_ages_become_intervals_of_5_10_20_and_100_years_then_a_star() -> None:
    levels = labels("simpl_age", ["25", "99", "100", "7.5", "-1", None])
    assert [level[0] for level in levels] == ["[25, 30)", "[20, 30)", "[20, 40)", "[0, 100)", "*"]
    assert [level[1] for level in levels] == ["[95, 100)", "[90, 100)", "[80, 100)", "[0, 100)", "*"]
    assert [level[2] for level in levels] == ["[100, 105)", "[100, 110)", "[100, 120)", "[100, 200)", "*"]
    assert levels[0][3:5] == ["[5, 10)", "[-5, 0)"]
    assert [level[5] for level in levels] == [None, None, None, None, "*"]


def test_a_star_ends_ages_even_if_one_interval_holds_them_all() -> None:
    assert [level[0] for level in labels("simpl_age", ["25", "26"])][-2:] == ["[0, 100)", "*"]


def test_numbers_are_ages_too() -> None:
    assert labels("simpl_age", [25, 26.5])[0] == ["[25, 30)", "[25, 30)"]


def test_gender_is_kept_or_suppressed() -> None:
    assert labels("simpl_gender", ["F", "M", None]) == [["*", "*", "*"]]
    assert labels({"suppress": {}}, ["F"]) == labels("suppress", ["F"]) == [["*"]]


def test_interval_ends_are_coded_and_clipped() -> None:
    spec = {"intervals": {"widths": [5, 10], "bottom": 18, "top": 64}}
    assert labels(spec, ["3", "18", "19", "20", "63", "64", "99"]) == [
        ["< 18", "[18, 20)", "[18, 20)", "[20, 25)", "[60, 64)", ">= 64", ">= 64"],
        ["< 18", "[18, 20)", "[18, 20)", "[20, 30)", "[60, 64)", ">= 64", ">= 64"],
        ["*"] * 7,
    ]


def test_decimals_are_what_is_written() -> None:
    spec = {"intervals": {"widths": [0.1, 0.3], "anchor": 0.05}}
    assert labels(spec, ["0.35", "0.25", 0.05])[:2] == [
        ["[0.35, 0.45)", "[0.25, 0.35)", "[0.05, 0.15)"],
        ["[0.35, 0.65)", "[0.05, 0.35)", "[0.05, 0.35)"],
    ]


def test_large_and_small_numbers_have_exact_intervals() -> None:
    levels = labels({"intervals": {"widths": ["1e-7", 1000]}}, ["1e30", "-0.00000015", "123456789.123456789"])
    assert levels[0] == [
        "[1000000000000000000000000000000, 1000000000000000000000000000000.0000001)",
        "[-0.0000002, -0.0000001)",
        "[123456789.1234567, 123456789.1234568)",
    ]
    assert levels[1][2] == "[123456000, 123457000)"


def test_labels_with_commas_do_not_decide_what_separates_cells() -> None:
    table = b"5;[0, 5, 6);*\n6;[0, 5, 6);*\n"
    assert parse("c", "x.csv", lambda _: table).build(["5", "6"]).labels == (["[0, 5, 6)"] * 2, ["*"] * 2)


def test_the_number_of_levels_of_a_mask_with_steps_does_not_depend_on_the_data() -> None:
    for side in ("left", "right"):
        for values in (["a"], ["abc", "d"], ["abcdef"]):
            assert len(labels({"mask": {"side": side, "steps": [1, 3]}}, values)) == 3
    assert labels({"mask": {"side": "left", "steps": [3]}}, ["abc", "d"])[0] == ["***", "***"]


def test_a_mask_covers_more_and_more_from_either_side() -> None:
    assert labels({"mask": {}}, ["801", "80", "912"]) == [["80*", "80*", "91*"], ["8**", "8**", "9**"], ["*"] * 3]
    assert labels({"mask": {"side": "left", "character": "#", "steps": [2]}}, ["1801", "2801", "01"]) == [
        ["##01", "##01", "##01"],
        ["*"] * 3,
    ]


def test_dates_are_truncated() -> None:
    values = ["2026-11-23", "2026-12-31T10:00:00", date(2019, 1, 1), datetime(2020, 2, 29, 12, tzinfo=UTC), None]
    levels = {"levels": ["day", "month", "quarter", "year", "decade"]}
    assert [level[0] for level in labels({"dates": levels}, values)] == [
        *("2026-11-23", "2026-11", "2026-Q4", "2026", "2020s"),
        "*",
    ]
    assert labels({"dates": {"levels": ["year"]}}, values) == [["2026", "2026", "2019", "2020", None], ["*"] * 5]
    assert labels({"dates": {"levels": ["week"]}}, ["2027-01-01", "2026-12-31"])[0] == ["2026-W53", "2026-W53"]
    assert labels({"dates": {"format": "%d.%m.%Y", "levels": ["month"]}}, ["01.02.2020"])[0] == ["2020-02"]


def test_neighbours_are_grouped_numbers_by_size_and_others_by_text() -> None:
    assert labels({"ordered_groups": {"sizes": [2, 4]}}, ["10", "9", "8", "100", "7"]) == [
        ["[9, 10]", "[9, 10]", "[7, 8]", "[100, 100]", "[7, 8]"],
        ["[7, 10]", "[7, 10]", "[7, 10]", "[100, 100]", "[7, 10]"],
        ["*"] * 5,
    ]
    assert labels({"ordered_groups": {"sizes": [2]}}, ["b", "a", "10", None])[0] == [
        *("[b, b]", "[10, a]", "[10, a]"),
        None,
    ]


def test_a_mapping_ends_in_one_group_with_a_fallback_for_the_rest() -> None:
    spec = {"mapping": {"Munich": ["Bavaria", "Germany"], "Graz": ["Styria", "Austria"]}}
    assert labels(spec, ["Graz", "Munich", None]) == [
        ["Styria", "Bavaria", None],
        ["Austria", "Germany", None],
        ["*"] * 3,
    ]
    spec = {"mapping": {"1": "low", 2: "low"}}
    assert labels(spec, [1, 2.0, None]) == [["low", "low", "low"]]
    assert labels({**spec, "fallback": "other"}, [1, 3]) == [["low", "other"], ["*", "*"]]
    assert labels({"mapping": {"a": ["A", "*"]}, "fallback": ["rest", "*"]}, ["a", "b"]) == [["A", "rest"], ["*", "*"]]


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_file_is_read_as_arx_writes_it(tmp_path: Path, delimiter: str) -> None:
    rows = [["80331", "8033*", "*"], ['8"0;,\t332', "8033*", "*"], ["é", "x", "*"]]
    quoted = "".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows)
    path = tmp_path / "plz.csv"
    path.write_bytes(b"\xef\xbb\xbf" + quoted.encode())
    assert labels(str(path), ["80331", "é", '8"0;,\t332', None]) == [["8033*", "x", "8033*", None], ["*"] * 4]
    assert labels({"file": {"path": str(path), "fallback": ["?", "*"]}}, ["1"]) == [["?"], ["*"]]
    assert parse("c", {"name": str(path), "max_level": 1}).build(["é", "80331"]).highest == 1


def test_countries_have_regions() -> None:
    levels = labels({"countries": {}}, ["AT", "aut", "Germany", "JP", None])
    assert levels == [
        ["Western Europe", "Western Europe", "Western Europe", "Eastern Asia", None],
        ["Europe", "Europe", "Europe", "Asia", None],
        ["*"] * 5,
    ]


def test_nuts_codes_get_shorter() -> None:
    assert labels({"nuts": {}}, ["DE212", "AT13"]) == [["DE21", "AT13"], ["DE2", "AT1"], ["DE", "AT"], ["*", "*"]]
    assert labels({"nuts": {}}, ["AT13", "AT"])[0] == ["AT13", "AT"]


def test_the_operator_defines_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERARCHIES_DIR", str(tmp_path))
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    (tmp_path / "city.csv").write_text("Graz;Austria\nMunich;Germany\n")
    (tmp_path / "plz.yaml").write_text("mask: {steps: [2]}\nweight: 2\n")
    (tmp_path / "region.yaml").write_text("file: {path: city.csv, fallback: elsewhere}\n")
    assert labels("city", ["Graz"]) == [["Austria"], ["*"]]
    assert labels("region", ["Graz", "Oslo"])[0] == ["Austria", "elsewhere"]
    built = parse("c", {"name": "plz", "max_level": 1}).build(["8010"])
    assert (built.labels[0], built.weight, built.highest) == (["80**"], 2, 1)
    for name in ("../city", "citty"):
        with pytest.raises(DataServiceError, match="of the column 'c' is unknown: "):
            parse("c", name)
    (tmp_path / "broken.yaml").write_text("[")
    with pytest.raises(DataServiceError, match="The operator's hierarchy 'broken' is no YAML mapping"):
        parse("c", "broken")
    monkeypatch.setenv("HIERARCHIES_DIR", str(tmp_path / "none"))
    with pytest.raises(DataServiceError, match="HIERARCHIES_DIR does not name a folder"):
        parse("c", "city")


def test_levels_and_weight_are_bounded_by_column() -> None:
    built = parse("c", {"name": "simpl_age", "min_level": 1, "max_level": 4, "weight": 0.5}).build(["25"])
    assert (built.lowest, built.highest, built.weight, built.levels) == (1, 4, 0.5, 6)
    assert parse("c", {"mask": {}, "min_level": 2}).build([]).lowest == 1


SECRET = "SECRET-VALUE"
MISTAKES: list[tuple[Any, list[Any], str]] = [
    ("simpl_aeg", [], "The hierarchy 'simpl_aeg' of the column 'c' is unknown: did you mean 'simpl_age'?"),
    (7, [], "The hierarchy of the column 'c' is neither a name nor a specification: write it like {intervals: {"),
    ({}, [], "The hierarchy of the column 'c' has 0 kinds: "),
    (
        {"intervalls": {}},
        [],
        "The hierarchy of the column 'c' has 'intervalls', which is no kind: did you mean 'int",
    ),
    ({"mask": {}, "nuts": {}}, [], "The hierarchy of the column 'c' has 2 kinds: "),
    ({"mask": {}, "fallback": "x"}, [], "The hierarchy of the column 'c' has 'fallback' beside 'mask': write it like"),
    ({"name": "simpl_age", "mask": {}}, [], "The hierarchy of the column 'c' has a name and more: give name alone."),
    ({"mask": {}, "weight": 0}, [], "The weight of the column 'c' is not above 0: give a number such as 2."),
    ({"mask": {}, "min_level": -1}, [], "The min_level of the column 'c' is no level: give a whole number from 0."),
    ({"mask": {}, "max_level": 9}, ["ab"], "The hierarchy of the column 'c' has the levels 0 to 2, and min_level 0 to"),
    ("simpl_age", ["25", SECRET, "nan"], "The hierarchy of the column 'c' needs numbers, but 2 distinct value(s) are"),
    ({"intervals": {}}, [], "The hierarchy of the column 'c' is malformed at intervals.widths (Field required): write"),
    ({"intervals": {"widths": []}}, [], "malformed at intervals (widths needs at least one number above 0)"),
    ({"intervals": {"widths": [5, 12]}}, [], "(each width must be a multiple of the one before, and 12 is none of 5)"),
    ({"intervals": {"widths": [5], "bottom": 9, "top": 9}}, [], "(bottom must be below top, and 9 is not below 9)"),
    ({"intervals": {"widths": [5], "with": 1}}, [], "malformed at intervals.with (Extra inputs are not permitted)"),
    ({"mask": {"side": "up"}}, [], "malformed at mask.side (Input should be 'left' or 'right')"),
    ({"mask": {"steps": [2, 1]}}, [], "(steps needs whole numbers from 1, each larger than the one before)"),
    ({"dates": {"levels": ["year", "month"]}}, [], "(levels needs some of day, week, month, quarter, year, decade, in"),
    ({"dates": {"levels": ["week", "month"]}}, [], "(a week may lie in two months or years, so that week can only be"),
    ({"dates": {}}, [SECRET], "needs dates as in 2026-11-23, but 1 distinct value(s) are not: give the true format"),
    ({"dates": {"format": "%d.%m"}}, ["2020-01-01"], "needs dates in the format '%d.%m', but 1 distinct value(s) are"),
    ({"ordered_groups": {"sizes": [1]}}, [], "(sizes needs at least one whole number from 2)"),
    ({"ordered_groups": {"sizes": [2, 5]}}, [], "(each size must be a multiple of the one before, and 5 is none of 2)"),
    ({"mapping": {}}, [], "(mapping needs values with the same number of labels each, at least one)"),
    ({"mapping": {"a": ["A"], "b": ["B", "C"]}}, [], "(mapping needs values with the same number of labels each"),
    ({"mapping": {"a": ["A"]}, "fallback": ["x", "y"]}, [], "(fallback needs one label or 1, one for each level)"),
    ({"mapping": {"a": ["A"]}}, ["a", SECRET], "needs every value to be listed, but 1 distinct value(s) are not: add"),
    (
        {"mapping": {"a": ["x", "p"], "b": ["x", "q"]}},
        ["a", "b"],
        "The hierarchy of the column 'c' is not nested: level 2 splits a group of level 1; give coarser groups there.",
    ),
    ({"nuts": {}}, ["DE2", SECRET], "needs NUTS codes such as DE212, but 1 distinct value(s) are not: correct them"),
    ({"countries": {"levels": ["region", "subregion"]}}, [], "(levels needs subregion, region or both, in this order)"),
    ({"countries": {}}, ["AT", SECRET], "needs every value to be listed, but 1 distinct value(s) are not: add them"),
    ("s3://bucket/h.csv", ["a"], "The hierarchy 's3://bucket/h.csv' is an S3 object, which only jobs read: give a loc"),
    ("none.csv", ["a"], "The input file 'none.csv' does not exist: check generalisation_hierarchies."),
    ({"mask": {}}, ["x" * 13], "The mask of the column 'c' would have 13 steps, as many as the longest value has char"),
    ("simpl_age", ["1e31", "1e-31"], "needs numbers, but 2 distinct value(s) are not"),
    ({"mapping": {"a": ["x", "p"], "b": ["x", "q"]}}, ["a"], "The hierarchy of the column 'c' is not nested: level 2"),
]


@pytest.mark.parametrize(("spec", "values", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_without_values(spec: Any, values: list[Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as error:
        parse("c", spec).build(values)
    assert sentence in str(error.value)
    assert SECRET not in str(error.value)
    assert str(error.value).endswith((".", "?"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty: give one line a value, one column a level."),
        (b"SECRET\n", "has 1 cell(s) in line 1: give each line a value and at least one label."),
        (b"a;b;c\nSECRET;b\n", "has 2 cell(s) in line 2: give each line a value and as many labels as the first line"),
        (b"SECRET;b\nx;b\nSECRET;c\n", "lists a value twice with different labels, again in line 3: keep one of them."),
        (b"\xff;b\n", "is not UTF-8: save it as UTF-8."),
        (b'a;b\n"SECRET;b\n', "is no CSV file in line 2: check the quotes there."),
        (b"a;" + b"x" * 200_000, "is no CSV file in line 1: check the quotes there."),
    ],
)
def test_a_malformed_file_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(DataServiceError) as error:
        parse("c", "x.csv", lambda _: content).build(["a"])
    assert sentence in str(error.value)
    assert "SECRET" not in str(error.value)


def test_the_countries_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "countryinfo", None)
    with pytest.raises(DataServiceError, match=r"install dataframe-level-anonymisation\[countries\]"):
        parse("c", {"countries": {}}).build(["AT"])


numbers = st.integers(-500, 500).map(str) | st.decimals(-50, 50, places=2).map(str) | st.integers(0, 99)
texts = st.text(st.sampled_from("ab0*é "), max_size=5)
days = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str)
KIND_SPECS: dict[str, tuple[st.SearchStrategy[Any], Callable[[st.DrawFn], Any]]] = {
    "intervals": (
        numbers,
        lambda draw: {
            "widths": [width := draw(st.sampled_from([1, 2.5, 5])), width * draw(st.integers(2, 5))],
            "anchor": draw(st.sampled_from([0, 0.5, -3])),
            "bottom": draw(st.sampled_from([None, -7, 3])),
            "top": draw(st.sampled_from([None, 11, 40.5])),
        },
    ),
    "mask": (texts, lambda draw: {"side": draw(st.sampled_from(["left", "right"]))}),
    "dates": (days, lambda draw: {"levels": draw(st.sampled_from([["day", "week"], ["month", "quarter", "year"]]))}),
    "ordered_groups": (texts | numbers, lambda draw: {"sizes": draw(st.sampled_from([[2], [2, 6, 12], [3, 9]]))}),
}


@pytest.mark.parametrize("kind", KIND_SPECS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_every_hierarchy_nests_covers_all_and_ends_in_one_group(kind: str, data: st.DataObject) -> None:
    values, spec = KIND_SPECS[kind]
    distinct: list[Any] = data.draw(st.lists(values, unique_by=str, max_size=30))
    missing = data.draw(st.booleans())
    built = parse("c", {kind: spec(data.draw)}).build([*distinct, *[None] * missing])
    assume(distinct or missing)
    for finer, coarser in zip(built.groups, built.groups[1:], strict=False):
        parents = {(int(fine), int(coarse)) for fine, coarse in zip(finer, coarser, strict=True)}
        assert len(parents) == len({fine for fine, _ in parents})
    assert built.sizes[0] == len(distinct) + missing
    assert built.sizes[-1] == 1
    assert all(None not in level[: len(distinct)] for level in built.labels)
    if missing:
        assert [level[-1] for level in built.labels] == [None] * (built.levels - 2) + [built.labels[-1][0]]


def test_a_level_that_splits_a_group_is_refused() -> None:
    with pytest.raises(DataServiceError, match="column 'c' is not nested: level 2 splits a group of level 1"):
        Hierarchy.from_labels("c", 3, [["x", "x", "y"], ["p", "q", "q"]])


def test_groups_of_each_level() -> None:
    hierarchy = Hierarchy.from_labels("c", 3, [["x", "y", "x"], ["*", "*", "*"]])
    assert [groups.tolist() for groups in hierarchy.groups] == [[0, 1, 2], [0, 1, 0], [0, 0, 0]]
    assert hierarchy.sizes == (3, 2, 1)
    assert hierarchy.levels == 3


def test_every_kind_is_in_the_manual_and_every_example_there_works(tmp_path: Path) -> None:
    text = MANUAL.read_text()
    cities = b"Graz;Styria;Austria\nMunich;Bavaria;Germany\n"
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]
    specs = {column: spec for block in blocks for column, spec in block.items()}
    for column, spec in specs.items():
        parse(column, spec, lambda _: cities)
    shown = {kind for spec in specs.values() if isinstance(spec, dict) for kind in spec}
    assert set(KINDS) <= shown | {"suppress"}
    for kind in KINDS.values():
        example = yaml.safe_load(kind.example)
        parse("c", example, lambda _: cities)
