"""A served code location: the gRPC server, the webserver and samples in its bucket."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from images import image, image_registry, image_tools, source  # noqa: F401 - fixtures
from served import LOCATION, Webserver, serving, without_daemon
from spark_runs import here, on_spark, settings, spark_cluster, through_connect  # noqa: F401 - fixtures

from util_services.local_stack import fill_bucket
from util_services.sample_keys import SAMPLE_KEY, SAMPLE_KEY_NAME
from util_services.servers import HOST, KeyServer, ObjectStore, free_port, running

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def webserver(_store: ObjectStore, _vault: KeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webserver]:
    """`dagster api grpc` as the image runs it, and a webserver in front of it."""
    home = tmp_path_factory.mktemp("served")
    port = free_port()
    workspace = without_daemon(home, port, LOCATION)
    (home / "data" / "examples").mkdir(parents=True)
    for file in (PROJECT / "examples").iterdir():
        (home / "data" / "examples" / file.name).write_bytes(file.read_bytes())
    environment = {
        **_store.environment,
        **_vault.environment,
        "DAGSTER_HOME": str(home),
        "DATA_ROOT": str(home / "data"),
        "STAGING_DIR": str(home / "staging"),
        "SIMPL_LOG_DIR": str(home / "logs"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    dagster = [sys.executable, "-m", "dagster"]
    module = ["-m", "template_code_location.repository"]
    grpc = [*dagster, "api", "grpc", *module, "-h", HOST, "-p", str(port), "--location-name", LOCATION]
    with ExitStack() as stack:
        stack.enter_context(
            running(grpc, home / "grpc.log", lambda: "Started Dagster code server" in log(home), environment)
        )
        yield Webserver(stack.enter_context(serving(workspace, home, free_port(), environment)))


def log(home: Path) -> str:
    """Read the gRPC server's log."""
    return (home / "grpc.log").read_text()


@pytest.fixture
def samples(store: ObjectStore, vault: KeyServer) -> None:
    """Fill the sample bucket from examples/ and store the sample key, as simpl-local does."""
    vault.store_key(SAMPLE_KEY_NAME, SAMPLE_KEY)
    fill_bucket(store, PROJECT / "examples")
