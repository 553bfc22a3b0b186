"""Entry point: everything that the Simpl-Open orchestration platform discovers in this code location."""

from dagster import Definitions, in_process_executor

from data_processing.jobs import (
    clean_data_job,
    clean_data_job_s3,
    data_quality_job,
    data_quality_job_s3,
    fill_missing_values_job,
    fill_missing_values_job_s3,
    profile_data_job,
    profile_data_job_s3,
    remove_duplicates_job,
    remove_duplicates_job_s3,
)
from dataframe_level_anonymisation.jobs import (
    anonymise_job,
    anonymise_job_s3,
    k_anonymity_job,
    k_anonymity_job_s3,
    l_diversity_job,
    l_diversity_job_s3,
    risk_report_job,
    risk_report_job_s3,
    t_closeness_job,
    t_closeness_job_s3,
)
from field_level_pseudo_anonymisation.jobs import (
    anonymise_pseudonymise_depseudonymise_structured_job,
    anonymise_pseudonymise_structured_job,
    anonymise_pseudonymise_structured_job_s3,
    anonymise_pseudonymise_text_columns_job,
    anonymise_pseudonymise_text_columns_job_s3,
    anonymise_pseudonymise_unstructured_job,
    anonymise_pseudonymise_unstructured_job_s3,
    depseudonymise_structured_job,
    depseudonymise_structured_job_s3,
    depseudonymise_text_columns_job,
    depseudonymise_text_columns_job_s3,
    depseudonymise_unstructured_job,
    depseudonymise_unstructured_job_s3,
)
from template_code_location.jobs.jobs import data_processing_job
from util_services.custom_json_logger import simpl_json_logger
from util_services.resources import s3_resource
from util_services.sensors import notify_canceled, notify_failure, notify_success
from util_services.staging import staging_io_manager

defs = Definitions(
    jobs=[
        data_processing_job,
        remove_duplicates_job,
        remove_duplicates_job_s3,
        fill_missing_values_job,
        fill_missing_values_job_s3,
        clean_data_job,
        clean_data_job_s3,
        k_anonymity_job,
        k_anonymity_job_s3,
        l_diversity_job,
        l_diversity_job_s3,
        t_closeness_job,
        t_closeness_job_s3,
        anonymise_job,
        anonymise_job_s3,
        risk_report_job,
        risk_report_job_s3,
        anonymise_pseudonymise_structured_job,
        anonymise_pseudonymise_structured_job_s3,
        depseudonymise_structured_job,
        depseudonymise_structured_job_s3,
        anonymise_pseudonymise_depseudonymise_structured_job,
        anonymise_pseudonymise_unstructured_job,
        anonymise_pseudonymise_unstructured_job_s3,
        depseudonymise_unstructured_job,
        depseudonymise_unstructured_job_s3,
        anonymise_pseudonymise_text_columns_job,
        anonymise_pseudonymise_text_columns_job_s3,
        depseudonymise_text_columns_job,
        depseudonymise_text_columns_job_s3,
        profile_data_job,
        profile_data_job_s3,
        data_quality_job,
        data_quality_job_s3,
    ],
    sensors=[notify_success, notify_failure, notify_canceled],
    resources={
        "s3": s3_resource.configured({"resource_name": "selfS3"}),
        "io_manager": staging_io_manager,  # a bare @job of your own stages privately too
    },
    executor=in_process_executor,
    loggers={"simpl": simpl_json_logger},
)
