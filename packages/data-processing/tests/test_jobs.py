import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml
from dagster import DagsterInstance, ExecuteInProcessResult

from data_processing.repository import defs
from util_services.failures import InvalidRunConfigError
from util_services.staging import staging_root

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLE = Path(__file__).parents[3] / "examples" / "registrations.csv"
CONSTANT = {"columns": {"city": {"method": "constant", "value": "?"}}}
CHAIN: dict[str, Any] = {
    "steps": [
        {"step": {"normalise_missing_markers": {"columns": ["weight_kg"]}}},
        {"step": {"replace_pattern": {"columns": ["weight_kg"], "pattern": ",", "replacement": "."}}},
        {"step": {"convert_types": {"types": {"weight_kg": "decimal"}}}},
        {"step": {"select_columns": {"columns": ["registration", "weight_kg"]}}},
    ]
}
DIRTY = 'id,"name",note\n01,Ann,"a ""b"", c"\n02,Bo,\n03,Ann,""\n'


def run(
    name: str,
    read: dict[str, Any],
    write: dict[str, Any],
    service: dict[str, Any],
    instance: DagsterInstance | None = None,
) -> ExecuteInProcessResult:
    on_s3 = name.endswith("_s3")
    reader, writer = ("read_csv_from_s3", "write_csv_to_s3") if on_s3 else ("read_csv_to_df", "write_df_to_csv")
    op = "clean_data" if name.startswith("clean") else name.removesuffix("_s3").removesuffix("_job")
    ops = {reader: {"config": read}, writer: {"config": write}, op: {"config": service}}
    job = defs.resolve_job_def(name)
    return job.execute_in_process(run_config={"ops": ops}, raise_on_error=False, instance=instance)


def run_locally(tmp_path: Path, name: str, service: dict[str, Any], source: Path = SAMPLE) -> ExecuteInProcessResult:
    return run(name, {"input_path": str(source)}, {"output_path": str(tmp_path / "out.csv")}, service)


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data
    return str(event.step_failure_data.user_failure_data.description)


def metadata(result: ExecuteInProcessResult) -> dict[str, Any]:
    return next(
        {key: value.value for key, value in event.step_output_data.metadata.items()}
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.output_name == "metrics"
    )


def test_what_is_not_touched_leaves_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(DIRTY)
    assert run_locally(tmp_path, "remove_duplicates_job", {"columns": ["name"]}, tmp_path / "in.csv").success
    assert (tmp_path / "out.csv").read_text() == 'id,name,note\n01,Ann,"a ""b"", c"\n02,Bo,\n'
    fills = {"columns": {"note": {"method": "constant", "value": "0"}}}
    assert run_locally(tmp_path, "fill_missing_values_job", fills, tmp_path / "in.csv").success
    assert (tmp_path / "out.csv").read_text() == 'id,name,note\n01,Ann,"a ""b"", c"\n02,Bo,0\n03,Ann,""\n'


def test_a_table_in_files_is_cleaned_as_one_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In files, columns that repeat are cleaned by their levels."""
    rows = 20_000
    number = pl.int_range(rows, eager=True)
    pl.DataFrame(
        {
            "id": number.cast(pl.String),
            "city": pl.Series([" Roma", "n/a", "São  Paulo", None, ""])[number % 5],
            "sex": pl.Series(["f", "m"])[number % 2],
            "born": pl.Series(["31.12.1999", " 01.02.1980", "-"])[number % 3],
            "seen": (pl.date(2020, 1, 1) + pl.duration(days=number % 400)).pipe(pl.select).to_series().cast(pl.String),
        }
    ).write_csv(tmp_path / "in.csv")
    steps: dict[str, dict[str, Any]] = {
        "normalise_missing_markers": {},
        "standardise_text": {"columns": ["city", "sex"], "case": "upper"},
        "replace_values": {"columns": ["sex"], "mapping": {"F": "female"}},
        "format_dates": {"columns": ["born", "seen"], "formats": ["%d.%m.%Y", "%Y-%m-%d"], "to": "%Y%m%d"},
        "fill_missing_values": {"columns": {"city": {"method": "mode"}, "born": {"method": "constant", "value": "?"}}},
    }
    service = {"steps": [{"step": {name: how}} for name, how in steps.items()]}
    outputs, figures = [], []
    for megabytes in ("512", "0"):
        monkeypatch.setenv("STAGING_MEMORY_MB", megabytes)
        result = run_locally(tmp_path, "clean_data_job", service, tmp_path / "in.csv")
        assert result.success
        told = metadata(result)["metrics"]
        figures.append({name: value for name, value in told.items() if name != "execution_time_seconds"})
        outputs.append((tmp_path / "out.csv").read_bytes())
        assert not list(staging_root().iterdir())
    assert outputs[0] == outputs[1]
    assert figures[0] == figures[1]
    assert outputs[0].splitlines()[1:3] == [b"0,ROMA,female,19991231,20200101", b"1,ROMA,M,19800201,20200102"]


def test_figures_are_metadata_and_hold_no_cells(tmp_path: Path) -> None:
    result = run_locally(tmp_path, "clean_data_job", CHAIN)
    told = metadata(result)
    assert told["rows_rejected"] == 3
    figures = told["metrics"]
    assert (figures["rows_processed"], figures["rows_released"], figures["rows_rejected"]) == (196, 193, 3)
    assert [step["step"] for step in figures["steps"]] == [next(iter(each["step"])) for each in CHAIN["steps"]]
    assert figures["cells_changed"] == 13 + 49
    assert "| 3 | convert_types | 196 | 193 | 3 |" in told["report"]
    assert "heavy" in SAMPLE.read_text()
    assert "heavy" not in str(told)


def test_rejected_rows_are_written_beside_the_output(tmp_path: Path) -> None:
    for ending in (".csv", ".parquet"):
        rejects = tmp_path / f"rejects{ending}"
        assert run_locally(tmp_path, "clean_data_job", CHAIN | {"rejects_path": str(rejects)}).success
        read = {".csv": pl.read_csv, ".parquet": pl.read_parquet}[ending](rejects)
        assert read.columns[:3] == ["rejected_by", "rejected_because", "registration"]
        assert read["rejected_because"].unique().to_list() == ["weight_kg is not a decimal number"]
        assert read.height == 3
    assert list(staging_root().iterdir()) == []


def test_without_rejected_rows_the_file_has_a_header_alone(tmp_path: Path) -> None:
    service = CONSTANT | {"rejects_path": str(tmp_path / "rejects.csv")}
    assert run_locally(tmp_path, "fill_missing_values_job", service).success
    assert (tmp_path / "rejects.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_jobs_on_s3_put_the_rejected_rows_into_the_bucket_named_or_that_of_the_output(
    bucket: str, s3: "S3Client", elsewhere: bool
) -> None:
    s3.upload_file(str(SAMPLE), bucket, "in.csv")
    read, write = ({"bucket_name": bucket, "file_key": key} for key in ("in.csv", "out.csv"))
    service: dict[str, Any] = CHAIN | {"rejects_key": "rejects.csv"}
    other = f"{bucket[:-2]}-r"
    if elsewhere:
        s3.create_bucket(Bucket=other)
        service |= {"rejects_bucket": other}
    assert run("clean_data_job_s3", read, write, service).success
    rejects = s3.get_object(Bucket=other if elsewhere else bucket, Key="rejects.csv")["Body"].read().decode()
    assert rejects.count("convert_types,weight_kg is not a decimal number,R") == 3
    assert s3.get_object(Bucket=bucket, Key="out.csv")["Body"].read().count(b"\n") == 194


def test_a_second_table_is_read_from_a_path_or_from_s3(bucket: str, s3: "S3Client", tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text("country,eurostat\nIT,Italy\nPL,Poland\n")
    s3.upload_file(str(tmp_path / "countries.csv"), bucket, "countries.csv")
    outputs = []
    for table in (str(tmp_path / "countries.csv"), f"s3://{bucket}/countries.csv"):
        join = {"step": {"join_table": {"table": table, "keys": ["country"], "how": "inner"}}}
        assert run_locally(tmp_path, "clean_data_job", {"steps": [join]}).success
        outputs.append((tmp_path / "out.csv").read_bytes())
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"Italy\n") > 10
    assert list(staging_root().iterdir()) == []


SCHEMA = b"fields: [{name: fee_eur, type: integer, constraints: {required: true}}]"


def test_a_schema_is_read_from_a_path_or_from_s3_and_rows_that_break_it_are_put_aside(
    bucket: str, s3: "S3Client", tmp_path: Path
) -> None:
    (tmp_path / "schema.yaml").write_bytes(SCHEMA)
    s3.put_object(Bucket=bucket, Key="schema.yaml", Body=SCHEMA)
    for schema in (str(tmp_path / "schema.yaml"), f"s3://{bucket}/schema.yaml"):
        step = {"step": {"validate_schema": {"schema_file": schema}}}
        service = {"steps": [step], "rejects_path": str(tmp_path / "rejects.csv")}
        result = run_locally(tmp_path, "clean_data_job", service)
        assert result.success
        details = metadata(result)["metrics"]["steps"][0]["details"]
        assert details == {"fee_eur type": 8, "fee_eur required": 5}
        rejects = pl.read_csv(tmp_path / "rejects.csv")
        assert rejects["rejected_because"].value_counts(sort=True).rows() == [
            ("breaks the schema: fee_eur type", 8),
            ("breaks the schema: fee_eur required", 5),
        ]
        assert "- 1 validate_schema: fee_eur type: 8, fee_eur required: 5" in metadata(result)["report"]
    assert list(staging_root().iterdir()) == []


def test_the_manuals_configuration_with_a_schema_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (Path(__file__).parents[1] / "docs" / "schemas.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", manual, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(SAMPLE.parent)
    assert defs.resolve_job_def("clean_data_job").execute_in_process(run_config=yaml.safe_load(example)).success
    assert "breaks the schema: " in (tmp_path / "output" / "broken.csv").read_text()


def test_a_schema_is_read_only_where_the_operator_allows(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.csv").write_text(SAMPLE.read_text())
    (tmp_path / "schema.yaml").write_bytes(SCHEMA)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("S3_ALLOWED_BUCKETS", "another")
    for schema, sentence in (
        ("../schema.yaml", "The path '../schema.yaml' lies outside the folder that DATA_ROOT allows"),
        (f"s3://{bucket}/schema.yaml", f"The bucket '{bucket}' is not one that S3_ALLOWED_BUCKETS allows"),
    ):
        service = {"steps": [{"step": {"validate_schema": {"schema_file": schema}}}]}
        result = run("clean_data_job", {"input_path": "in.csv"}, {"output_path": "out.csv"}, service)
        assert failure(result).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "service", "sentence"),
    [
        (
            "remove_duplicates_job",
            {"keep": "one"},
            "The keep 'one' of the step remove_duplicates is unknown: choose fir",
        ),
        (
            "fill_missing_values_job",
            {"columns": {}},
            "The step fill_missing_values has nothing to fill: name at least o",
        ),
        (
            "fill_missing_values_job_s3",
            {"columns": {"a": {"method": "men"}}},
            "The method 'men' of filling is unknown: did you mean 'mean'?",
        ),
        (
            "clean_data_job",
            {"steps": [{"step": {"filter_rows": {"condition": "open('/etc/passwd').read() == 'x'"}}}]},
            "The expression",
        ),
    ],
)
def test_a_mistake_in_parameters_is_found_before_the_run_starts(
    instance: DagsterInstance, name: str, service: dict[str, Any], sentence: str
) -> None:
    place = {"bucket_name": "b", "file_key": "k.csv"} if name.endswith("_s3") else {"output_path": "out.csv"}
    source = place if name.endswith("_s3") else {"input_path": str(SAMPLE)}
    with pytest.raises(InvalidRunConfigError) as caught:
        run(name, source, place, service, instance=instance)
    assert str(caught.value).startswith(sentence)
    assert instance.get_runs() == []


@pytest.mark.parametrize(
    ("name", "service", "sentence"),
    [
        (
            "remove_duplicates_job",
            {"columns": ["nam"]},
            "The column 'nam' in columns of the step remove_duplicates does",
        ),
        (
            "fill_missing_values_job",
            {"columns": {"weight_kg": {"method": "mean"}}},
            "The step fill_missing_values needs numbers, but 65 cells of the column 'weight_kg' are none: run convert_",
        ),
        ("clean_data_job", CHAIN | {"rejects_key": "x.csv"}, "The key rejects_key is given, but this job has no step"),
        ("clean_data_job", {"steps": []}, "The steps are empty: give at least one."),
        (
            "clean_data_job",
            {"steps": [{"step": {"join_table": {"table": "no.csv", "keys": ["city"]}}}]},
            "The input file 'no.csv' does not exist: check steps.",
        ),
        (
            "clean_data_job",
            CHAIN | {"rejects_path": "out.exe"},
            "The file name 'out.exe' does not end in a supported f",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, name: str, service: dict[str, Any], sentence: str
) -> None:
    assert failure(run_locally(tmp_path, name, service)).startswith(sentence)
    assert not (tmp_path / "out.csv").exists()


def test_an_op_without_required_keys_needs_no_configuration(tmp_path: Path) -> None:
    ops = {
        "read_csv_to_df": {"config": {"input_path": str(SAMPLE)}},
        "write_df_to_csv": {"config": {"output_path": str(tmp_path / "out.csv")}},
    }
    assert defs.resolve_job_def("remove_duplicates_job").execute_in_process(run_config={"ops": ops}).success
    assert (tmp_path / "out.csv").read_text().count("\n") == 195


def test_rejected_rows_do_not_replace_the_input_or_the_output(tmp_path: Path) -> None:
    for taken, what in ((SAMPLE, "input"), (tmp_path / "out.csv", "output")):
        result = run_locally(tmp_path, "clean_data_job", CHAIN | {"rejects_path": str(taken)})
        assert failure(result).startswith(f"The rejects_path {str(taken)!r} is the {what} of this run: choose another")
    assert "heavy" in SAMPLE.read_text()


def test_rejected_rows_stay_inside_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.csv").write_text(SAMPLE.read_text())
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "data"))
    service = CHAIN | {"rejects_path": "../rejects.csv"}
    result = run("clean_data_job", {"input_path": "in.csv"}, {"output_path": "out.csv"}, service)
    assert failure(result).startswith("The path '../rejects.csv' lies outside the folder that DATA_ROOT allows")
    assert not (tmp_path / "rejects.csv").exists()


def test_no_cell_reaches_the_events_of_a_run(tmp_path: Path, instance: DagsterInstance) -> None:
    (tmp_path / "in.csv").write_text("name,age\n" + "CANARY,CANARY\nCANARY,1\n" * 3)
    (tmp_path / "schema.yaml").write_text(
        "fields: [{name: age, type: integer}, {name: name, constraints: {enum: [x]}}]"
    )
    for steps in (
        [{"step": {"fill_missing_values": {"columns": {"age": {"method": "mean"}}}}}],
        [{"step": {"convert_types": {"types": {"age": "integer"}}}}, {"step": {"remove_duplicates": {}}}],
        [{"step": {"convert_types": {"types": {"age": "integer"}, "on_failure": "fail"}}}],
        [{"step": {"validate_schema": {"schema_file": str(tmp_path / "schema.yaml")}}}],
        [{"step": {"validate_schema": {"schema_file": str(tmp_path / "schema.yaml"), "on_violation": "fail"}}}],
        [{"step": {"remove_duplicates": {"similarity": {"name": 0.5}}}}],
    ):
        config = {
            "ops": {
                "read_csv_to_df": {"config": {"input_path": str(tmp_path / "in.csv")}},
                "clean_data": {"config": {"steps": steps, "rejects_path": str(tmp_path / "data" / "rejects.csv")}},
                "write_df_to_csv": {"config": {"output_path": str(tmp_path / "data" / "out.csv")}},
            },
            "loggers": {"simpl": {"config": {"log_level": "DEBUG"}}},
        }
        job = defs.resolve_job_def("clean_data_job")
        job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
    assert "CANARY" in (tmp_path / "data" / "rejects.csv").read_text()
    searched = [path for path in tmp_path.rglob("*") if path.is_file() and "staging" not in path.parts]
    kept = {tmp_path / "in.csv", *(tmp_path / "data").iterdir()}
    assert any(b"STEP_START" in path.read_bytes() for path in searched)
    assert any(path.is_relative_to(os.environ["SIMPL_LOG_DIR"]) for path in searched)
    assert [path for path in searched if path not in kept and b"CANARY" in path.read_bytes()] == []
