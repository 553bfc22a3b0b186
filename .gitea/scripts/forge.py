#!/usr/bin/env -S uv run --quiet --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["requests>=2.32,<3"]
# ///
"""Talks to Gitea's API: protects the main branch, publishes a release with its files.

Reads GITEA_TOKEN, and GITHUB_SERVER_URL and GITHUB_REPOSITORY where --url and --repository are not given.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

CHECKS = ("ci / checks (pull_request)", "ci / image (pull_request)", "ci / audit (pull_request)")
"""Names under which Gitea shows the jobs of ci.yaml: workflow / job (event)."""

_SECONDS = 60


class ForgeError(Exception):
    """What went wrong, in one sentence."""


class Forge:
    """One repository of a Gitea instance.

    Args:
        url: Address of the instance.
        repository: ``owner/name``.
        token: Access token.
    """

    def __init__(self, url: str, repository: str, token: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v1/repos/{repository}/"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {token}"
        adapter = HTTPAdapter(max_retries=Retry(5, backoff_factor=1, status_forcelist=(502, 503, 504)))
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def protect(self, rule: dict[str, Any]) -> str:
        """Make a branch protection, or bring the one of that name into line; tells which it did."""
        name = rule["rule_name"]
        if self._call("GET", f"branch_protections/{name}", accept=(200, 404)).status_code == requests.codes.ok:
            self._call("PATCH", f"branch_protections/{name}", accept=(200,), json=_without(rule, "rule_name"))
            return f"The protection of {name} is as it should be."
        self._call("POST", "branch_protections", accept=(201,), json=rule)
        return f"{name} is protected."

    def publish(self, tag: str, text: str, files: list[Path]) -> str:
        """Make the release of a tag with files, or add those that it lacks."""
        answer = self._call("GET", f"releases/tags/{tag}", accept=(200, 404))
        if answer.status_code == requests.codes.not_found:
            answer = self._call("POST", "releases", accept=(201,), json={"tag_name": tag, "name": tag, "body": text})
        release = answer.json()
        there = {asset["name"] for asset in release.get("assets") or []}
        for file in files:
            if file.name not in there:
                self._call(
                    "POST",
                    f"releases/{release['id']}/assets",
                    accept=(201,),
                    params={"name": file.name},
                    files={"attachment": (file.name, file.read_bytes())},
                )
        return f"Release {tag} is published."

    def _call(self, method: str, path: str, *, accept: tuple[int, ...], **options: Any) -> requests.Response:
        url = self._base + path
        try:
            answer = self._session.request(method, url, timeout=_SECONDS, **options)
        except requests.RequestException as error:
            raise ForgeError(f"Gitea cannot be reached at {url}: {type(error).__name__}.") from error
        if answer.status_code not in accept:
            hint = " Check the token and its rights." if answer.status_code in (401, 403, 404) else ""
            raise ForgeError(f"{method} {url} was answered with {answer.status_code} {answer.reason}.{hint}")
        return answer


def protection(branch: str, release_user: str | None) -> dict[str, Any]:
    """The rule for a branch: changes come by pull request, approved by another person, with green checks.

    Gitea never counts an author's approval of their own pull request.

    Args:
        branch: Name of the branch.
        release_user: The only user who may push, for the release that moves the tag in the manifest; None for nobody.
    """
    return {
        "rule_name": branch,
        "enable_push": release_user is not None,
        "enable_push_whitelist": release_user is not None,
        "push_whitelist_usernames": [release_user] if release_user else [],
        "push_whitelist_teams": [],
        "push_whitelist_deploy_keys": False,
        "enable_force_push": False,
        "required_approvals": 1,
        "dismiss_stale_approvals": True,
        "block_on_rejected_reviews": True,
        "block_on_official_review_requests": True,
        "block_on_outdated_branch": True,
        "enable_status_check": True,
        "status_check_contexts": list(CHECKS),
        "block_admin_merge_override": True,
    }


def main() -> int:
    """Run the command line; 0 for success, 1 with a sentence on standard error."""
    options = _parser().parse_args()
    try:
        print(options.run(_open(options), options))
    except ForgeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _open(options: argparse.Namespace) -> Forge:
    if not (options.url and options.repository):
        raise ForgeError("Give --url and --repository, or set GITHUB_SERVER_URL and GITHUB_REPOSITORY.")
    if not (token := os.environ.get("GITEA_TOKEN")):
        raise ForgeError("Set GITEA_TOKEN to an access token with write:repository.")
    return Forge(options.url, options.repository, token)


def _without(rule: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != name}


def _protect(forge: Forge, options: argparse.Namespace) -> str:
    return forge.protect(protection(options.branch, options.release_user))


def _publish(forge: Forge, options: argparse.Namespace) -> str:
    return forge.publish(options.tag, options.text, options.file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("GITHUB_SERVER_URL"), help="address of the Gitea instance")
    parser.add_argument("--repository", default=os.environ.get("GITHUB_REPOSITORY"), help="owner/name")
    commands = parser.add_subparsers(required=True)
    protect = commands.add_parser("protect", help="protect the main branch; needs a token of an administrator")
    protect.add_argument("--branch", default="main")
    protect.add_argument("--release-user", help="user of DEPLOY_TOKEN, the only one who may push to the branch")
    protect.set_defaults(run=_protect)
    publish = commands.add_parser("publish", help="make the release of a tag and attach files")
    publish.add_argument("tag")
    publish.add_argument("file", type=Path, nargs="*")
    publish.add_argument("--text", default="", help="what the release says")
    publish.set_defaults(run=_publish)
    return parser


if __name__ == "__main__":
    sys.exit(main())
