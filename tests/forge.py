"""What the workflows need of a Gitea instance, on loopback: Git over HTTP, its API for releases and branch protection.

No Gitea server is to be had as a package. Git is the real one (``git http-backend``, as behind any web server); of the
API, the few calls that are used, which refuse what Gitea refuses.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HOST = "127.0.0.1"

# modules/structs/repo_branch.go of Gitea 1.23 to 1.27, CreateBranchProtectionOption; EditBranchProtectionOption is the
# same without the name.
PROTECTION = {
    "rule_name": str,
    "priority": int,
    "enable_push": bool,
    "enable_push_whitelist": bool,
    "push_whitelist_usernames": list,
    "push_whitelist_teams": list,
    "push_whitelist_deploy_keys": bool,
    "enable_force_push": bool,
    "enable_force_push_allowlist": bool,
    "force_push_allowlist_usernames": list,
    "force_push_allowlist_teams": list,
    "force_push_allowlist_deploy_keys": bool,
    "enable_merge_whitelist": bool,
    "merge_whitelist_usernames": list,
    "merge_whitelist_teams": list,
    "enable_status_check": bool,
    "status_check_contexts": list,
    "required_approvals": int,
    "enable_approvals_whitelist": bool,
    "approvals_whitelist_username": list,
    "approvals_whitelist_teams": list,
    "block_on_rejected_reviews": bool,
    "block_on_official_review_requests": bool,
    "block_on_outdated_branch": bool,
    "dismiss_stale_approvals": bool,
    "ignore_stale_approvals": bool,
    "require_signed_commits": bool,
    "protected_file_patterns": str,
    "unprotected_file_patterns": str,
    "block_admin_merge_override": bool,
}


@dataclass
class Forge:
    """The instance and what was done to it.

    Attributes:
        folder: Folder with bare repositories ``owner/name.git``.
        url: Its address.
        reader: Token that may read repositories and write releases: a job's own.
        writer: Token that may push as well: the release user's.
        releases: Releases by tag: text and files.
        protections: Branch protections by name.
        calls: Method and path of every call of the API.
        advisories: Vulnerabilities by package name, as the OSV API tells them.
    """

    folder: Path
    url: str = ""
    reader: str = field(default_factory=lambda: secrets.token_hex(20))
    writer: str = field(default_factory=lambda: secrets.token_hex(20))
    releases: dict[str, dict[str, Any]] = field(default_factory=dict)
    protections: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    advisories: dict[str, str] = field(default_factory=dict)


@contextmanager
def forge(folder: Path) -> Iterator[Forge]:
    """Serve the bare repositories in a folder until the block ends."""
    instance = Forge(folder)
    handler = type("Handler", (_Handler,), {"forge": instance})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        instance.url = f"http://{HOST}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield instance
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    forge: Forge
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name that http.server asks for
        self._answer()

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/advisories/"):
            self._tell(200, _advisories(self.forge, path, body))
        elif path.startswith("/api/v1/"):
            self._api(path, body)
        else:
            self._git(path, body)

    def _git(self, path: str, body: bytes) -> None:
        pushes = "git-receive-pack" in self.path
        token = (
            base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode().partition(":")[2]
        )
        if token not in ({self.forge.writer} if pushes else {self.forge.reader, self.forge.writer}):
            self._tell(403 if token else 401, None, {"WWW-Authenticate": 'Basic realm="Gitea"'})
            return
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.forge.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": urlsplit(self.path).query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "release",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(BytesParser().parsebytes(head + b"\r\n\r\n").items())
        self._send(int(headers.pop("Status", "200").split()[0]), content, headers)

    def _api(self, path: str, body: bytes) -> None:
        self.forge.calls.append(f"{self.command} {path}")
        if self.headers.get("Authorization") not in {f"token {self.forge.reader}", f"token {self.forge.writer}"}:
            self._tell(401, {"message": "token is required"})
            return
        for method, pattern, act in _CALLS:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                self._tell(*act(self, body, **found.groupdict()))
                return
        self._tell(404, {"message": "not found"})

    def find_release(self, body: bytes, tag: str) -> tuple[int, Any]:
        del body
        release = self.forge.releases.get(tag)
        return (200, _shown(release)) if release else (404, {})

    def make_release(self, body: bytes) -> tuple[int, Any]:
        asked = json.loads(body)
        if asked["tag_name"] in self.forge.releases:
            return 409, {"message": "Release is has no Tag"}
        release = {"id": len(self.forge.releases) + 1, "body": asked["body"], "files": {}}
        self.forge.releases[asked["tag_name"]] = release
        return 201, _shown(release)

    def add_file(self, body: bytes, number: str) -> tuple[int, Any]:
        release = next(release for release in self.forge.releases.values() if release["id"] == int(number))
        name = parse_qs(urlsplit(self.path).query)["name"][0]
        message = BytesParser().parsebytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + body)
        (part,) = message.get_payload()
        if part.get_param("name", header="content-disposition") != "attachment":
            return 400, {"message": "no file"}
        release["files"][name] = part.get_payload(decode=True)
        return 201, {"name": name}

    def find_protection(self, body: bytes, name: str) -> tuple[int, Any]:
        del body
        rule = self.forge.protections.get(name)
        return (200, rule) if rule else (404, {})

    def make_protection(self, body: bytes) -> tuple[int, Any]:
        rule = json.loads(body)
        if wrong := _wrong(rule, PROTECTION):
            return 422, {"message": wrong}
        if rule["rule_name"] in self.forge.protections:
            return 403, {"message": "Branch protection already exist"}
        self.forge.protections[rule["rule_name"]] = rule
        return 201, rule

    def change_protection(self, body: bytes, name: str) -> tuple[int, Any]:
        rule = json.loads(body)
        if wrong := _wrong(rule, {key: kind for key, kind in PROTECTION.items() if key != "rule_name"}):
            return 422, {"message": wrong}
        self.forge.protections[name] |= rule
        return 200, self.forge.protections[name]

    def _tell(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_REPOSITORY = r"/api/v1/repos/[^/]+/[^/]+"
_Call = Callable[..., tuple[int, Any]]
_CALLS: list[tuple[str, str, _Call]] = [
    ("GET", rf"{_REPOSITORY}/releases/tags/(?P<tag>[^/]+)", _Handler.find_release),
    ("POST", rf"{_REPOSITORY}/releases", _Handler.make_release),
    ("POST", rf"{_REPOSITORY}/releases/(?P<number>\d+)/assets", _Handler.add_file),
    ("GET", rf"{_REPOSITORY}/branch_protections/(?P<name>.+)", _Handler.find_protection),
    ("POST", rf"{_REPOSITORY}/branch_protections", _Handler.make_protection),
    ("PATCH", rf"{_REPOSITORY}/branch_protections/(?P<name>.+)", _Handler.change_protection),
]


def _shown(release: dict[str, Any]) -> dict[str, Any]:
    return {"id": release["id"], "body": release["body"], "assets": [{"name": name} for name in release["files"]]}


def _wrong(rule: dict[str, Any], fields: dict[str, type]) -> str | None:
    for name, value in rule.items():
        if name not in fields:
            return f"unknown field {name}"
        if type(value) is not fields[name]:
            return f"{name} is no {fields[name].__name__}"
    return None


def _advisories(instance: Forge, path: str, body: bytes) -> Any:
    """Answer as https://google.github.io/osv.dev/api/ describes."""
    if path.endswith("/v1/querybatch"):
        names = [query["package"]["name"] for query in json.loads(body)["queries"]]
        found = [instance.advisories.get(name) for name in names]
        return {
            "results": [{"vulns": [{"id": one, "modified": "2026-01-01T00:00:00Z"}]} if one else {} for one in found]
        }
    identifier = path.rpartition("/")[2]
    return {
        "id": identifier,
        "modified": "2026-01-01T00:00:00Z",
        "published": "2026-01-01T00:00:00Z",
        "summary": "A vulnerability for the test",
        "affected": [],
    }
