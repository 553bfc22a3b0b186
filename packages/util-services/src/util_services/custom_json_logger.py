"""The platform's log: one JSON object a line, one file a run."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster import DagsterEvent, Enum, EnumValue, Field, InitLoggerContext, logger

LOG_DIR = "SIMPL_LOG_DIR"
DEFAULT_LOG_DIR = "/dagster/shared"
BUSINESS_EVENT = "BUSINESS_EVENT"

_LEVELS = {"WARNING": "WARN"}
_HTTP = dict.fromkeys(("status", "requestSize", "executionTime", "responseSize", "action", "method"))
_RUN_ENDED = {"PIPELINE_SUCCESS", "PIPELINE_FAILURE", "PIPELINE_CANCELED"}

_warnings = logging.getLogger(__name__)


@logger(
    {
        "log_level": Field(
            Enum("SimplLogLevel", [EnumValue(level) for level in ("DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")]),
            default_value="INFO",
            description="Records below this level are left out.",
        ),
        "log_dir": Field(
            str, is_required=False, description=f"Folder of the log files; default: {LOG_DIR}, else {DEFAULT_LOG_DIR}."
        ),
        "business_operation": Field(
            str, is_required=False, description="businessOperation where neither the job nor the record gives one."
        ),
    },
    description="Writes simpl_run_<run_id>.json, one JSON object a line.",
)
def simpl_json_logger(context: InitLoggerContext) -> logging.Logger:
    """Log a run's technical and business events as the Simpl-Open platform expects them."""
    settings = context.logger_config
    level = settings["log_level"]
    # Not from getLogger: a registered logger would outlive the run and collect handlers.
    run_logger = logging.Logger("simpl", {"WARN": "WARNING"}.get(level, level))  # noqa: LOG001
    run_logger.addHandler(SimplJsonHandler(_log_dir(settings.get("log_dir")), settings.get("business_operation")))
    return run_logger


def _log_dir(requested: str | None) -> Path:
    """Choose the folder; a run config may come from an outsider, so DATA_ROOT confines what it may ask for."""
    default = Path(os.environ.get(LOG_DIR) or DEFAULT_LOG_DIR).resolve()
    if requested is None:
        return default
    folder = Path(requested).resolve()
    root = os.environ.get("DATA_ROOT")
    if root and not (folder.is_relative_to(default) or folder.is_relative_to(Path(root).resolve())):
        _warnings.warning("log_dir %r is outside DATA_ROOT and %s: logging to the default folder.", requested, LOG_DIR)
        return default
    return folder


class SimplJsonHandler(logging.Handler):
    """Appends records of one run to its file; safe for steps that log from several threads.

    A folder that cannot be written to costs one warning, never the run.
    """

    def __init__(self, folder: Path, default_business_operation: str | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._default_business_operation = default_business_operation
        self._business_operation: str | None = None
        self._descriptor: int | None = None
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line, in a single append so that processes of a run can share the file."""
        if self._broken:
            return
        try:
            entry = self.entry(record)
            line = json.dumps(entry, ensure_ascii=False, default=str) + "\n"
            if self._descriptor is None:
                self._descriptor = self._open(_metadata(record).get("run_id"))
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))
            if entry.get("customFields", {}).get("event_type") in _RUN_ENDED:
                self.close()
        except OSError as error:
            self._broken = True
            _warnings.warning(
                "The JSON log in %s cannot be written (%s): it is left out.", self._folder, error.strerror
            )

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().close()

    def _open(self, run_id: str | None) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        return os.open(self._folder / f"simpl_run_{run_id}.json", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def entry(self, record: logging.LogRecord) -> dict[str, Any]:
        """Build the JSON object of a record."""
        metadata = _metadata(record)
        given = record.__dict__
        event: DagsterEvent | None = metadata.get("dagster_event")
        op_name = given.get("op_name") or metadata.get("op_name") or metadata.get("step_key")
        text = _text(record, event)
        common = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "level": _LEVELS.get(record.levelname, record.levelname),
            "message": text,
            "http": dict(_HTTP),
            "thread": record.threadName,
        }
        event_type = given.get("event_type") or (event.event_type_value if event else "TECHNICAL_EVENT")
        custom_fields = {"event_type": event_type} | ({"op_name": op_name} if op_name else {})
        if event_type != BUSINESS_EVENT:
            return common | {"customFields": custom_fields}
        message = {
            "origin": "dagster",
            "destination": "dagster",
            "businessOperation": self._sticky_business_operation(metadata, given.get("business_operation")),
            "messageType": "RESPONSE",
            "correlationId": metadata.get("run_id"),
            "msg": text,
            "user": None,
            "userIp": None,
            "customFields": custom_fields | dict(given.get("custom_fields") or {}),
        }
        return common | {"level": "BUSINESS", "message": message}

    def _sticky_business_operation(self, metadata: dict[str, Any], of_record: str | None) -> str | None:
        if self._business_operation is None:
            of_job = (metadata.get("job_tags") or {}).get("business_operation")
            self._business_operation = of_job or of_record or self._default_business_operation
        return self._business_operation


def _metadata(record: logging.LogRecord) -> dict[str, Any]:
    metadata: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
    return metadata


def _text(record: logging.LogRecord, event: DagsterEvent | None) -> str:
    """Give the message as it was logged, without Dagster's prefix, and why a step failed."""
    text = str(_metadata(record).get("orig_message") or record.getMessage())
    data = event.event_specific_data if event else None
    failure = getattr(data, "user_failure_data", None)
    error = getattr(data, "error", None)
    reason = getattr(failure, "description", None) or (error.message.strip() if error else None)
    return f"{text} {reason}" if reason else text
