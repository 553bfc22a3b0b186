"""The S3 connection that ops use as ``context.resources.s3``."""

import os
import re
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from dagster import Field, InitResourceContext, resource

from util_services.access import check_bucket
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.objects import MAX_CONCURRENCY
from util_services.settings import whole_number

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3ServiceResource

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_ATTEMPTS = 5


@resource(
    config_schema={
        "resource_name": Field(
            str,
            default_value="s3",
            description="Name of the connection: its settings are read from S3_<NAME>_ENDPOINT_URL, …_ACCESS_KEY, "
            "…_SECRET_KEY and …_REGION, each falling back to the plain S3_* name, then to the AWS default chain.",
        )
    },
    description="boto3 S3 service resource of a named connection.",
)
def s3_resource(context: InitResourceContext) -> "S3ServiceResource":
    """Connect to S3 as the environment says.

    Addressing is path-style, passing faults are retried with adaptive back-off, and the connection pool fits the
    parallel parts of a transfer. Where ``S3_ALLOWED_BUCKETS`` is set, every request of this connection for another
    bucket is refused before it leaves the process, also in a provider's own ops.

    Raises:
        Failure: If a setting is malformed; the sentence names the variable, never its value.
    """
    with reported():
        return connect(context.resource_config["resource_name"])


def connect(connection: str) -> "S3ServiceResource":
    """Build the S3 service resource of a named connection; see :func:`s3_resource`.

    Args:
        connection: The name, such as ``selfS3``; letters, digits, ``-`` and ``_``.

    Raises:
        DataServiceError: If the name or a setting is malformed.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", connection):
        raise DataServiceError(f"The S3 connection name {connection!r} is malformed: use letters, digits, - and _.")
    endpoint = _setting(connection, "ENDPOINT_URL")
    _check_endpoint(connection, endpoint)
    access_key, secret_key = _setting(connection, "ACCESS_KEY"), _setting(connection, "SECRET_KEY")
    if (access_key is None) != (secret_key is None):
        missing = _variable(connection, "ACCESS_KEY" if access_key is None else "SECRET_KEY")
        raise DataServiceError(f"The environment variable {missing} is not set although its counterpart is: set both.")
    # Storage other than AWS often rejects the newer trailing checksums; sizes are verified after every transfer.
    checksums: Literal["when_required", "when_supported"] = "when_required" if endpoint else "when_supported"
    # A session of its own: boto3's default session is not safe to share between threads.
    s3: S3ServiceResource = boto3.session.Session().resource(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=_setting(connection, "REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"mode": "adaptive", "total_max_attempts": _attempts()},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=MAX_CONCURRENCY + 4,
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
        ),
    )
    s3.meta.client.meta.events.register("provide-client-params.s3", _confine)
    return s3


def _confine(params: dict[str, Any], **_: Any) -> None:
    if "Bucket" in params:
        check_bucket(params["Bucket"])
    source = params.get("CopySource")
    if isinstance(source, dict):
        check_bucket(source["Bucket"])
    elif isinstance(source, str):
        check_bucket(source.lstrip("/").partition("/")[0])


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
