"""Jobs of this code location: add your own here."""

from dagster import job

from template_code_location.ops.ops import fetch_data, process_data
from util_services.jobs import bindings


@job(tags={"business_operation": "DATA_PROCESSING"}, **bindings())
def data_processing_job() -> None:
    """A simple job that fetches and processes data."""
    raw = fetch_data()
    process_data(raw)
