import xml.etree.ElementTree as ET

import pytest

from dataframe_level_anonymisation import charts

DRAWN = {
    "class sizes": lambda: charts.class_sizes(["1", "2"], [3, 0], [0, 12_000]),
    "class sizes of one table": lambda: charts.class_sizes(["1"], [0]),
    "risks": lambda: charts.risks(["highest", "unique"], [1.0, 0.5], [0.2, 0.0], threshold=0.09, limited=1),
    "risks of one table": lambda: charts.risks(["highest"], [1.0], threshold=1, limited=1),
    "losses": lambda: charts.losses(["age", "sex"], [0.5, 0.0]),
    "distribution": lambda: charts.distribution(["flu", "the rest"], [0.5, 0.5], [0.25, 0.75]),
    "distribution of nothing": lambda: charts.distribution([], [], []),
}


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_the_same_bytes_each_time_and_loads_nothing(name: str) -> None:
    svg = DRAWN[name]()
    assert svg == DRAWN[name]()
    for undesired in ("<!DOCTYPE", "<?xml", "<metadata", "<script", 'href="http', "<image", "url(http", "dc:date"):
        assert undesired not in svg
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(svg) < 20_000


def test_text_stays_text_and_figures_are_written_at_the_bars() -> None:
    written = texts(DRAWN["class sizes"]())
    for text in ("before", "after", "1, alone", "2 alike", "3", "12k"):
        assert text in written
    assert {"20.0%", "100%", "0%", "risk accepted"} <= set(texts(DRAWN["risks"]()))


def test_labels_may_hold_anything() -> None:
    strange = ["<b>&\"'", "$x^2$", "a\x00b\x1b\nc", "張偉", "x" * 500, "", "a_b^{c"]
    written = texts(charts.distribution(strange, [0.1] * 7, [0.1] * 7))
    for text in ("<b>&\"'", "$x^2$", "a b c", "張偉", "x" * 33 + "…", "a_b^{c"):
        assert text in written


def test_of_many_columns_those_that_lost_most_are_drawn() -> None:
    written = texts(charts.losses([f"column {n}" for n in range(100)], [n / 100 for n in range(100)]))
    assert "column 99" in written
    assert "column 80" in written
    assert "column 79" not in written
