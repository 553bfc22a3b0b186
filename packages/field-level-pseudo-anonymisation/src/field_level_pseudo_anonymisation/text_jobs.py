"""Jobs that pseudonymise free text, in files and in columns of tables, and restore it."""

from typing import Any

from field_level_pseudo_anonymisation.unstructured_ops import (
    anonymise_pseudonymise_text_columns,
    anonymise_pseudonymise_unstructured,
    depseudonymise_text_columns,
    depseudonymise_unstructured,
)
from util_services.jobs import table_jobs, text_jobs
from util_services.sample_keys import SAMPLE_KEY_NAME

_FORWARD, _BACK = "ANONYMISATION_PSEUDONYMISATION", "DEPSEUDONYMISATION"


def _steps(*techniques: dict[str, Any]) -> dict[str, Any]:
    return {"used_function": [{"technique": technique} for technique in techniques]}


# The samples need neither a language model (names: false, so names come from the list of words) nor a key.
_WITHOUT_MODEL = {
    "language": "en",
    "names": False,
    "words": {"PERSON": ["Achterberg", "Agnes Whitcombe", "Laura Whitcombe", "Samuel Okonkwo"]},
}
_WITHOUT_KEY = _steps(
    {"retain": {"pii": ["URL"]}},
    {"hash": {"pii": ["EMAIL"], "algorithm": "sha256"}},
    {"replace": {"pii": ["PERSON"], "new_value": "[PERSON]"}},
    {"redact": {"pii": ["PHONE_NUMBERS", "DATE_OF_BIRTH", "CREDIT_CARD", "IBAN", "CREDENTIALS"]}},
)
_UNDO = _steps({"decrypt": {"key_name": SAMPLE_KEY_NAME}}, {"deterministic_decrypt": {"key_name": SAMPLE_KEY_NAME}})

anonymise_pseudonymise_unstructured_job, anonymise_pseudonymise_unstructured_job_s3 = text_jobs(
    anonymise_pseudonymise_unstructured,
    name="anonymise_pseudonymise_unstructured_job",
    description="Finds personal data in a text and hashes, encrypts, redacts, replaces or retains it.",
    business_operation=_FORWARD,
    config=_WITHOUT_MODEL | _WITHOUT_KEY,
    sample_input="examples/letter.txt",
    sample_output="output/letter_pseudonymised.txt",
)

depseudonymise_unstructured_job, depseudonymise_unstructured_job_s3 = text_jobs(
    depseudonymise_unstructured,
    name="depseudonymise_unstructured_job",
    description="Restores pseudonyms in a text, with the key they were made with.",
    business_operation=_BACK,
    config={"language": "en"} | _UNDO,
    sample_input="examples/letter_pseudonymised.txt",
    sample_output="output/letter_restored.txt",
)

anonymise_pseudonymise_text_columns_job, anonymise_pseudonymise_text_columns_job_s3 = table_jobs(
    anonymise_pseudonymise_text_columns,
    name="anonymise_pseudonymise_text_columns_job",
    description="Finds personal data in text columns of a table and hashes, encrypts, redacts, replaces or retains it.",
    business_operation=_FORWARD,
    config={"text_columns": ["note"]} | _WITHOUT_MODEL | _WITHOUT_KEY,
    sample_input="examples/notes.csv",
    sample_output="output/notes_pseudonymised.csv",
)

depseudonymise_text_columns_job, depseudonymise_text_columns_job_s3 = table_jobs(
    depseudonymise_text_columns,
    name="depseudonymise_text_columns_job",
    description="Restores pseudonyms in text columns of a table, with the key they were made with.",
    business_operation=_BACK,
    config={"text_columns": ["note"], "language": "en"} | _UNDO,
    sample_input="examples/notes_pseudonymised.csv",
    sample_output="output/notes_restored.csv",
)
