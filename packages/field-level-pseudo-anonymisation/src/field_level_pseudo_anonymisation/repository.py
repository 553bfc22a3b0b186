"""field-level-pseudo-anonymisation served alone."""

from dagster import Definitions

from field_level_pseudo_anonymisation import jobs
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success

defs = Definitions(
    jobs=[
        jobs.anonymise_pseudonymise_structured_job,
        jobs.anonymise_pseudonymise_structured_job_s3,
        jobs.depseudonymise_structured_job,
        jobs.depseudonymise_structured_job_s3,
        jobs.anonymise_pseudonymise_depseudonymise_structured_job,
        jobs.anonymise_pseudonymise_unstructured_job,
        jobs.anonymise_pseudonymise_unstructured_job_s3,
        jobs.depseudonymise_unstructured_job,
        jobs.depseudonymise_unstructured_job_s3,
        jobs.anonymise_pseudonymise_text_columns_job,
        jobs.anonymise_pseudonymise_text_columns_job_s3,
        jobs.depseudonymise_text_columns_job,
        jobs.depseudonymise_text_columns_job_s3,
    ],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={"s3": s3_resource.configured({"resource_name": "selfS3"})},
    loggers={"simpl": simpl_json_logger},
)
