"""Anonymisation jobs, each on local files and on S3 objects."""

from typing import Any

from dagster import OpDefinition

from dataframe_level_anonymisation.ops import (
    apply_k_anonymity,
    apply_l_diversity,
    apply_privacy_models,
    apply_t_closeness,
    assess_table_risk,
)
from dataframe_level_anonymisation.report_ops import REPORTS
from util_services.jobs import TableJobs, report_jobs, table_jobs

_OPERATION = "ANONYMISATION"
_SAMPLE = "examples/patients.csv"
_ROLES = {"ident": ["Name"], "quasi_identifiers": ["age", "gender"]}
_MEASURE = {
    "supp_level": 0.0,
    "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
}


def _jobs(service: OpDefinition, name: str, description: str, sample_output: str, config: dict[str, Any]) -> TableJobs:
    return table_jobs(
        service,
        name=name,
        description=description,
        business_operation=_OPERATION,
        sample_input=_SAMPLE,
        sample_output=f"output/{sample_output}",
        config=_ROLES | config | _MEASURE,
        reports=REPORTS,
    )


k_anonymity_job, k_anonymity_job_s3 = _jobs(
    apply_k_anonymity,
    "k_anonymity_job",
    "Makes a table k-anonymous with the least loss of information, and proves it.",
    "patients_k4.csv",
    {"sensitive_attributes": ["disease"], "k": 4},
)

l_diversity_job, l_diversity_job_s3 = _jobs(
    apply_l_diversity,
    "l_diversity_job",
    "Makes a table k-anonymous and l-diverse with the least loss of information, and proves it.",
    "patients_k2_l3.csv",
    {"sensitive_attribute": "disease", "k": 2, "l": 3},
)

t_closeness_job, t_closeness_job_s3 = _jobs(
    apply_t_closeness,
    "t_closeness_job",
    "Makes a table k-anonymous and t-close with the least loss of information, and proves it.",
    "patients_k2_t03.csv",
    {"sensitive_attribute": "disease", "k": 2, "t": 0.3},
)

anonymise_job, anonymise_job_s3 = _jobs(
    apply_privacy_models,
    "anonymise_job",
    "Makes a table meet several privacy models at once with the least loss of information, and proves it.",
    "patients_anonymised.csv",
    {
        "sensitive_attributes": ["disease"],
        "models": [
            {"model": {"k_anonymity": {"k": 2}}},
            {"model": {"distinct_l_diversity": {"l": 2, "sensitive_attribute": "disease"}}},
        ],
    },
)

risk_report_job, risk_report_job_s3 = report_jobs(
    assess_table_risk,
    REPORTS,
    name="risk_report_job",
    description="Reports how identifying a table is as it is, and changes nothing.",
    business_operation=_OPERATION,
    config={"quasi_identifiers": ["age", "gender"], "sensitive_attributes": ["disease"]},
    sample_input=_SAMPLE,
)
