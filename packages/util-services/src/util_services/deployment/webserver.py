"""Asking a Dagster webserver through GraphQL."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from util_services.errors import DataServiceError

AUTHORIZATION = "DAGSTER_WEBSERVER_AUTHORIZATION"
_ATTEMPTS = 6
_BACKOFF_SECONDS = 0.5  # doubled at each attempt: gives up after about 30 s
_PASSING = (429, 502, 503, 504)
_TIMEOUT_SECONDS = (5, 120)  # to connect, to answer: a reload answers when the location is loaded


class UnreachableError(DataServiceError):
    """The webserver does not answer."""


class RefusedError(DataServiceError):
    """The webserver answers with a GraphQL error."""


class Webserver:
    """A Dagster webserver.

    Requests are repeated with growing pauses while the server cannot be reached or is starting.

    Args:
        url: Address of the webserver, as in a browser.

    Raises:
        DataServiceError: If the address is none.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise DataServiceError(
                f"The address {_without_password(url)!r} is none: give the webserver's, such as https://dagster.example.org."
            )
        self.shown = _without_password(self.url)
        self._once, self._repeating = _session(0), _session(_ATTEMPTS)

    def query(self, query: str, *, repeat: bool = True, **variables: Any) -> dict[str, Any]:
        """Run a GraphQL operation.

        Args:
            query: The operation.
            repeat: Whether it may be sent again when no answer came; a server that could not be connected to is
                always asked again.
            **variables: Its variables.

        Returns:
            Its data.

        Raises:
            UnreachableError: If the server does not answer.
            RefusedError: If it cannot do what is asked.
            DataServiceError: If it denies access, or is no Dagster webserver.
        """
        session = self._repeating if repeat else self._once
        body = {"query": query, "variables": variables}
        try:
            answer = session.post(f"{self.url}/graphql", json=body, timeout=_TIMEOUT_SECONDS)
        except requests.exceptions.SSLError:
            raise UnreachableError(
                f"The certificate of the Dagster webserver at {self.shown} is not trusted: set REQUESTS_CA_BUNDLE to "
                "the file of your authority's certificates."
            ) from None
        except requests.exceptions.RequestException:
            raise UnreachableError(
                f"The Dagster webserver at {self.shown} cannot be reached, though asked {_ATTEMPTS + 1} times: "
                "check the address, and that it is running."
            ) from None
        return self._data(answer)

    def _data(self, answer: requests.Response) -> dict[str, Any]:
        if answer.status_code in {401, 403}:
            raise DataServiceError(
                f"The Dagster webserver at {self.shown} refuses access ({answer.status_code}): set {AUTHORIZATION} to "
                "the value of an Authorization header it accepts."
            )
        if answer.status_code in _PASSING:
            raise UnreachableError(
                f"The Dagster webserver at {self.shown} answers {answer.status_code}: try again later."
            )
        try:
            content = answer.json()
        except requests.exceptions.JSONDecodeError:
            content = None
        if not isinstance(content, dict) or not {"data", "errors"} & content.keys():
            raise DataServiceError(
                f"What answers at {self.shown} ({answer.status_code}) is no Dagster webserver: check the address."
            )
        if errors := content.get("errors"):
            raise RefusedError(f"The Dagster webserver at {self.shown} refuses the request: {first_line(errors[0])}")
        data: dict[str, Any] = content["data"]
        return data


def _session(repeats: int) -> requests.Session:
    """Make a session that sends a request again if it could not connect, and up to so often if no answer came."""
    retries = Retry(
        total=_ATTEMPTS,
        read=repeats,
        status=repeats,
        status_forcelist=_PASSING if repeats else (),
        allowed_methods=None,
        backoff_factor=_BACKOFF_SECONDS,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    if value := os.environ.get(AUTHORIZATION):
        session.auth = _Authorization(value)
    return session


class _Authorization(requests.auth.AuthBase):
    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def first_line(error: Mapping[str, Any]) -> str:
    """Give the sentence at the heart of a GraphQL ``PythonError``: of its last cause, without the stack."""
    while error.get("cause"):
        error = error["cause"]
    lines = [line.strip() for line in str(error.get("message", "")).splitlines() if line.strip()]
    return lines[0] if lines else "no message"
