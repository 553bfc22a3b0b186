"""Entry point: everything that the Simpl-Open orchestration platform discovers in this code location."""

from dagster import Definitions

from dataframe_level_anonymisation.jobs import k_anonymity_job, k_anonymity_job_s3
from template_code_location.jobs.jobs import data_processing_job
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success

defs = Definitions(
    jobs=[data_processing_job, k_anonymity_job, k_anonymity_job_s3],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={"s3": s3_resource.configured({"resource_name": "selfS3"})},
    loggers={"simpl": simpl_json_logger},
)
