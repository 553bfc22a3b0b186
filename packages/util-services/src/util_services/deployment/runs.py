"""A test run of a job on a slice of its data: launched, followed, and told of in a sentence."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from dagster_shared.yaml_utils import load_run_config_yaml

from util_services.deployment.location import Location
from util_services.deployment.webserver import Webserver, first_line
from util_services.errors import DataServiceError, nearest

LIMIT = "limit_rows"
_POLL_SECONDS = 1.0
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

_SCHEMA = """
query($s: PipelineSelector!) { runConfigSchemaOrError(selector: $s) {
  __typename
  ... on RunConfigSchema {
    rootDefaultYaml
    rootConfigType { key }
    allConfigTypes { key ... on CompositeConfigType { fields { name configTypeKey } } }
  }
  ... on PythonError { message }
} }
"""
_VALIDATE = """
query($s: PipelineSelector!, $c: RunConfigData!) {
  isPipelineConfigValid(pipeline: $s, runConfigData: $c, mode: "default") {
    __typename
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
_LAUNCH = """
mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on PythonError { message cause { message } }
  ... on UnauthorizedError { message }
} }
"""
_STATUS = "query($r: ID!) { runOrError(runId: $r) { __typename ... on Run { status } } }"
_CANCEL = "mutation($r: String!) { terminateRun(runId: $r) { __typename } }"
_EVENTS = """
query($r: ID!, $after: String) { logsForRun(runId: $r, afterCursor: $after) {
  ... on EventConnection {
    cursor
    hasMore
    events {
      __typename
      ... on ExecutionStepFailureEvent {
        stepKey
        error { message cause { message cause { message } } }
        failureMetadata { description }
      }
      ... on RunFailureEvent { message error { message cause { message } } }
    }
  }
} }
"""


@dataclass(frozen=True)
class LaunchedRun:
    """A run that was launched.

    Attributes:
        job: Its job.
        run_id: Its id.
        url: Its page in the UI.
    """

    job: str
    run_id: str
    url: str


def run_config(webserver: Webserver, location: Location, job: str, given: str | None, limit_rows: int | None) -> Any:
    """Make the configuration of a test run.

    Args:
        webserver: The webserver.
        location: The loaded location.
        job: One of its jobs.
        given: A run configuration as YAML; the job's default one if ``None``.
        limit_rows: Set at every step that can read a slice; ``None`` leaves the configuration as it is.

    Raises:
        DataServiceError: If the job is unknown, the YAML is none, or no step of the job can read a slice.
    """
    if job not in location.jobs:
        raise DataServiceError(
            f"The code location {location.name!r} has no job {job!r}: {nearest(job, sorted(location.jobs))}"
        )
    schema = webserver.query(_SCHEMA, s=_selector(location, job))["runConfigSchemaOrError"]
    if schema["__typename"] != "RunConfigSchema":
        raise DataServiceError(f"The job {job!r} tells no configuration: {schema.get('message', schema['__typename'])}")
    try:
        config = load_run_config_yaml(schema["rootDefaultYaml"] if given is None else given) or {}
    except yaml.YAMLError:
        raise DataServiceError("The run configuration is not valid YAML: correct it.") from None
    if limit_rows is None:
        return config
    types = {
        item["key"]: {field["name"]: field["configTypeKey"] for field in item.get("fields") or []}
        for item in schema["allConfigTypes"]
    }
    slices = list(_slices(config, schema["rootConfigType"]["key"], types))
    if not slices:
        raise DataServiceError(f"No step of the job {job!r} can read a slice: leave --limit-rows out.")
    for step in slices:
        step[LIMIT] = limit_rows
    return config


def _slices(config: Any, key: str, types: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """Find the parts of a configuration whose type has the limit."""
    fields = types.get(key, {})
    if not isinstance(config, dict):
        return
    if LIMIT in fields:
        yield config
    for name in config.keys() & fields.keys():
        yield from _slices(config[name], fields[name], types)


def launch(webserver: Webserver, location: Location, job: str, config: Any) -> LaunchedRun:
    """Validate a configuration and launch a run with it; its tag ``simpl-deploy`` is ``test-run``.

    Raises:
        DataServiceError: If the configuration is not valid, or the run is not launched.
    """
    selector = _selector(location, job)
    validated = webserver.query(_VALIDATE, s=selector, c=config)["isPipelineConfigValid"]
    _refuse_errors(job, validated)
    parameters = {
        "selector": selector,
        "runConfigData": config,
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "simpl-deploy", "value": "test-run"}]},
    }
    launched = webserver.query(_LAUNCH, repeat=False, p=parameters)["launchRun"]
    _refuse_errors(job, launched)
    if launched["__typename"] != "LaunchRunSuccess":
        reason = first_line(launched) if launched.get("message") else launched["__typename"]
        raise DataServiceError(f"The test run of {job!r} was not launched: {reason}")
    run_id = launched["run"]["runId"]
    return LaunchedRun(job, run_id, f"{webserver.shown}/runs/{run_id}")


def _refuse_errors(job: str, answer: Mapping[str, Any]) -> None:
    if errors := answer.get("errors"):
        raise DataServiceError(f"The configuration of the test run of {job!r} is not valid: {first_line(errors[0])}")


def follow(
    webserver: Webserver, run: LaunchedRun, seconds: float, say: Callable[[str], None], interrupted: threading.Event
) -> None:
    """Wait for the end of a run; on a time-out or an interrupt, cancel it.

    Args:
        webserver: The webserver.
        run: The run.
        seconds: How long to wait.
        say: Is told the run's page and each new status.
        interrupted: Is set by whoever wants this to end. (An exception raised by a signal may be lost in a finaliser.)

    Raises:
        KeyboardInterrupt: If it was interrupted.
        DataServiceError: If it did not succeed in time, with the sentence of the step that failed.
    """
    deadline, known = time.monotonic() + seconds, ""
    say(f"Test run of {run.job}: {run.url}")
    while time.monotonic() < deadline:
        status = webserver.query(_STATUS, r=run.run_id)["runOrError"].get("status", "UNKNOWN")
        if status != known:
            say(status)
            known = status
        if status in _ENDED:
            break
        if interrupted.wait(_POLL_SECONDS):
            webserver.query(_CANCEL, r=run.run_id)
            raise KeyboardInterrupt
    if known == "SUCCESS":
        return
    if known not in _ENDED:
        webserver.query(_CANCEL, r=run.run_id)
        raise DataServiceError(f"The test run {run.url} is {known} after {seconds:g} s and was cancelled: see its log.")
    raise DataServiceError(f"The test run {run.url} ended with {known}: {_reason(webserver, run.run_id)}")


def _reason(webserver: Webserver, run_id: str) -> str:
    cursor, reason = None, "see its log."
    while True:
        page = webserver.query(_EVENTS, r=run_id, after=cursor)["logsForRun"]
        for event in page["events"]:
            if event["__typename"] == "ExecutionStepFailureEvent":
                return f"in the step {event['stepKey']!r}: {_sentence(event)}"
            if event["__typename"] == "RunFailureEvent":
                reason = first_line(event["error"]) if event["error"] else event["message"]
        if not page["hasMore"]:
            return reason
        cursor = page["cursor"]


def _sentence(event: Mapping[str, Any]) -> str:
    described = (event["failureMetadata"] or {}).get("description")
    return str(described) if described else first_line(event["error"] or {})


def _selector(location: Location, job: str) -> dict[str, str]:
    return {
        "pipelineName": job,
        "repositoryName": location.repository,
        "repositoryLocationName": location.name,
    }
