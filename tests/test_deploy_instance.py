"""deploy/dagster.yaml and deploy/workspace.yaml make a working deployment without Kubernetes."""

import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import postgres
import psycopg2
import pytest
import yaml
from click.testing import CliRunner
from dagster import DagsterInstance, DagsterRunStatus
from dagster._cli import create_dagster_cli
from dagster._core.storage.dagster_run import DagsterRun
from dagster._daemon.cli import create_dagster_daemon_cli
from polling import until

from util_services.servers import HOST, ObjectStore, free_port, running

PROJECT = Path(__file__).parents[1]
DEPLOY = PROJECT / "deploy"
LOGS = "dagster-compute-logs"
SECONDS = 120

pytestmark = pytest.mark.skipif(postgres.missing() is not None, reason=str(postgres.missing()))


@dataclass(frozen=True)
class Machine:
    """A machine with the services of the deployment, which have the documented environment."""

    home: Path
    environment: dict[str, str]
    database: postgres.Postgres
    store: ObjectStore

    def log(self, service: str) -> str:
        return (self.home / f"{service}.log").read_text()


@pytest.fixture(scope="module")
def machine(_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    home = tmp_path_factory.mktemp("machine")
    (home / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    _store.client().create_bucket(Bucket=LOGS)
    port = free_port()
    with ExitStack() as stack:
        database = stack.enter_context(postgres.postgres(home))
        environment = {
            **database.environment,
            **_store.environment,
            "S3_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _store.access_key,
            "AWS_SECRET_ACCESS_KEY": _store.secret_key,
            "DAGSTER_HOME": str(home),
            "DAGSTER_COMPUTE_LOGS_BUCKET": LOGS,
            "DAGSTER_MAX_CONCURRENT_RUNS": "4",
            "CODE_LOCATION_HOST": HOST,
            "CODE_LOCATION_PORT": str(port),
            "STAGING_DIR": str(home / "staging"),
            "SIMPL_LOG_DIR": str(home / "logs"),
        }
        machine = Machine(home, environment, database, _store)
        module = ["-m", "template_code_location.jobs.jobs", "-a", "data_processing_job"]  # quicker than all of them
        grpc = [sys.executable, "-m", "dagster", "api", "grpc", *module, "-h", HOST, "-p", str(port)]
        daemon = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(DEPLOY / "workspace.yaml")]

        def served() -> bool:
            return "Started Dagster code server" in machine.log("code-server")

        def scheduling() -> bool:
            return "Instance is configured with the following daemons" in machine.log("daemon")

        stack.enter_context(running(grpc, home / "code-server.log", served, environment, disposable=True))
        stack.enter_context(running(daemon, home / "daemon.log", scheduling, environment, disposable=True))
        yield machine


@pytest.fixture
def deployed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    with DagsterInstance.from_config(str(machine.home)) as instance:
        yield instance


def launch(job: str) -> str:
    """Queue a run with Dagster's command line and give its id."""
    run_id = str(uuid.uuid4())
    command = ["job", "launch", "-w", str(DEPLOY / "workspace.yaml"), "-j", job, "--run-id", run_id]
    launched = CliRunner().invoke(create_dagster_cli(), command, catch_exceptions=False)
    assert launched.exit_code == 0, launched.output
    return run_id


def test_a_queued_run_is_taken_up_by_the_daemon_and_kept_in_the_database(
    machine: Machine, deployed: DagsterInstance
) -> None:
    run_id = launch("data_processing_job")

    def ended() -> DagsterRun | None:
        run = deployed.get_run_by_id(run_id)
        return run if run and run.is_finished else None

    run = until(ended, SECONDS, lambda: machine.log("daemon") + machine.log("code-server"))
    assert run.status is DagsterRunStatus.SUCCESS
    connection = psycopg2.connect(
        host=HOST,
        port=machine.database.port,
        user=postgres.USER,
        password=machine.database.password,
        dbname=postgres.DATABASE,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("select status from runs where run_id = %s", (run_id,))
        assert cursor.fetchall() == [("SUCCESS",)]
    connection.close()
    kept = machine.store.client().list_objects_v2(Bucket=LOGS, Prefix=f"runs/storage/{run_id}/")
    assert kept["KeyCount"] > 0, "what the run printed is in the bucket"
    assert "Error loading repository location" not in machine.log("daemon")


def test_the_daemon_says_that_it_lives(machine: Machine, deployed: DagsterInstance) -> None:
    del deployed
    check = CliRunner().invoke(create_dagster_daemon_cli(), ["liveness-check"])
    assert check.exit_code == 0, check.output + machine.log("daemon")


def test_the_instance_has_the_limits_and_the_retention_of_the_file(deployed: DagsterInstance) -> None:
    assert deployed.get_concurrency_config().run_queue_config.max_concurrent_runs == 4
    assert deployed.run_monitoring_enabled
    assert deployed.run_retries_enabled
    assert deployed.run_retries_max_retries == 0
    assert not deployed.telemetry_enabled
    assert deployed.schedule_storage.__class__.__name__ == "PostgresScheduleStorage"


def variables(file: str) -> set[str]:
    return set(re.findall(r"\{env: (\w+)\}", (DEPLOY / file).read_text()))


def test_every_variable_of_the_two_files_is_in_the_operators_table() -> None:
    page = (PROJECT / "docs/operations.md").read_text()
    read = variables("dagster.yaml") | variables("workspace.yaml")
    assert {"DAGSTER_PG_PASSWORD", "CODE_LOCATION_HOST"} <= read
    for name in read:
        assert re.search(rf"^\|[^|]*`{name}`", page, flags=re.MULTILINE), name


def test_no_value_that_differs_between_machines_is_written_in_the_file() -> None:
    assert "://" not in (DEPLOY / "dagster.yaml").read_text()
    (server,) = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())["load_from"]
    assert server["grpc_server"]["location_name"] == "template-code-location"
