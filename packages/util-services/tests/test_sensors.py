import http.server
import json
import threading
from collections.abc import Iterator
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from dagster import (
    DagsterEvent,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    Failure,
    SensorDefinition,
    SensorResult,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
    job,
    op,
)

from util_services.datasets import S3Object
from util_services.jobs import bindings
from util_services.resources import connect
from util_services.sensors import notify_canceled, notify_failure, notify_success, s3_dataset_sensor
from util_services.servers import free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SENSORS = {"SUCCESS": notify_success, "FAILURE": notify_failure, "CANCELED": notify_canceled}


@op
def maybe_fail() -> None:
    if FAILING:
        raise Failure("The column 'a.b' is missing: add it. The rest is detail.")


FAILING: list[bool] = []


@job(**bindings())
def watched_job() -> None:
    maybe_fail()


class Receiver(http.server.BaseHTTPRequestHandler):
    received: list[dict[str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def webhook() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("Handler", (Receiver,), {"received": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    server.server_close()


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def smtp() -> Iterator[tuple[str, Mailbox]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    address = f"mailto://127.0.0.1:{controller.port}/?from=dagster@example.org&to=steward@example.org&mode=insecure"
    yield address, mailbox
    controller.stop()


def tick(status: str, instance: DagsterInstance) -> Any:
    """Run the job for real, then evaluate the sensor as the daemon does."""
    FAILING[:] = [True] if status == "FAILURE" else []
    result = watched_job.execute_in_process(instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(result.run_id)
    assert run
    if status == "CANCELED":
        instance.report_run_canceling(run)
        instance.report_run_canceled(run)
        run = instance.get_run_by_id(result.run_id)
        assert run
    assert run.status == DagsterRunStatus[status]
    sensor: SensorDefinition = SENSORS[status]
    event = DagsterEvent(f"PIPELINE_{status}", run.job_name, message=f"Run ended: {status}")
    context = build_run_status_sensor_context(sensor.name, event, instance, run)
    return run.run_id, sensor(context)


@pytest.mark.parametrize("status", SENSORS)
def test_mail_and_webhook_receive_every_outcome(
    status: str,
    webhook: tuple[str, type[Receiver]],
    smtp: tuple[str, Mailbox],
    instance: DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_URLS", f"{webhook[0]}, {smtp[0]}")
    monkeypatch.setenv("DAGSTER_WEBSERVER_URL", "https://dagster.example.org/")
    run_id, _ = tick(status, instance)
    (posted,) = webhook[1].received
    (mail,) = smtp[1].mails
    assert posted["title"] == f"watched_job: {status}"
    assert f"watched_job: {status}" in mail["Subject"]
    text = mail.get_payload(decode=True).decode() if not mail.is_multipart() else str(mail)
    for body in (posted["message"], text):
        assert "Job: watched_job" in body
        assert f"Run: {run_id}" in body
        assert f"Status: {status}" in body
        assert "Start: 2" in body
        assert "Duration: " in body
        assert f"Link: https://dagster.example.org/runs/{run_id}" in body
        assert ("Error: The column 'a.b' is missing: add it." in body.splitlines()) is (status == "FAILURE")
        assert ("Failed steps: maybe_fail" in body) is (status == "FAILURE")
        assert "The rest is detail" not in body


def test_they_run_by_default_and_skip_with_a_reason_when_nothing_is_configured(instance: DagsterInstance) -> None:
    for status, sensor in SENSORS.items():
        assert sensor.default_status == DefaultSensorStatus.RUNNING
        assert sensor.name == f"notify_{status.lower()}"
        _, outcome = tick(status, instance)
        assert isinstance(outcome, SkipReason)
        assert "NOTIFY_URLS is not set" in str(outcome.skip_message)


def test_a_dead_receiver_fails_the_tick_without_showing_its_url(
    webhook: tuple[str, type[Receiver]], instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook[1].status = 500
    monkeypatch.setenv("NOTIFY_URLS", f"{webhook[0]}SECRET")
    with pytest.raises(Exception, match="1 of 1 receivers in NOTIFY_URLS did not take the message") as error:
        tick("SUCCESS", instance)
    assert "SECRET" not in str(error.value)


def test_a_malformed_entry_names_the_variable_only(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_URLS", "nonsense-SECRET")
    with pytest.raises(Exception, match="NOTIFY_URLS holds an entry that Apprise does not understand") as error:
        tick("SUCCESS", instance)
    assert "SECRET" not in str(error.value)


def config_for(found: S3Object) -> dict[str, Any]:
    return {"ops": {"read": {"config": {"bucket_name": found.bucket, "file_key": found.key}}}}


def evaluate(sensor: SensorDefinition, cursor: str | None) -> tuple[list[Any], str | None, Any]:
    context = build_sensor_context(cursor=cursor, resources={"s3": connect("selfS3")})
    result = sensor(context)
    assert isinstance(result, SensorResult)
    return list(result.run_requests or []), result.cursor, result.skip_reason


def test_one_run_is_requested_for_each_new_or_changed_object(bucket: str, s3: "S3Client") -> None:
    sensor = s3_dataset_sensor(
        name="watch", job=watched_job, bucket=bucket, prefix="in/", run_config=config_for, settle_seconds=0
    )
    requests, cursor, reason = evaluate(sensor, None)
    assert (requests, str(reason.skip_message)) == ([], f"Nothing new under s3://{bucket}/in/.")
    s3.put_object(Bucket=bucket, Key="in/", Body=b"")
    etag = s3.put_object(Bucket=bucket, Key="in/a.csv", Body=b"1")["ETag"].strip('"')
    s3.put_object(Bucket=bucket, Key="elsewhere.csv", Body=b"1")
    requests, cursor, _ = evaluate(sensor, cursor)
    (request,) = requests
    assert request.run_key == f"{bucket}:in/a.csv:{etag}"
    assert request.run_config == {"ops": {"read": {"config": {"bucket_name": bucket, "file_key": "in/a.csv"}}}}
    assert evaluate(sensor, cursor)[0] == []
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="elsewhere.csv")
    requests, cursor, _ = evaluate(sensor, cursor)
    assert len(requests) == 1
    s3.delete_object(Bucket=bucket, Key="in/a.csv")
    assert evaluate(sensor, cursor)[0] == []


def test_an_object_written_just_now_waits_by_the_storages_clock(bucket: str, s3: "S3Client") -> None:
    sensor = s3_dataset_sensor(name="watch", job=watched_job, bucket=bucket, run_config=config_for, settle_seconds=3600)
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"1")
    assert evaluate(sensor, None)[0] == []


def test_more_than_a_thousand_objects_are_listed(bucket: str, s3: "S3Client") -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=bucket, Key=f"{n:05}", Body=b"1"), range(1_050)))
    sensor = s3_dataset_sensor(
        name="watch",
        job=watched_job,
        bucket=bucket,
        run_config=config_for,
        settle_seconds=0,
        max_runs_per_tick=2_000,
    )
    requests, cursor, _ = evaluate(sensor, None)
    assert len({request.run_key for request in requests}) == 1_050
    assert cursor
    assert len(cursor) < 1_050 * 11 + 100


def test_a_missing_bucket_fails_the_tick_with_one_sentence(s3: "S3Client") -> None:
    del s3
    sensor = s3_dataset_sensor(name="watch", job=watched_job, bucket="no-such-bucket", run_config=config_for)
    with pytest.raises(Failure) as failure:
        evaluate(sensor, None)
    assert "The bucket 'no-such-bucket' does not exist" in str(failure.value.description)
