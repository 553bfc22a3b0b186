"""Public API: clean a table by steps, and tell what each did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from inspect import signature
from typing import Any, Concatenate, ParamSpec

import narwhals as nw

from data_processing import steps as library
from data_processing.engines import Back, lazily
from data_processing.steps.step import REASON, Inputs, Outcome, Step
from util_services.errors import DataServiceError
from util_services.frames import Store, figures

Parameters = ParamSpec("Parameters")
REJECTED_BY, REJECTED_BECAUSE = "rejected_by", "rejected_because"


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Attributes:
        step: Its name.
        rows_in: Rows before.
        rows_out: Rows after.
        rejects: Rows that it left out because of what they hold.
        cells_changed: How many cells of each column it changed, in rows that went on or not.
        details: What else there is to tell of it, by the words that say what it is; never a cell value.
    """

    step: str
    rows_in: int
    rows_out: int
    rejects: int
    cells_changed: dict[str, int]
    details: dict[str, int | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A cleaned table. Of a lazy table, everything here is evaluated when it is asked for.

    Attributes:
        frame: The table, of the kind that was given.
    """

    frame: Any
    _source: nw.LazyFrame[Any] = field(repr=False)
    _steps: tuple[Step, ...] = field(repr=False)
    _outcomes: tuple[Outcome, ...] = field(repr=False)
    _back: Back = field(repr=False)

    @cached_property
    def reports(self) -> tuple[StepReport, ...]:
        """What each step did, in order; all steps' figures are evaluated together."""
        questions = [self._source.select(nw.len())]
        for outcome in self._outcomes:
            questions += [] if outcome.keeps_rows else [outcome.frame.select(nw.len())]
            questions += [outcome.changed] if isinstance(outcome.changed, nw.LazyFrame) else []
            questions += [outcome.rejects.select(nw.len())] if outcome.rejects is not None else []
            questions += [outcome.counts] if outcome.counts is not None else []
        answers = iter(figures(questions))
        rows = next(answers)["len"]
        reports = []
        for step, outcome in zip(self._steps, self._outcomes, strict=True):
            rows_in, rows = rows, rows if outcome.keeps_rows else next(answers)["len"]
            changed = next(answers) if isinstance(outcome.changed, nw.LazyFrame) else outcome.changed or {}
            rejects = next(answers)["len"] if outcome.rejects is not None else 0
            counts = next(answers) if outcome.counts is not None else {}
            details = {**outcome.facts, **_whole(counts)}
            reports.append(StepReport(step.name, rows_in, rows, rejects, _whole(changed), details))
        return tuple(reports)

    @cached_property
    def rejects(self) -> Any:
        """The rows that steps left out because of what they hold, of the kind of table that was given.

        ``rejected_by`` names the step, ``rejected_because`` tells why; then follow the row's cells, as text, as they
        were when the step came to it. Columns that a row did not have are missing.
        """
        refused = [
            _refused(step, outcome.rejects)
            for step, outcome in zip(self._steps, self._outcomes, strict=True)
            if outcome.rejects is not None
        ]
        none = _refused(None, self._source.head(0).with_columns(nw.lit("").alias(REASON)))
        return self._back(nw.concat([*refused, none], how="diagonal"), ())


def clean(
    frame: Any,
    steps: Sequence[Step],
    *,
    inputs: Inputs | None = None,
    store: Store | None = None,
) -> Result:
    """Apply cleaning steps in order.

    Nothing but aggregates is evaluated (means, counts, fingerprints of rows); a lazy table stays lazy. Columns that no
    step touches stay as they are, and so does the order of rows unless a step is there to change it. The index of a
    pandas table is numbered anew.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.
        steps: At least one.
        inputs: Where steps find second tables and files by their location; without it, give them the tables themselves.
        store: Evaluates a lazy table and gives it back, cheap to read: for what is costly to compute and used several
            times. Without it, a lazy table computes such things again, and a table in memory keeps them there.

    Raises:
        DataServiceError: If a column does not exist or holds what a step cannot work on.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import RemoveDuplicates, NormaliseMissingMarkers, clean
        >>> frame = pd.DataFrame({"name": ["Ann", "Ann", "n/a"]})
        >>> result = clean(frame, [NormaliseMissingMarkers(), RemoveDuplicates()])
        >>> len(result.frame), result.reports[0].cells_changed, result.reports[1].rejects
        (2, {'name': 1}, 1)
    """
    if not steps:
        raise DataServiceError("The steps are empty: give at least one.")
    source, back = lazily(frame)
    in_memory = not isinstance(nw.from_native(frame), nw.LazyFrame)
    inputs = replace(inputs or NO_INPUTS, store=store or (_kept_in_memory if in_memory else Inputs.store))
    data, outcomes = source, []
    for step in steps:
        outcome = step.apply(data, inputs)
        data = outcome.frame
        outcomes.append(outcome)
    written = {column for outcome in outcomes for column in outcome.written}
    unwritten = set(source.collect_schema().names()) - written
    return Result(back(data, unwritten), source, tuple(steps), tuple(outcomes), back)


def _whole(counts: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(count or 0) for name, count in counts.items()}


def _kept_in_memory(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return frame.collect().lazy()


def _refused(step: Step | None, rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    columns = [name for name in rows.collect_schema().names() if name != REASON]
    return rows.select(
        nw.lit(step.name if step else "").alias(_free(REJECTED_BY, columns)),
        nw.col(REASON).alias(_free(REJECTED_BECAUSE, columns)),
        *(nw.col(column).cast(nw.String) for column in columns),
    )


def _free(name: str, columns: Sequence[str]) -> str:
    return reduce(lambda free, _: f"{free}_" if free in columns else free, columns, name)


def _needs_inputs(location: str) -> Any:
    raise DataServiceError(
        f"The location {location!r} cannot be read here: give the table or the file's content itself."
    )


NO_INPUTS = Inputs(table=_needs_inputs, document=_needs_inputs)


def function_of(step: Callable[Parameters, Step]) -> Callable[Concatenate[Any, Parameters], Result]:
    """Make a function of a step: the table first, then the step's parameters by name.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import RemoveDuplicates
        >>> len(function_of(RemoveDuplicates)(pd.DataFrame({"a": [1, 1]}), columns=["a"]).frame)
        1
    """

    def apply(frame: Any, /, *args: Parameters.args, **parameters: Parameters.kwargs) -> Result:
        return clean(frame, [step(*args, **parameters)])

    apply.__doc__ = step.__doc__
    apply.__signature__ = signature(step)  # type: ignore[attr-defined]  # for help()
    return apply


remove_duplicates = function_of(library.RemoveDuplicates)
normalise_missing_markers = function_of(library.NormaliseMissingMarkers)
fill_missing_values = function_of(library.FillMissingValues)
drop_incomplete_rows = function_of(library.DropIncompleteRows)
drop_incomplete_columns = function_of(library.DropIncompleteColumns)
standardise_text = function_of(library.StandardiseText)
replace_values = function_of(library.ReplaceValues)
replace_pattern = function_of(library.ReplacePattern)
convert_types = function_of(library.ConvertTypes)
format_dates = function_of(library.FormatDates)
derive_age = function_of(library.DeriveAge)
bin_numbers = function_of(library.BinNumbers)
treat_outliers = function_of(library.TreatOutliers)
rename_columns = function_of(library.RenameColumns)
reorder_columns = function_of(library.ReorderColumns)
select_columns = function_of(library.SelectColumns)
drop_columns = function_of(library.DropColumns)
split_column = function_of(library.SplitColumn)
join_columns = function_of(library.JoinColumns)
filter_rows = function_of(library.FilterRows)
sample_rows = function_of(library.SampleRows)
sort_rows = function_of(library.SortRows)
join_table = function_of(library.JoinTable)
validate_schema = function_of(library.ValidateSchema)
