import os
from typing import TYPE_CHECKING

import pytest
from dagster import Failure, build_init_resource_context

from util_services.errors import DataServiceError
from util_services.resources import connect, s3_resource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_configured_gives_a_boto3_service_resource(bucket: str) -> None:
    definition = s3_resource.configured({"resource_name": "selfS3"})
    s3 = definition(build_init_resource_context())
    s3.Object(bucket, "a").put(Body=b"x")
    assert s3.meta.client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    assert s3.meta.service_name == "s3"


def test_the_settings_of_the_connection_win_over_the_plain_ones(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("ENDPOINT_URL", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"S3_SELFS3_{setting}", os.environ[f"S3_{setting}"])
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("S3_SELFS3_REGION", "eu-west-1")
    client = connect("selfS3").meta.client
    client.head_bucket(Bucket=bucket)
    assert client.meta.region_name == "eu-west-1"
    assert connect("other").meta.client.meta.endpoint_url == "http://127.0.0.1:9"


def test_without_settings_the_aws_default_chain_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-the-chain")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    client = connect("selfS3").meta.client
    assert client.meta.endpoint_url == "https://s3.amazonaws.com"
    assert client._get_credentials().access_key == "from-the-chain"  # type: ignore[attr-defined]


def test_connection_is_tuned_for_transfers() -> None:
    config = connect("selfS3").meta.client.meta.config
    assert config.s3 == {"addressing_style": "path"}
    assert config.retries["mode"] == "adaptive"
    assert (config.connect_timeout, config.read_timeout) == (10, 60)
    assert config.max_pool_connections == 12


def test_only_allowed_buckets_can_be_touched_even_by_a_providers_own_op(
    bucket: str, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", "another")
    service = connect("selfS3")
    refused = f"bucket '{bucket}' is not one that S3_ALLOWED_BUCKETS allows"
    with pytest.raises(DataServiceError, match=refused):
        service.meta.client.get_object(Bucket=bucket, Key="a")
    with pytest.raises(DataServiceError, match=refused):
        list(service.Bucket(bucket).objects.all())
    with pytest.raises(DataServiceError, match=refused):
        service.meta.client.copy_object(Bucket="another", Key="a", CopySource={"Bucket": bucket, "Key": "a"})
    with pytest.raises(DataServiceError, match=refused):
        service.meta.client.copy_object(Bucket="another", Key="a", CopySource=f"{bucket}/a")
    with pytest.raises(DataServiceError, match=refused):
        service.meta.client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("S3_ENDPOINT_URL", "s3.SECRET.org"),
        ("S3_SELFS3_ENDPOINT_URL", "http://user:SECRET@host"),
        ("S3_MAX_ATTEMPTS", "SECRET"),
    ],
)
def test_a_bad_setting_names_the_variable_and_not_its_value(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Failure) as failure:
        s3_resource.configured({"resource_name": "selfS3"})(build_init_resource_context())
    assert variable in str(failure.value.description)
    assert "SECRET" not in str(failure.value.description)


def test_half_a_pair_of_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SELFS3_ACCESS_KEY", "x")
    with pytest.raises(DataServiceError, match="S3_SELFS3_SECRET_KEY is not set although its counterpart is"):
        connect("selfS3")


def test_a_malformed_connection_name_is_refused() -> None:
    with pytest.raises(DataServiceError, match="connection name 'a b' is malformed"):
        connect("a b")
