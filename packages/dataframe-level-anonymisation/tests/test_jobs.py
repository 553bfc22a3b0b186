from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import ExecuteInProcessResult

from dataframe_level_anonymisation.repository import defs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GOLDEN = Path(__file__).parent / "golden"
CONFIG = {
    "ident": ["Name"],
    "quasi_identifiers": ["age", "gender"],
    "sensitive_attributes": ["disease"],
    "k": 4,
    "supp_level": 0.0,
    "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
}


def run(name: str, read: dict[str, Any], write: dict[str, Any], **changed: Any) -> ExecuteInProcessResult:
    reader, writer = (
        ("read_csv_from_s3", "write_csv_to_s3") if name.endswith("_s3") else ("read_csv_to_df", "write_df_to_csv")
    )
    ops = {reader: {"config": read}, writer: {"config": write}, "apply_k_anonymity": {"config": CONFIG | changed}}
    return defs.resolve_job_def(name).execute_in_process(run_config={"ops": ops}, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def run_locally(tmp_path: Path, **changed: Any) -> ExecuteInProcessResult:
    read = {"input_path": str(GOLDEN / "patients.csv")}
    return run("k_anonymity_job", read, {"output_path": str(tmp_path / "out.csv")}, **changed)


def test_the_golden_example_comes_out_byte_for_byte(tmp_path: Path) -> None:
    assert run_locally(tmp_path).success
    assert (tmp_path / "out.csv").read_bytes() == (GOLDEN / "patients_k4.csv").read_bytes()


def test_the_golden_example_comes_out_byte_for_byte_on_s3(bucket: str, s3: "S3Client") -> None:
    s3.upload_file(str(GOLDEN / "patients.csv"), bucket, "in/patients.csv")
    read, write = ({"bucket_name": bucket, "file_key": key} for key in ("in/patients.csv", "out/k4.csv"))
    assert run("k_anonymity_job_s3", read, write).success
    assert s3.get_object(Bucket=bucket, Key="out/k4.csv")["Body"].read() == (GOLDEN / "patients_k4.csv").read_bytes()


def test_the_report_is_metadata_of_the_run(tmp_path: Path) -> None:
    result = run_locally(tmp_path)
    metadata = next(
        event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    )
    assert "k-anonymity (k = 4): met and verified" in str(metadata["report"].value)
    assert metadata["metrics"].value["achieved"] == {"k": 4}  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"k": 0}, "The requirement k = 0 is not possible: give a whole number from 1."),
        ({"k": 50}, "The requirement k-anonymity (k = 50) cannot be met: even fully generalised, 12 of 12 rows"),
        ({"quasi_identifiers": ["aeg"]}, "The column 'aeg' in quasi_identifiers does not exist: did you mean 'age'?"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    assert failure(run_locally(tmp_path, **changed)).startswith(sentence)
    assert not (tmp_path / "out.csv").exists()


S3_MISTAKES = [
    ("credentials", "The S3 storage rejects the credentials: check S3_ACCESS_KEY and S3_SECRET_KEY"),
    ("endpoint", "The S3 endpoint could not be reached for the bucket"),
    ("bucket", "The bucket 'no-such-bucket' does not exist"),
    ("key", "The object 'in/patient.csv' does not exist in the bucket"),
    ("target bucket", "The bucket 'no-such-bucket' does not exist"),
    ("allowed", "The bucket 'no-such-bucket' is not one that S3_ALLOWED_BUCKETS allows"),
]


@pytest.mark.parametrize(("mistake", "sentence"), S3_MISTAKES)
def test_each_s3_mistake_is_one_sentence_and_the_target_is_untouched(
    bucket: str, s3: "S3Client", monkeypatch: pytest.MonkeyPatch, mistake: str, sentence: str
) -> None:
    s3.upload_file(str(GOLDEN / "patients.csv"), bucket, "in/patients.csv")
    s3.put_object(Bucket=bucket, Key="out.csv", Body=b"old")
    read = {"bucket_name": bucket, "file_key": "in/patients.csv"}
    write = {"bucket_name": bucket, "file_key": "out.csv"}
    match mistake:
        case "credentials":
            monkeypatch.setenv("S3_SECRET_KEY", "wrong")
        case "endpoint":
            monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:9")
        case "bucket":
            read["bucket_name"] = "no-such-bucket"
        case "key":
            read["file_key"] = "in/patient.csv"
        case "target bucket":
            write["bucket_name"] = "no-such-bucket"
        case "allowed":
            monkeypatch.setenv("S3_ALLOWED_BUCKETS", bucket)
            read["bucket_name"] = "no-such-bucket"
    assert failure(run("k_anonymity_job_s3", read, write)).startswith(sentence)
    assert s3.get_object(Bucket=bucket, Key="out.csv")["Body"].read() == b"old"
