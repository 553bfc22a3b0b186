import base64
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

from dataframe_level_anonymisation import report
from dataframe_level_anonymisation.result import ColumnOutcome, Pass, Pregeneralisation, Result, SensitiveDistribution
from dataframe_level_anonymisation.risk import assess_risk
from util_services.errors import DataServiceError

VOID = {"meta", "img", "link", "br", "hr", "input"}


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


RESULT = Result(
    frame=None,
    rows=100,
    rows_suppressed=4,
    requirements=(
        {"name": "k-anonymity", "meaning": "Nobody is singled out.", "k": 12},
        {"name": "t-closeness", "meaning": "", "t": 0.3, "distance": "equal", "sensitive_attribute": "ill"},
    ),
    columns=(
        ColumnOutcome("age", 2, 4, 0.25, (("[CANARY-20, 30)", 10), ("[30, 40)", 7))),
        ColumnOutcome("sex", 1, 2, 0.5, ()),
    ),
    passes=(Pass({"age": 2, "sex": 1}, 96, optimal=True, nodes=15, nodes_checked=6),),
    loss=0.375,
    quality=("generalised loss", 0.375),
    achieved={"k": 12, "t": np.float64(0.25)},
    achieved_by_attribute={"ill": {"t": 0.25}},
    classes_before=ints(*[1] * 20, *[8] * 10),
    classes_after=ints(12, 36, 48),
    population_before=None,
    population_after=None,
    sensitive=(
        SensitiveDistribution(
            "ill",
            ("CANARY-cold", "CANARY-flu", None, "CANARY-rare", "CANARY-rarer"),
            ints(20, 60, 16, 1, 3),
            ints(20, 60, 16, 0, 0),
        ),
    ),
    suppression_limit=5.0,
    recoding="global",
    optimal=True,
    lower_bound=0.375,
    nodes=15,
    nodes_checked=6,
    seconds={"histogram": 0.5, "search": 0.25, "apply": 0.125},
)
NOTHING_LEFT = replace(
    RESULT,
    rows_suppressed=100,
    classes_after=ints(),
    achieved={},
    achieved_by_attribute={},
    sensitive=(replace(RESULT.sensitive[0], after=ints(0, 0, 0, 0, 0)),),
)
NO_ROWS = replace(
    NOTHING_LEFT,
    rows=0,
    rows_suppressed=0,
    classes_before=ints(),
    sensitive=(SensitiveDistribution("ill", (), ints(), ints()),),
)
MANY = replace(
    RESULT,
    recoding="local",
    columns=tuple(ColumnOutcome(f"column {n}", 1, 3, 0.1, ()) for n in range(40)),
    passes=tuple(Pass({f"column {n}": 1 for n in range(40)}, 2, True, 9, 9) for _ in range(30)),
    sensitive=tuple(
        SensitiveDistribution(f"s{n}", tuple(map(str, range(100))), ints(*range(1, 101)), ints(*range(1, 101)))
        for n in range(12)
    ),
)
RISK = assess_risk(
    pl.DataFrame({"age": ["CANARY-1", "CANARY-1", "CANARY-2"], "ill": ["CANARY-a", "CANARY-b", "CANARY-b"]}),
    quasi_identifiers=["age"],
    sensitive_attributes=["ill"],
)
DOCUMENTS = {
    "usual": report.document(RESULT, name_values=True),
    "nothing left": report.document(NOTHING_LEFT, name_values=True),
    "no rows": report.document(NO_ROWS, name_values=True),
    "many": report.document(MANY, name_values=True),
    "population": report.document(
        replace(RESULT, population_before=RESULT.classes_before * 9, population_after=RESULT.classes_after * 9),
        name_values=True,
    ),
    "too many tuples": report.document(
        replace(RESULT, pregeneralisation=Pregeneralisation({"age": 1}, parts=3, most=5_000_000)), name_values=True
    ),
    "risk": report.risk_document(RISK),
    "risk of no rows": report.risk_document(
        assess_risk(pl.DataFrame({"a": ["x"], "b": ["y"]}).clear(), quasi_identifiers=["a"])
    ),
}


@cache
def html(name: str) -> str:
    return report.html(DOCUMENTS[name])


@cache
def markdown(name: str) -> str:
    return report.markdown(DOCUMENTS[name])


class Page(HTMLParser):
    """Checks that tags are nested, and notes what the page refers to and shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def warned(result: Result, words: str, **settings: Any) -> bool:
    warnings = report.document(result, name_values=True, **settings)["warnings"]
    assert all(isinstance(warning, str) for warning in warnings)
    return any(words in warning for warning in warnings)


def test_the_document_holds_the_figures() -> None:
    document = DOCUMENTS["usual"]
    assert document["kind"] == "anonymisation"
    assert (document["rows"], document["rows_suppressed"], document["rows_released"]) == (100, 4, 96)
    assert document["suppressed_share"] == 0.04
    assert document["levels"] == {"age": 2, "sex": 1}
    assert document["achieved"] == {"k": 12, "t": 0.25}
    assert document["seconds"] == {"histogram": 0.5, "search": 0.25, "apply": 0.125}
    assert document["requirements"][1]["text"] == "t-closeness (t = 0.3, distance = equal) for ill"
    assert document["quality"] == {"name": "generalised loss", "value": 0.375, "lower_bound": 0.375, "gap": 0}
    assert document["classes"]["before"] == {"number": 30, "smallest": 1, "median": 1, "mean": 100 / 30, "largest": 8}
    assert document["risk"]["before"]["prosecutor"] == {"highest": 1, "average": 0.3, "share_above": 1}
    assert document["risk"]["after"]["journalist"]["highest"] == 1 / 12
    assert document["risk"]["after"]["marketer"] == {"average": 3 / 96}
    assert document["uniqueness"] == {
        "before": {"sample": 0.2, "population": None},
        "after": {"sample": 0, "population": None},
    }
    sizes = {each["from"]: (each["before"], each["after"]) for each in document["class_sizes"]}
    assert sizes[1] == ({"classes": 20, "rows": 20}, {"classes": 0, "rows": 0})
    assert sizes[5] == ({"classes": 10, "rows": 80}, {"classes": 0, "rows": 0})
    assert sizes[20] == ({"classes": 0, "rows": 0}, {"classes": 2, "rows": 84})
    assert sum(before["rows"] for before, _ in sizes.values()) == 100
    assert document["warnings"] == []


def test_columns_that_were_generalised_before_the_search_are_named() -> None:
    assert DOCUMENTS["usual"]["pregeneralisation"] is None
    assert DOCUMENTS["too many tuples"]["pregeneralisation"] == {"levels": {"age": 1}, "parts": 3, "most": 5_000_000}
    for page in (Page(html("too many tuples")).text, markdown("too many tuples")):
        assert "more than 5,000,000 distinct combinations" in page
        assert "3 such parts" in page
    assert "| age | 1 |" in markdown("too many tuples")
    assert "distinct combinations" not in markdown("usual")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_json(name: str) -> None:
    assert json.loads(json.dumps(DOCUMENTS[name], allow_nan=False)) == DOCUMENTS[name]
    assert DOCUMENTS[name]["format_version"] == 1
    assert re.fullmatch(r"\d+\.\d+\.\d+", DOCUMENTS[name]["package_version"])


def test_sensitive_values_are_named_in_order_of_frequency_and_those_left_out_are_not() -> None:
    (ill,) = DOCUMENTS["usual"]["sensitive"]
    assert [entry["value"] for entry in ill["values"]] == ["CANARY-flu", "CANARY-cold", None]
    assert ill["suppressed"] == {"values": 2, "before": 4, "after": 0}
    assert ill["others"] == {"values": 0, "before": 0, "after": 0}
    for rendered in (json.dumps(DOCUMENTS["usual"]), html("usual")):
        assert "CANARY-rare" not in rendered
    page = Page(html("usual")).text
    assert "CANARY-flu" in page
    assert "other (suppressed)" in page
    assert "(missing)" in page


def test_at_most_twenty_values_are_listed() -> None:
    (first, *_) = DOCUMENTS["many"]["sensitive"]
    assert [entry["before"] for entry in first["values"]] == list(range(100, 80, -1))
    assert first["others"] == {"values": 80, "before": sum(range(81)), "after": sum(range(81))}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_cell_is_in_what_goes_to_the_run_page(name: str) -> None:
    text = markdown(name)
    charts = [base64.b64decode(chart).decode() for chart in re.findall(r"base64,([^)]+)\)", text)]
    for told in (text, *charts, json.dumps(report.without_values(DOCUMENTS[name]))):
        assert "CANARY" not in told


def test_values_are_numbered_where_they_are_not_named() -> None:
    document = report.document(RESULT, name_values=False)
    assert document == report.without_values(DOCUMENTS["usual"])
    (ill,) = document["sensitive"]
    assert [entry["value"] for entry in ill["values"]] == ["value 1", "value 2", None]
    assert document["columns"][0]["examples"] == []
    assert DOCUMENTS["usual"]["columns"][0]["examples"][0] == {"label": "[CANARY-20, 30)", "values": 10}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_is_whole_accessible_and_loads_nothing(name: str) -> None:
    page = Page(html(name))
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object", "a", "base", "form"} & set(tags)
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "href" not in attributes
        if tag == "img":
            assert attributes["alt"]
            assert str(attributes["src"]).startswith("data:image/svg+xml;base64,")
            ET.fromstring(base64.b64decode(str(attributes["src"]).partition(",")[2]))
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert ("html", {"lang": "en-GB"}) in page.tags
    assert not re.search(r"https?://|@import|url\(", html(name))


def test_the_verdict_comes_first() -> None:
    text = " ".join(Page(html("usual")).text.split())
    verdict = text.index("k-anonymity (k = 12): met, verified on the output Nobody is singled out.")
    assert verdict < text.index("t-closeness (t = 0.3, distance = equal) for ill: met") < text.index("Rows released")
    assert markdown("usual").startswith("### k-anonymity (k = 12): met, verified on the output; t-clo")
    assert "met, but only because no row is left" in markdown("nothing left")
    assert "above the threshold of 0.09" in markdown("risk").splitlines()[0]


def test_what_is_written_by_others_is_escaped() -> None:
    name = "<script>alert(1)</script>|![x](http://example.org/x)"
    column, attribute = replace(RESULT.columns[0], name=name), replace(RESULT.sensitive[0], name=name)
    document = report.document(replace(RESULT, columns=(column,), sensitive=(attribute,)), name_values=True)
    page = Page(report.html(document))
    assert "script" not in [tag for tag, _ in page.tags]
    assert name in page.text
    text = report.markdown(document)
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(http", text)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_markdown_stays_small_and_tables_are_complete(name: str) -> None:
    text = markdown(name)
    assert len(text.encode()) < 100_000
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_a_level_without_hierarchy_and_one_at_the_top_are_warned_of() -> None:
    assert warned(
        replace(RESULT, columns=(ColumnOutcome("age", 0, 4, 0, ()),)), "Not generalised at all (level 0): 'age'"
    )
    assert warned(replace(RESULT, columns=(ColumnOutcome("age", 4, 4, 1, ()),)), "to the top level: 'age'")


def test_a_search_that_was_cut_short_is_warned_of_with_its_gap() -> None:
    unproven = replace(RESULT, optimal=False, lower_bound=0.25)
    assert warned(unproven, "could at best fall by 0.125, to 0.25")
    assert report.document(unproven, name_values=True)["quality"]["gap"] == 0.125


def test_few_rows_many_left_out_and_a_high_risk_are_warned_of() -> None:
    assert warned(replace(RESULT, rows=49), "only 49 rows")
    assert not warned(replace(RESULT, rows=50), "only 50 rows")
    assert warned(replace(RESULT, rows_suppressed=11), "11.0% of the rows were left out")
    assert warned(RESULT, "The highest risk of re-identification is 8.3%", risk_threshold=0.05)
    assert warned(replace(RESULT, classes_after=ints(10)), "at least 11 people")
    assert not warned(replace(RESULT, classes_after=ints(11)), "highest risk")


def test_what_is_sensitive_is_warned_of() -> None:
    assert warned(replace(RESULT, sensitive=()), "No sensitive attribute is named")
    skewed = SensitiveDistribution("ill", ("a", "b"), ints(91, 9), ints(91, 5))
    assert warned(replace(RESULT, sensitive=(skewed,)), "'ill' is in 94.8% of the rows")


def test_an_empty_output_has_one_warning() -> None:
    assert [len(DOCUMENTS[name]["warnings"]) for name in ("nothing left", "no rows", "risk of no rows")] == [1, 1, 1]
    assert warned(NOTHING_LEFT, "Every row was left out")
    assert warned(NO_ROWS, "The table has no rows")


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(DataServiceError, match="The risk_threshold 0 is not a probability"):
        report.document(RESULT, risk_threshold=0, name_values=True)


def test_a_population_adds_the_journalist() -> None:
    page = Page(html("population")).text
    assert "Journalist: highest" in page
    assert "Unique in the population" in page
    assert "No population table was given" not in page
    assert "No population table was given" in Page(html("usual")).text
