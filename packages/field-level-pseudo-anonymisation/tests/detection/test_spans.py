import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.detection.spans import SCHEMA, occurrences, resolve

_ROW = st.tuples(
    st.integers(0, 2), st.integers(0, 12), st.integers(1, 6), st.sampled_from("AB"), st.sampled_from([0.5, 0.9])
)


def reference(rows: list[tuple[int, int, int, str, float]]) -> list[tuple[int, int, int, str, float]]:
    kept: list[tuple[int, int, int, str, float]] = []
    for row in sorted(rows, key=lambda row: (row[1] - row[2], -row[4], row[1], row[3])):
        if all(row[0] != other[0] or row[2] <= other[1] or row[1] >= other[2] for other in kept):
            kept.append(row)
    return sorted(kept)


@settings(max_examples=100, deadline=None)
@given(st.lists(_ROW, max_size=12))
def test_overlaps_are_resolved_by_length_then_score_then_start(rows: list[tuple[int, int, int, str, float]]) -> None:
    spans = [(text, start, start + length, entity, score) for text, start, length, entity, score in rows]
    assert resolve(pl.DataFrame(spans, schema=SCHEMA, orient="row")).rows() == reference(spans)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("a1é𝄞\ufdd0\ufdd1 \n", max_size=12), max_size=4))
def test_occurrences_stand_where_they_are_said_to(contents: list[str]) -> None:
    texts = pl.DataFrame({"text": range(len(contents)), "content": contents}, schema_overrides={"content": pl.String})
    found = occurrences(texts, "", "[a1é]+")
    masked = [content.translate({0xFDD0: 0xFFFD, 0xFDD1: 0xFFFD}) for content in contents]
    previous = (-1, 0)
    for text, start, end, value, before, after in found.rows():
        gap = start - (previous[1] if previous[0] == text else 0)
        assert contents[text][start:end] == value
        assert masked[text][:start].endswith(before)
        assert len(before) >= gap
        assert masked[text][end:].startswith(after)
        previous = (text, end)
    assert found.height == sum(len(re.findall("[a1é]+", content)) for content in contents)
