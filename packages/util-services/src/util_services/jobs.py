"""How jobs of the service packages are put together, and what every job binds.

Executor, staging and the JSON logger are bound on the jobs, because a provider's ``Definitions`` brings only ``s3``.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypedDict

from dagster import (
    ConfigMapping,
    ExecutorDefinition,
    Field,
    GraphDefinition,
    JobDefinition,
    LoggerDefinition,
    OpDefinition,
    ResourceDefinition,
    colored_console_logger,
    graph,
    in_process_executor,
)

from util_services.custom_json_logger import simpl_json_logger
from util_services.errors import DataServiceError
from util_services.failures import InvalidRunConfigError
from util_services.ops import (
    preview_dataframe,
    read_csv_from_s3,
    read_csv_to_df,
    read_txt_from_s3,
    read_txt_to_string,
    write_csv_to_s3,
    write_df_to_csv,
    write_string_to_txt,
    write_txt_to_s3,
)
from util_services.staging import staging_io_manager

SAMPLE_BUCKET = "dagster-workflow-bucket"
BUSINESS_OPERATION = "business_operation"
_CONSOLE = {"console": {"config": {"log_level": "INFO"}}}  # the report, not every event, on a terminal


class Bindings(TypedDict):
    """Keyword arguments of ``@job`` and ``GraphDefinition.to_job``."""

    executor_def: ExecutorDefinition
    resource_defs: dict[str, ResourceDefinition]
    logger_defs: dict[str, LoggerDefinition]


def bindings() -> Bindings:
    """Give what every job of a code location binds: one process a run, private staging, the JSON logger.

    Examples:
        >>> from dagster import job
        >>> @job(**bindings())
        ... def my_job(): ...
    """
    return Bindings(
        executor_def=in_process_executor,
        resource_defs={"io_manager": staging_io_manager},
        logger_defs={"simpl": simpl_json_logger, "console": colored_console_logger},
    )


Check = Callable[[Mapping[str, Any]], None]
"""Takes the configuration of an op as the user wrote it, and raises a :class:`DataServiceError` if it is wrong."""


class ReportOps(NamedTuple):
    """Two ops that write a report, each with the inputs ``metrics`` and ``written`` (Nothing) and without outputs.

    They write where the service op's configuration says (``report_path``, ``report_key``), and nothing if it says
    nothing.
    """

    local: OpDefinition
    s3: OpDefinition


class TableJobs(NamedTuple):
    """A service as two jobs."""

    local: JobDefinition
    s3: JobDefinition


def table_jobs(
    service: OpDefinition,
    *,
    name: str,
    description: str,
    business_operation: str,
    config: Mapping[str, Any],
    sample_input: str,
    sample_output: str,
    reports: ReportOps | None = None,
    check: Check | None = None,
) -> TableJobs:
    """Build ``NAME`` on local files and ``NAME_s3`` on S3 objects: read → preview → service → preview → write.

    Args:
        service: An op with one table as input and the outputs ``data`` and ``metrics``.
        name: Name of the local job.
        description: One sentence for the Dagster UI.
        business_operation: Value of the ``business_operation`` tag.
        config: Configuration of the service op that succeeds on the sample.
        sample_input: Path of the sample, also its key in the sample bucket.
        sample_output: Path, and key, of the result.
        reports: Ops that put a report beside the result once it is written.
        check: Refuses a configuration of the service op before a run starts.
    """

    @graph(name=name, description=description)
    def local() -> None:
        data, metrics = service(preview_dataframe(read_csv_to_df()))
        written = write_df_to_csv(preview_dataframe(data))
        if reports:
            reports.local(metrics, written)

    @graph(name=f"{name}_s3", description=f"{description} Reads from and writes to S3.")
    def on_s3() -> None:
        data, metrics = service(preview_dataframe(read_csv_from_s3()))
        written = write_csv_to_s3(preview_dataframe(data))
        if reports:
            reports.s3(metrics, written)

    return _both(
        local,
        on_s3,
        business_operation,
        {service.name: config},
        {"read_csv_to_df": {"input_path": sample_input}, "write_df_to_csv": {"output_path": sample_output}},
        {"read_csv_from_s3": _sample(sample_input), "write_csv_to_s3": _sample(sample_output)},
        {service.name: check} if check else {},
    )


def text_jobs(
    service: OpDefinition,
    *,
    name: str,
    description: str,
    business_operation: str,
    config: Mapping[str, Any],
    sample_input: str,
    sample_output: str,
) -> TableJobs:
    """Build ``NAME`` on local texts and ``NAME_s3`` on S3 objects: read → service → write.

    Args:
        service: An op with one text as input and the outputs ``data`` and ``metrics``.
        name: Name of the local job.
        description: One sentence for the Dagster UI.
        business_operation: Value of the ``business_operation`` tag.
        config: Configuration of the service op that succeeds on the sample.
        sample_input: Path of the sample, also its key in the sample bucket.
        sample_output: Path, and key, of the result.
    """

    @graph(name=name, description=description)
    def local() -> None:
        data, _ = service(read_txt_to_string())
        write_string_to_txt(data)

    @graph(name=f"{name}_s3", description=f"{description} Reads from and writes to S3.")
    def on_s3() -> None:
        data, _ = service(read_txt_from_s3())
        write_txt_to_s3(data)

    return _both(
        local,
        on_s3,
        business_operation,
        {service.name: config},
        {"read_txt_to_string": {"input_path": sample_input}, "write_string_to_txt": {"output_path": sample_output}},
        {"read_txt_from_s3": _sample(sample_input), "write_txt_to_s3": _sample(sample_output)},
    )


def report_jobs(
    service: OpDefinition,
    reports: ReportOps,
    *,
    name: str,
    description: str,
    business_operation: str,
    config: Mapping[str, Any],
    sample_input: str,
    after_report: OpDefinition | None = None,
    check: Check | None = None,
) -> TableJobs:
    """Build ``NAME`` and ``NAME_s3`` that change nothing: read → preview → service → report.

    Args:
        service: An op with one table as input and the only output ``metrics``.
        reports: Ops that write the report.
        name: Name of the local job.
        description: One sentence for the Dagster UI.
        business_operation: Value of the ``business_operation`` tag.
        config: Configuration of the service op that succeeds on the sample.
        sample_input: Path of the sample, also its key in the sample bucket.
        after_report: An op that decides on the metrics once the report is written, such as one that fails the run; its
            inputs are those of the reports.
        check: Refuses a configuration of the service op before a run starts.
    """

    @graph(name=name, description=description)
    def local() -> None:
        metrics = service(preview_dataframe(read_csv_to_df()))
        written = reports.local(metrics)
        if after_report:
            after_report(metrics, written)

    @graph(name=f"{name}_s3", description=f"{description} Reads from S3.")
    def on_s3() -> None:
        metrics = service(preview_dataframe(read_csv_from_s3()))
        written = reports.s3(metrics)
        if after_report:
            after_report(metrics, written)

    return _both(
        local,
        on_s3,
        business_operation,
        {service.name: config},
        {"read_csv_to_df": {"input_path": sample_input}},
        {"read_csv_from_s3": _sample(sample_input)},
        {service.name: check} if check else {},
    )


def _sample(key: str) -> dict[str, str]:
    return {"bucket_name": SAMPLE_BUCKET, "file_key": key}


def _both(
    local: GraphDefinition,
    on_s3: GraphDefinition,
    business_operation: str,
    service: Mapping[str, Mapping[str, Any]],
    local_files: Mapping[str, Mapping[str, Any]],
    objects: Mapping[str, Mapping[str, Any]],
    checks: Mapping[str, Check] | None = None,
) -> TableJobs:
    """Build the jobs of two graphs; the mappings give a default configuration for each op."""

    def job(steps: GraphDefinition, ops: Mapping[str, Mapping[str, Any]]) -> JobDefinition:
        default_ops = {name: {"config": dict(config)} for name, config in {**ops, **service}.items()}
        tags = {BUSINESS_OPERATION: business_operation}
        return service_job(steps, tags=tags, default_ops=default_ops, checks=checks or {})

    return TableJobs(job(local, local_files), job(on_s3, objects))


def service_job(
    steps: GraphDefinition,
    *,
    tags: Mapping[str, str],
    default_ops: Mapping[str, Any],
    checks: Mapping[str, Check] | None = None,
) -> JobDefinition:
    """Build a job with a complete default run configuration.

    The default applies as a whole: as soon as a run config has ``ops``, a required key that it leaves out is an error
    (Dagster's own ``@job(config={…})`` would fill whole ops silently from the default).

    Args:
        steps: The job's graph; its name becomes the job's.
        tags: Tags of the job and its runs.
        default_ops: The ``ops`` part of the default run configuration.
        checks: For some ops by name, what refuses a configuration before a run starts.
    """
    bound = bindings()
    schema: Any = steps.to_job(
        executor_def=bound["executor_def"], logger_defs=bound["logger_defs"]
    ).run_config_schema.config_type
    fields = dict(schema.fields)
    fields["ops"] = Field(
        fields["ops"].config_type, default_value=dict(default_ops), description="Configure the steps."
    )
    fields["loggers"] = Field(fields["loggers"].config_type, default_value=_CONSOLE, description="Configure loggers.")
    return JobDefinition(
        graph_def=steps,
        tags=tags,
        config=ConfigMapping(
            config_schema=fields,
            config_fn=partial(_checked, checks=checks or {}),
            receive_processed_config_values=False,
        ),
        # Where to_job gets resources, Dagster wants all of them at once; this leaves ``s3`` to the Definitions.
        _was_explicitly_provided_resources=False,
        **bound,
    )


def _checked(config: dict[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Give a job's configuration as it is, if no op refuses its own."""
    for op, check in checks.items():
        try:
            check((config["ops"].get(op) or {}).get("config") or {})
        except DataServiceError as error:
            raise InvalidRunConfigError(str(error)) from None
    return config
