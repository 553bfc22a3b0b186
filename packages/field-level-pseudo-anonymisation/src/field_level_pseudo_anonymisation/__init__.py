"""Field-level pseudonymisation of tables and free text.

Examples:
    >>> import polars as pl
    >>> from field_level_pseudo_anonymisation import Step, pseudonymise
    >>> from field_level_pseudo_anonymisation.techniques import Redact
    >>> people = pl.DataFrame({"name": ["Ann", None], "city": ["Oslo", "Rome"]})
    >>> pseudonymise(people, [Step(Redact(), ["name"])]).frame.rows()
    [('[REDACTED]', 'Oslo'), (None, 'Rome')]
"""

from field_level_pseudo_anonymisation.free_text.steps import TextReversal, TextStep
from field_level_pseudo_anonymisation.pseudonymise import Result, depseudonymise, pseudonymise
from field_level_pseudo_anonymisation.steps import Reversal, Step
from field_level_pseudo_anonymisation.text import (
    TextResult,
    depseudonymise_text,
    depseudonymise_text_columns,
    pseudonymise_text,
    pseudonymise_text_columns,
)

__all__ = [
    "Result",
    "Reversal",
    "Step",
    "TextResult",
    "TextReversal",
    "TextStep",
    "depseudonymise",
    "depseudonymise_text",
    "depseudonymise_text_columns",
    "pseudonymise",
    "pseudonymise_text",
    "pseudonymise_text_columns",
]
