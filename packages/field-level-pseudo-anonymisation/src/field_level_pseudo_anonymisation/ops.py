"""Ops that pseudonymise columns of tables and turn them back: read config, call the library, attach the report."""

from typing import Any

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from field_level_pseudo_anonymisation import report
from field_level_pseudo_anonymisation.config import DepseudonymiseConfig, StructuredConfig
from field_level_pseudo_anonymisation.mapping_tables import check_mapping_tables
from field_level_pseudo_anonymisation.object_storage import AnyStorage
from field_level_pseudo_anonymisation.pseudonymise import Result, depseudonymise, pseudonymise
from field_level_pseudo_anonymisation.run_keys import RunKeys
from field_level_pseudo_anonymisation.techniques.session import Session
from util_services.failures import reported
from util_services.staging import checkpoint, discard_checkpoints

Outputs = tuple[Output[Any], Output[dict[str, Any]]]
_IN = {"df": In(nw.LazyFrame)}
_OUT = {"data": Out(), "metrics": Out(dict[str, Any])}


@op(
    description="Hashes, encrypts, masks, redacts, replaces or drops columns, step by step; other columns stay.",
    ins=_IN,
    out=_OUT,
)
def anonymise_pseudonymise_structured(
    context: OpExecutionContext, config: StructuredConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Pseudonymise columns of a table."""
    with reported():
        keys, steps = RunKeys(), config.steps()
        check_mapping_tables(context, (step.technique for step in steps))
        result = pseudonymise(df.to_native(), steps, keys=keys, session=Session(AnyStorage()))
        return _outputs(context, "Pseudonymised", result, keys)


@op(
    description="Turns pseudonyms back with the key they were made with; fails if values do not authenticate.",
    ins=_IN,
    out=_OUT,
)
def depseudonymise_structured(
    context: OpExecutionContext, config: DepseudonymiseConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Turn pseudonyms of a table back."""
    with reported():
        keys = RunKeys()
        result = depseudonymise(df.to_native(), config.steps(), keys=keys, session=Session(AnyStorage()))
        return _outputs(context, "Restored", result, keys)


def _outputs(context: OpExecutionContext, done: str, result: Result, keys: RunKeys) -> Outputs:
    """Evaluate the frame once, check it, and tell what was done, without cell values."""
    try:
        staged = checkpoint(nw.from_native(result.frame), context.run_id)
        result.finish()
    except Exception:
        discard_checkpoints(context.run_id)  # what may be values turned back is not kept
        raise
    text, figures = report.markdown(result, keys.cautions()), report.document(result, keys.cautions())
    context.log.info(f"Report\n\n{text}\n")
    context.log.info(
        f"{done} {result.tally.rows:,} rows.",
        extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": figures},
    )
    metadata = {"report": MetadataValue.md(text), "metrics": MetadataValue.json(figures)}
    return Output(staged.to_native(), "data"), Output(figures, "metrics", metadata=metadata)
