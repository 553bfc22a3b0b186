from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from util_services.errors import DataServiceError
from util_services.locations import opened

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_path_is_opened_in_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with opened(str(tmp_path / "a.csv"), "run", print) as path:
        assert path == tmp_path / "a.csv"
    assert path.exists()


def test_an_object_is_fetched_for_the_length_of_the_block(bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="deep/a.csv.gz", Body=b"content")
    with opened(f"s3://{bucket}/deep/a.csv.gz", "run", print) as path:
        assert path.read_bytes() == b"content"
        assert path.name.endswith(".csv.gz")
        assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("s3://bucket", "The location 's3://bucket' is malformed: give s3://bucket/key or a path."),
        ("s3:///key", "The location 's3:///key' is malformed"),
        ("s3://no-such-bucket/key", "The bucket 'no-such-bucket' does not exist"),
        ("/no/such/file.csv", "The input file '/no/such/file.csv' does not exist"),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_mistake_is_one_sentence(location: str, sentence: str) -> None:
    with pytest.raises(DataServiceError) as error, opened(location, "run", print):
        pass
    assert str(error.value).startswith(sentence)


def test_a_side_input_is_confined_like_any_other(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", "other")
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    for location in (f"s3://{bucket}/a.csv", "../a.csv"):
        with pytest.raises(DataServiceError, match="allows"), opened(location, "run", print):
            pass
