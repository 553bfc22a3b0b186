"""A client for the GraphQL of a Dagster webserver that serves the code location."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

LOCATION = "template_code_location"


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
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = self.query("query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)
            if (status := run["runOrError"]["status"]) in {"SUCCESS", "FAILURE", "CANCELED"}:
                return run_id, status
            time.sleep(0.3)
        raise TimeoutError(run_id)
