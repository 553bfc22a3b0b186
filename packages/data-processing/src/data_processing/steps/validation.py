"""Checking rows against a schema file."""

from dataclasses import dataclass
from typing import Any, ClassVar

import narwhals as nw

from data_processing.evaluation import aggregated
from data_processing.schemas import TableSchema, Validation, parse_schema, summary, validate
from data_processing.steps.step import REASON, Inputs, Outcome, Step, choose, parameter, refuse


@dataclass(frozen=True, kw_only=True)
class ValidateSchema(Step):
    """Leaves out rows that break a schema: Frictionless Table Schema, or CSV on the Web, in a JSON or YAML file.

    The report counts the rows that break each rule of each column; a rejected row is told with all the rules that it
    breaks. Cells are checked as what the schema says they are, and stay as they are: ``convert_types`` changes them. Of
    rows that repeat a value that shall be unique, all are rejected; finding them takes a pass over the table, and its
    distinct values in memory. A column that the schema names and the table lacks stops the run. ``docs/schemas.md``
    tells what a schema can say.

    Examples:
        >>> import pandas as pd
        >>> from data_processing import validate_schema
        >>> schema = b"fields: [{name: age, type: integer, constraints: {minimum: 0}}]"
        >>> result = validate_schema(pd.DataFrame({"age": ["25", "x", "-1"]}), schema_file=schema)
        >>> result.frame["age"].tolist(), result.reports[0].details
        (['25'], {'age type': 1, 'age minimum': 1})
    """

    name: ClassVar[str] = "validate_schema"
    schema_file: str | Any = parameter(  # noqa: RUF009 - declares a field, like all others
        "The schema: a path or s3://bucket/key of a JSON or YAML file."
    )
    on_violation: str = parameter(
        "A row that breaks a rule: reject (it is left out) or fail (nothing is written).", default="reject"
    )

    def __post_init__(self) -> None:
        choose(self, "on_violation", self.on_violation, ("reject", "fail"))

    def apply(self, frame: nw.LazyFrame[Any], inputs: Inputs) -> Outcome:
        """Judge each row; repeated values are evaluated, and violations counted if they shall fail the run."""
        result = validate(frame, self._schema(inputs))
        if self.on_violation == "fail":
            self._check(result)
            return Outcome(frame, counts=result.counts)
        because = nw.concat_str(nw.lit("breaks the schema: "), result.reason)
        return Outcome(
            result.valid,
            rejects=result.rejected.with_columns(because.alias(REASON)),
            keeps_rows=False,
            counts=result.counts,
        )

    def _schema(self, inputs: Inputs) -> TableSchema:
        if isinstance(self.schema_file, TableSchema):
            return self.schema_file
        if isinstance(self.schema_file, bytes):
            return parse_schema(self.schema_file, "given")
        return parse_schema(inputs.document(self.schema_file), self.schema_file)

    def _check(self, result: Validation) -> None:
        rows = aggregated(result.rejected, nw.len())["len"]
        if rows:
            raise refuse(
                self,
                f"finds {rows:,} row{'' if rows == 1 else 's'} that break{'s' if rows == 1 else ''} the schema "
                f"({summary(result.violations())}): correct the data, or set on_violation to reject.",
            )
