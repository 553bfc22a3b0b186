"""A code location as the webserver sees it: reloaded, waited for, compared with what should be there."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from util_services.deployment.webserver import RefusedError, Webserver, first_line
from util_services.errors import DataServiceError, nearest

_STACK_LINES = 12
_POLL_SECONDS = 2.0
# A code server that is starting, or was stopped in a rollout; any other load error is the code's own.
_NOT_THERE_YET = ("UserCodeUnreachable", "DagsterUserCodeProcessError")

_ENTRY = """
  name
  loadStatus
  displayMetadata { key value }
  locationOrLoadError {
    __typename
    ... on RepositoryLocation { repositories { name jobs { name } } }
    ... on PythonError { className message stack cause { className message stack cause { className message stack } } }
  }
"""
_RELOAD = """
mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) {
  __typename
  ... on PythonError { message }
  ... on UnauthorizedError { message }
} }
"""
_READ = f"""
query($name: String!) {{ workspaceLocationEntryOrError(name: $name) {{
  __typename
  ... on WorkspaceLocationEntry {{ {_ENTRY} }}
}} }}
"""
_NAMES = "{ workspaceOrError { ... on Workspace { locationEntries { name } } } }"


class LoadError(DataServiceError):
    """The code of a location failed to load."""


@dataclass(frozen=True)
class Location:
    """A code location that is loaded.

    Attributes:
        name: Its name in the workspace.
        repository: Its repository.
        image: The image it runs, where its server knows.
        jobs: Its jobs.
    """

    name: str
    repository: str
    image: str | None
    jobs: frozenset[str]

    @property
    def tag(self) -> str | None:
        """The tag of the image; ``None`` if the reference has none."""
        name = (self.image or "").partition("@")[0].rpartition("/")[2]
        return name.partition(":")[2] or None


def reload(webserver: Webserver, name: str, seconds: float, settle: float) -> Location:
    """Have the webserver load a location anew, and wait until it is loaded.

    While the code server cannot be reached, as when it is being replaced, this is repeated.

    Args:
        webserver: The webserver.
        name: The location's name in the workspace.
        seconds: How long to wait.
        settle: How long code that does not load may be that of a server which is being replaced.

    Raises:
        LoadError: If its code does not load.
        DataServiceError: If there is no such location, or it is not loaded in time.
    """
    return _waited(webserver, name, seconds, lambda _: None, settle)


def wait_for_tag(webserver: Webserver, name: str, tag: str, seconds: float, settle: float) -> Location:
    """Reload a location until it runs the image with a tag: replacing its server takes a while.

    Args:
        webserver: The webserver.
        name: The location's name in the workspace.
        tag: The tag.
        seconds: How long to wait.
        settle: As for :func:`reload`.

    Raises:
        LoadError: If its code does not load.
        DataServiceError: If it does not run that image in time, or does not tell which it runs.
    """

    def lacking(location: Location) -> str | None:
        if location.tag == tag:
            return None
        if location.image is None:
            return (
                f"The code location {name!r} does not tell which image it runs, so the tag {tag!r} cannot be verified: "
                "set DAGSTER_CURRENT_IMAGE in its server's environment to the image's reference."
            )
        return (
            f"The code location {name!r} runs the image {location.image!r}, not the tag {tag!r}, after {seconds:g} s: "
            "check that the new server was rolled out (its pod may be failing or waiting)."
        )

    return _waited(webserver, name, seconds, lacking, settle)


def check_jobs(location: Location, expected: Collection[str]) -> None:
    """Check that every expected job is there.

    Raises:
        DataServiceError: If some are missing, with their names.
    """
    if missing := sorted(set(expected) - location.jobs):
        raise DataServiceError(
            f"The code location {location.name!r} lacks {len(missing)} of {len(set(expected))} expected jobs: "
            f"{', '.join(missing)}."
        )


def loaded(webserver: Webserver, name: str) -> Location:
    """Give a location as it is loaded now.

    Raises:
        LoadError: If its code did not load.
        DataServiceError: If there is no such location, or it is being loaded.
    """
    found = _read(webserver, name)
    if isinstance(found, DataServiceError):
        raise found
    return found


def _waited(
    webserver: Webserver,
    name: str,
    seconds: float,
    lacking: Callable[[Location], str | None],
    settle: float,
) -> Location:
    started = time.monotonic()
    while True:
        _ask_to_reload(webserver, name)
        found = _read(webserver, name)
        passed = time.monotonic() - started + _POLL_SECONDS
        if isinstance(found, LoadError) and passed > settle:
            raise found
        if isinstance(found, Location):
            sentence = lacking(found)
            if sentence is None:
                return found
            found = DataServiceError(sentence)
        if passed > seconds:
            raise found
        time.sleep(_POLL_SECONDS)


def _ask_to_reload(webserver: Webserver, name: str) -> None:
    try:
        answer = webserver.query(_RELOAD, name=name)["reloadRepositoryLocation"]
    except RefusedError:
        return  # Dagster answers so where the location did not load before; reading it tells why
    if answer["__typename"] == "RepositoryLocationNotFound":
        raise _unknown(webserver, name)
    if answer["__typename"] != "WorkspaceLocationEntry":
        reason = answer.get("message") or "its server cannot be reloaded"
        raise DataServiceError(f"The code location {name!r} was not reloaded: {reason}")


def _read(webserver: Webserver, name: str) -> Location | DataServiceError:
    """Give the location as it is loaded, or why it is not."""
    entry = webserver.query(_READ, name=name)["workspaceLocationEntryOrError"]
    if not entry or entry["__typename"] != "WorkspaceLocationEntry":
        raise _unknown(webserver, name)
    content = entry["locationOrLoadError"]
    if entry["loadStatus"] == "LOADING" or not content:
        return DataServiceError(f"The code location {name!r} is still loading: see its log.")
    if content["__typename"] == "PythonError":
        return _failed(name, content)
    return _location(entry)


def _location(entry: dict[str, Any]) -> Location:
    repositories = entry["locationOrLoadError"]["repositories"]
    image = next((item["value"] for item in entry["displayMetadata"] if item["key"] == "image"), None)
    jobs = frozenset(job["name"] for repository in repositories for job in repository["jobs"])
    return Location(entry["name"], repositories[0]["name"] if repositories else "", image, jobs)


def _is_passing(error: dict[str, Any] | None) -> bool:
    while error:
        if any(name in f"{error['className']} {error['message']}" for name in _NOT_THERE_YET):
            return True
        error = error.get("cause")
    return False


def _failed(name: str, error: dict[str, Any]) -> DataServiceError:
    if _is_passing(error):
        return DataServiceError(
            f"The code server of the location {name!r} cannot be reached: check that it runs; if its code does not "
            "load, its own log (its pod's) tells why."
        )
    sentence = f"The code location {name!r} does not load: {first_line(error)}"
    while error.get("cause"):
        error = error["cause"]
    stack = "".join(error.get("stack") or []).rstrip().splitlines()[-_STACK_LINES:]
    return LoadError("\n".join([sentence, *stack]))


def _unknown(webserver: Webserver, name: str) -> DataServiceError:
    entries = webserver.query(_NAMES)["workspaceOrError"].get("locationEntries", [])
    names = [item["name"] for item in entries]
    return DataServiceError(f"The webserver at {webserver.shown} has no code location {name!r}: {nearest(name, names)}")
