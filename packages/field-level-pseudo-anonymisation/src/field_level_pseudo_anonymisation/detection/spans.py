"""Places in texts: found by regular expressions at the speed of Polars, and freed of overlaps."""

from typing import Final

import polars as pl

SCHEMA: Final = pl.Schema(
    {"text": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "entity": pl.String, "score": pl.Float64}
)
"""Columns of spans: position of the text, character offsets (end exclusive), kind, confidence from 0 to 1."""

BEFORE, AFTER = 60, 40  # characters of the surroundings that the evidence for or against a span is looked for in

# Noncharacters, which Unicode leaves to programs, mark where a match begins and ends while positions are counted.
_BEGIN, _END = "\ufdd0", "\ufdd1"


def occurrences(texts: pl.DataFrame, lead: str, value: str) -> pl.DataFrame:
    """Find all matches of a regular expression, leftmost first, with their positions and surroundings.

    Linear in the length of the texts: the expressions are those of Rust's regex crate, which never backtracks.

    Args:
        texts: Columns ``text`` (position) and ``content``.
        lead: Expression that must match right before the value, without being part of it.
        value: Expression of the value.

    Returns:
        A row for each match, in order: ``text``, ``start``, ``end``, ``value``, and up to :data:`BEFORE` and
        :data:`AFTER` characters as ``before`` and ``after``; they reach to the second match before and behind at most.

    Examples:
        >>> texts = pl.DataFrame({"text": [0], "content": ["a1 b22"]})
        >>> occurrences(texts, "[a-z]", "[0-9]+").select("start", "end", "value").rows()
        [(1, 2, '1'), (4, 6, '22')]
    """
    length = pl.col("content").str.len_chars().cast(pl.Int64)
    pieces = (
        texts.lazy()
        .with_columns(pl.col("content").str.replace_all(f"[{_BEGIN}{_END}]", "\ufffd"))
        .with_columns(
            (length.cum_sum() - length).alias("offset"),
            pl.col("content")
            .str.replace_all(_parts(lead, value), f"${{lead}}{_BEGIN}${{value}}{_END}")
            .str.split(_BEGIN),
        )
        .explode("content", empty_as_null=False, keep_nulls=False)
        .with_columns(pl.col("content").str.splitn(_END, 2).struct.rename_fields(["value", "rest"]).struct.unnest())
        .with_columns(pl.col("value").str.len_chars().cast(pl.Int64).alias("length"))
        .with_columns((pl.col("length") + pl.col("rest").str.len_chars().fill_null(0)).cum_sum().alias("stop"))
        .with_columns((pl.col("stop").shift(1, fill_value=0) - pl.col("offset")).alias("start"))
        .with_columns(pl.concat_str("value", "rest", ignore_nulls=True).alias("whole"))
        .with_columns(pl.col("whole").str.tail(BEFORE).alias("tail"), pl.col("whole").str.head(AFTER).alias("head"))
    )
    return (
        pieces.with_columns(
            pl.concat_str(_neighbour("tail", 2), _neighbour("tail", 1)).str.tail(BEFORE).alias("before"),
            pl.concat_str(pl.col("rest").str.head(AFTER), _neighbour("head", -1)).str.head(AFTER).alias("after"),
            (pl.col("start") + pl.col("length")).alias("end"),
        )
        .filter(pl.col("rest").is_not_null(), pl.col("length") > 0)
        .select(pl.col("text", "start", "end").cast(pl.UInt32), "value", "before", "after")
        .collect()
    )


def _parts(lead: str, value: str) -> str:
    return f"(?P<lead>{lead})(?P<value>{value})"


def _neighbour(column: str, distance: int) -> pl.Expr:
    """Give the piece so many before (or after, below 0), of the same text."""
    same = pl.col("text").shift(distance) == pl.col("text")
    return pl.when(same).then(pl.col(column).shift(distance)).otherwise(pl.lit(""))


def resolve(spans: pl.DataFrame) -> pl.DataFrame:
    """Leave out overlapping spans: the longest stays, among equals the best score, then the first, then by name.

    Args:
        spans: As in :data:`SCHEMA`, in any order.

    Returns:
        Spans that do not overlap, sorted by text and start.

    Examples:
        >>> spans = pl.DataFrame([[0, 0, 4, "A", 1.0], [0, 3, 9, "B", 0.5]], schema=SCHEMA, orient="row")
        >>> resolve(spans)["entity"].to_list()
        ['B']
    """
    kept = []
    left = _ranked(spans)
    while not left.is_empty():  # each round settles the best of every knot of overlapping spans, most in the first
        best = pl.col("rank") == pl.col("rank").min().over("knot")
        left = _knotted(left).with_columns(best.alias("best"))
        winners = left.filter("best")
        kept.append(winners.select(SCHEMA.names()))
        rivals = left.filter(~pl.col("best")).join(
            winners.select("knot", pl.col("start").alias("from"), pl.col("end").alias("to")), on="knot"
        )
        apart = (pl.col("end") <= pl.col("from")) | (pl.col("start") >= pl.col("to"))
        left = rivals.filter(apart).drop("from", "to", "knot", "best")
    return pl.concat([spans.clear().select(SCHEMA.names()), *kept]).sort("text", "start")


def _ranked(spans: pl.DataFrame) -> pl.DataFrame:
    order = spans.with_columns((pl.col("end") - pl.col("start")).alias("length")).sort(
        "length", "score", "start", "text", "entity", descending=[True, True, False, False, False]
    )
    return order.drop("length").with_row_index("rank")


def _knotted(spans: pl.DataFrame) -> pl.DataFrame:
    """Number the knots: spans that hang together by overlaps."""
    place = pl.col("text").cast(pl.UInt64) * 2**32
    return spans.sort("text", "start").with_columns(
        ((place + pl.col("start")) >= (place + pl.col("end")).cum_max().shift(1))
        .fill_null(True)
        .cum_sum()
        .alias("knot")
    )
