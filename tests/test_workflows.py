"""The workflows, run as written by a real runner, against Git, a container registry, Dagster and a stand-in cluster."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from cluster import LOCATION, Cluster
from forge import Forge, forge
from runner import PROJECT, WORKFLOWS, Outcome, run, run_blocks

from util_services.servers import HOST, answers, free_port, running

REPOSITORY = "simpl/template-code-location"
USER, PASSWORD = "release", "only for this test"
BASE = "localhost/code-location-base"
MANIFEST = "deploy/values.yaml"
NOWHERE = "0" * 40

SCRIPTS = [file for file in (PROJECT / ".gitea" / "scripts").iterdir() if file.is_file()]


@dataclass
class Site:
    """All that takes part in a release.

    Attributes:
        folder: Where everything lies.
        forge: Git and Gitea's API.
        registry: Host and port of the container registry.
        webserver: Address of Dagster's.
        executed: Every run block that was executed: workflow, job, step.
    """

    folder: Path
    forge: Forge
    registry: str
    webserver: str
    executed: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def bare(self) -> Path:
        return self.folder / "git" / f"{REPOSITORY}.git"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Developer", "-c", "user.email=developer@example.org", *arguments]
        return subprocess.run(command, cwd=self.work, check=True, capture_output=True, text=True).stdout.strip()

    def merge(self, message: str, files: Mapping[str, str]) -> str:
        """Bring a change onto the main branch; tells the commit."""
        self.git("pull", "--quiet", "--ff-only")
        for name, text in files.items():
            (self.work / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def manifest(self) -> tuple[str, str]:
        """Tag in the manifest on the main branch, and the message of the last commit there."""
        self.git("fetch", "--quiet")
        values = yaml.safe_load(self.git("show", f"origin/main:{MANIFEST}"))
        (deployment,) = values["dagster-user-deployments"]["deployments"]
        return deployment["image"]["tag"], self.git("log", "-1", "--format=%B", "origin/main")

    def ask_registry(self, path: str, *accepted: str) -> bytes | None:
        """Read from the registry; nothing if there is nothing."""
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Accept": ", ".join(accepted or ("*/*",))}
        request = urllib.request.Request(f"http://{self.registry}/v2/{REPOSITORY}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def has_image(self, tag: str) -> bool:
        return self.ask_registry(f"manifests/{tag}", "application/vnd.oci.image.manifest.v1+json") is not None

    def digest(self, tag: str) -> str:
        content = self.ask_registry(f"manifests/{tag}", "application/vnd.oci.image.manifest.v1+json")
        assert content is not None, tag
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def run(self, workflow: str, event: str, ref: str, **variables: str) -> Outcome:
        """Run a workflow for the commit that the developer has checked out."""
        outcome = run(
            workflow,
            event,
            self.work,
            context={
                "GITHUB_SERVER_URL": self.forge.url,
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_REF": ref,
                "GITHUB_REF_NAME": ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
                "GITHUB_REF_TYPE": "tag" if ref.startswith("refs/tags/") else "branch",
            },
            variables={
                "CONTAINER_TOOL": str(self.folder / "buildah"),
                "IMAGE_BUILD_FLAGS": build_flags(),
                "ADVISORIES_URL": f"{self.forge.url}/advisories/",
                "REGISTRY": self.registry,
                "REGISTRY_USER": USER,
                "DAGSTER_WEBSERVER_URL": self.webserver,
                "TEST_RUN_ROWS": "4",
                "ROLLOUT_SECONDS": "120",
                **variables,
            },
            secrets={
                "GITHUB_TOKEN": self.forge.reader,
                "REGISTRY_TOKEN": PASSWORD,
                "DEPLOY_TOKEN": self.forge.writer,
            },
            environment={
                "MYPY_CACHE_DIR": str(PROJECT / ".mypy_cache"),
                "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            },
            cache=self.folder / "runner",
        )
        self.executed |= {(workflow, *step) for step in outcome.steps}
        return outcome


def build_flags() -> str:
    codename = next(
        line.partition("=")[2] for line in Path("/etc/os-release").read_text().splitlines() if "CODENAME" in line
    )
    flags = ["--layers", "--build-arg", f"BASE_IMAGE={BASE}:{codename}"]
    flags += ["--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "PIP_CERT", "SSL_CERT_FILE"):
        if os.environ.get(name):
            flags += ["--build-arg", f"{name}={os.environ[name]}"]
    return " ".join(flags)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    port, ui = free_port(), free_port()
    registry = f"{HOST}:{port}"
    make_container_tool(folder, registry)
    (folder / "git").mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Site(folder, stack.enter_context(forge(folder / "git")), registry, f"http://{HOST}:{ui}")
        make_repository(made)
        stack.enter_context(run_registry(folder, port))
        cluster = Cluster(
            made.bare,
            f"{registry}/{REPOSITORY}",
            made.has_image,
            folder / "cluster",
            {"DAGSTER_HOME": str(folder / "dagster"), "STAGING_DIR": str(folder / "staging")},
        )
        cluster.folder.mkdir()
        cluster.start()
        stack.callback(cluster.stop)
        stack.enter_context(run_webserver(folder / "dagster", cluster.port, ui))
        yield made


def make_container_tool(folder: Path, registry: str) -> None:
    """Buildah, which takes what the workflows say to Docker, told that the registry has no certificate."""
    settings, tool = folder / "registries.conf", folder / "buildah"
    settings.write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    tool.write_text(f'#!/bin/sh\nexec {PROJECT}/.ci/buildah --registries-conf {settings} "$@"\n')
    tool.chmod(0o755)


def make_repository(site: Site) -> None:
    """A participant's fork: the project as it lies here, with its lock file committed."""
    site.work.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (site.work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, site.work / name)
    ignored = (site.work / ".gitignore").read_text()
    (site.work / ".gitignore").write_text(ignored.replace("uv.lock\n", "", 1))
    shutil.copy(PROJECT / "uv.lock", site.work)
    site.bare.parent.mkdir(parents=True)
    site.git("init", "--quiet", "--initial-branch=main")
    site.git("add", "--all")
    site.git("commit", "--quiet", "--message", "A fork")
    site.git("clone", "--quiet", "--bare", str(site.work), str(site.bare))
    site.git("remote", "add", "origin", str(site.bare))
    site.git("fetch", "--quiet")
    site.git("branch", "--quiet", "--set-upstream-to=origin/main")
    for key in ("http.receivepack", "uploadpack.allowAnySHA1InWant"):  # as Gitea sets them
        site.git("--git-dir", str(site.bare), "config", key, "true")


def run_registry(folder: Path, port: int) -> Any:
    password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{USER}:{password}\n")
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"{HOST}:{port}"},
        "auth": {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}},
    }
    (folder / "registry.yaml").write_text(yaml.safe_dump(settings))
    command = ["docker-registry", "serve", str(folder / "registry.yaml")]
    return running(command, folder / "registry.log", lambda: answers(f"http://{HOST}:{port}/v2/"), disposable=True)


def run_webserver(home: Path, port: int, ui: int) -> Any:
    home.mkdir()
    server = {"host": HOST, "port": port, "location_name": LOCATION}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    coordinator = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}  # no daemon here
    settings = {"telemetry": {"enabled": False}, "run_coordinator": coordinator}
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    workspace = ["-w", str(home / "workspace.yaml")]
    command = [sys.executable, "-m", "dagster_webserver", "-h", HOST, "-p", str(ui), *workspace]
    ready = lambda: answers(f"http://{HOST}:{ui}/server_info")  # noqa: E731
    return running(command, home / "ui.log", ready, {"DAGSTER_HOME": str(home)}, disposable=True)


@pytest.fixture(scope="module")
def merged(site: Site) -> tuple[str, Outcome]:
    """A merge to the main branch, released."""
    commit = site.merge("A change", {"README.md": "A change\n"})
    return commit, site.run("release.yaml", "push", "refs/heads/main")


def test_a_merge_is_released(site: Site, merged: tuple[str, Outcome]) -> None:
    commit, outcome = merged
    assert outcome.succeeded, outcome.log
    assert site.manifest()[0] == commit
