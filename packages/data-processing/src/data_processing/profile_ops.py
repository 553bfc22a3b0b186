"""Ops that examine a table and change nothing: read config, call the library, attach the report."""

from contextlib import ExitStack
from typing import Any

import narwhals as nw
from dagster import Failure, In, MetadataValue, Nothing, OpExecutionContext, Out, Output, op

from data_processing import report
from data_processing.profile import profile
from data_processing.profile_config import ProfileConfig, QualityConfig
from data_processing.profile_page import profile_figures
from data_processing.quality import assess
from data_processing.quality_page import failure, quality_figures
from util_services.csv_files import COMMA_SEPARATED
from util_services.failures import reported
from util_services.formats import scan
from util_services.locations import opened

_IN = {"df": In(nw.LazyFrame)}
_OUT = {"metrics": Out(dict[str, Any])}


@op(
    description="Tells what a table's columns hold and which roles they probably have in an anonymisation.",
    ins=_IN,
    out=_OUT,
)
def profile_table(context: OpExecutionContext, config: ProfileConfig, df: nw.LazyFrame[Any]) -> Output[dict[str, Any]]:
    """Profile a table."""
    with reported():
        found = profile(df.to_native())
        document = report.headed("profile", profile_figures(found, show_values=config.show_values))
        return _told(context, f"Profiled {found.rows:,} rows.", document)


@op(
    description="Measures what is expected of a table; a later step fails the run, once the report is written.",
    ins=_IN,
    out=_OUT,
)
def check_expectations(
    context: OpExecutionContext, config: QualityConfig, df: nw.LazyFrame[Any]
) -> Output[dict[str, Any]]:
    """Measure the expectations of a table."""
    with reported(), ExitStack() as side_inputs:
        expectations = config.expected()
        references = {
            place: scan(
                side_inputs.enter_context(opened(place, context.run_id, context.log.info, "reference")), COMMA_SEPARATED
            )
            for place in config.places()
        }
        document = report.headed("quality", quality_figures(assess(df.to_native(), expectations, references)))
        return _told(context, f"Measured {len(expectations):,} expectations.", document)


@op(
    description="Fails the run when expectations of the severity error are not met, listing them.",
    ins={"metrics": In(dict[str, Any]), "written": In(Nothing)},
)
def require_expectations(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
    """Fail on unmet expectations."""
    if sentence := failure(metrics):
        raise Failure(description=sentence, allow_retries=False)
    context.log.info("No expectation fails the run.")


def _told(context: OpExecutionContext, message: str, document: dict[str, Any]) -> Output[dict[str, Any]]:
    context.log.info(f"Report\n\n{report.markdown(document, with_charts=False)}\n")
    context.log.info(
        message, extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": document}
    )
    metadata = {"report": MetadataValue.md(report.markdown(document)), "metrics": MetadataValue.json(document)}
    return Output(document, "metrics", metadata=metadata)
