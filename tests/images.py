"""Images without a container engine: buildah builds them, a registry on loopback takes them, namespaces run them.

What the distribution must supply is installed by ``.ci/base-image``, which also makes the base image.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from util_services.servers import HOST, answers, free_port, running

PROJECT = Path(__file__).parents[1]
BUILDAH = str(PROJECT / ".ci" / "buildah")
# Settings of this machine without which it cannot reach a package index; the Dockerfile takes them as build arguments.
INDEX_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "PIP_CERT", "SSL_CERT_FILE")
CERTIFICATES = Path("/etc/ssl/certs")
PATIENCE = 240.0  # seconds, on a machine that has much else to do
_PROGRAMS = ("git", "buildah", "skopeo", "docker-registry", "unshare", "nsenter", "setpriv", "ip")
_HOST_PROGRAMS = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

# Runs as process 1 of new namespaces: ROOT becomes read-only at POINT, the volumes are the only places to write.
_START = """
set -e
root=$1 point=$2 user=$3 folder=$4
shift 4
ip link set lo up
mount --bind "$root" "$point"
mount -o remount,bind,ro "$point"
mount -t proc proc "$point/proc"
mount --rbind /dev "$point/dev"
mount -t tmpfs -o mode=1777 tmpfs "$point/tmp"
while [ "$1" != -- ]; do
  mount --bind "$1" "$point$2"
  shift 2
done
shift
exec setpriv --no-new-privs chroot --userspec="$user" --groups="" "$point" env --chdir="$folder" PATH="$IMAGE_PATH" "$@"
"""


def base_image() -> str:
    """Name the image that ``.ci/base-image`` makes."""
    return f"localhost/code-location-base:{platform.freedesktop_os_release().get('VERSION_CODENAME', 'unknown')}"


def what_is_missing() -> str | None:
    """Tell why no image can be built here, or nothing if one can."""
    if os.getuid() != 0:
        return "only root can build and run an image here"
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_HOST_PROGRAMS) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; in CI, .ci/base-image installs them"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "this container may not mount: it lacks the capability SYS_ADMIN"
    known = subprocess.run([BUILDAH, "inspect", "--type", "image", base_image()], capture_output=True, check=False)
    return None if known.returncode == 0 else f"there is no {base_image()}: run .ci/base-image"


def buildah(*arguments: str, folder: Path = PROJECT) -> str:
    """Run buildah and give what it prints; its errors are the test's."""
    return _output([BUILDAH, *arguments], folder)


def skopeo(*arguments: str) -> str:
    """Run skopeo and give what it prints."""
    return _output(["skopeo", *arguments], PROJECT)


def _output(command: Sequence[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "REGISTRY_AUTH_FILE"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:3])}: {done.stderr[-3000:]}"
    return done.stdout


def clean_clone(folder: Path) -> Path:
    """Clone what is committed: nothing else can get into an image built there, but the lock file, as in a release."""
    _output(["git", "clone", "--quiet", str(PROJECT), str(folder)], PROJECT)
    shutil.copy(PROJECT / "uv.lock", folder)
    return folder


def build(source: Path, reference: str, **arguments: str) -> None:
    """Build the Dockerfile in a folder on the base image; layers that are known already are not built again.

    Args:
        source: Folder with the Dockerfile.
        reference: Name and tag of the image.
        arguments: Build arguments.
    """
    settings = {name: os.environ[name] for name in INDEX_SETTINGS if name in os.environ}
    options = [f"--build-arg={name}={value}" for name, value in {**settings, **arguments}.items()]
    options.append(f"--build-arg=BASE_IMAGE={base_image()}")
    if CERTIFICATES.is_dir():
        options.append(f"--volume={CERTIFICATES}:{CERTIFICATES}:ro")
    with FileLock(
        Path(tempfile.gettempdir()) / "code-location-build.lock"
    ):  # a second build finds the first one's layers
        buildah("bud", "--quiet", "--format=docker", *options, f"--tag={reference}", ".", folder=source)


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry on loopback; gives its address."""
    address = f"{HOST}:{free_port()}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": address},
    }
    (folder / "registry.yml").write_text(yaml.safe_dump(settings))
    command = ["env", "-u", "REGISTRY_AUTH_FILE", "docker-registry", "serve", str(folder / "registry.yml")]
    with running(command, folder / "registry.log", lambda: answers(f"http://{address}/v2/"), disposable=True):
        yield address


def push(reference: str, destination: str) -> None:
    """Push an image to a registry on loopback, compressed quickly rather than well."""
    options = ["--quiet", "--tls-verify=false", "--compression-format=gzip", "--compression-level=1"]
    buildah("push", *options, reference, f"docker://{destination}")


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        reference: Its name and tag.
        commit: The commit that it was built from.
    """

    reference: str
    commit: str

    @property
    def settings(self) -> dict[str, Any]:
        """The image's configuration: Env, Cmd, User, Labels, Healthcheck, …."""
        configuration: dict[str, Any] = json.loads(buildah("inspect", "--type=image", self.reference))["Docker"][
            "config"
        ]
        return configuration

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the image."""
        return dict(variable.split("=", 1) for variable in self.settings["Env"])


@dataclass(frozen=True)
class Container:
    """A started image: its own processes, mounts and network, as the image's user, on a read-only root.

    Attributes:
        image: What was started.
        process: The process outside that ends with process 1 inside, with the same exit code.
        log: What process 1 prints.
        environment: Its environment variables.
    """

    image: Image
    process: "subprocess.Popen[bytes]"
    log: Path
    environment: Mapping[str, str] = field(repr=False)

    @property
    def first(self) -> int:
        """The process id outside of process 1 inside."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program inside, as the container's user, and wait for its end."""
        user, group = self.image.settings["User"].split(":")
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--net", "--root", "--wd"]
        drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        # Only the image's variables, and its own programs.
        clean = ["env", "--ignore-environment", *(f"{name}={value}" for name, value in self.environment.items())]
        return subprocess.run([*enter, *drop, *clean, *command], capture_output=True, text=True, check=False)

    def stop(self) -> int:
        """Ask process 1 to end, as an orchestrator does, and give its exit code."""
        os.kill(self.first, signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def started(
    image: Image,
    folder: Path,
    ready: Callable[[Container], bool],
    *,
    command: Sequence[str] = (),
    volumes: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """Start an image and wait until it is ready; everything it started ends with the block.

    Args:
        image: The image.
        folder: Empty folder for its mount point and log.
        ready: Asked until it says yes.
        command: Instead of the image's own.
        volumes: Folders of this machine by the path at which the container sees and may write them.
        environment: Variables to add to the image's own.
    """
    settings = image.settings
    variables = {**image.environment, **(environment or {})}
    point = folder / "root"
    point.mkdir()
    container = buildah("from", "--pull-never", image.reference).strip()
    try:
        root = buildah("mount", container).strip()
        mounts = [part for inside, outside in (volumes or {}).items() for part in (str(outside), inside)]
        isolate = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        start = ["sh", "-c", _START, "start", root, str(point), settings["User"], settings["WorkingDir"], *mounts, "--"]
        own = {**variables, "PATH": _HOST_PROGRAMS, "IMAGE_PATH": variables["PATH"]}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*isolate, *start, *(command or settings["Cmd"])],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=own,
            )
        try:
            running_image = Container(image, process, folder / "log", variables)
            _wait(running_image, ready)
            yield running_image
        finally:
            process.kill()  # --kill-child: process 1 inside goes with it, and with that all others
            process.wait()
    finally:
        buildah("rm", container)


def _wait(container: Container, ready: Callable[[Container], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready(container):
        assert container.process.poll() is None, container.log.read_text()
        assert time.monotonic() < deadline, container.log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="session")
def image_tools() -> None:
    """Skip what needs images where they cannot be built."""
    if reason := what_is_missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def source(image_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone of the commit under test."""
    del image_tools
    return clean_clone(tmp_path_factory.mktemp("clone") / "template-code-location")


@pytest.fixture(scope="session")
def image(source: Path) -> Image:
    """The image of the commit under test."""
    commit = _output(["git", "rev-parse", "HEAD"], source).strip()
    image = Image(f"localhost/code-location:{commit}", commit)
    build(
        source,
        image.reference,
        GIT_SHA=commit,
        VERSION="1.2.3",
        IMAGE=image.reference,
        SOURCE="https://gitea.example.org/simpl/template-code-location",
    )
    return image


@pytest.fixture(scope="session")
def image_registry(image_tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry on loopback."""
    del image_tools
    with registry(tmp_path_factory.mktemp("registry")) as address:
        yield address
