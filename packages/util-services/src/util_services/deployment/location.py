"""A code location as the webserver sees it: reloaded, waited for, compared with what should be there."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from util_services.deployment.webserver import Webserver, first_line
from util_services.errors import DataServiceError, nearest

_STACK_LINES = 12
_POLL_SECONDS = 2.0
# A code server that is starting, or was stopped in a rollout; any other load error is the code's own.
_NOT_THERE_YET = ("DagsterUserCodeUnreachableError", "UserCodeUnreachable", "DagsterUserCodeProcessError")

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
_RELOAD = f"""
mutation($name: String!) {{ reloadRepositoryLocation(repositoryLocationName: $name) {{
  __typename
  ... on WorkspaceLocationEntry {{ {_ENTRY} }}
  ... on PythonError {{ message }}
  ... on UnauthorizedError {{ message }}
}} }}
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


def reload(webserver: Webserver, name: str, seconds: float) -> Location:
    """Have the webserver load a location anew, and wait until it is loaded.

    While the code server cannot be reached, as when it is being replaced, this is repeated.

    Args:
        webserver: The webserver.
        name: The location's name in the workspace.
        seconds: How long to wait.

    Raises:
        LoadError: If its code does not load.
        DataServiceError: If there is no such location, or it is not loaded in time.
    """
    return _waited(webserver, name, seconds, lambda _: None)


def wait_for_tag(webserver: Webserver, name: str, tag: str, seconds: float) -> Location:
    """Reload a location until it runs the image with a tag: replacing its server takes a while.

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

    return _waited(webserver, name, seconds, lacking)


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
        DataServiceError: If there is no such location.
    """
    entry = webserver.query(_READ, name=name)["workspaceLocationEntryOrError"]
    if not entry or entry["__typename"] != "WorkspaceLocationEntry":
        raise _unknown(webserver, name)
    if entry["loadStatus"] == "LOADING" or not entry["locationOrLoadError"]:
        raise DataServiceError(f"The code location {name!r} is still loading: try again later.")
    error = _load_error(entry)
    if error:
        raise _failed(name, error)
    return _location(entry)


def _waited(webserver: Webserver, name: str, seconds: float, lacking: Callable[[Location], str | None]) -> Location:
    deadline = time.monotonic() + seconds
    while True:
        entry = webserver.query(_RELOAD, name=name)["reloadRepositoryLocation"]
        problem: DataServiceError | None
        if entry["__typename"] == "RepositoryLocationNotFound":
            raise _unknown(webserver, name)
        if entry["__typename"] != "WorkspaceLocationEntry":
            reason = entry.get("message") or "its server cannot be reloaded"
            raise DataServiceError(f"The code location {name!r} was not reloaded: {reason}")
        error = _load_error(entry)
        if error:
            problem = _failed(name, error)
            if not _is_passing(error):
                raise problem
        elif entry["loadStatus"] == "LOADING" or not entry["locationOrLoadError"]:
            problem = DataServiceError(f"The code location {name!r} is still loading after {seconds:g} s: see its log.")
        else:
            location = _location(entry)
            sentence = lacking(location)
            if sentence is None:
                return location
            problem = DataServiceError(sentence)
        if time.monotonic() + _POLL_SECONDS > deadline:
            raise problem
        time.sleep(_POLL_SECONDS)


def _location(entry: dict[str, Any]) -> Location:
    repositories = entry["locationOrLoadError"]["repositories"]
    image = next((item["value"] for item in entry["displayMetadata"] if item["key"] == "image"), None)
    jobs = frozenset(job["name"] for repository in repositories for job in repository["jobs"])
    return Location(entry["name"], repositories[0]["name"] if repositories else "", image, jobs)


def _load_error(entry: dict[str, Any]) -> dict[str, Any] | None:
    found = entry["locationOrLoadError"]
    return found if found and found["__typename"] == "PythonError" else None


def _is_passing(error: dict[str, Any] | None) -> bool:
    while error:
        if any(name in f"{error['className']} {error['message']}" for name in _NOT_THERE_YET):
            return True
        error = error.get("cause")
    return False


def _failed(name: str, error: dict[str, Any]) -> DataServiceError:
    sentence = f"The code location {name!r} does not load: {first_line(error)}"
    if _is_passing(error):
        return DataServiceError(sentence)
    while error.get("cause"):
        error = error["cause"]
    stack = "".join(error.get("stack") or []).rstrip().splitlines()[-_STACK_LINES:]
    return LoadError("\n".join([sentence, *stack]))


def _unknown(webserver: Webserver, name: str) -> DataServiceError:
    entries = webserver.query(_NAMES)["workspaceOrError"].get("locationEntries", [])
    names = [item["name"] for item in entries]
    return DataServiceError(f"The webserver at {webserver.shown} has no code location {name!r}: {nearest(name, names)}")
