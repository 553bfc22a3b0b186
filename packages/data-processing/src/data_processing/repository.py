"""data-processing served alone: no jobs yet."""

from dagster import Definitions

defs = Definitions()
