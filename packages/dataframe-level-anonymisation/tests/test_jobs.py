from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import ExecuteInProcessResult

from dataframe_level_anonymisation.repository import defs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GOLDEN = Path(__file__).parent / "golden"
ROLES = {"ident": ["Name"], "supp_level": 0.0}
BOTH = {
    "quasi_identifiers": ["age", "gender"],
    "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
}
AGE = {"quasi_identifiers": ["age"], "generalisation_hierarchies": {"age": "simpl_age"}}
SERVICES = {
    "k_anonymity_job": "apply_k_anonymity",
    "l_diversity_job": "apply_l_diversity",
    "t_closeness_job": "apply_t_closeness",
    "anonymise_job": "apply_privacy_models",
}
K4 = ROLES | BOTH | {"sensitive_attributes": ["disease"], "k": 4}
L3 = ROLES | BOTH | {"sensitive_attribute": "disease", "k": 2, "l": 3}
T02 = ROLES | AGE | {"sensitive_attribute": "disease", "k": 2, "t": 0.2}
GOLDEN_EXAMPLES = [
    ("k_anonymity_job", "patients_k4.csv", K4),
    ("l_diversity_job", "patients_k2_l3.csv", L3),
    ("t_closeness_job", "patients_k2_t0.2_age_only.csv", T02),
    (
        "anonymise_job",
        "patients_k2_l3.csv",
        ROLES
        | BOTH
        | {
            "sensitive_attributes": [],
            "models": [
                {"model": {"k_anonymity": {"k": 2}}},
                {"model": {"distinct_l_diversity": {"l": 3, "sensitive_attribute": "disease"}}},
            ],
        },
    ),
]


def run(
    name: str, read: dict[str, Any], write: dict[str, Any], service: dict[str, Any] | None = None
) -> ExecuteInProcessResult:
    on_s3 = name.endswith("_s3")
    reader, writer = ("read_csv_from_s3", "write_csv_to_s3") if on_s3 else ("read_csv_to_df", "write_df_to_csv")
    op = SERVICES[name.removesuffix("_s3")]
    ops = {reader: {"config": read}, writer: {"config": write}, op: {"config": service or K4}}
    return defs.resolve_job_def(name).execute_in_process(run_config={"ops": ops}, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def run_locally(tmp_path: Path, name: str = "k_anonymity_job", **service: Any) -> ExecuteInProcessResult:
    read = {"input_path": str(GOLDEN / "patients.csv")}
    return run(name, read, {"output_path": str(tmp_path / "out.csv")}, service or K4)


@pytest.mark.parametrize(("name", "expected", "service"), GOLDEN_EXAMPLES)
def test_the_golden_examples_come_out_byte_for_byte(
    tmp_path: Path, name: str, expected: str, service: dict[str, Any]
) -> None:
    assert run_locally(tmp_path, name, **service).success
    assert (tmp_path / "out.csv").read_bytes() == (GOLDEN / expected).read_bytes()


@pytest.mark.parametrize(("name", "expected", "service"), GOLDEN_EXAMPLES)
def test_the_golden_examples_come_out_byte_for_byte_on_s3(
    bucket: str, s3: "S3Client", name: str, expected: str, service: dict[str, Any]
) -> None:
    s3.upload_file(str(GOLDEN / "patients.csv"), bucket, "in/patients.csv")
    read, write = ({"bucket_name": bucket, "file_key": key} for key in ("in/patients.csv", "out/result.csv"))
    assert run(f"{name}_s3", read, write, service).success
    written = s3.get_object(Bucket=bucket, Key="out/result.csv")["Body"].read()
    assert written == (GOLDEN / expected).read_bytes()


def test_the_report_is_metadata_of_the_run(tmp_path: Path) -> None:
    result = run_locally(tmp_path)
    metadata = next(
        event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    )
    assert "k-anonymity (k = 4): met, verified on the output" in str(metadata["report"].value)
    assert metadata["metrics"].value["achieved"] == {"k": 4}  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("name", "service", "sentence"),
    [
        ("k_anonymity_job", K4 | {"k": 0}, "The requirement k = 0 is not possible: give a whole number from 1."),
        (
            "k_anonymity_job",
            K4 | {"k": 50},
            "The requirement k-anonymity (k = 50) cannot be met: even at the highest levels, 12 of 12 rows (100.00%)",
        ),
        (
            "k_anonymity_job",
            K4 | {"quasi_identifiers": ["aeg"]},
            "The column 'aeg' in quasi_identifiers does not exist: did you mean 'age'?",
        ),
        ("k_anonymity_job", K4 | {"quality": "los"}, "The quality model 'los' is unknown: did you mean 'loss'?"),
        ("k_anonymity_job", K4 | {"recoding": "lokal"}, "The recoding 'lokal' is unknown: choose global or local."),
        ("l_diversity_job", L3 | {"sensitive_attribute": "diseas"}, "The column 'diseas' in sensitive_attributes does"),
        ("l_diversity_job", L3 | {"l": 2.5}, "The requirement l = 2.5 is not possible: give a whole number from 1."),
        ("l_diversity_job", L3 | {"l": 7}, "The requirement k-anonymity (k = 2) and distinct l-diversity (l = 7) of"),
        ("l_diversity_job", L3 | {"diversity": "recursive"}, "Recursive (c, l)-diversity needs c: give a number above"),
        ("l_diversity_job", L3 | {"c": 2.0}, "The key c = 2 goes with diversity: recursive only: leave it out or set"),
        ("l_diversity_job", L3 | {"diversity": "some"}, "The diversity 'some' is unknown: choose distinct, entropy or"),
        ("t_closeness_job", T02 | {"t": 1.2}, "The requirement t = 1.2 is not possible: give a number from 0 to 1."),
        ("t_closeness_job", T02 | {"distance": "far"}, "The distance 'far' is unknown: choose equal, ordered or hier"),
        ("t_closeness_job", T02 | {"distance": "ordered"}, "The ordered distance needs numbers, but 3 distinct value"),
        ("t_closeness_job", T02 | {"distance": "hierarchical"}, "The hierarchical distance of 'disease' goes with a "),
        ("anonymise_job", GOLDEN_EXAMPLES[3][2] | {"models": []}, "The models are empty: give at least one require"),
        (
            "anonymise_job",
            GOLDEN_EXAMPLES[3][2] | {"models": [{"model": {"k_map": {"k": 2}}}]},
            "k-map needs a population table: give one as population.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, name: str, service: dict[str, Any], sentence: str
) -> None:
    assert failure(run_locally(tmp_path, name, **service)).startswith(sentence)
    assert not (tmp_path / "out.csv").exists()


def test_a_population_table_is_read_from_a_path_or_from_s3(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    s3.upload_file(str(GOLDEN / "patients.csv"), bucket, "people.csv")
    service = GOLDEN_EXAMPLES[3][2] | {"models": [{"model": {"k_map": {"k": 4}}}]}
    for population in (str(GOLDEN / "patients.csv"), f"s3://{bucket}/people.csv"):
        result = run_locally(tmp_path, "anonymise_job", **service, population=population)
        assert result.success
        assert result.output_for_node("apply_privacy_models", "metrics")["achieved"]["k_map"] == 4
        assert (tmp_path / "out.csv").read_bytes() == (GOLDEN / "patients_k4.csv").read_bytes()


def test_a_hierarchy_file_is_read_from_a_path_or_from_s3(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    table = "".join(f"{age};[{age // 10 * 10}, {age // 10 * 10 + 10});*\n" for age in range(100))
    (tmp_path / "age.csv").write_text(table)
    s3.put_object(Bucket=bucket, Key="deep/age.csv", Body=table.encode())
    for place in (str(tmp_path / "age.csv"), f"s3://{bucket}/deep/age.csv"):
        hierarchies = {"age": place, "gender": {"name": "simpl_gender", "max_level": 0}}
        assert run_locally(tmp_path, **K4 | {"generalisation_hierarchies": hierarchies}).success
        assert (tmp_path / "out.csv").read_bytes() == (GOLDEN / "patients_k4.csv").read_bytes()


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
