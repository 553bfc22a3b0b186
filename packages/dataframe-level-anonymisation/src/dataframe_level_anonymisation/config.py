"""Run configuration of the anonymisation ops; the field descriptions show in the Launchpad."""

from dagster import Config
from pydantic import Field


class KAnonymityConfig(Config):
    """k-anonymity."""

    ident: list[str] = Field(description="Columns that identify a person directly; their cells become *.")
    quasi_identifiers: list[str] = Field(description="Columns that together could single a person out.")
    sensitive_attributes: list[str] = Field(description="Columns worth protecting; they stay as they are.")
    k: int = Field(description="Every combination of quasi-identifiers shall occur in at least so many rows.")
    supp_level: float = Field(description="Share of rows that may be left out, in per cent, 0 to 100.")
    generalisation_hierarchies: dict[str, str] = Field(
        description="How each quasi-identifier is coarsened: simpl_age or simpl_gender."
    )
