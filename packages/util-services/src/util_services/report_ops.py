"""Ops that put the report beside the output, as HTML for people and JSON for programs.

Where to is told by the configuration of the service op, so that one place in the Launchpad says all: ``report_path``
for a local file, ``report_key`` (and ``report_bucket``, if it is another than the output's) for S3.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dagster import In, Nothing, OpExecutionContext, op

from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.files import whole_file
from util_services.jobs import ReportOps
from util_services.objects import upload
from util_services.ops import check_object, other_steps, output_file, s3_client, scratch

REPORT_PATH, REPORT_KEY, REPORT_BUCKET = "report_path", "report_key", "report_bucket"

_INS = {"metrics": In(dict[str, Any]), "written": In(Nothing)}
_CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}


def report_ops(html: Callable[[Mapping[str, Any]], str], name: str) -> ReportOps:
    """Build the ops that write a report, for :func:`util_services.jobs.table_jobs` and ``report_jobs``.

    Args:
        html: Renders the metrics of the service op, which are fit for JSON, as a page.
        name: Name of the local op; the other one's ends in ``_to_s3``. A code location has each name once.
    """

    @op(
        name=name,
        description="Writes the report as HTML and JSON where report_path says; nothing if it says nothing.",
        ins=_INS,
    )
    def write_report(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
        """Write the report to local files."""
        with reported():
            stem = _stem(context, REPORT_PATH)
            if stem is None:
                return
            page, data = (output_file(context, f"{stem}{ending}", REPORT_PATH) for ending in _CONTENT_TYPES)
            # Both are complete before either appears.
            with whole_file(page) as partial_page, whole_file(data) as partial_data:
                for path, (_, text) in zip((partial_page, partial_data), _texts(metrics, html), strict=True):
                    path.write_text(text, encoding="utf-8")
            context.add_output_metadata({f"report_{ending[1:]}": f"{stem}{ending}" for ending in _CONTENT_TYPES})

    @op(
        name=f"{name}_to_s3",
        description="Writes the report to S3 as HTML and JSON where report_key says; nothing if it says nothing.",
        ins=_INS,
        required_resource_keys={"s3"},
    )
    def write_report_to_s3(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
        """Write the report to S3 objects."""
        with reported():
            stem = _stem(context, REPORT_KEY)
            if stem is None:
                return
            bucket = _bucket(context)
            for ending in _CONTENT_TYPES:
                check_object(context, bucket, f"{stem}{ending}")
            for ending, text in _texts(metrics, html):
                key, path = f"{stem}{ending}", scratch(context, f"report{ending}")
                try:
                    path.write_text(text, encoding="utf-8")
                    content_type = _CONTENT_TYPES[ending]
                    upload(s3_client(context), path, bucket, key, context.log.info, content_type=content_type)
                finally:
                    path.unlink(missing_ok=True)
            context.add_output_metadata(
                {f"report_{ending[1:]}": f"s3://{bucket}/{stem}{ending}" for ending in _CONTENT_TYPES}
            )

    return ReportOps(write_report, write_report_to_s3)


def _texts(metrics: Mapping[str, Any], html: Callable[[Mapping[str, Any]], str]) -> Iterator[tuple[str, str]]:
    yield ".html", html(metrics)
    yield ".json", json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _stem(context: OpExecutionContext, key: str) -> str | None:
    """Give the place of the report without ending, if the run asks for one."""
    place = next((step[key] for step in other_steps(context).values() if step.get(key)), None)
    if place is None:
        context.log.debug(f"No report file is written, since no {key} is configured.")
        return None
    ending = next((each for each in _CONTENT_TYPES if place.lower().endswith(each)), "")
    stem: str = place[: len(place) - len(ending)]
    if not stem or stem.endswith("/"):
        raise DataServiceError(f"The {key} {place!r} names no file: give one such as 'output/report.html'.")
    return stem


def _bucket(context: OpExecutionContext) -> str:
    """Give the bucket that is named for the report, else that of the output, else that of the input."""
    steps = other_steps(context)
    named = [step[REPORT_BUCKET] for step in steps.values() if step.get(REPORT_BUCKET)]
    writing_first = sorted(steps, key=lambda name: not name.startswith("write"))
    others = [steps[name]["bucket_name"] for name in writing_first if steps[name].get("bucket_name")]
    if not named + others:
        raise DataServiceError("The report has no bucket: give report_bucket beside report_key.")
    return str((named + others)[0])
