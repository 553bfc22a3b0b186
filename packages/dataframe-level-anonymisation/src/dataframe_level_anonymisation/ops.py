"""Anonymisation ops: read config, call the library, attach the report."""

from typing import Any

import narwhals as nw
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from dataframe_level_anonymisation import old_report as report
from dataframe_level_anonymisation.anonymise import anonymise
from dataframe_level_anonymisation.config import KAnonymityConfig
from dataframe_level_anonymisation.privacy_models import KAnonymity
from util_services.failures import reported


@op(
    description="Generalises quasi-identifiers and leaves out rows until every combination occurs at least k times.",
    ins={"df": In(nw.LazyFrame)},
    out={"data": Out(), "metrics": Out(dict[str, Any])},
)
def apply_k_anonymity(
    context: OpExecutionContext, config: KAnonymityConfig, df: nw.LazyFrame[Any]
) -> tuple[Output[Any], Output[dict[str, Any]]]:
    """Make a table k-anonymous with the least loss."""
    with reported():
        model = KAnonymity(config.k)
        result = anonymise(
            df.to_native(),
            quasi_identifiers=config.quasi_identifiers,
            hierarchies=config.generalisation_hierarchies,
            models=[model],
            identifiers=config.ident,
            sensitive_attributes=config.sensitive_attributes,
            suppression_limit=config.supp_level,
        )
        text, figures = report.markdown(result, [model.name]), report.metrics(result)
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
