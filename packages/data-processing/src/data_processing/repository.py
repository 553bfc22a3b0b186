"""data-processing served alone."""

from dagster import Definitions

from data_processing import profile_jobs
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success

defs = Definitions(
    jobs=[
        profile_jobs.profile_data_job,
        profile_jobs.profile_data_job_s3,
        profile_jobs.data_quality_job,
        profile_jobs.data_quality_job_s3,
    ],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={"s3": s3_resource.configured({"resource_name": "selfS3"})},
    loggers={"simpl": simpl_json_logger},
)
