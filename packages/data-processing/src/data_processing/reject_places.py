"""Where the rows go that are left out, checked before anything is written.

Where to is told by the configuration of the service op: ``rejects_path`` for a local file, ``rejects_key`` (and
``rejects_bucket``, if it is another than the output's) for S3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import OpExecutionContext

from util_services.access import check_bucket
from util_services.errors import DataServiceError
from util_services.formats import format_of
from util_services.ops import check_object, other_steps, output_file

REJECTS_PATH, REJECTS_KEY, REJECTS_BUCKET = "rejects_path", "rejects_key", "rejects_bucket"
WRITERS = {REJECTS_PATH: "write_rejects", REJECTS_KEY: "write_rejects_to_s3"}
"""The op that writes the rows left out, by the key that tells where to."""


@dataclass(frozen=True)
class Object:
    """An object to write."""

    bucket: str
    key: str


def is_wanted(config: Mapping[str, Any]) -> bool:
    """Tell whether the rows left out shall be written."""
    return any(config.get(key) for key in WRITERS)


def check_places(context: OpExecutionContext, config: Mapping[str, Any]) -> None:
    """Refuse places that the job cannot write to, before it writes anything.

    Args:
        context: The service op.
        config: Its configuration.

    Raises:
        DataServiceError: If the job has no op that writes there, or the place is taken or not allowed.
    """
    for key, writer in WRITERS.items():
        if config.get(key) and writer not in context.job_def.graph.node_dict:
            other = next(each for each in WRITERS if each != key)
            raise DataServiceError(
                f"The key {key} is given, but this job has no step {writer}: give {other}, or take the other of the "
                "two jobs."
            )
    if config.get(REJECTS_PATH):
        local_place(context, config)
    if config.get(REJECTS_KEY):
        object_place(context, config)


def local_place(context: OpExecutionContext, config: Mapping[str, Any]) -> Path:
    """Give the file to write.

    Raises:
        DataServiceError: If its ending is unknown, it is taken, or it lies outside ``DATA_ROOT``.
    """
    format_of(config[REJECTS_PATH])
    return output_file(context, config[REJECTS_PATH], REJECTS_PATH)


def object_place(context: OpExecutionContext, config: Mapping[str, Any]) -> Object:
    """Give the object to write, in the bucket of the output unless another is named.

    Raises:
        DataServiceError: If its ending is unknown, it is taken, there is no bucket, or that is not allowed.
    """
    key = config[REJECTS_KEY]
    format_of(key)
    steps = other_steps(context).items()
    outputs = [step["bucket_name"] for name, step in steps if name.startswith("write") and step.get("bucket_name")]
    bucket = config.get(REJECTS_BUCKET) or next(iter(outputs), None)
    if bucket is None:
        raise DataServiceError(f"The rows left out have no bucket: give {REJECTS_BUCKET} beside {REJECTS_KEY}.")
    check_bucket(bucket)
    check_object(context, bucket, key)
    return Object(bucket, key)
