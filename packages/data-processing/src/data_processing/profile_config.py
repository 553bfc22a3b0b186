"""Run configuration of the ops that examine a table; the field descriptions show in the Launchpad."""

from collections.abc import Mapping
from typing import Any, Literal

from dagster import Config
from dagster_shared.check import CheckError
from pydantic import Field, ValidationError

from data_processing.quality import EXPECTATIONS, Expectation

_COLUMN = "Column name."
_SHARE = "Least share of the cells that shall meet it, 0 to 1."
_MINIMUM = "Smallest that is allowed; none for no bound."
_MAXIMUM = "Largest that is allowed; none for no bound."


class _Reported(Config):
    report_path: str | None = Field(default=None, description="Local jobs: write the report there, .html and .json.")
    report_key: str | None = Field(default=None, description="S3 jobs: write the report there, .html and .json.")
    report_bucket: str | None = Field(
        default=None, description="S3 jobs: bucket of the report, if it is another than the input's."
    )


class ProfileConfig(_Reported):
    """What a profile shows."""

    show_values: bool = Field(
        default=False,
        description="Also name the most frequent values. They are stored in the event log: only for public data.",
    )


class _Expected(Config):
    severity: str = Field(default="error", description="error: the run fails; warn: it is only reported.")

    def expectation(self) -> Expectation:
        """Give the expectation.

        Raises:
            DataServiceError: If a parameter makes no sense.
        """
        parameters = {name: value for name, value in self if name != "kind"}
        return EXPECTATIONS[self.kind](**parameters)  # type: ignore[attr-defined]  # each one has a kind


class _Share(_Expected):
    share: float = Field(default=1.0, description=_SHARE)


class _Figure(_Expected):
    column: str = Field(description=_COLUMN)
    minimum: float | None = Field(default=None, description=_MINIMUM)
    maximum: float | None = Field(default=None, description=_MAXIMUM)


class RowCountExpectation(_Expected):
    """The table has so many rows."""

    kind: Literal["row_count"] = "row_count"
    minimum: int | None = Field(default=None, description=_MINIMUM)
    maximum: int | None = Field(default=None, description=_MAXIMUM)


class ColumnsPresentExpectation(_Expected):
    """The table has these columns."""

    kind: Literal["columns_present"] = "columns_present"
    columns: list[str] = Field(description="Column names.")


class NotNullExpectation(_Share):
    """Cells of a column are not missing."""

    kind: Literal["not_null"] = "not_null"
    column: str = Field(description=_COLUMN)


class UniqueExpectation(_Expected):
    """No two rows have the same values in these columns together; rows where one is missing are not compared."""

    kind: Literal["unique"] = "unique"
    columns: list[str] = Field(description="Column names.")


class InSetExpectation(_Share):
    """Cells of a column are among these; missing ones do not count."""

    kind: Literal["in_set"] = "in_set"
    column: str = Field(description=_COLUMN)
    values: list[str] = Field(description="What is allowed, as texts.")


class InRangeExpectation(_Share):
    """Cells of a column lie between two numbers, or two dates; missing ones do not count, what is neither fails."""

    kind: Literal["in_range"] = "in_range"
    column: str = Field(description=_COLUMN)
    minimum: str | None = Field(default=None, description="Smallest number or date, as a text: '18' or '2026-01-31'.")
    maximum: str | None = Field(default=None, description="Largest number or date, as a text.")


class MatchesExpectation(_Share):
    """Cells of a column match a regular expression as a whole; missing ones do not count."""

    kind: Literal["matches"] = "matches"
    column: str = Field(description=_COLUMN)
    pattern: str = Field(description="A regular expression without look-around and back references.")


class ExpressionExpectation(_Share):
    """Rows meet a condition; all rows count."""

    kind: Literal["expression"] = "expression"
    expression: str = Field(description='A condition such as \'age >= 18 and country in ["DE", "FR"]\'.')


class FreshExpectation(_Expected):
    """The latest date of a column is at most so many days old."""

    kind: Literal["fresh"] = "fresh"
    column: str = Field(description=_COLUMN)
    days: int = Field(description="Largest age in days, from 0.")
    as_of: str | None = Field(default=None, description="Day from which the age counts, 2026-01-31; today if none.")
    date_format: str = Field(default="%Y-%m-%d", description="How texts write the date: %Y, %m and %d, once each.")


class DistinctCountExpectation(_Figure):
    """A column has so many distinct values, missing ones not counted."""

    kind: Literal["distinct_count"] = "distinct_count"


class SumExpectation(_Figure):
    """The sum of a column's numbers lies between two bounds."""

    kind: Literal["sum"] = "sum"


class MeanExpectation(_Figure):
    """The mean of a column's numbers lies between two bounds."""

    kind: Literal["mean"] = "mean"


class ReferentialExpectation(_Share):
    """Cells of a column occur in a column of another table; missing ones do not count."""

    kind: Literal["referential"] = "referential"
    column: str = Field(description=_COLUMN)
    reference: str = Field(description="The other table: a path or s3://bucket/key.")
    reference_column: str = Field(description="Column of the other table.")


class ExpectationConfig(Config):
    """One expectation."""

    expectation: (
        RowCountExpectation
        | ColumnsPresentExpectation
        | NotNullExpectation
        | UniqueExpectation
        | InSetExpectation
        | InRangeExpectation
        | MatchesExpectation
        | ExpressionExpectation
        | FreshExpectation
        | DistinctCountExpectation
        | SumExpectation
        | MeanExpectation
        | ReferentialExpectation
    ) = Field(discriminator="kind", description="An expectation by its name, with its parameters.")


class QualityConfig(_Reported):
    """What is expected of a table."""

    expectations: list[ExpectationConfig] = Field(
        description="What shall hold: {expectation: {NAME: {parameters}}}. All are measured, and all unmet are listed."
    )

    def expected(self) -> list[Expectation]:
        """Give the expectations."""
        return [each.expectation.expectation() for each in self.expectations]

    def places(self) -> list[str]:
        """Name the other tables that are needed, each once."""
        configured = (each.expectation for each in self.expectations)
        return list(dict.fromkeys(each.reference for each in configured if isinstance(each, ReferentialExpectation)))


def check(written: Mapping[str, Any]) -> None:
    """Refuse expectations that make no sense whatever the table, before a run starts.

    Args:
        written: The configuration as the user wrote it. What only Dagster can tell of it (variables of the environment,
            missing keys) is left to Dagster.

    Raises:
        DataServiceError: If a parameter is wrong, or an expression reaches outside the row.

    Examples:
        >>> check({"expectations": [{"expectation": {"expression": {"expression": "age >= 18"}}}]})
    """
    try:
        config = QualityConfig(**written)
    except (ValidationError, CheckError):
        return
    config.expected()
