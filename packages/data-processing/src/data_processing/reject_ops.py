"""Ops that put the rows that were left out beside the output.

Where to is told by the configuration of the service op: ``rejects_path`` for a local file, ``rejects_key`` (and
``rejects_bucket``, if it is another than the output's) for S3.
"""

from pathlib import Path
from typing import Any

import polars as pl
from dagster import In, Nothing, OpExecutionContext, op

from data_processing.ops import STAGED_REJECTS
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.files import whole_file
from util_services.formats import format_of, sink
from util_services.jobs import ReportOps
from util_services.objects import upload
from util_services.ops import check_object, other_steps, output_file, s3_client, scratch

REJECTS_PATH, REJECTS_KEY, REJECTS_BUCKET = "rejects_path", "rejects_key", "rejects_bucket"

_INS = {"metrics": In(dict[str, Any]), "written": In(Nothing)}


@op(
    description="Writes the rows that were left out where rejects_path says; nothing if it says nothing.",
    ins=_INS,
)
def write_rejects(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
    """Write the rows left out to a local file."""
    with reported():
        path = _configured(context, REJECTS_PATH)
        if path is None:
            return
        format_of(path)
        target = output_file(context, path, REJECTS_PATH)
        with whole_file(target) as partial:
            sink(_rows(metrics), partial, target.name)
        context.add_output_metadata({REJECTS_PATH: path, "rows": metrics["rows_rejected"]})


@op(
    description="Writes the rows that were left out to S3 where rejects_key says; nothing if it says nothing.",
    ins=_INS,
    required_resource_keys={"s3"},
)
def write_rejects_to_s3(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
    """Write the rows left out to an S3 object."""
    with reported():
        key = _configured(context, REJECTS_KEY)
        if key is None:
            return
        format_of(key)
        bucket = _configured(context, REJECTS_BUCKET) or _output_bucket(context)
        check_object(context, bucket, key)
        path = scratch(context, key)
        try:
            sink(_rows(metrics), path, path.name)
            upload(s3_client(context), path, bucket, key, context.log.info)
        finally:
            path.unlink(missing_ok=True)
        context.add_output_metadata({"object": f"s3://{bucket}/{key}", "rows": metrics["rows_rejected"]})


REJECTS = ReportOps(write_rejects, write_rejects_to_s3)


def _configured(context: OpExecutionContext, key: str) -> str | None:
    found = next((step[key] for step in other_steps(context).values() if step.get(key)), None)
    if found is None:
        context.log.debug(f"No {key} is configured.")
    return found


def _output_bucket(context: OpExecutionContext) -> str:
    steps = other_steps(context)
    buckets = [
        step["bucket_name"] for name, step in steps.items() if name.startswith("write") and "bucket_name" in step
    ]
    if not buckets:
        raise DataServiceError(f"The rows left out have no bucket: give {REJECTS_BUCKET} beside {REJECTS_KEY}.")
    return str(buckets[0])


def _rows(metrics: dict[str, Any]) -> pl.LazyFrame:
    staged = Path(metrics[STAGED_REJECTS])
    if not staged.exists():
        raise DataServiceError("The staged rows that were left out are gone: re-execute all steps.")
    return pl.scan_parquet(staged, glob=False)
