"""Anonymisation ops: read config, call the library, attach the report."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from dataframe_level_anonymisation import config as configs
from dataframe_level_anonymisation import report
from dataframe_level_anonymisation.anonymise import anonymise
from dataframe_level_anonymisation.hierarchies import parse
from dataframe_level_anonymisation.risk import assess_risk
from util_services.csv_files import COMMA_SEPARATED
from util_services.engine import engine_of
from util_services.failures import reported
from util_services.locations import opened
from util_services.staging import checkpoint

Outputs = tuple[Output[Any], Output[dict[str, Any]]]
_IN = {"df": In(nw.LazyFrame)}
_OUT = {"data": Out(), "metrics": Out(dict[str, Any])}


@op(
    description="Generalises quasi-identifiers and leaves out rows until every combination occurs at least k times.",
    ins=_IN,
    out=_OUT,
)
def apply_k_anonymity(context: OpExecutionContext, config: configs.KAnonymityConfig, df: nw.LazyFrame[Any]) -> Outputs:
    """Make a table k-anonymous with the least loss."""
    return _anonymised(context, config, df)


@op(
    description="As apply_k_anonymity, and every combination has at least l sensitive values.",
    ins=_IN,
    out=_OUT,
)
def apply_l_diversity(context: OpExecutionContext, config: configs.LDiversityConfig, df: nw.LazyFrame[Any]) -> Outputs:
    """Make a table k-anonymous and l-diverse with the least loss."""
    return _anonymised(context, config, df)


@op(
    description="As apply_k_anonymity, and in every combination sensitive values are distributed as in the table.",
    ins=_IN,
    out=_OUT,
)
def apply_t_closeness(context: OpExecutionContext, config: configs.TClosenessConfig, df: nw.LazyFrame[Any]) -> Outputs:
    """Make a table k-anonymous and t-close with the least loss."""
    return _anonymised(context, config, df)


@op(
    description="Generalises quasi-identifiers and leaves out rows until every privacy model in the list is met.",
    ins=_IN,
    out=_OUT,
)
def apply_privacy_models(
    context: OpExecutionContext, config: configs.AnonymiseConfig, df: nw.LazyFrame[Any]
) -> Outputs:
    """Make a table meet several privacy models at once with the least loss."""
    return _anonymised(context, config, df)


Configured = configs.KAnonymityConfig | configs.LDiversityConfig | configs.TClosenessConfig | configs.AnonymiseConfig


def _anonymised(context: OpExecutionContext, config: Configured, df: nw.LazyFrame[Any]) -> Outputs:
    with reported(), ExitStack() as side_inputs:
        result = anonymise(
            df.to_native(),
            quasi_identifiers=config.quasi_identifiers,
            hierarchies={
                column: parse(column, spec, partial(_read, context))
                for column, spec in config.generalisation_hierarchies.items()
            },
            models=config.models(),
            identifiers=config.ident,
            sensitive_attributes=config.sensitive_attributes,
            suppression_limit=config.supp_level,
            quality=config.quality,
            recoding=config.recoding,
            search_budget_seconds=config.search_budget_seconds,
            population=_population(context, config.population, side_inputs),
            store=partial(checkpoint, run_id=context.run_id),
        )
        document = report.document(result, risk_threshold=config.risk_threshold, name_values=True)
        return Output(result.frame, "data"), _told(context, f"Anonymised {result.rows:,} rows.", document)


def _told(context: OpExecutionContext, message: str, document: dict[str, Any]) -> Output[dict[str, Any]]:
    """Log a report and attach it, both without cell values; they stay in the output, for the report's files."""
    figures = report.without_values(document)
    context.log.info(f"Report\n\n{report.markdown(document, with_charts=False)}\n")
    context.log.info(
        message, extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": figures}
    )
    metadata = {"report": MetadataValue.md(report.markdown(document)), "metrics": MetadataValue.json(figures)}
    return Output(document, "metrics", metadata=metadata)


@op(
    description="Tells how identifying a table is as it is: re-identification risk, uniqueness, sensitive values.",
    ins=_IN,
    out={"metrics": Out(dict[str, Any])},
)
def assess_table_risk(
    context: OpExecutionContext, config: configs.RiskReportConfig, df: nw.LazyFrame[Any]
) -> Output[dict[str, Any]]:
    """Report the risks of a table without changing it."""
    with reported(), ExitStack() as side_inputs:
        assessed = assess_risk(
            df.to_native(),
            quasi_identifiers=config.quasi_identifiers,
            sensitive_attributes=config.sensitive_attributes,
            population=_population(context, config.population, side_inputs),
            risk_threshold=config.risk_threshold,
        )
        return _told(context, f"Assessed {assessed.rows:,} rows.", report.risk_document(assessed))


def _read(context: OpExecutionContext, location: str) -> bytes:
    with opened(location, context.run_id, context.log.info, "generalisation_hierarchies") as path:
        return path.read_bytes()


def _population(context: OpExecutionContext, location: str | None, side_inputs: ExitStack) -> Any:
    if location is None:
        return None
    return engine_of(context.run_id).scan(
        side_inputs.enter_context(opened(location, context.run_id, context.log.info, "population")), COMMA_SEPARATED
    )
