"""A real deployment from deploy/dagster.yaml and deploy/workspace.yaml, and simpl-deploy on it.

PostgreSQL, daemon and webserver run as the operator's page says; code servers take turns as releases would.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import postgres
import psycopg2
import pytest
import yaml
from click.testing import CliRunner
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._daemon.cli import create_dagster_daemon_cli
from polling import until
from served import Webserver, serving

from util_services.deployment import command, webserver
from util_services.local_stack import fill_bucket
from util_services.servers import HOST, KeyServer, ObjectStore, free_port, running

PROJECT = Path(__file__).parents[1]
DEPLOY = PROJECT / "deploy"
LOGS = "deployment-compute-logs"
LOCATION = "template-code-location"
GOOD, BROKEN = "1f0c2d7", "9b8a7f6"
CANARY = "canary-4f8e"
SECONDS = 120

pytestmark = pytest.mark.skipif(postgres.missing() is not None, reason=str(postgres.missing()))


@dataclass
class Deployment:
    """A deployment without Kubernetes; the code server is what a cluster would replace when the manifest changes."""

    home: Path
    url: str
    port: int
    environment: dict[str, str]
    database: postgres.Postgres
    store: ObjectStore
    server: ExitStack = field(default_factory=ExitStack)

    def log(self, service: str) -> str:
        return (self.home / f"{service}.log").read_text()

    def roll_out(self, tag: str) -> None:
        """Replace the code server by that of another image."""
        self.server.close()
        code = ["-m", "template_code_location.repository"]
        if tag == BROKEN:
            file = self.home / "broken.py"
            file.write_text("import dagster\n\nimport a_package_that_was_forgotten\n")
            code = ["-f", str(file), "--lazy-load-user-code"]  # serves the error instead of ending with it
        image = {"DAGSTER_CURRENT_IMAGE": f"gitea.example.org:5000/simpl/template-code-location:{tag}"}
        arguments = ["-h", HOST, "-p", str(self.port), "--location-name", LOCATION]
        log = self.home / f"code-server-{time.monotonic_ns()}.log"
        self.server.enter_context(
            running(
                [sys.executable, "-m", "dagster", "api", "grpc", *code, *arguments],
                log,
                lambda: "Started Dagster code server" in log.read_text(),
                self.environment | image,
                disposable=True,
            )
        )


@pytest.fixture(scope="module")
def deployment(
    _store: ObjectStore, _vault: KeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("deployment")
    (home / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    _store.client().create_bucket(Bucket=LOGS)
    fill_bucket(_store, PROJECT / "examples")
    ui_port, port = free_port(), free_port()
    with ExitStack() as stack:
        database = stack.enter_context(postgres.postgres(home))
        environment = {
            **database.environment,
            **_store.environment,
            **_vault.environment,
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
        deployment = Deployment(home, f"http://{HOST}:{ui_port}", port, environment, database, _store)
        stack.callback(deployment.server.close)
        deployment.roll_out(GOOD)
        workspace, daemon = DEPLOY / "workspace.yaml", home / "daemon.log"
        stack.enter_context(
            running(
                [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
                daemon,
                lambda: "Instance is configured with the following daemons" in daemon.read_text(),
                environment,
                disposable=True,
            )
        )
        stack.enter_context(serving(workspace, home, ui_port, environment))
        yield deployment


@pytest.fixture
def deployed(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    with DagsterInstance.from_config(str(deployment.home)) as instance:
        yield instance


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    copy = tmp_path / "values.yaml"
    copy.write_bytes((DEPLOY / "values.yaml").read_bytes())
    return copy


@pytest.fixture
def jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert command.main(["jobs", "-m", "template_code_location.repository"]) == 0
    file = tmp_path / "jobs.txt"
    file.write_text(capsys.readouterr().out)
    return file


def at(deployment: Deployment) -> list[str]:
    return ["--url", deployment.url, "--location", LOCATION]


def test_a_good_release_verifies_and_its_test_run_succeeds_on_a_slice(
    deployment: Deployment, jobs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["reload", *at(deployment)]) == 0
    assert command.main(["verify", *at(deployment), "--tag", GOOD, "--jobs-from", str(jobs)]) == 0
    said = capsys.readouterr().out
    assert f"{LOCATION} runs gitea.example.org:5000/simpl/template-code-location:{GOOD}; 34 expected jobs" in said

    assert command.main(["test-run", *at(deployment), "--job", "k_anonymity_job_s3", "--limit-rows", "8"]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    run_id = first.rpartition("/")[2]
    assert first == f"Test run of k_anonymity_job_s3: {deployment.url}/runs/{run_id}"
    assert last == "SUCCESS"
    run = Webserver(deployment.url).query(
        "query($r: ID!) { runOrError(runId: $r) { ... on Run { runConfigYaml tags { key value } } } }", r=run_id
    )["runOrError"]
    assert yaml.safe_load(run["runConfigYaml"])["ops"]["read_csv_from_s3"]["config"]["limit_rows"] == 8
    assert {"key": "simpl-deploy", "value": "test-run"} in run["tags"]
    assert_kept(deployment, run_id)


def assert_kept(deployment: Deployment, run_id: str) -> None:
    """The daemon took the run from the queue; its outcome is in the database and what it printed in the bucket."""
    connection = psycopg2.connect(
        host=HOST,
        port=deployment.database.port,
        user=postgres.USER,
        password=deployment.database.password,
        dbname=postgres.DATABASE,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("select status from runs where run_id = %s", (run_id,))
        assert cursor.fetchall() == [("SUCCESS",)]
    connection.close()
    kept = deployment.store.client().list_objects_v2(Bucket=LOGS, Prefix=f"runs/storage/{run_id}/")
    assert kept["KeyCount"] > 0, "what the run printed is in the bucket"


def test_a_wrong_tag_is_refused(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["verify", *at(deployment), "--tag", BROKEN, "--timeout", "3"]) == 1
    assert f":{GOOD}', not the tag '{BROKEN}'" in capsys.readouterr().err


def test_missing_jobs_are_named(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--jobs", "k_anonymity_job, forgotten_job,lost_job"]
    assert command.main(["verify", *at(deployment), "--tag", GOOD, *wanted]) == 1
    assert "lacks 2 of 3 expected jobs: forgotten_job, lost_job." in capsys.readouterr().err


def test_a_release_that_does_not_load_is_told_with_its_error_and_rolled_back(
    deployment: Deployment, manifest: Path, jobs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["set-image", str(manifest), "--tag", GOOD]) == 0
    before = manifest.read_bytes()
    assert command.main(["set-image", str(manifest), "--tag", BROKEN]) == 0
    deployment.roll_out(BROKEN)
    assert command.main(["verify", *at(deployment), "--tag", BROKEN, "--jobs-from", str(jobs), "--settle", "3"]) == 1
    error = capsys.readouterr().err
    assert f"The code location '{LOCATION}' does not load: " in error
    assert "No module named 'a_package_that_was_forgotten'" in error
    assert "broken.py" in error, "the stack tells where"

    deployment.roll_out(GOOD)
    assert command.main(["rollback", str(manifest), "--to", GOOD, *at(deployment)]) == 0
    assert manifest.read_bytes() == before
    assert f"{LOCATION} runs " in capsys.readouterr().out


def test_a_code_server_that_is_gone_is_waited_for(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.server.close()

    def told() -> str | None:  # the webserver may be about to take in what that server said when it was new
        return capsys.readouterr().err if command.main(["reload", *at(deployment), "--timeout", "1"]) == 1 else None

    error = until(told, SECONDS, lambda: "a server that is gone is told to be loaded")
    assert f"The code server of the location '{LOCATION}' cannot be reached: " in error
    waiting = subprocess.Popen(
        [sys.executable, "-m", "util_services.deployment.command", "verify", *at(deployment), "--tag", GOOD],
        stdout=subprocess.PIPE,
        text=True,
    )
    deployment.roll_out(GOOD)
    said, _ = waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    assert f":{GOOD};" in said


def test_a_failing_test_run_ends_with_the_sentence_of_its_step(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    default = yaml.safe_load(Webserver(deployment.url, LOCATION).default_config("k_anonymity_job_s3"))
    default["ops"]["read_csv_from_s3"]["config"]["file_key"] = "examples/none.csv"
    config.write_text(yaml.safe_dump(default))
    assert command.main(["test-run", *at(deployment), "--job", "k_anonymity_job_s3", "--config", str(config)]) == 1
    error = capsys.readouterr().err
    assert "ended with FAILURE: in the step 'read_csv_from_s3': " in error
    assert "'examples/none.csv'" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--job", "k_anonymity_jobs"], "has no job 'k_anonymity_jobs': did you mean 'k_anonymity_job'?"),
        (
            ["--job", "data_processing_job", "--limit-rows", "5"],
            "No step of the job 'data_processing_job' can read a slice",
        ),
    ],
)
def test_a_test_run_that_cannot_be_is_refused_in_a_sentence(
    deployment: Deployment, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["test-run", *at(deployment), *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_an_invalid_configuration_is_not_launched(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("ops: {apply_k_anonymity: {config: {kk: 4}}}\n")
    assert command.main(["test-run", *at(deployment), "--job", "k_anonymity_job", "--config", str(config)]) == 1
    assert "is not valid: " in capsys.readouterr().err


def test_an_unknown_location_is_told_with_the_nearest(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["reload", "--url", deployment.url, "--location", "template_code_location"]) == 1
    assert f"did you mean '{LOCATION}'?" in capsys.readouterr().err


def test_an_interrupted_test_run_is_cancelled(deployment: Deployment, deployed: DagsterInstance) -> None:
    arguments = ["test-run", *at(deployment), "--job", "data_processing_job"]
    testing = subprocess.Popen(
        [sys.executable, "-u", "-m", "util_services.deployment.command", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert testing.stdout
    run_id = testing.stdout.readline().strip().rpartition("/")[2]
    testing.send_signal(signal.SIGTERM)  # while the run is queued, or its process starts
    _, error = testing.communicate(timeout=SECONDS)
    assert testing.returncode == 130
    assert error.strip() == "Interrupted."
    assert ended(deployed, run_id).status is DagsterRunStatus.CANCELED


def test_an_unreachable_webserver_is_one_sentence_after_retries(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webserver, "_BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv(webserver.AUTHORIZATION, f"Bearer {CANARY}")
    url = f"http://somebody:{CANARY}@{HOST}:{free_port()}"
    assert command.main(["reload", "--url", url, "--location", LOCATION]) == 3
    error = capsys.readouterr().err
    assert "cannot be reached, though asked 7 times: check the address" in error
    assert error.count("\n") == 1
    assert CANARY not in error
    assert "somebody" not in error


def test_the_environment_names_webserver_and_location(deployment: Deployment) -> None:
    environment = os.environ | {command.URL: deployment.url, command.LOCATION: LOCATION}
    told = subprocess.run(
        [sys.executable, "-m", "util_services.deployment.command", "reload"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"{LOCATION} is loaded: 34 jobs, image gitea.example.org:5000/")


def ended(instance: DagsterInstance, run_id: str) -> DagsterRun:
    """Wait for the end of a run."""

    def finished() -> DagsterRun | None:
        run = instance.get_run_by_id(run_id)
        return run if run and run.is_finished else None

    return until(finished, SECONDS, lambda: f"the run {run_id} goes on")


def test_the_daemon_says_that_it_lives(deployment: Deployment, deployed: DagsterInstance) -> None:
    del deployed
    check = CliRunner().invoke(create_dagster_daemon_cli(), ["liveness-check"])
    assert check.exit_code == 0, check.output + deployment.log("daemon")


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
