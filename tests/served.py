"""A Dagster webserver that serves the code location, and a client for its GraphQL."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance
from polling import until

from util_services.servers import HOST, answers, running

LOCATION = "template_code_location"


def without_daemon(home: Path, port: int, location: str) -> Path:
    """Make an instance that starts runs itself, and a workspace of one code server, which it gives."""
    coordinator = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
    settings = {"telemetry": {"enabled": False}, "run_coordinator": coordinator}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    with DagsterInstance.from_config(str(home)) as instance:
        instance.get_runs_count()  # its databases are there now: two processes that make them at a time can fail
    server = {"host": HOST, "port": port, "location_name": location}
    workspace = home / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    return workspace


@contextmanager
def serving(workspace: Path, home: Path, port: int, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a webserver until the block ends; gives its address."""
    url = f"http://{HOST}:{port}"
    command = [sys.executable, "-m", "dagster_webserver", "-h", HOST, "-p", str(port), "-w", str(workspace)]
    environment = {"DAGSTER_HOME": str(home), **environment}
    with running(command, home / "ui.log", lambda: answers(f"{url}/server_info"), environment, disposable=True):
        yield url


@dataclass(frozen=True)
class Webserver:
    """A Dagster webserver that serves the code location."""

    url: str
    location: str = LOCATION

    def query(self, query: str, **variables: Any) -> Any:
        """Run a GraphQL operation and give its data."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            response = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:  # a PythonError among the data comes with the status 500
            response = error
        with response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def selector(self, job: str) -> dict[str, str]:
        """Name a job."""
        return {
            "pipelineName": job,
            "repositoryName": "__repository__",
            "repositoryLocationName": self.location,
        }

    def default_config(self, job: str) -> str:
        """Ask for the default configuration of a job, as YAML."""
        data = self.query(
            "query($s: PipelineSelector!) { runConfigSchemaOrError(selector: $s) "
            "{ __typename ... on RunConfigSchema { rootDefaultYaml } } }",
            s=self.selector(job),
        )["runConfigSchemaOrError"]
        return str(data["rootDefaultYaml"])

    def is_valid(self, job: str, config: Any) -> str:
        """Validate a configuration; tells the GraphQL type of the outcome."""
        data = self.query(
            "query($s: PipelineSelector!, $c: RunConfigData!) "
            '{ isPipelineConfigValid(pipeline: $s, runConfigData: $c, mode: "default") { __typename } }',
            s=self.selector(job),
            c=config,
        )
        return str(data["isPipelineConfigValid"]["__typename"])

    def run(self, job: str, config: Any, seconds: float = 60) -> tuple[str, str]:
        """Launch a run and wait for its end; tells run id and status."""
        launched = self.query(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) "
            "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            p={"selector": self.selector(job), "runConfigData": config, "mode": "default"},
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]

        def ended() -> str | None:
            run = self.query("query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)
            status = str(run["runOrError"]["status"])
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return run_id, until(ended, seconds, lambda: f"the run {run_id} goes on")
