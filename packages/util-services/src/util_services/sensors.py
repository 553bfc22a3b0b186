"""Sensors: who is told when a run ends, and which runs a change in S3 asks for."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    DagsterEventType,
    DagsterRunStatus,
    DefaultSensorStatus,
    JobDefinition,
    ResourceParam,
    RunRequest,
    RunStatusSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_status_sensor,
    sensor,
)

from util_services import notifications
from util_services.datasets import Cursor, S3Object, changes
from util_services.failures import reported
from util_services.objects import explained

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def _notifier(name: str, status: DagsterRunStatus, description: str) -> SensorDefinition:
    @run_status_sensor(
        name=name, run_status=status, description=description, default_status=DefaultSensorStatus.RUNNING
    )
    def notify(context: RunStatusSensorContext) -> SkipReason | None:
        if not notifications.configured():
            return SkipReason(f"{notifications.NOTIFY_URLS} is not set: nobody to notify.")
        with reported():
            notifications.send(_report(context))
        return None

    return notify


notify_success = _notifier("notify_success", DagsterRunStatus.SUCCESS, "Tells NOTIFY_URLS when a run succeeds.")
notify_failure = _notifier("notify_failure", DagsterRunStatus.FAILURE, "Tells NOTIFY_URLS when a run fails.")
notify_canceled = _notifier("notify_canceled", DagsterRunStatus.CANCELED, "Tells NOTIFY_URLS when a run is cancelled.")


def _report(context: RunStatusSensorContext) -> notifications.RunReport:
    run = context.dagster_run
    record = context.instance.get_run_record_by_id(run.run_id)
    failures = [
        entry.get_dagster_event()
        for entry in context.instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
    ]
    return notifications.RunReport(
        job=run.job_name,
        run_id=run.run_id,
        status=run.status.value,
        start=record.start_time if record else None,
        end=record.end_time if record else None,
        failed_steps=tuple(event.step_key for event in failures if event.step_key),
        error=_reason(failures[0].step_failure_data if failures else None) or _run_reason(context),
    )


def _reason(failure: Any) -> str | None:
    if failure is None:
        return None
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message) if error else None


def _run_reason(context: RunStatusSensorContext) -> str | None:
    failed = context.dagster_run.status == DagsterRunStatus.FAILURE
    return context.dagster_event.message if failed else None


def s3_dataset_sensor(
    *,
    name: str,
    job: JobDefinition,
    bucket: str,
    prefix: str = "",
    run_config: Callable[[S3Object], Mapping[str, Any]],
    settle_seconds: float = 10.0,
    max_runs_per_tick: int = 100,
    minimum_interval_seconds: int = 60,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
) -> SensorDefinition:
    """Build a sensor that requests one run per new or changed object under a prefix.

    Deleted objects are forgotten, and an object that comes back unchanged counts as new. The cursor keeps a
    fingerprint of ETag, LastModified and Size for the 10,000 newest objects (about 110 kB) and a watermark for older
    ones; the run key ``bucket:key:etag`` keeps Dagster from handling one state of an object twice.

    Args:
        name: Name of the sensor.
        job: The job to run; also register it in the ``Definitions``.
        bucket: Bucket name.
        prefix: Only objects whose key starts with this.
        run_config: Gives the run configuration for an object.
        settle_seconds: How long an object must have been left alone, by the storage's clock, before a run is
            requested, so that one that is still being replaced causes one run, not several.
        max_runs_per_tick: Request at most so many runs at once; the rest follow at the next ticks.
        minimum_interval_seconds: Time between ticks.
        default_status: Whether the sensor starts by itself.

    Returns:
        A sensor that needs the resource ``s3``.
    """

    @sensor(
        name=name,
        job=job,
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
        description=f"Requests a run of {job.name} for each new or changed object under s3://{bucket}/{prefix}.",
    )
    def watch(context: SensorEvaluationContext, s3: ResourceParam[Any]) -> SensorResult:
        with reported():
            listing, now = _listing(s3.meta.client, bucket, prefix)
            changed, cursor = changes(
                Cursor.parse(context.cursor),
                listing,
                now=now,
                settle=timedelta(seconds=settle_seconds),
                limit=max_runs_per_tick,
            )
        requests = [
            RunRequest(run_key=entry.run_key, run_config=dict(run_config(entry)), tags={"s3/object": entry.key})
            for entry in changed
        ]
        if not requests:
            return SensorResult(skip_reason=f"Nothing new under s3://{bucket}/{prefix}.", cursor=cursor.dump())
        return SensorResult(run_requests=requests, cursor=cursor.dump())

    return watch


def _listing(client: "S3Client", bucket: str, prefix: str) -> tuple[list[S3Object], datetime]:
    """List a prefix, all pages, and tell the storage's time at the first."""
    found: list[S3Object] = []
    now: datetime | None = None
    with explained(client, bucket, prefix):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            date = page["ResponseMetadata"]["HTTPHeaders"].get("date")
            now = now or (parsedate_to_datetime(date) if date else datetime.now(UTC))
            found.extend(_objects(bucket, page.get("Contents", [])))
    return found, now or datetime.now(UTC)


def _objects(bucket: str, contents: list[Any]) -> Iterator[S3Object]:
    for entry in contents:
        if not entry["Key"].endswith("/"):  # a folder marker
            yield S3Object(bucket, entry["Key"], entry["ETag"].strip('"'), entry["LastModified"], entry["Size"])
