import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from util_services import objects
from util_services.errors import DataServiceError
from util_services.objects import download, upload
from util_services.resources import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def silent(_: str) -> None:
    pass


def test_a_small_and_a_large_file_arrive_whole(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    for name, size, part in (("small", 10, False), ("large", 40 << 20, True)):
        source, back = tmp_path / name, tmp_path / f"{name}-back"
        source.write_bytes(bytes(range(256)) * (size // 256 + 1))
        sent = upload(s3, source, bucket, name, silent)
        assert sent.size == source.stat().st_size
        assert ("-" in sent.etag) is part  # multipart ETags end in the number of parts
        got = download(s3, bucket, name, back, silent)
        assert (got.etag, got.size) == (sent.etag, sent.size)
        assert back.read_bytes() == source.read_bytes()


def test_an_object_has_the_content_type_that_is_named(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"0")
    upload(s3, source, bucket, "named", silent, content_type="text/html; charset=utf-8")
    upload(s3, source, bucket, "unnamed", silent)
    assert s3.head_object(Bucket=bucket, Key="named")["ContentType"] == "text/html; charset=utf-8"
    assert s3.head_object(Bucket=bucket, Key="unnamed")["ContentType"] != "text/html; charset=utf-8"


def test_progress_is_reported_while_a_transfer_goes_on(
    bucket: str, s3: "S3Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_REPORT_SECONDS", 0.02)
    source = tmp_path / "f"
    source.write_bytes(b"x" * (48 << 20))
    lines: list[str] = []
    upload(s3, source, bucket, "f", lines.append)
    assert len(lines) > 1
    assert lines[-1].startswith(f"Writing s3://{bucket}/f: 50,331,648 bytes, 100 %, ")
    assert lines[-1].endswith(" MB/s")
    assert objects._REPORT_SECONDS < 10


def test_an_interrupt_ends_a_transfer_and_leaves_no_object(
    bucket: str, s3: "S3Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_REPORT_SECONDS", 0.01)
    source = tmp_path / "f"
    source.write_bytes(b"x" * (200 << 20))

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(s3, source, bucket, "f", interrupt)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("s3-transfer")]


def sentence(action: Callable[[], Any]) -> str:
    with pytest.raises(DataServiceError) as error:
        action()
    assert error.value.__context__ is None or error.value.__suppress_context__
    return str(error.value)


def test_what_is_missing_is_named(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="in/patients.csv", Body=b"a\n")
    path = tmp_path / "f"
    assert sentence(lambda: download(s3, bucket, "in/patient.csv", path, silent)) == (
        f"The object 'in/patient.csv' does not exist in the bucket '{bucket}': did you mean 'in/patients.csv'?"
    )
    assert sentence(lambda: download(s3, "no-such-bucket", "a", path, silent)) == (
        "The bucket 'no-such-bucket' does not exist: check bucket_name, or ask the operator to create it."
    )
    path.write_bytes(b"x")
    assert "The bucket 'no-such-bucket' does not exist" in sentence(
        lambda: upload(s3, path, "no-such-bucket", "a", silent)
    )


def test_wrong_credentials_are_named_and_not_shown(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    monkeypatch.setenv("S3_SECRET_KEY", "WRONG-SECRET")
    client = connect("selfS3").meta.client
    for action in (
        lambda: download(client, bucket, "a", path, silent),
        lambda: upload(client, path, bucket, "a", silent),
    ):
        text = sentence(action)
        assert "check S3_ACCESS_KEY and S3_SECRET_KEY" in text
        assert "WRONG-SECRET" not in text


def test_an_unreachable_endpoint_and_absent_credentials_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
    absent = connect("selfS3").meta.client
    assert "No S3 credentials are configured" in sentence(lambda: download(absent, "b", "a", tmp_path / "f", silent))
    monkeypatch.setenv("S3_ACCESS_KEY", "k")
    monkeypatch.setenv("S3_SECRET_KEY", "s")
    dead = connect("selfS3").meta.client
    assert "could not be reached for the bucket 'bucket' (EndpointConnectionError): check S3_ENDPOINT_URL" in sentence(
        lambda: download(dead, "bucket", "a", tmp_path / "f", silent)
    )
    assert time.monotonic() - started < 60
