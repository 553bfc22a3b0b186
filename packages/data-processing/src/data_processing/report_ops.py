"""Ops that put a report beside the data."""

from data_processing import report
from util_services.report_ops import report_ops

REPORTS = report_ops(report.html, "write_data_report")
"""For :func:`util_services.jobs.table_jobs` and :func:`util_services.jobs.report_jobs`."""
