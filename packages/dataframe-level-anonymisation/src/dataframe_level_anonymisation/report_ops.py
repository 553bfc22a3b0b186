"""Ops that put the report beside the output."""

from dataframe_level_anonymisation import report
from util_services.report_ops import report_ops

REPORTS = report_ops(report.html, "write_report")
"""For :func:`util_services.jobs.table_jobs` and :func:`util_services.jobs.report_jobs`."""
