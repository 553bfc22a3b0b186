"""Leaving out rows by a condition."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import narwhals as nw

from data_processing.evaluation import aggregated, how_many
from data_processing.expressions import Condition, parse
from data_processing.steps.step import REASON, Inputs, Outcome, Step, choose, parameter
from util_services.errors import DataServiceError
from util_services.frames import amended

_UNMET = "does not meet the condition"
_UNKNOWN = "has a missing cell that leaves open whether it meets the condition"


@dataclass(frozen=True, kw_only=True)
class FilterRows(Step):
    """Keeps rows that meet a condition, such as ``age >= 18 and country in ["DE", "FR"]``.

    The condition is never evaluated as code and sees nothing but the row; ``docs/expressions.md`` tells its language. A
    row that a missing cell leaves open is not known to meet it, and is rejected, too.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import filter_rows
        >>> frame = pd.DataFrame({"age": ["17", "18", None]})
        >>> filter_rows(frame, condition="age >= 18").frame["age"].tolist()
        ['18']
    """

    name: ClassVar[str] = "filter_rows"
    condition: str = parameter("What rows shall meet, in the language of docs/expressions.md.")
    on_failure: str = parameter(
        "A cell that the condition reads as a number or date and that is none: reject (its row is left out unless it "
        "meets the condition all the same) or fail (nothing is written).",
        default="reject",
    )

    def __post_init__(self) -> None:
        choose(self, "on_failure", self.on_failure, ("reject", "fail"))
        parse(self.condition)

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Judge each row by its own cells."""
        del inputs
        condition = parse(self.condition).over(frame.collect_schema())
        if self.on_failure == "fail":
            self._check(frame, condition)
        rejects = frame.filter(~condition.met).with_columns(_reason(condition).alias(REASON))
        return Outcome(amended(frame, {}, condition.met), rejects=rejects, keeps_rows=False)

    def _check(self, frame: nw.LazyFrame[Any], condition: Condition) -> None:
        conversions = condition.conversions
        counts = aggregated(frame, *(how_many(each.failed).alias(str(n)) for n, each in enumerate(conversions)))
        for number, each in enumerate(conversions):
            if count := counts[str(number)]:
                raise DataServiceError(
                    f"{count:,} cell{'' if count == 1 else 's'} of {each.column!r} in the condition of the step "
                    f"{self.name} {'is' if count == 1 else 'are'} not {each.kind.value}: correct the data, or set "
                    "on_failure to reject."
                )


def _reason(condition: Condition) -> nw.Expr:
    told = nw.when(condition.unmet).then(nw.lit(_UNMET)).otherwise(nw.lit(_UNKNOWN))
    return reduce(
        lambda otherwise, each: (
            nw.when(each.failed & ~condition.unmet)
            .then(nw.lit(f"{each.column} is not {each.kind.value}"))
            .otherwise(otherwise)
        ),
        reversed(condition.conversions),
        told,
    )
