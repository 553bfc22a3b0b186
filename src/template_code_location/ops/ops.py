"""Ops of this code location: add your own here."""

from dagster import op


@op
def fetch_data() -> list:  # type: ignore[type-arg]  # as the development guide shows it
    """Fetches raw data from a source."""
    return [{"id": 1, "value": "A"}, {"id": 2, "value": "B"}]


@op
def process_data(data: list) -> dict:  # type: ignore[type-arg]
    """Processes raw data and returns a summary."""
    return {"count": len(data), "status": "success"}
