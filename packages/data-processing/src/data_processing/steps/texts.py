"""Steps that rewrite text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw
import polars as pl

from data_processing.steps.cells import computed, replaced
from data_processing.steps.selection import texts
from data_processing.steps.step import Inputs, Outcome, Step, choose, parameter, refuse

_CASES: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "keep": lambda cells: cells,
    "lower": lambda cells: cells.str.to_lowercase(),
    "upper": lambda cells: cells.str.to_uppercase(),
    "title": lambda cells: cells.str.to_titlecase(),
}
_FORMS = ("keep", "NFC", "NFKC", "NFD", "NFKD")


@dataclass(frozen=True, kw_only=True)
class StandardiseText(Step):
    """Brings text into one spelling: space, case, Unicode normal form, accents.

    In this order: normal form, accents, surrounding space, space inside, case. Only letters that Unicode writes as a
    base and an accent lose it (é, ñ, ż), not those that are letters of their own (ł, ø, ß).

    Examples:
        >>> import pandas as pd
        >>> from data_processing import standardise_text
        >>> frame = pd.DataFrame({"city": ["  SÃO   Paulo "]})
        >>> standardise_text(frame, case="title", strip_accents=True).frame["city"].tolist()
        ['Sao Paulo']
    """

    name: ClassVar[str] = "standardise_text"
    columns: Sequence[str] = parameter("Columns of text; none named: all.", default=())
    trim: bool = parameter("Remove surrounding space.", default=True)
    collapse_space: bool = parameter("Make any run of space inside one space.", default=True)
    case: str = parameter("keep, lower, upper or title.", default="keep")
    normal_form: str = parameter("Unicode normal form: keep, NFC, NFKC, NFD or NFKD.", default="NFC")
    strip_accents: bool = parameter("Remove accents.", default=False)

    def __post_init__(self) -> None:
        choose(self, "case", self.case, tuple(_CASES))
        choose(self, "normal_form", self.normal_form, _FORMS)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Rewrite each cell."""
        return computed(frame, self._standardised, texts(self, frame, self.columns), inputs.store)

    def _standardised(self, cells: pl.Series) -> pl.Series:
        if self.normal_form != "keep":
            cells = cells.str.normalize(self.normal_form)  # type: ignore[arg-type]  # checked
        if self.strip_accents:
            cells = cells.str.normalize("NFD").str.replace_all(r"\p{M}", "").str.normalize("NFC")
        if self.trim:
            cells = cells.str.strip_chars()
        if self.collapse_space:
            cells = cells.str.replace_all(r"\s+", " ")
        return _CASES[self.case](cells)


@dataclass(frozen=True, kw_only=True)
class ReplaceValues(Step):
    """Replaces whole cells by a mapping; cells that it does not name stay.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import replace_values
        >>> frame = pd.DataFrame({"sex": ["f", "M"]})
        >>> sexes = {"f": "female", "m": "male"}
        >>> replace_values(frame, columns=["sex"], mapping=sexes, ignore_case=True).frame["sex"].tolist()
        ['female', 'male']
    """

    name: ClassVar[str] = "replace_values"
    columns: Sequence[str] = parameter("Columns of text.")
    mapping: Mapping[str, str] = parameter("New value of each old one.")
    ignore_case: bool = parameter("Find old values whatever their case.", default=False)

    def __post_init__(self) -> None:
        if not self.columns or not self.mapping:
            raise refuse(self, "has nothing to replace: give at least one column and one entry in mapping.")
        if self.ignore_case and len({old.lower() for old in self.mapping}) < len(self.mapping):
            raise refuse(self, "has two entries in mapping that differ in case alone: leave one out.")

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Look each cell up."""
        del inputs
        columns = texts(self, frame, self.columns)
        return replaced(
            frame, {column: self._replaced(nw.col(column)) for column in columns}, inputs=columns, alone=True
        )

    def _replaced(self, cells: nw.Expr) -> nw.Expr:
        found = cells.str.to_lowercase() if self.ignore_case else cells
        old = [each.lower() if self.ignore_case else each for each in self.mapping]
        new = found.replace_strict(old, list(self.mapping.values()), default=None, return_dtype=nw.String)
        return nw.when(found.is_in(old)).then(new).otherwise(cells)


@dataclass(frozen=True, kw_only=True)
class ReplacePattern(Step):
    r"""Replaces every match of a pattern inside cells.

    Patterns are regular expressions in the syntax of Rust's ``regex`` crate, which match in linear time and therefore
    have neither look-around nor back-references. ``$1`` or ``${name}`` in the replacement stands for a group.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import replace_pattern
        >>> frame = pd.DataFrame({"phone": ["030-12 34"]})
        >>> replace_pattern(frame, columns=["phone"], pattern=r"[\s-]", replacement="").frame["phone"].tolist()
        ['0301234']
    """

    name: ClassVar[str] = "replace_pattern"
    columns: Sequence[str] = parameter("Columns of text.")
    pattern: str = parameter("Regular expression (Rust syntax, linear time).")
    replacement: str = parameter("What stands in place of a match; $1 is the first group.")

    def __post_init__(self) -> None:
        if not self.columns:
            raise refuse(self, "has nothing to replace: give at least one column.")
        check_pattern(self, self.pattern)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Replace matches in each cell."""
        del inputs
        columns = texts(self, frame, self.columns)
        cells = {column: nw.col(column).str.replace_all(self.pattern, self.replacement) for column in columns}
        return replaced(frame, cells, inputs=columns, alone=True)


def check_pattern(step: Step, pattern: str) -> None:
    """Refuse what is no regular expression.

    Raises:
        DataServiceError: If Rust's ``regex`` does not compile it.
    """
    try:
        pl.Series([""]).str.contains(pattern, strict=True)
    except pl.exceptions.PolarsError:
        raise refuse(
            step,
            f"cannot use the pattern {pattern!r}: give a regular expression without look-around and back-references.",
        ) from None
