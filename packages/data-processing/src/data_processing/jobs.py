"""Cleaning jobs, each on local files and on S3 objects."""

from functools import partial
from typing import Any

from dagster import OpDefinition

from data_processing.config import CleanDataConfig, FillMissingValuesConfig, Rejects, RemoveDuplicatesConfig, check
from data_processing.ops import clean_data, fill_missing_values, remove_duplicates
from data_processing.profile_jobs import (
    data_quality_job,
    data_quality_job_s3,
    profile_data_job,
    profile_data_job_s3,
)
from data_processing.reject_ops import REJECTS
from util_services.jobs import TableJobs, table_jobs

__all__ = [
    "clean_data_job",
    "clean_data_job_s3",
    "data_quality_job",
    "data_quality_job_s3",
    "fill_missing_values_job",
    "fill_missing_values_job_s3",
    "profile_data_job",
    "profile_data_job_s3",
    "remove_duplicates_job",
    "remove_duplicates_job_s3",
]

_OPERATION = "DATA_PROCESSING"
_SAMPLE = "examples/registrations.csv"


def _jobs(
    service: OpDefinition,
    configs: type[Rejects],
    name: str,
    description: str,
    sample_output: str,
    config: dict[str, Any],
) -> TableJobs:
    return table_jobs(
        service,
        name=name,
        description=description,
        business_operation=_OPERATION,
        sample_input=_SAMPLE,
        sample_output=f"output/{sample_output}",
        config=config,
        reports=REJECTS,
        check=partial(check, configs),
    )


remove_duplicates_job, remove_duplicates_job_s3 = _jobs(
    remove_duplicates,
    RemoveDuplicatesConfig,
    "remove_duplicates_job",
    "Keeps one row, or none, of those that are equal in some columns.",
    "registrations_distinct.csv",
    {"columns": ["name", "birth_date", "email"], "keep": "first", "ignore_case": True, "ignore_space": True},
)

fill_missing_values_job, fill_missing_values_job_s3 = _jobs(
    fill_missing_values,
    FillMissingValuesConfig,
    "fill_missing_values_job",
    "Fills missing cells, each column by a method of its own.",
    "registrations_filled.csv",
    {
        "columns": {
            "city": {"method": "mode", "by": ["country"]},
            "newsletter": {"method": "constant", "value": "no"},
        }
    },
)

clean_data_job, clean_data_job_s3 = _jobs(
    clean_data,
    CleanDataConfig,
    "clean_data_job",
    "Cleans and transforms a table by a list of steps, and tells what each did.",
    "registrations_clean.csv",
    {
        "steps": [
            {"step": {"normalise_missing_markers": {}}},
            {"step": {"standardise_text": {"columns": ["name", "city"]}}},
            {"step": {"standardise_text": {"columns": ["email"], "case": "lower"}}},
            {
                "step": {
                    "format_dates": {
                        "columns": ["birth_date", "registered_on"],
                        "formats": ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y"],
                    }
                }
            },
            {"step": {"remove_duplicates": {"columns": ["email", "birth_date"]}}},
            {"step": {"fill_missing_values": {"columns": {"city": {"method": "mode", "by": ["country"]}}}}},
        ]
    },
)
