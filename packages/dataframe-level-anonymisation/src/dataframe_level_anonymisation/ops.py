"""Anonymisation ops: read config, call the library, attach the report."""

from contextlib import ExitStack
from typing import Any

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from dataframe_level_anonymisation import config as configs
from dataframe_level_anonymisation import report
from dataframe_level_anonymisation.anonymise import anonymise
from dataframe_level_anonymisation.privacy_models import title
from util_services.csv_files import COMMA_SEPARATED
from util_services.failures import reported
from util_services.formats import scan
from util_services.locations import opened

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
        models = config.models()
        population = None
        if config.population is not None:
            path = side_inputs.enter_context(opened(config.population, context.run_id, context.log.info))
            population = scan(path, COMMA_SEPARATED)
        result = anonymise(
            df.to_native(),
            quasi_identifiers=config.quasi_identifiers,
            hierarchies=config.generalisation_hierarchies,
            models=models,
            identifiers=config.ident,
            sensitive_attributes=config.sensitive_attributes,
            suppression_limit=config.supp_level,
            quality=config.quality,
            recoding=config.recoding,
            search_budget_seconds=config.search_budget_seconds,
            population=population,
        )
        text, figures = report.markdown(result, [title(model) for model in models]), report.metrics(result)
        context.log.info(f"Anonymisation report\n\n{text}\n")
        context.log.info(
            f"Anonymised {result.rows:,} rows.",
            extra={"event_type": "BUSINESS_EVENT", "op_name": context.op.name, "custom_fields": figures},
        )
        return (
            Output(result.frame, "data"),
            Output(
                figures, "metrics", metadata={"report": MetadataValue.md(text), "metrics": MetadataValue.json(figures)}
            ),
        )
