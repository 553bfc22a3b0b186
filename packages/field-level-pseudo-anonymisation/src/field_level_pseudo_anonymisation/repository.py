"""field-level-pseudo-anonymisation served alone: no jobs yet."""

from dagster import Definitions

defs = Definitions()
