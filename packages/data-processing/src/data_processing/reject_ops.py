"""Ops that put the rows that were left out beside the output, once that is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from dagster import In, Nothing, OpExecutionContext, op

from data_processing.ops import STAGED_REJECTS
from data_processing.reject_places import REJECTS_KEY, REJECTS_PATH, WRITERS, local_place, object_place
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.files import whole_file
from util_services.formats import sink
from util_services.jobs import ReportOps
from util_services.objects import upload
from util_services.ops import other_steps, s3_client, scratch

_INS = {"metrics": In(dict[str, Any]), "written": In(Nothing)}


@op(
    name=WRITERS[REJECTS_PATH],
    description="Writes the rows that were left out where rejects_path says; nothing if it says nothing.",
    ins=_INS,
)
def write_rejects(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
    """Write the rows left out to a local file."""
    with reported():
        config = _service_config(context, REJECTS_PATH)
        if config is None:
            return
        target = local_place(context, config)
        with whole_file(target) as partial:
            sink(_rows(metrics), partial, target.name)
        context.add_output_metadata({REJECTS_PATH: config[REJECTS_PATH], "rows": metrics["rows_rejected"]})


@op(
    name=WRITERS[REJECTS_KEY],
    description="Writes the rows that were left out to S3 where rejects_key says; nothing if it says nothing.",
    ins=_INS,
    required_resource_keys={"s3"},
)
def write_rejects_to_s3(context: OpExecutionContext, metrics: dict[str, Any]) -> None:
    """Write the rows left out to an S3 object."""
    with reported():
        config = _service_config(context, REJECTS_KEY)
        if config is None:
            return
        place = object_place(context, config)
        path = scratch(context, place.key)
        try:
            sink(_rows(metrics), path, path.name)
            upload(s3_client(context), path, place.bucket, place.key, context.log.info)
        finally:
            path.unlink(missing_ok=True)
        context.add_output_metadata({"object": f"s3://{place.bucket}/{place.key}", "rows": metrics["rows_rejected"]})


REJECTS = ReportOps(write_rejects, write_rejects_to_s3)


def _service_config(context: OpExecutionContext, key: str) -> Mapping[str, Any] | None:
    found = next((step for step in other_steps(context).values() if step.get(key)), None)
    if found is None:
        context.log.debug(f"Rows left out are not written, since no {key} is configured.")
    return found


def _rows(metrics: dict[str, Any]) -> pl.LazyFrame:
    staged = Path(metrics[STAGED_REJECTS])
    if not staged.exists():
        raise DataServiceError("The staged rows that were left out are gone: re-execute all steps.")
    return pl.scan_parquet(staged, glob=False)
