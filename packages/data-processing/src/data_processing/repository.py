"""data-processing served alone."""

from dagster import Definitions

from data_processing import jobs
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success

defs = Definitions(
    jobs=[
        jobs.remove_duplicates_job,
        jobs.remove_duplicates_job_s3,
        jobs.fill_missing_values_job,
        jobs.fill_missing_values_job_s3,
        jobs.clean_data_job,
        jobs.clean_data_job_s3,
        jobs.profile_data_job,
        jobs.profile_data_job_s3,
        jobs.data_quality_job,
        jobs.data_quality_job_s3,
    ],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={"s3": s3_resource.configured({"resource_name": "selfS3"})},
    loggers={"simpl": simpl_json_logger},
)
