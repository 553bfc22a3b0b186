"""Named S3 connections, as environment variables describe them."""

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import boto3
from botocore.config import Config

from util_services.errors import DataServiceError
from util_services.settings import whole_number

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client, S3ServiceResource

SELF = "selfS3"
"""The connection to the storage of the participant's own node."""

MAX_CONCURRENCY = 8
"""How many parts of an object are moved at a time."""

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_ATTEMPTS = 5


@dataclass(frozen=True)
class Connection:
    """How to reach an S3 storage; can be sent to the machines of a cluster.

    Attributes:
        endpoint: URL; ``None`` for AWS.
        access_key: Access key; ``None`` for what the AWS default chain finds.
        secret_key: Its secret key.
        region: Region.
        attempts: How often a request is made before it fails.
    """

    endpoint: str | None
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    region: str
    attempts: int = _ATTEMPTS

    @classmethod
    def of(cls, name: str) -> "Connection":
        """Read the settings of a connection; see :func:`util_services.resources.s3_resource`.

        Args:
            name: Its name, such as ``selfS3``; letters, digits, ``-`` and ``_``.

        Raises:
            DataServiceError: If the name or a setting is malformed; the sentence names the variable, never its value.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise DataServiceError(f"The S3 connection name {name!r} is malformed: use letters, digits, - and _.")
        endpoint = _setting(name, "ENDPOINT_URL")
        _check_endpoint(name, endpoint)
        access_key, secret_key = _setting(name, "ACCESS_KEY"), _setting(name, "SECRET_KEY")
        if (access_key is None) != (secret_key is None):
            missing = _variable(name, "ACCESS_KEY" if access_key is None else "SECRET_KEY")
            raise DataServiceError(
                f"The environment variable {missing} is not set although its counterpart is: set both."
            )
        region = _setting(name, "REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return cls(endpoint, access_key, secret_key, region, _attempts())

    def resource(self) -> "S3ServiceResource":
        """Build a boto3 service resource: path-style addresses, adaptive retries, connections for parallel parts."""
        # Storage other than AWS often rejects the newer trailing checksums; sizes are verified after every transfer.
        checksums: Literal["when_required", "when_supported"] = "when_required" if self.endpoint else "when_supported"
        # A session of its own: boto3's default session is not safe to share between threads.
        s3: S3ServiceResource = boto3.session.Session().resource(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"mode": "adaptive", "total_max_attempts": self.attempts},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                max_pool_connections=MAX_CONCURRENCY + 4,
                request_checksum_calculation=checksums,
                response_checksum_validation=checksums,
            ),
        )
        _OF_CLIENTS[s3.meta.client] = self
        return s3


_OF_CLIENTS: "WeakKeyDictionary[S3Client, Connection]" = WeakKeyDictionary()


def connection_of(client: "S3Client") -> Connection | None:
    """Tell through which connection a client works; ``None`` for one that somebody else made."""
    return _OF_CLIENTS.get(client)


def _variable(connection: str, setting: str) -> str:
    return f"S3_{connection.upper().replace('-', '_')}_{setting}"


def _setting(connection: str, setting: str) -> str | None:
    return os.environ.get(_variable(connection, setting)) or os.environ.get(f"S3_{setting}") or None


def _check_endpoint(connection: str, endpoint: str | None) -> None:
    if endpoint is None or re.fullmatch(r"https?://[^\s/?#@]+(:\d+)?/?", endpoint):
        return
    variable = _variable(connection, "ENDPOINT_URL")
    name = variable if os.environ.get(variable) else "S3_ENDPOINT_URL"
    raise DataServiceError(f"The environment variable {name} is not a URL such as https://s3.example.org: correct it.")


def _attempts() -> int:
    return whole_number("S3_MAX_ATTEMPTS", os.environ.get("S3_MAX_ATTEMPTS"), _ATTEMPTS)
