"""Cleaning ops: read config, call the library, attach the figures."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from data_processing import config as configs
from data_processing import summary
from data_processing.clean import Result, clean
from data_processing.reject_places import check_places, is_wanted
from data_processing.steps.step import Inputs
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import engine_of
from util_services.failures import reported
from util_services.locations import opened
from util_services.parquet_files import write_lazy
from util_services.staging import checkpoint, evaluated, run_folder

Outputs = tuple[Output[Any], Output[dict[str, Any]]]
STAGED_REJECTS = "rejects_staged"
_IN = {"df": In(nw.LazyFrame)}
_OUT = {"data": Out(), "metrics": Out(dict[str, Any])}


@op(description="Keeps one row, or none, of those that are equal in some columns.", ins=_IN, out=_OUT)
def remove_duplicates(
    context: OpExecutionContext, config: configs.RemoveDuplicatesConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Remove duplicate rows."""
    return _cleaned(context, config, df)


@op(description="Fills missing cells, each column by a method of its own.", ins=_IN, out=_OUT)
def fill_missing_values(
    context: OpExecutionContext, config: configs.FillMissingValuesConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Fill missing cells."""
    return _cleaned(context, config, df)


@op(description="Cleans and transforms a table by a list of steps.", ins=_IN, out=_OUT)
def clean_data(context: OpExecutionContext, config: configs.CleanDataConfig, df: nw.LazyFrame[Any]) -> Outputs:
    """Apply steps in order."""
    return _cleaned(context, config, df)


def _cleaned(context: OpExecutionContext, config: configs.Rejects, df: nw.LazyFrame[Any]) -> Outputs:
    started = time.perf_counter()
    with reported(), ExitStack() as side_inputs:
        check_places(context, context.op_config)
        result = clean(
            df.to_native(),
            config.steps,
            inputs=_inputs(context, side_inputs),
            store=lambda frame: checkpoint(frame, context.run_id),
        )
        figures = summary.document(result.reports)
        figures["execution_time_seconds"] = round(time.perf_counter() - started, 3)
        staged = _staged_rejects(context, result)
        # Costly or not, what depends on a side input is evaluated before that is gone.
        frame = checkpoint(nw.from_native(result.frame), context.run_id).to_native()
        return Output(frame, "data"), _told(context, figures, staged)


def _told(context: OpExecutionContext, figures: dict[str, Any], staged: str | None) -> Output[dict[str, Any]]:
    report = summary.markdown(figures)
    context.log.info(f"Report\n\n{report}\n")
    context.log.info(
        f"Cleaned {figures['rows_processed']:,} rows.",
        extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": figures},
    )
    metadata = {
        "report": MetadataValue.md(report),
        "metrics": MetadataValue.json(figures),
        "rows_rejected": figures["rows_rejected"],
    }
    return Output(figures | ({STAGED_REJECTS: staged} if staged else {}), "metrics", metadata=metadata)


def _staged_rejects(context: OpExecutionContext, result: Result) -> str | None:
    """Put the rows left out into the run's private folder, if the run asks for them."""
    if not is_wanted(context.op_config):
        return None
    path = run_folder(context.run_id) / f"rejects-{uuid4().hex}.parquet"
    path.touch(mode=0o600)
    write_lazy(evaluated(nw.from_native(result.rejects), context.run_id), path)
    return str(path)


def _inputs(context: OpExecutionContext, side_inputs: ExitStack) -> Inputs:
    def fetched(location: str) -> Path:
        return side_inputs.enter_context(opened(location, context.run_id, context.log.info, "steps"))

    return Inputs(
        table=lambda location: engine_of(context.run_id).scan(fetched(location), COMMA_SEPARATED),
        document=lambda location: fetched(location).read_bytes(),
    )
