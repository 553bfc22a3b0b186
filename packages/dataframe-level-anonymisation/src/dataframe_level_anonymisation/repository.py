"""dataframe-level-anonymisation served alone."""

from dagster import Definitions

from dataframe_level_anonymisation import jobs
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success

defs = Definitions(
    jobs=[
        jobs.k_anonymity_job,
        jobs.k_anonymity_job_s3,
        jobs.l_diversity_job,
        jobs.l_diversity_job_s3,
        jobs.t_closeness_job,
        jobs.t_closeness_job_s3,
        jobs.anonymise_job,
        jobs.anonymise_job_s3,
        jobs.risk_report_job,
        jobs.risk_report_job_s3,
    ],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={"s3": s3_resource.configured({"resource_name": "selfS3"})},
    loggers={"simpl": simpl_json_logger},
)
