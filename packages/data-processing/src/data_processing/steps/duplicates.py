"""Removing duplicate rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw

from data_processing.similarity import near_duplicates
from data_processing.steps.selection import existing_or_all, is_text, texts
from data_processing.steps.step import REASON, Inputs, Outcome, Step, choose, parameter, refuse
from util_services.groups import ALONE, FIRST, LAST, chosen

_KEPT = {"first": FIRST, "last": LAST, "none": ALONE}


@dataclass(frozen=True, kw_only=True)
class RemoveDuplicates(Step):
    """Keeps one row, or none, of those that are equal in some columns. The order of the rows stays.

    A missing cell equals a missing one, and differs from an empty text. Rows are compared by fingerprints of 128 bits,
    16 bytes of memory a row; see :func:`util_services.groups.fingerprints`. The first and the last of equal
    rows are meant in the order in which the step gets them: that of the input, unless ``sort_rows`` came before.

    With ``similarity``, texts that are nearly the same count as equal, too: a text goes to the most frequent one that
    it is similar to (1 − Levenshtein distance / length of the longer, case and white space not counted). The distinct
    texts of such a column are held in memory, at most 500,000. Up to 50,000 are all compared with each other; of more,
    each is compared with its neighbours in three sorted orders alone, so that some near-duplicates may be missed, and
    the report says which of the two it was. What was removed no longer counts when the step is run again, so that
    another run can find more.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import remove_duplicates
        >>> frame = pd.DataFrame({"name": ["Ann", "ann ", "Bo"]})
        >>> remove_duplicates(frame, ignore_case=True, ignore_space=True).frame["name"].tolist()
        ['Ann', 'Bo']
        >>> names = pd.DataFrame({"name": ["Jon Smith", "John Smith", "Jane Smith"]})
        >>> remove_duplicates(names, columns=["name"], similarity={"name": 0.9}).frame["name"].tolist()
        ['Jon Smith', 'Jane Smith']
    """

    name: ClassVar[str] = "remove_duplicates"
    columns: Sequence[str] = parameter("Columns that tell rows apart; none named: all.", default=())
    keep: str = parameter("Which of equal rows stays: first, last or none.", default="first")
    ignore_case: bool = parameter("Take texts for equal that differ in case alone.", default=False)
    ignore_space: bool = parameter("Take texts for equal that differ in surrounding space alone.", default=False)

    similarity: Mapping[str, float] = parameter(
        "Columns of text in which near-duplicates count as equal: {COLUMN: least similarity, above 0 to 1}.",
        default_factory=dict,
    )

    def __post_init__(self) -> None:
        choose(self, "keep", self.keep, tuple(_KEPT))
        for column, least in self.similarity.items():
            if not 0 < least <= 1:
                raise refuse(self, f"cannot use the similarity {least:g} for {column!r}: give a number above 0, to 1.")
            if self.columns and column not in self.columns:
                raise refuse(self, f"names the column {column!r} in similarity but not in columns: add it there.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Find the rows that stay; the fingerprints of all rows, and texts to be compared, are evaluated."""
        columns = existing_or_all(self, frame, self.columns)
        if not columns:
            return Outcome(frame)
        similar = texts(self, frame, list(self.similarity)) if self.similarity else []
        found = {column: near_duplicates(frame, column, self.similarity[column]) for column in similar}
        schema = frame.collect_schema()
        keys = {
            column: self._key(column, found[column].representatives if column in found else {})
            if is_text(schema[column])
            else None
            for column in columns
        }
        facts: dict[str, int | bool] = {}
        for column, near in found.items():
            facts |= {f"distinct texts of {column}": near.texts, f"all texts of {column} compared": near.all_pairs}
        kept, others = chosen(frame, keys, _KEPT[self.keep], inputs.store)
        rejects = others.with_columns(nw.lit("is a duplicate").alias(REASON))
        return Outcome(kept, rejects=rejects, keeps_rows=False, facts=facts)

    def _key(self, column: str, representatives: Mapping[str, str]) -> nw.Expr:
        key = nw.col(column)
        if representatives:
            old, new = list(representatives), list(representatives.values())
            key = nw.when(key.is_in(old)).then(key.replace_strict(old, new, default=None, return_dtype=nw.String))
            key = key.otherwise(nw.col(column))
        if self.ignore_space:
            key = key.str.strip_chars()
        return key.str.to_lowercase() if self.ignore_case else key
