"""Fixtures for all tests: a real S3 server, a real key store, private folders, no settings of the machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterInstance

from util_services.resources import connect
from util_services.servers import KeyServer, ObjectStore, key_server, object_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SETTINGS = (
    "DATA_ROOT",
    "ENGINE",
    "SPARK_MASTER",
    "SPARK_REMOTE",
    "STAGING_URI",
    "NOTIFY_URLS",
    "DAGSTER_WEBSERVER_URL",
    "S3_ALLOWED_BUCKETS",
    "S3_ENDPOINT_URL",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_REGION",
    "STAGING_MEMORY_MB",
    "STAGING_RETENTION_HOURS",
    "KEY_FILE",
    "VAULT_ADDR",
    "VAULT_AUTH_MOUNT",
    "VAULT_CACERT",
    "VAULT_KUBERNETES_ROLE",
    "VAULT_KUBERNETES_TOKEN_FILE",
    "VAULT_MOUNT",
    "VAULT_NAMESPACE",
    "VAULT_PREFIX",
    "VAULT_ROLE_ID",
    "VAULT_SECRET_ID",
    "VAULT_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)


_SLOWEST = (
    "test_deployment.py",
    "test_graphql.py",
    "test_canary.py",
    "test_text_canary.py",
    "test_local_stack.py",
    "test_kill.py",
    "test_definitions.py",
    "test_canary_pseudonymisation.py",
)


_MARKS = {"image": "image", "site": "image", "spark_cluster": "spark"}  # of what uses such a fixture


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs more than Python; begin with the files that take longest, so that the workers end together."""
    for item in items:
        for name in _MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(_MARKS[name])
    first = {name: place for place, name in enumerate(_SLOWEST)}
    items.sort(key=lambda item: first.get(item.path.name, len(first)))


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STAGING_DIR", str(tmp_path / "staging"))
    monkeypatch.setenv("SIMPL_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("S3_MAX_ATTEMPTS", "3")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """A Dagster instance on disk, removed with the test."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as on_disk:
        yield on_disk


@pytest.fixture(scope="session")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("seaweedfs")) as store:
        yield store


@pytest.fixture
def store(_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A real S3 server, to which the environment's settings point."""
    for name, value in _store.environment.items():
        monkeypatch.setenv(name, value)
    return _store


@pytest.fixture(scope="session")
def _vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    with key_server(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def vault(_vault: KeyServer, monkeypatch: pytest.MonkeyPatch) -> KeyServer:
    """A real OpenBao, to which the environment's settings point."""
    for name, value in _vault.environment.items():
        monkeypatch.setenv(name, value)
    return _vault


@pytest.fixture
def s3(store: ObjectStore) -> "S3Client":
    """A client of the S3 server."""
    del store  # its settings are in the environment
    return connect("selfS3").meta.client


@pytest.fixture
def bucket(s3: "S3Client", request: pytest.FixtureRequest) -> str:
    """An empty bucket of this test's own."""
    import hashlib

    name = "test-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:20]
    s3.create_bucket(Bucket=name)
    return name
