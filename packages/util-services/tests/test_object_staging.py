import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from util_services import engine_files
from util_services.connections import SELF, Connection, connection_of
from util_services.csv_files import COMMA_SEPARATED
from util_services.errors import DataServiceError
from util_services.object_staging import ObjectStaging, object_staging
from util_services.resources import connect
from util_services.servers import ObjectStore
from util_services.stored_files import StoredFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RUN = "0dd6d1c6-2f0b-4e5d-9a55-9d6c2c0a7f11"


@pytest.fixture
def staging(bucket: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStaging:
    monkeypatch.setenv("STAGING_URI", f"s3a://{bucket}/some/prefix/")
    found = object_staging()
    assert found is not None
    return found


def test_a_file_is_sent_and_read_in_any_part(staging: ObjectStaging, tmp_path: Path) -> None:
    path = tmp_path / "in.csv.gz"
    path.write_bytes(b"0123456789")
    stored = pickle.loads(pickle.dumps(staging.send(path, RUN)))
    assert stored.size() == 10
    with stored.opened() as read:
        memory = bytearray(4)
        assert [read(memoryview(memory), start) for start in (3, 8, 10, 20)] == [4, 2, 0, 0]
        assert bytes(memory) == b"8956"
    with stored.whole() as copy:
        assert copy.name == "in.csv.gz"
        assert copy.read_bytes() == b"0123456789"
    assert not copy.exists()
    with stored.beginning(3) as head:
        assert head.read_bytes() == b"012"


def test_an_object_that_was_replaced_is_not_read_any_further(bucket: str, s3: "S3Client") -> None:
    etag = s3.put_object(Bucket=bucket, Key="in.csv", Body=b"a,b\n")["ETag"].strip('"')
    stored = StoredFile(Connection.of(SELF), bucket, "in.csv", 4, etag)
    s3.put_object(Bucket=bucket, Key="in.csv", Body=b"c,d\n")
    with stored.opened() as read, pytest.raises(DataServiceError, match="changed while it was read: run again"):
        read(memoryview(bytearray(4)), 0)
    with pytest.raises(DataServiceError, match="changed while it was read: run again"), stored.whole():
        pass


def test_files_of_a_run_are_kept_and_found_by_their_beginning(staging: ObjectStaging, tmp_path: Path) -> None:
    here, elsewhere = tmp_path / RUN, tmp_path / "elsewhere" / RUN
    here.mkdir()
    elsewhere.mkdir(parents=True)
    for name in ("op.result.pickle", "op.result.text", "op.results.text", "op2.result.text"):
        (here / name).write_text(name)
        staging.keep(here / name)
    found = staging.kept(elsewhere / "op.result.")
    assert [path.name for path in found] == ["op.result.pickle", "op.result.text"]
    assert found[0].read_text() == "op.result.pickle"
    assert found[0].stat().st_mode & 0o777 == 0o600
    assert list(staging.runs()) == [RUN]
    staging.remove_run(RUN)
    assert staging.runs() == {}
    assert staging.kept(elsewhere / "op") == []


def test_a_table_is_read_file_by_file_in_their_order(
    staging: ObjectStaging, tmp_path: Path, store: ObjectStore
) -> None:
    place = tmp_path / RUN / "op.result.spark"
    for number in (2, 0, 1):
        pl.DataFrame({"a": [number]}).write_parquet(tmp_path / "part.parquet")
        key = f"{staging.key(place)}/part-0000{number}-x.zstd.parquet"
        store.client().upload_file(str(tmp_path / "part.parquet"), staging.bucket, key)
    store.client().put_object(Bucket=staging.bucket, Key=f"{staging.key(place)}/_SUCCESS")
    assert staging.uri(place) == f"s3a://{staging.bucket}/some/prefix/{RUN}/op.result.spark"
    assert staging.scan(staging.uri(place)).collect()["a"].to_list() == [0, 1, 2]


def test_spark_is_told_of_this_bucket_alone_and_secrets_are_not_shown(
    staging: ObjectStaging, store: ObjectStore
) -> None:
    settings = staging.settings()
    assert all(name.startswith(f"fs.s3a.bucket.{staging.bucket}.") for name in settings)
    assert store.secret_key in settings.values()
    assert store.secret_key not in repr(staging)
    without = ObjectStaging("b", "", Connection(None, None, None, "eu-central-1"))
    assert without.settings() == {
        "fs.s3a.bucket.b.path.style.access": "true",
        "fs.s3a.bucket.b.endpoint.region": "eu-central-1",
    }


def test_what_is_wrong_with_the_storage_is_told_as_the_operators(
    staging: ObjectStaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ObjectStaging("not-there", "", staging.connection)
    with pytest.raises(DataServiceError, match="What STAGING_URI names cannot be used, as the bucket 'not-there'"):
        wrong.runs()


def test_a_client_knows_its_connection(store: ObjectStore) -> None:
    assert connection_of(connect(SELF).meta.client) == Connection.of(SELF)
    assert connection_of(store.client()) is None


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("small.csv", b"a,b\n1,2\n"),
        ("in.csv.gz", b"x" * 5000),
        ("in.jsonl", b"{}\n" * 5000),
        ("wide.csv", b"x" * 600_000 + b",b\n" + b"1,2\n" * 200_000),
        ("widest.csv", b"x" * 1_200_000 + b",b\n1,2\n"),
        ("repeated.csv", b"a,a\n" + b"1,2\n" * 2000),
    ],
)
def test_a_file_of_which_more_than_the_beginning_must_be_known_is_not_read_by_a_cluster_alone(
    key: str, content: bytes, bucket: str, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_files, "_SMALL_BYTES", 4096)
    etag = s3.put_object(Bucket=bucket, Key=key, Body=content)["ETag"].strip('"')
    stored = StoredFile(Connection.of(SELF), bucket, key, len(content), etag)
    assert engine_files.read_stored(None, stored, COMMA_SEPARATED, None) is None
