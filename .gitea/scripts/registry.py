#!/usr/bin/env -S uv run --quiet --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["requests>=2.32,<3"]
# ///
"""Looks up, tags and annotates images in a container registry, over the API of the OCI distribution specification 1.1.

Artefacts (bill of materials, provenance, lock file) are manifests whose subject is the image. Registries that do not
answer the referrers API, Gitea's among them, list them under the tag ``sha256-<digest>`` as the specification lays
down, where clients such as ``oras discover`` find them.

Reads REGISTRY_USER and REGISTRY_TOKEN. Speaks HTTPS, and plain HTTP to loopback only, as Docker does.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPTED = f"{MANIFEST}, {INDEX}, application/vnd.docker.distribution.manifest.v2+json"
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"

ARTEFACTS = {
    "sbom.cdx.json": "application/vnd.cyclonedx+json",
    "provenance.intoto.json": "application/vnd.in-toto+json",
    "uv.lock": "application/vnd.simpl-open.uv-lock+toml",
}
"""Name of an artefact's file and its media type; a complete release has them all."""

_REFERENCE = re.compile(
    r"(?P<host>[^/]+)/(?P<name>[^@]+?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_SECONDS = 60


class RegistryError(Exception):
    """What went wrong, in one sentence."""


@dataclass(frozen=True)
class Image:
    """A manifest of the registry, as it lies there."""

    digest: str
    media_type: str
    content: bytes

    @property
    def descriptor(self) -> dict[str, Any]:
        """How other manifests refer to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


class Repository:
    """One repository of a registry.

    Args:
        host: Host and port of the registry.
        name: Such as ``owner/image``.
        user: Whom the token belongs to.
        token: Password or access token; empty for none.
    """

    def __init__(self, host: str, name: str, user: str, token: str) -> None:
        scheme = "http" if _LOOPBACK.fullmatch(host) else "https"
        self._base = f"{scheme}://{host}/v2/{name}/"
        self._name = name
        self._login = (user, token) if token else None
        self._session = requests.Session()
        retry = Retry(5, backoff_factor=1, status_forcelist=(429, 502, 503, 504), allowed_methods=None)
        self._session.mount(f"{scheme}://", HTTPAdapter(max_retries=retry))

    def image(self, reference: str) -> Image | None:
        """Look a tag or digest up; None if the registry has no such manifest."""
        answer = self._call("GET", f"manifests/{reference}", accept=(200, 404), headers={"Accept": ACCEPTED})
        if answer.status_code == requests.codes.not_found:
            return None
        return Image(_digest(answer.content), answer.headers["Content-Type"].partition(";")[0], answer.content)

    def put(self, reference: str, content: bytes, media_type: str) -> requests.Response:
        """Store a manifest under a tag or its digest."""
        return self._call(
            "PUT", f"manifests/{reference}", accept=(201,), data=content, headers={"Content-Type": media_type}
        )

    def blob(self, digest: str) -> bytes:
        """Read a blob."""
        return self._call("GET", f"blobs/{digest}", accept=(200,)).content

    def store_blob(self, content: bytes) -> str:
        """Store a blob unless it is there; tells its digest."""
        digest = _digest(content)
        if self._call("HEAD", f"blobs/{digest}", accept=(200, 404)).status_code == requests.codes.ok:
            return digest
        place = self._call("POST", "blobs/uploads/", accept=(202,)).headers["Location"]
        self._call(
            "PUT",
            place,
            accept=(201,),
            params={"digest": digest},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        return digest

    def referrers(self, image: Image) -> list[dict[str, Any]]:
        """Descriptors of the artefacts whose subject is the image."""
        answer = self._call("GET", f"referrers/{image.digest}", accept=(200, 404), headers={"Accept": INDEX})
        if answer.status_code == requests.codes.ok:
            return list(answer.json()["manifests"])
        index = self.image(_fallback_tag(image))
        return list(json.loads(index.content)["manifests"]) if index and index.media_type == INDEX else []

    def attach(self, image: Image, file: str, content: bytes) -> None:
        """Attach a file of a release to the image, in place of one attached before."""
        empty = {"mediaType": EMPTY_TYPE, "digest": self.store_blob(EMPTY), "size": len(EMPTY)}
        layer = {
            "mediaType": ARTEFACTS[file],
            "digest": self.store_blob(content),
            "size": len(content),
            "annotations": {TITLE: file},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": ARTEFACTS[file],
            "config": empty,
            "layers": [layer],
            "subject": image.descriptor,
        }
        stored = json.dumps(manifest).encode()
        artefact = Image(_digest(stored), MANIFEST, stored)
        others = [other for other in self.referrers(image) if other.get("artifactType") != ARTEFACTS[file]]
        if "OCI-Subject" in self.put(artefact.digest, stored, MANIFEST).headers:
            return  # the registry keeps the list itself
        listed = [*others, {**artefact.descriptor, "artifactType": ARTEFACTS[file]}]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        self.put(_fallback_tag(image), json.dumps(index).encode(), INDEX)

    def attached(self, image: Image) -> dict[str, bytes]:
        """Files that are attached to the image, the last of each name."""
        names = {media_type: file for file, media_type in ARTEFACTS.items()}
        files = {}
        for descriptor in self.referrers(image):
            if file := names.get(descriptor.get("artifactType", "")):
                artefact = self.image(descriptor["digest"])
                if artefact:
                    files[file] = self.blob(json.loads(artefact.content)["layers"][0]["digest"])
        return files

    def _call(self, method: str, path: str, *, accept: tuple[int, ...], **options: Any) -> requests.Response:
        url = urljoin(self._base, path)
        try:
            answer = self._session.request(method, url, timeout=_SECONDS, **options)
            if answer.status_code == requests.codes.unauthorized:
                self._log_in(answer)
                answer = self._session.request(method, url, timeout=_SECONDS, **options)
        except requests.RequestException as error:
            raise RegistryError(f"The registry at {self._base} cannot be reached: {type(error).__name__}.") from error
        if answer.status_code not in accept:
            hint = " Check REGISTRY_USER and REGISTRY_TOKEN." if answer.status_code in (401, 403) else ""
            raise RegistryError(f"{method} {url} was answered with {answer.status_code} {answer.reason}.{hint}")
        return answer

    def _log_in(self, refusal: requests.Response) -> None:
        scheme, _, fields = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic" and self._login:
            self._session.auth = self._login
        if scheme.lower() == "bearer":
            asked = dict(re.findall(r'(\w+)="([^"]*)"', fields))
            realm = asked.pop("realm")
            answer = requests.get(realm, params=asked, auth=self._login, timeout=_SECONDS)
            if answer.ok:
                given = answer.json()
                self._session.headers["Authorization"] = f"Bearer {given.get('token') or given['access_token']}"


def main() -> int:
    """Run the command line; 0 for success, 1 with a sentence on standard error."""
    options = _parser().parse_args()
    try:
        options.run(options)
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _find(options: argparse.Namespace) -> None:
    repository, reference = _open(options.image)
    image = repository.image(reference)
    if image and repository.attached(image).keys() == ARTEFACTS.keys():
        print(image.digest)


def _attach(options: argparse.Namespace) -> None:
    repository, image = _existing(options.image)
    for path in options.file:
        if path.name not in ARTEFACTS:
            raise RegistryError(f"{path.name} is no artefact of a release: {', '.join(ARTEFACTS)} are.")
        repository.attach(image, path.name, path.read_bytes())
        print(f"{path.name} is attached to {image.digest}.")


def _fetch(options: argparse.Namespace) -> None:
    repository, image = _existing(options.image)
    options.folder.mkdir(parents=True, exist_ok=True)
    for file, content in repository.attached(image).items():
        (options.folder / file).write_bytes(content)


def _digest_of(options: argparse.Namespace) -> None:
    print(_existing(options.image)[1].digest)


def _tag(options: argparse.Namespace) -> None:
    repository, image = _existing(options.image)
    if options.tag == "latest":
        raise RegistryError("The tag latest says nothing about what is deployed: give a version.")
    there = repository.image(options.tag)
    if there and there.digest != image.digest:
        raise RegistryError(f"Tag {options.tag} is taken by {there.digest}: a version is published once, so raise it.")
    if not there:
        repository.put(options.tag, image.content, image.media_type)
    print(f"{options.tag} is {image.digest}.")


def _open(reference: str) -> tuple[Repository, str]:
    parts = _REFERENCE.fullmatch(reference)
    if not parts or not (parts["tag"] or parts["digest"]):
        raise RegistryError(f"{reference} is not of the form host/owner/name:tag or host/owner/name@sha256:digest.")
    user, token = os.environ.get("REGISTRY_USER", ""), os.environ.get("REGISTRY_TOKEN", "")
    return Repository(parts["host"], parts["name"], user, token), parts["digest"] or parts["tag"]


def _existing(reference: str) -> tuple[Repository, Image]:
    repository, name = _open(reference)
    image = repository.image(name)
    if not image:
        raise RegistryError(f"There is no image {reference}.")
    return repository, image


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _fallback_tag(image: Image) -> str:
    return image.digest.replace(":", "-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    runs: Mapping[str, tuple[Any, str]] = {
        "find": (_find, "print the digest of an image that is there with all its artefacts; else print nothing"),
        "digest": (_digest_of, "print the digest of an image"),
        "attach": (_attach, "attach files to an image"),
        "fetch": (_fetch, "write the files attached to an image into a folder"),
        "tag": (_tag, "give an image a further tag, which no other image has"),
    }
    for name, (run, text) in runs.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("image", help="host/owner/name:tag or host/owner/name@sha256:digest")
        command.set_defaults(run=run)
    commands.choices["attach"].add_argument("file", type=Path, nargs="+", help=", ".join(ARTEFACTS))
    commands.choices["fetch"].add_argument("folder", type=Path)
    commands.choices["tag"].add_argument("tag")
    return parser


if __name__ == "__main__":
    sys.exit(main())
