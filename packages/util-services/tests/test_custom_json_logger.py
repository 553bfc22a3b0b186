import json
import logging
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DagsterInvalidConfigError, OpExecutionContext, graph, job, op

from util_services.custom_json_logger import SimplJsonHandler
from util_services.jobs import bindings, service_job

HTTP = {
    "status": None,
    "requestSize": None,
    "executionTime": None,
    "responseSize": None,
    "action": None,
    "method": None,
}


@op
def speak(context: OpExecutionContext) -> None:
    context.log.info("plain %d%%", 5)
    context.log.warning("careful")
    context.log.debug("detail")
    context.log.info(
        "done",
        extra={
            "event_type": "BUSINESS_EVENT",
            "business_operation": "OF_RECORD",
            "op_name": "given",
            "custom_fields": {"rows": 3},
        },
    )


@op
def fail() -> None:
    raise ValueError("why")


def lines(folder: Path, run_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"simpl_run_{run_id}.json").read_text().splitlines()]


def run_of(tags: dict[str, str], config: dict[str, Any], tmp_path: Path, *ops: Any) -> list[dict[str, Any]]:
    @job(tags=tags, **bindings())
    def talking() -> None:
        for each in ops or (speak,):
            each()

    settings = {"log_dir": str(tmp_path / "jsonl")} | config
    result = talking.execute_in_process(run_config={"loggers": {"simpl": {"config": settings}}}, raise_on_error=False)
    return lines(tmp_path / "jsonl", result.run_id)


def test_golden_records(tmp_path: Path) -> None:
    records = run_of({"business_operation": "ANONYMISATION"}, {}, tmp_path)
    by_text = {str(record["message"]): record for record in records}
    plain = by_text["plain 5%"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", plain.pop("timestamp"))
    assert plain == {
        "level": "INFO",
        "message": "plain 5%",
        "http": HTTP,
        "thread": "MainThread",
        "customFields": {"event_type": "TECHNICAL_EVENT", "op_name": "speak"},
    }
    assert by_text["careful"]["level"] == "WARN"
    assert "detail" not in by_text
    (business,) = [record for record in records if record["level"] == "BUSINESS"]
    run_id = business["message"].pop("correlationId")
    assert (tmp_path / "jsonl" / f"simpl_run_{run_id}.json").exists()
    business.pop("timestamp")
    assert business == {
        "level": "BUSINESS",
        "message": {
            "origin": "dagster",
            "destination": "dagster",
            "businessOperation": "ANONYMISATION",
            "messageType": "RESPONSE",
            "msg": "done",
            "user": None,
            "userIp": None,
            "customFields": {"event_type": "BUSINESS_EVENT", "op_name": "given", "rows": 3},
        },
        "http": HTTP,
        "thread": "MainThread",
    }
    assert set(business) | {"timestamp"} == {"timestamp", "level", "message", "http", "thread"}


def test_dagster_events_are_technical_records_with_their_type(tmp_path: Path) -> None:
    records = run_of({}, {"log_level": "DEBUG"}, tmp_path, fail)
    (started,) = [record for record in records if record["customFields"]["event_type"] == "STEP_START"]
    assert started["customFields"] == {"event_type": "STEP_START", "op_name": "fail"}
    assert started["level"] == "DEBUG"
    (run_start,) = [record for record in records if record["customFields"]["event_type"] == "PIPELINE_START"]
    assert "op_name" not in run_start["customFields"]
    (failed,) = [record for record in records if record["customFields"]["event_type"] == "STEP_FAILURE"]
    assert failed["level"] == "ERROR"
    assert failed["message"].startswith('Execution of step "fail" failed.')


def business_operations(records: list[dict[str, Any]]) -> list[str | None]:
    return [record["message"]["businessOperation"] for record in records if record["level"] == "BUSINESS"]


def announce(operation: str | None) -> Any:
    @op(name=f"announce_{operation}")
    def announcing(context: OpExecutionContext) -> None:
        extra = {"event_type": "BUSINESS_EVENT"} | ({"business_operation": operation} if operation else {})
        context.log.info("x", extra=extra)

    return announcing


@pytest.mark.parametrize(
    ("tag", "default", "records", "expected"),
    [
        ("TAG", "DEFAULT", ["RECORD"], ["TAG"]),
        (None, "DEFAULT", ["RECORD"], ["RECORD"]),
        (None, None, ["ONE", "TWO"], ["ONE", "ONE"]),
        (None, "DEFAULT", [None], ["DEFAULT"]),
        (None, None, [None], [None]),
    ],
    ids=["tag", "record before default", "record, sticky", "default", "none"],
)
def test_priority_and_stickiness(
    tmp_path: Path, tag: str | None, default: str | None, records: list[str | None], expected: list[str | None]
) -> None:
    tags = {"business_operation": tag} if tag else {}
    config = {"business_operation": default} if default else {}
    steps = [announce(operation) for operation in records]
    assert business_operations(run_of(tags, config | {"log_level": "DEBUG"}, tmp_path, *steps)) == expected


def record(message: str, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update({"dagster_meta": {"run_id": "r", "job_tags": {}}} | extra)
    return made


def test_the_record_comes_before_the_default(tmp_path: Path) -> None:
    handler = SimplJsonHandler(tmp_path, "DEFAULT")
    handler.handle(record("a", event_type="BUSINESS_EVENT", business_operation="RECORD"))
    handler.handle(record("b", event_type="BUSINESS_EVENT"))
    assert business_operations(lines(tmp_path, "r")) == ["RECORD", "RECORD"]


def test_each_line_is_on_disk_at_once_and_threads_do_not_mix(tmp_path: Path) -> None:
    handler = SimplJsonHandler(tmp_path)
    handler.handle(record("first"))
    assert lines(tmp_path, "r")[0]["message"] == "first"
    inode = (tmp_path / "simpl_run_r.json").stat().st_ino

    def many(name: str) -> None:
        for number in range(200):
            handler.handle(record(f"{name} {number} é\n{'x' * 2000}"))

    threads = [threading.Thread(target=many, args=(str(name),)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(tmp_path, "r")) == 1601
    assert (tmp_path / "simpl_run_r.json").stat().st_ino == inode


def test_a_folder_that_cannot_be_written_is_one_warning_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    @job(**bindings())
    def talking() -> None:
        speak()

    config = {"loggers": {"simpl": {"config": {"log_dir": str(tmp_path / "file" / "logs")}}}}
    assert talking.execute_in_process(run_config=config).success
    warnings = [entry for entry in caplog.records if entry.name == "util_services.custom_json_logger"]
    assert len(warnings) == 1
    assert "cannot be written" in warnings[0].getMessage()


def test_an_unknown_level_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DagsterInvalidConfigError):
        run_of({}, {"log_level": "LOUD"}, tmp_path)


@graph
def quiet() -> None:
    speak()


def test_the_environment_sets_the_default_folder_and_the_run_config_cannot_leave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: DagsterInstance
) -> None:
    monkeypatch.setenv("SIMPL_LOG_DIR", str(tmp_path / "env"))
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "root"))
    bound = service_job(quiet, tags={}, default_ops={})
    for settings in ({}, {"log_dir": str(tmp_path / "outside")}):
        config = {"loggers": {"simpl": {"config": settings}}}
        result = bound.execute_in_process(run_config=config, instance=instance)
        assert lines(tmp_path / "env", result.run_id)
    assert not (tmp_path / "outside").exists()
