"""The S3 connection that ops use as ``context.resources.s3``."""

from typing import TYPE_CHECKING, Any

from dagster import Field, InitResourceContext, resource

from util_services.access import check_bucket
from util_services.connections import Connection
from util_services.failures import reported

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3ServiceResource


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
    s3 = Connection.of(connection).resource()
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
