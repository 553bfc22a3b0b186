"""Jobs that pseudonymise tables and turn them back; those on free text are built in ``text_jobs``."""

from typing import Any

from dagster import graph

from field_level_pseudo_anonymisation.ops import anonymise_pseudonymise_structured, depseudonymise_structured
from field_level_pseudo_anonymisation.text_jobs import (
    anonymise_pseudonymise_text_columns_job,
    anonymise_pseudonymise_text_columns_job_s3,
    anonymise_pseudonymise_unstructured_job,
    anonymise_pseudonymise_unstructured_job_s3,
    depseudonymise_text_columns_job,
    depseudonymise_text_columns_job_s3,
    depseudonymise_unstructured_job,
    depseudonymise_unstructured_job_s3,
)
from util_services.jobs import BUSINESS_OPERATION, service_job, table_jobs
from util_services.ops import preview_dataframe, read_csv_to_df, write_df_to_csv
from util_services.sample_keys import SAMPLE_KEY_NAME

__all__ = [
    "anonymise_pseudonymise_depseudonymise_structured_job",
    "anonymise_pseudonymise_structured_job",
    "anonymise_pseudonymise_structured_job_s3",
    "anonymise_pseudonymise_text_columns_job",
    "anonymise_pseudonymise_text_columns_job_s3",
    "anonymise_pseudonymise_unstructured_job",
    "anonymise_pseudonymise_unstructured_job_s3",
    "depseudonymise_structured_job",
    "depseudonymise_structured_job_s3",
    "depseudonymise_text_columns_job",
    "depseudonymise_text_columns_job_s3",
    "depseudonymise_unstructured_job",
    "depseudonymise_unstructured_job_s3",
]

_SAMPLE = "examples/patients.csv"
_SAMPLE_PSEUDONYMISED = "examples/patients_pseudonymised.csv"
_FORWARD, _BACK = "ANONYMISATION_PSEUDONYMISATION", "DEPSEUDONYMISATION"


def _steps(*techniques: dict[str, Any]) -> dict[str, Any]:
    return {"used_function": [{"technique": technique} for technique in techniques]}


_WITHOUT_KEY = _steps(
    {"hash": {"columns": ["id"], "algorithm": "sha256"}},
    {"redact": {"columns": ["Name"]}},
    {"round_number": {"columns": ["age"], "step": 10.0}},
)
_WITH_KEY = _steps(
    {"deterministic_encrypt": {"columns": ["id"], "key_name": SAMPLE_KEY_NAME}},
    {"encrypt": {"columns": ["Name"], "key_name": SAMPLE_KEY_NAME}},
)
_UNDO = _steps(
    {"type": "deterministic_decrypt", "columns": ["id"], "key_name": SAMPLE_KEY_NAME},
    {"type": "decrypt", "columns": ["Name"], "key_name": SAMPLE_KEY_NAME},
)

anonymise_pseudonymise_structured_job, anonymise_pseudonymise_structured_job_s3 = table_jobs(
    anonymise_pseudonymise_structured,
    name="anonymise_pseudonymise_structured_job",
    description="Hashes, encrypts, masks, redacts, replaces or drops columns of a table.",
    business_operation=_FORWARD,
    config=_WITHOUT_KEY,
    sample_input=_SAMPLE,
    sample_output="output/patients_pseudonymised.csv",
)

depseudonymise_structured_job, depseudonymise_structured_job_s3 = table_jobs(
    depseudonymise_structured,
    name="depseudonymise_structured_job",
    description="Turns pseudonyms of a table back, with the key they were made with.",
    business_operation=_BACK,
    config=_UNDO,
    sample_input=_SAMPLE_PSEUDONYMISED,
    sample_output="output/patients_restored.csv",
)


@graph(
    name="anonymise_pseudonymise_depseudonymise_structured_job",
    description="Pseudonymises a table and turns it back: shows that a configuration loses nothing.",
)
def _round_trip() -> None:
    pseudonymised, _ = anonymise_pseudonymise_structured(preview_dataframe(read_csv_to_df()))
    restored, _ = depseudonymise_structured(pseudonymised)
    write_df_to_csv(preview_dataframe(restored))


anonymise_pseudonymise_depseudonymise_structured_job = service_job(
    _round_trip,
    tags={BUSINESS_OPERATION: _FORWARD},
    default_ops={
        "read_csv_to_df": {"config": {"input_path": _SAMPLE}},
        "anonymise_pseudonymise_structured": {"config": _WITH_KEY},
        "depseudonymise_structured": {"config": _UNDO},
        "write_df_to_csv": {"config": {"output_path": "output/patients_round_trip.csv"}},
    },
)
