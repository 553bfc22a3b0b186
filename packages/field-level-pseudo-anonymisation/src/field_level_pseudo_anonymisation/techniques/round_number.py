"""Round number: numbers in text rounded to a step, exactly."""

import decimal
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.technique import Scope, Technique
from util_services.distinct import Transform
from util_services.errors import DataServiceError

_MARKS = (".", ",")
_DIGITS = 36  # of a value, with those of the step: they are computed in 128 bits
_MOST_STEP_DIGITS = 15


@dataclass(frozen=True)
class RoundNumber(Technique):
    """Round to the nearest multiple of a step; a value half-way goes away from zero, 15 to 20 at a step of 10.

    The result has as many decimals as the step. Computed on integers, so that 0.15 at a step of 0.1 is half-way.

    Attributes:
        step: Greater than 0, such as 10 or 0.5.
        decimal_mark: ``.`` or ``,``, in values and results alike. Groups of thousands are not told apart.

    Raises:
        DataServiceError: If a parameter is none of the valid ones.

    Examples:
        >>> from field_level_pseudo_anonymisation.techniques.technique import Scope
        >>> rounded = RoundNumber(0.5).transform(Scope("weight", None))
        >>> rounded(pl.Series(["71.3", "-0.25", "8"])).to_list()
        ['71.5', '-0.5', '8.0']
    """

    name: ClassVar[str] = "round_number"
    step: Decimal | float | str
    decimal_mark: str = "."

    def __post_init__(self) -> None:
        if self.decimal_mark not in _MARKS:
            raise DataServiceError(
                f"The decimal_mark {self.decimal_mark!r} of round_number is unknown: choose '.' or ','."
            )
        if not self._is_valid():
            raise DataServiceError(
                f"The step {self.step!r} of round_number is not a number greater than 0 of at most {_MOST_STEP_DIGITS} "
                "digits: give one, such as 10 or 0.5."
            )

    def _is_valid(self) -> bool:
        try:
            step = self._step
        except decimal.InvalidOperation:
            return False
        return (
            step.is_finite()
            and step > 0
            and step.adjusted() < _MOST_STEP_DIGITS
            and self._decimals <= _MOST_STEP_DIGITS
        )

    @cached_property
    def _step(self) -> Decimal:
        return Decimal(str(self.step)).normalize()

    @property
    def _decimals(self) -> int:
        exponent = self._step.as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0

    @property
    def linkable(self) -> bool:
        """Equal values get equal results; so may different ones."""
        return True

    def transform(self, scope: Scope) -> Transform:
        """Give the function that rounds numbers in texts.

        Returns:
            Raises a :class:`DataServiceError` with their count if some texts are not plain numbers.
        """
        return lambda texts: self._rounded(texts, scope.field)

    def _rounded(self, texts: pl.Series, field: str) -> pl.Series:
        mark = "\\" + self.decimal_mark
        parts = texts.str.extract_groups(rf"^(?<sign>[+-]?)(?<whole>[0-9]+)(?:{mark}(?<part>[0-9]+))?$").struct.unnest()
        whole = pl.col("whole").str.strip_chars_start("0")

        fits = whole.str.len_bytes() + self._decimals < _DIGITS
        wrong = len(texts) - parts.select(fits.fill_null(value=False).sum()).item()
        if wrong:
            raise DataServiceError(
                f"At least {wrong:,} values of {field!r} are not plain numbers of at most {_DIGITS} digits with the "
                f"decimal mark {self.decimal_mark!r}: clean them first, or use another technique."
            )
        return parts.select(self._text(whole)).to_series().alias(texts.name)

    def _text(self, whole: pl.Expr) -> pl.Expr:
        """Count in tenths of the step's last decimal, round, and write out.

        Digits further behind decide nothing: what is half-way is a whole number of these tenths.
        """
        decimals = self._decimals + 1
        step = pl.lit(int(self._step.scaleb(decimals)), pl.Int128)
        part = pl.col("part").fill_null("").str.head(decimals).str.pad_end(decimals, "0")
        tenths = (whole + part).cast(pl.Int128)
        result = (2 * tenths + step) // (2 * step) * step // 10
        sign = pl.when((pl.col("sign") == "-") & (result > 0)).then(pl.lit("-")).otherwise(pl.lit(""))
        digits = result.cast(pl.String).str.zfill(self._decimals + 1)
        if not self._decimals:
            return sign + digits
        return sign + digits.str.head(-self._decimals) + pl.lit(self.decimal_mark) + digits.str.tail(self._decimals)
