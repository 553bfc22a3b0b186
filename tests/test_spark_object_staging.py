"""Runs on a real Spark cluster whose machines share no folder: tables and files between steps are in object storage."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from spark_cluster import Cluster, missing_s3a, settings_of, with_s3a
from spark_runs import outcome_of

from util_services.servers import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STAGING = "staging"


@pytest.fixture(scope="module")
def settings(
    spark_cluster: Cluster, _store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Environment variables that choose the cluster and a bucket for what is between steps."""
    if lack := missing_s3a():
        pytest.skip(lack)
    home = tmp_path_factory.mktemp("objects")
    own = {name.replace(".", "_"): value for name, value in with_s3a(home).items()}
    _store.client().create_bucket(Bucket=STAGING)
    return settings_of(spark_cluster, home, **own) | {"STAGING_URI": f"s3a://{STAGING}/runs"}


@pytest.fixture
def on_objects(settings: Mapping[str, str], store: ObjectStore) -> Iterator[Callable[[], None]]:
    """Switches the test over to Spark."""
    del store
    with pytest.MonkeyPatch.context() as patch:
        yield lambda: [patch.setenv(name, value) for name, value in settings.items()] and None


def staged(s3: "S3Client") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=STAGING).get("Contents", [])]


@pytest.mark.parametrize("case", ["k_anonymity_job"])
def test_a_job_gives_the_same(
    case: str, samples: None, here: Path, on_objects: Callable[[], None], s3: "S3Client"
) -> None:
    del samples, here
    expected = outcome_of(case)
    assert expected.failure is None
    on_objects()
    assert outcome_of(case) == expected
    assert staged(s3) == []
