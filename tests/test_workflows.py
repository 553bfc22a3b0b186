"""The workflows, run as written by a real runner, against Git, a container registry, Dagster and a stand-in cluster."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import tomllib
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from cluster import LOCATION, Cluster
from forge import Forge, forge
from images import BUILDAH, CERTIFICATES, INDEX_SETTINGS, base_image, buildah, what_is_missing
from runner import PROJECT, WORKFLOWS, Outcome, run, run_blocks
from served import serving, without_daemon

from util_services.deployment.manifest import set_tag
from util_services.servers import HOST, answers, free_port, running

REPOSITORY = "simpl/template-code-location"
USER, PASSWORD = "release", "only for this test"
MANIFEST = "deploy/values.yaml"
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = ("application/vnd.oci.image.index.v1+json",)
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
        return self.ask_registry(f"manifests/{tag}", *MANIFESTS) is not None

    def digest(self, tag: str) -> str:
        content = self.ask_registry(f"manifests/{tag}", *MANIFESTS)
        assert content is not None, tag
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def tags(self) -> list[str]:
        """All tags of the image."""
        listed: list[str] = json.loads(self.ask_registry("tags/list") or b"{}")["tags"]
        return listed

    def configuration(self, tag: str) -> Any:
        """What the image says of itself."""
        manifest = json.loads(self.ask_registry(f"manifests/{tag}", *MANIFESTS) or b"{}")
        return json.loads(self.ask_registry(f"blobs/{manifest['config']['digest']}") or b"{}")["config"]

    def attached(self, digest: str) -> dict[str, bytes]:
        """What is attached to an image, by type, as the OCI distribution specification has clients look for it."""
        index = json.loads(self.ask_registry(f"manifests/{digest.replace(':', '-')}", *INDEXES) or b"{}")
        files = {}
        for descriptor in index["manifests"]:
            manifest = json.loads(self.ask_registry(f"manifests/{descriptor['digest']}", *MANIFESTS) or b"{}")
            assert manifest["subject"]["digest"] == digest
            assert manifest["artifactType"] == descriptor["artifactType"]
            files[manifest["artifactType"]] = self.ask_registry(f"blobs/{manifest['layers'][0]['digest']}") or b""
        return files

    def script(self, name: str, context: Mapping[str, str], commit: str) -> "subprocess.CompletedProcess[str]":
        """Run a script of the workflows in the developer's clone."""
        environment = {
            **os.environ,
            "GITHUB_SERVER_URL": self.forge.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SHA": self.git("rev-parse", commit),
            "MAIN_BRANCH": "main",
            **context,
        }
        command = [str(self.work / ".gitea" / "scripts" / name)]
        return subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, check=False)

    def run(self, workflow: str, event: str, ref: str, job: str = "", **variables: str) -> Outcome:
        """Run a workflow, or one job of it, for the commit that the developer has checked out."""
        outcome = run(
            workflow,
            event,
            self.work,
            job=job,
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
                "TEST_RUN_JOB": "k_anonymity_job",  # the cluster has no S3
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
                # One environment for all releases; where pull requests are checked, .ci/run makes its own.
                **({"UV_PROJECT_ENVIRONMENT": str(self.folder / "venv")} if workflow == "release.yaml" else {}),
                "MYPY_CACHE_DIR": str(PROJECT / ".mypy_cache"),
                "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            },
            cache=self.folder / "runner",
        )
        self.executed |= {(workflow, *step) for step in outcome.steps}
        return outcome


def build_flags() -> str:
    """What makes a build the same as that of the image's tests, so that it finds their layers."""
    settings = {name: os.environ[name] for name in INDEX_SETTINGS if name in os.environ}
    arguments = {**settings, "BASE_IMAGE": base_image()}
    flags = ["--format=docker", *(f"--build-arg={name}={value}" for name, value in arguments.items())]
    return " ".join([*flags, f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if reason := what_is_missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("site")
    port, ui = free_port(), free_port()
    registry = f"{HOST}:{port}"
    make_container_tool(folder, registry)
    (folder / "git").mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        made = Site(folder, stack.enter_context(forge(folder / "git")), registry, f"http://{HOST}:{ui}")
        first = make_repository(made)
        stack.enter_context(run_registry(folder, port))
        cluster = Cluster(
            made.bare,
            f"{registry}/{REPOSITORY}",
            made.has_image,
            first,
            folder / "cluster",
            {"DAGSTER_HOME": str(folder / "dagster"), "STAGING_DIR": str(folder / "staging")},
        )
        cluster.folder.mkdir()
        home = folder / "dagster"
        home.mkdir()
        workspace = without_daemon(home, cluster.port, LOCATION)
        cluster.start()
        stack.callback(cluster.stop)
        stack.enter_context(serving(workspace, home, ui, {}))
        yield made


def make_container_tool(folder: Path, registry: str) -> None:
    """Buildah, which takes what workflows tell Docker; the registry has no certificate, and haste beats size."""
    settings, tool = folder / "registries.conf", folder / "buildah"
    settings.write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    # Builds one after the other, as in images.py: a second one finds the first one's layers.
    tool.write_text(
        f"""#!/bin/sh
        buildah="{BUILDAH} --registries-conf {settings}"
        case $1 in
          build) exec flock "{Path(tempfile.gettempdir()) / "code-location-build.lock"}" $buildah "$@" ;;
          push) shift; exec $buildah push --compression-format=gzip --compression-level=1 "$@" ;;
          *) exec $buildah "$@" ;;
        esac
        """
    )
    tool.chmod(0o755)


def make_repository(site: Site) -> str:
    """A participant's fork: the project as it lies here, its lock file committed, its first commit deployed."""
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
    first = site.git("rev-parse", "HEAD")
    set_tag(site.work / MANIFEST, first)
    site.git("commit", "--quiet", "--all", "--message", f"Deploy {first}")
    site.git("clone", "--quiet", "--bare", str(site.work), str(site.bare))
    site.git("remote", "add", "origin", str(site.bare))
    site.git("fetch", "--quiet")
    site.git("branch", "--quiet", "--set-upstream-to=origin/main")
    for key in ("http.receivepack", "uploadpack.allowAnySHA1InWant"):  # as Gitea sets them
        site.git("--git-dir", str(site.bare), "config", key, "true")
    return first


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
    command = ["env", "-u", "REGISTRY_AUTH_FILE", "docker-registry", "serve", str(folder / "registry.yaml")]
    return running(command, folder / "registry.log", lambda: answers(f"http://{HOST}:{port}/v2/"), disposable=True)


@pytest.fixture(scope="module")
def merged(site: Site) -> tuple[str, Outcome]:
    """A merge to the main branch, released."""
    commit = site.merge("A change", {"README.md": "A change\n"})
    return commit, site.run("release.yaml", "push", "refs/heads/main")


@pytest.fixture(scope="module")
def tagged(site: Site, merged: tuple[str, Outcome]) -> Outcome:
    """The project's version as a tag of the commit that was released, and a tag that is another version."""
    site.git("checkout", "--quiet", merged[0])
    site.git("tag", f"v{VERSION}")
    site.git("push", "--quiet", "origin", f"v{VERSION}")
    return site.run("release.yaml", "push", f"refs/tags/v{VERSION}")


@pytest.fixture(scope="module")
def broken(site: Site, tagged: Outcome) -> tuple[str, Outcome]:
    """A merge of code that loads everywhere but in the cluster."""
    del tagged  # comes before
    site.git("checkout", "--quiet", "main")
    repository = "src/template_code_location/repository.py"
    text = (site.work / repository).read_text()
    text += '\nimport os\nif "KUBERNETES_SERVICE_HOST" in os.environ:\n    raise RuntimeError("no such volume")\n'
    commit = site.merge("Breaks in the cluster", {repository: text})
    return commit, site.run("release.yaml", "push", "refs/heads/main", ROLLOUT_SECONDS="20")


@pytest.fixture(scope="module")
def requested(site: Site, merged: tuple[str, Outcome]) -> Outcome:
    """A pull request."""
    site.git("checkout", "--quiet", "-B", "feature", merged[0])
    site.git("push", "--quiet", "origin", "feature")
    return site.run(
        "ci.yaml", "pull_request", "refs/pull/1/head", PYTEST_ADDOPTS="-n 0 packages/util-services/tests/test_access.py"
    )


def test_a_merge_is_released(site: Site, merged: tuple[str, Outcome]) -> None:
    commit, outcome = merged
    assert outcome.succeeded, outcome.log
    tag, message = site.manifest()
    assert tag == commit
    assert message.startswith(
        f"Deploy {commit}\n\nRelease-Commit: {commit}\nRelease-Run: {site.forge.url}/{REPOSITORY}/"
    )


def test_the_release_leaves_the_image_under_the_commit_with_all_it_takes_to_build_it_again(
    site: Site, merged: tuple[str, Outcome]
) -> None:
    commit, _ = merged
    digest = site.digest(commit)
    configuration = site.configuration(commit)
    assert configuration["Labels"]["org.opencontainers.image.revision"] == commit
    assert configuration["Labels"]["org.opencontainers.image.version"] == VERSION
    assert configuration["Labels"]["org.opencontainers.image.source"] == f"{site.forge.url}/{REPOSITORY}"
    assert f"DAGSTER_CURRENT_IMAGE={site.registry}/{REPOSITORY}:{commit}" in configuration["Env"]
    attached = site.attached(digest)
    assert attached["application/vnd.simpl-open.uv-lock+toml"] == (PROJECT / "uv.lock").read_bytes()
    statement = json.loads(attached["application/vnd.in-toto+json"])
    assert statement["subject"] == [
        {"name": f"{site.registry}/{REPOSITORY}", "digest": {"sha256": digest.removeprefix("sha256:")}}
    ]
    source, lock = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": commit}
    assert lock["digest"] == {"sha256": hashlib.sha256((PROJECT / "uv.lock").read_bytes()).hexdigest()}
    assert "latest" not in site.tags()


def test_the_bill_of_materials_lists_what_is_installed_in_the_image(site: Site, merged: tuple[str, Outcome]) -> None:
    commit, _ = merged
    bill = json.loads(site.attached(site.digest(commit))["application/vnd.cyclonedx+json"])
    parts = [*bill["components"], bill["metadata"]["component"]]
    listed = {(part["name"], part.get("version", VERSION)) for part in parts}
    elsewhere = {
        (part["name"], part["version"]) for part in parts if "uv:package:marker" in str(part.get("properties"))
    }
    container = buildah("from", "--pull-never", f"{site.registry}/{REPOSITORY}:{commit}").strip()
    try:
        root = Path(buildah("mount", container).strip())
        found = importlib.metadata.distributions(path=[str(folder) for folder in root.glob("app/**/site-packages")])
        services = importlib.metadata.distributions(path=[str(root / "app" / "services")])
        installed = {(re.sub("[-_.]+", "-", each.name).lower(), each.version) for each in (*found, *services)}
    finally:
        buildah("rm", container)
    assert len(installed) > 50
    assert installed <= listed
    assert listed - installed <= elsewhere, "what is not installed is for another system or Python"


def test_a_version_tag_names_the_image_that_was_verified_and_publishes_it(
    site: Site, merged: tuple[str, Outcome], tagged: Outcome
) -> None:
    commit, _ = merged
    assert tagged.succeeded, tagged.log
    assert ("image", "Build") not in tagged.steps
    assert site.digest(VERSION) == site.digest(commit)
    release = site.forge.releases[f"v{VERSION}"]
    assert release["body"] == f"Image {site.registry}/{REPOSITORY}@{site.digest(commit)}"
    assert release["files"].keys() == {"uv.lock", "sbom.cdx.json", "provenance.intoto.json"}
    assert release["files"]["uv.lock"] == (PROJECT / "uv.lock").read_bytes()


def test_a_release_that_does_not_come_up_is_rolled_back_and_says_so(
    site: Site, merged: tuple[str, Outcome], broken: tuple[str, Outcome]
) -> None:
    (good, _), (commit, outcome) = merged, broken
    assert not outcome.succeeded
    assert outcome.failed() == [("deploy", "Verify")]
    assert f"not the tag '{commit}'" in outcome.log
    assert f"Release {commit} was rolled back: {good} runs again." in outcome.log
    tag, message = site.manifest()
    assert tag == good
    assert message.startswith(f"Roll back to {good}\n\nRelease-Commit: {commit}\n")
    assert site.has_image(commit), "what failed can be looked at"


def test_neither_an_earlier_commit_nor_the_manifest_commit_itself_is_deployed(
    site: Site, merged: tuple[str, Outcome], tmp_path: Path
) -> None:
    commit, _ = merged
    site.git("clone", "--quiet", str(site.bare), str(tmp_path / "manifest"))
    context = {
        "DAGSTER_WEBSERVER_URL": site.webserver,
        "DEPLOY_FILE": MANIFEST,
        "RUNNER_TEMP": str(tmp_path),
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
    }
    earlier = site.script("decide", context, f"{commit}~1")
    assert earlier.stdout == f"previous={commit}\ndeploy=false\n", earlier.stderr
    assert f"because {commit}, which is deployed, is later" in earlier.stderr
    own = site.script("decide", context, site.git("log", "--format=%H", "--grep", f"^Deploy {commit}", "origin/main"))
    assert own.stdout == f"previous={commit}\ndeploy=false\n", own.stderr
    assert f"in nothing but {MANIFEST}" in own.stderr
    same = site.script("decide", context, commit)
    assert same.stdout == f"previous={commit}\ndeploy=true\n", same.stderr
    blind = site.script("decide", {**context, "DAGSTER_WEBSERVER_URL": ""}, commit)
    assert blind.returncode == 1
    assert "The variable DAGSTER_WEBSERVER_URL is not set" in blind.stderr


def test_a_tag_of_another_version_is_refused(site: Site, merged: tuple[str, Outcome]) -> None:
    context = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v9.9.9"}
    refused = site.script("name-image", context, merged[0])
    assert refused.returncode == 1
    assert f"Tag v9.9.9 is not the version in pyproject.toml, {VERSION}" in refused.stderr


def test_a_commit_that_was_not_merged_is_refused(site: Site) -> None:
    site.git("checkout", "--quiet", "--detach", "origin/main")
    site.git("commit", "--quiet", "--allow-empty", "--message", "Not reviewed")
    refused = site.script("name-image", {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": f"v{VERSION}"}, "HEAD")
    assert refused.returncode == 1
    assert "is not on main, so nobody has approved it" in refused.stderr


def test_a_release_does_not_answer_its_own_manifest_commit(site: Site, merged: tuple[str, Outcome]) -> None:
    release = yaml.safe_load((WORKFLOWS / "release.yaml").read_text())
    assert release[True]["push"]["paths-ignore"] == [MANIFEST]
    deployment = site.git("log", "--format=%H", "--grep", f"^Deploy {merged[0]}", "origin/main")
    assert site.git("show", "--format=", "--name-only", deployment) == MANIFEST


def test_a_pull_request_is_checked_built_and_audited(requested: Outcome) -> None:
    assert requested.succeeded, requested.log
    assert {job for job, _ in requested.steps} == {"checks", "image", "audit"}
    assert "passed" in requested.log, "the tests"


def test_a_known_vulnerability_or_a_failing_check_fails_the_pull_request(site: Site, requested: Outcome) -> None:
    del requested  # comes before
    site.git("checkout", "--quiet", "feature")
    site.forge.advisories["pandas"] = "TEST-2026-1"
    (site.work / "src/template_code_location/ops/ops.py").write_text("import os\n")
    site.git("commit", "--quiet", "--all", "--message", "Not as ruff wants it")
    site.git("push", "--quiet", "origin", "HEAD:feature-2")
    audit = site.run("ci.yaml", "pull_request", "refs/pull/2/head", "audit")
    assert audit.failed() == [("audit", "Look for known vulnerabilities")], audit.log
    assert "TEST-2026-1" in audit.log, audit.log
    checks = site.run("ci.yaml", "pull_request", "refs/pull/2/head", "checks")
    assert checks.failed() == [("checks", "Format, lint, types, import contracts, tests")], checks.log
    assert "unused import" in checks.log or "F401" in checks.log


def test_every_run_block_was_executed(site: Site, merged: Any, tagged: Any, broken: Any, requested: Any) -> None:
    written = {(file.name, *step) for file in WORKFLOWS.iterdir() for step in run_blocks(file.name)}
    assert written - site.executed == set()
    assert len(written) > 30


def test_tokens_stay_out_of_logs_and_files(
    site: Site, merged: tuple[str, Outcome], tagged: Outcome, broken: tuple[str, Outcome]
) -> None:
    for outcome in (merged[1], tagged, broken[1]):
        for secret in (site.forge.reader, site.forge.writer, PASSWORD):
            assert secret not in outcome.log


def test_the_workflows_pass_the_linters() -> None:
    workflows = [str(file) for file in WORKFLOWS.iterdir()]
    rules = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, truthy: {check-keys: false}}}"
    shell = [str(file) for file in SCRIPTS if file.read_text().startswith("#!/usr/bin/env bash")]
    assert len(shell) > 5
    for command in (
        ["actionlint", "-shellcheck", tool("shellcheck"), *workflows],
        ["zizmor", "--offline", "--quiet", *workflows],
        ["yamllint", "--strict", "-d", rules, *workflows],
        ["shellcheck", *shell],
    ):
        done = subprocess.run(
            [tool(command[0]), *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def test_the_branch_is_protected_as_the_guide_asks(tmp_path: Path) -> None:
    with forge(tmp_path) as instance:
        options = ["--url", instance.url, "--repository", REPOSITORY, "protect"]
        made = python("forge.py", *options, GITEA_TOKEN=instance.writer)
        assert made.stdout == "main is protected.\n", made.stderr
        rule = instance.protections["main"]
        assert not rule["enable_push"]
        assert rule["required_approvals"] == 1
        assert rule["dismiss_stale_approvals"]
        assert rule["block_on_rejected_reviews"]
        assert rule["block_on_outdated_branch"]
        assert rule["enable_status_check"]
        jobs = yaml.safe_load((WORKFLOWS / "ci.yaml").read_text())["jobs"]
        assert rule["status_check_contexts"] == [f"ci / {job} (pull_request)" for job in jobs]
        again = python("forge.py", *options, "--release-user", "bot", GITEA_TOKEN=instance.writer)
        assert again.stdout == "The protection of main is as it should be.\n", again.stderr
        assert instance.protections["main"]["push_whitelist_usernames"] == ["bot"]
        refused = python("forge.py", *options, GITEA_TOKEN="wrong")
        assert refused.returncode == 1
        assert "was answered with 401" in refused.stderr
        assert "wrong" not in refused.stderr


def test_the_registry_client_answers_a_challenge_for_a_token_as_gitea_sends_it(tmp_path: Path) -> None:
    seen: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.path} {self.headers.get('Authorization')}")
            token = "/token" in self.path
            granted = self.headers.get("Authorization") == "Bearer abc"
            self.send_response(200 if token or granted else 401)
            realm = f"http://{self.headers['Host']}/v2/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="container_registry",scope="*"')
            self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            self.end_headers()
            self.wfile.write(b'{"token": "abc"}' if token else b"{}")

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with HTTPServer((HOST, 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        image = f"{HOST}:{server.server_port}/simpl/image:1"
        found = python("registry.py", "digest", image, REGISTRY_USER="me", REGISTRY_TOKEN="pass")
        server.shutdown()
    assert found.stdout == f"sha256:{hashlib.sha256(b'{}').hexdigest()}\n", found.stderr
    login = b64encode(b"me:pass").decode()
    assert seen[1] == f"/v2/token?service=container_registry&scope=%2A Basic {login}"


def test_uv_is_installed_where_the_runner_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        [str(PROJECT / ".gitea/scripts/install-uv")],
        env=without_uv(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("uv 0.")
    assert (tmp_path / "path").read_text() == f"{tmp_path}/uv/bin\n"


def without_uv(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    return {
        **kept,
        "PATH": f"{folder}/bin:/usr/bin:/bin",
        "RUNNER_TEMP": str(folder),
        "GITHUB_PATH": str(folder / "path"),
    }


def python(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of the workflows with this interpreter, which has the packages it declares."""
    return subprocess.run(
        [sys.executable, str(PROJECT / ".gitea" / "scripts" / script), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def tool(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)
