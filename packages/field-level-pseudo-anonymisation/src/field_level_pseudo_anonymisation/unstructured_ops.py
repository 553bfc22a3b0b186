"""Ops that pseudonymise free text and restore it: read config, call the library, attach the report."""

from typing import Any

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from field_level_pseudo_anonymisation import text as texts
from field_level_pseudo_anonymisation import text_report
from field_level_pseudo_anonymisation import unstructured_config as configs
from field_level_pseudo_anonymisation.mapping_tables import check_mapping_tables
from field_level_pseudo_anonymisation.object_storage import AnyStorage
from field_level_pseudo_anonymisation.run_keys import RunKeys
from field_level_pseudo_anonymisation.techniques.session import Session
from util_services.failures import reported
from util_services.staging import checkpoint, checkpoint_text, discard_checkpoints
from util_services.texts import Text

Outputs = tuple[Output[Any], Output[dict[str, Any]]]
_FRAME = {"df": In(nw.LazyFrame)}
_OUT = {"data": Out(), "metrics": Out(dict[str, Any])}
_PSEUDONYMISED, _RESTORED = "pseudonymised", "restored"


@op(
    description="Finds personal data in a text and hashes, encrypts, redacts, replaces or retains it.",
    ins={"text": In(Text)},
    out=_OUT,
)
def anonymise_pseudonymise_unstructured(
    context: OpExecutionContext, config: configs.UnstructuredConfig, text: Text
) -> Outputs:
    """Pseudonymise a text."""
    with reported():
        keys, steps = RunKeys(), config.steps()
        check_mapping_tables(context, (step.technique for step in steps))
        result = texts.pseudonymise_text(
            text,
            steps,
            language=config.language,
            keys=keys,
            session=Session(AnyStorage()),
            **config.detection(),
        )
        return _outputs(context, _PSEUDONYMISED, result, keys)


@op(
    description="Restores pseudonyms in a text with the key they were made with; fails if some do not authenticate.",
    ins={"text": In(Text)},
    out=_OUT,
)
def depseudonymise_unstructured(
    context: OpExecutionContext, config: configs.UnstructuredUndoConfig, text: Text
) -> Outputs:
    """Restore a text."""
    with reported():
        keys = RunKeys()
        result = texts.depseudonymise_text(
            text,
            config.steps(),
            language=config.language,
            keys=keys,
            on_error=config.on_error,
            session=Session(AnyStorage()),
        )
        return _outputs(context, _RESTORED, result, keys)


@op(
    description="Finds personal data in text columns of a table and hashes, encrypts, redacts, replaces or retains it.",
    ins=_FRAME,
    out=_OUT,
)
def anonymise_pseudonymise_text_columns(
    context: OpExecutionContext, config: configs.TextColumnsConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Pseudonymise text columns."""
    with reported():
        keys, steps = RunKeys(), config.steps()
        check_mapping_tables(context, (step.technique for step in steps))
        result = texts.pseudonymise_text_columns(
            df.to_native(),
            config.text_columns,
            steps,
            language=config.language,
            keys=keys,
            session=Session(AnyStorage()),
            **config.detection(),
        )
        return _outputs(context, _PSEUDONYMISED, result, keys)


@op(
    description="Restores pseudonyms in text columns of a table; fails if some do not authenticate.",
    ins=_FRAME,
    out=_OUT,
)
def depseudonymise_text_columns(
    context: OpExecutionContext, config: configs.UndoTextColumnsConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Restore text columns."""
    with reported():
        keys = RunKeys()
        result = texts.depseudonymise_text_columns(
            df.to_native(),
            config.text_columns,
            config.steps(),
            language=config.language,
            keys=keys,
            on_error=config.on_error,
            session=Session(AnyStorage()),
        )
        return _outputs(context, _RESTORED, result, keys)


def _outputs(context: OpExecutionContext, done: str, result: texts.TextResult, keys: RunKeys) -> Outputs:
    """Evaluate the result once, check it, and tell what was done, without any text."""
    try:
        staged = _staged(context, result.output)
        result.finish()
    except Exception:
        discard_checkpoints(context.run_id)  # what may be values restored is not kept
        raise
    figures = text_report.document(result, keys.cautions())
    report = text_report.markdown(figures, done)
    context.log.info(f"Report\n\n{report}\n")
    context.log.info(
        f"{figures['spans']:,} spans {done}.",
        extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": figures},
    )
    metadata = {"report": MetadataValue.md(report), "metrics": MetadataValue.json(figures)}
    return Output(staged, "data"), Output(figures, "metrics", metadata=metadata)


def _staged(context: OpExecutionContext, output: Any) -> Any:
    frame = nw.from_native(output, pass_through=True)
    if isinstance(frame, nw.LazyFrame):
        return checkpoint(frame, context.run_id).to_native()
    return checkpoint_text(output, context.run_id)
