"""Ops that read, preview and write; each checks access, calls one library function and attaches metadata."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import narwhals as nw
import polars as pl
from dagster import In, MetadataValue, OpExecutionContext, Out, Output, op

from util_services import config as configs
from util_services.access import data_path, input_file
from util_services.engine import engine_of
from util_services.errors import DataServiceError
from util_services.failures import reported
from util_services.files import SUCCESS, whole_file, whole_folder
from util_services.formats import format_of, read_inferred, read_text, sink, write_text
from util_services.objects import Transferred, download, upload
from util_services.parts import Parts
from util_services.prefixes import check_free, upload_parts
from util_services.preview import preview_markdown
from util_services.staged_tables import bytes_held, height, in_steps, quoting, summary_of
from util_services.staging import checkpoint_text, evaluated, run_folder
from util_services.texts import Text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TABLE = {"df": In(nw.LazyFrame)}


@op(description="Reads a local table (CSV, Parquet, JSON lines; also .gz and .zst) lazily; CSV cells stay text.")
def read_csv_to_df(context: OpExecutionContext, config: configs.ReadCsv) -> Any:
    """Read a local table."""
    with reported():
        path = input_file(config.input_path)
        context.add_output_metadata({"path": config.input_path, "bytes": path.stat().st_size})
        return _read_table(context, path, config)


@op(
    description="Reads a table from S3 (CSV, Parquet, JSON lines; also .gz and .zst) lazily; CSV cells stay text.",
    required_resource_keys={"s3"},
    out=Out(),
)
def read_csv_from_s3(context: OpExecutionContext, config: configs.ReadCsvFromS3) -> Iterator[Output[Any]]:
    """Read a table from S3."""
    with reported():
        format_of(config.file_key)
        _check_limit(config)
        client, found = s3_client(context), None
        if not config.infer_types:
            found = engine_of(context.run_id).scan_object(
                client, config.bucket_name, config.file_key, config.dialect, limit_rows=config.limit_rows
            )
        if found:
            table, stored = found
            yield Output(table, metadata=_object(stored.bucket, stored.key, stored.etag, stored.length))
            return
        with _downloaded(context, config.bucket_name, config.file_key) as (path, transferred):
            # The frame is staged while this op waits at the yield, so the download can go right after.
            yield Output(_read_table(context, path, config), metadata=_metadata(transferred))


@op(
    description="Writes a table to a local file or folder of parts, whole or not at all; its ending tells the format.",
    ins=_TABLE,
)
def write_df_to_csv(context: OpExecutionContext, config: configs.WriteCsv, df: nw.LazyFrame[Any]) -> None:
    """Write a local table."""
    with reported():
        started = time.monotonic()
        if config.single_object:
            target = output_file(context, config.output_path)
            format_of(target.name)
            rows = evaluated(df, context.run_id)
            with whole_file(target) as partial:
                _sink(rows, partial, target.name, config)
            context.add_output_metadata(_size(rows) | _written(target, config.output_path, started))
            return
        target = _untaken(context, config.output_path)
        format_of(target.name)
        with whole_folder(target) as folder, _in_parts(context, df, target.name, config) as parts:
            for part in parts:
                shutil.move(part, folder / part.name)
            (folder / SUCCESS).touch()
        sizes = [(target / part.name).stat().st_size for part in parts]
        context.add_output_metadata(
            _size(df)
            | {"path": config.output_path, "parts": len(parts), "bytes": sum(sizes), "seconds": _since(started)}
        )


@op(
    description="Writes a table to S3, as one object or as parts, whole or not at all; its ending tells the format.",
    ins=_TABLE,
    required_resource_keys={"s3"},
)
def write_csv_to_s3(context: OpExecutionContext, config: configs.WriteCsvToS3, df: nw.LazyFrame[Any]) -> None:
    """Write a table to S3."""
    with reported():
        format_of(config.file_key)
        if config.single_object:
            with _to_upload(context, config.bucket_name, config.file_key) as path:
                rows = evaluated(df, context.run_id)
                _sink(rows, path, path.name, config)
            context.add_output_metadata(_size(rows))
            return
        client, bucket, key = s3_client(context), config.bucket_name, config.file_key
        check_object(context, bucket, key)
        check_free(client, bucket, key)
        with _in_parts(context, df, key, config) as parts:
            done = upload_parts(client, parts, bucket, key, context.log.info)
        context.add_output_metadata(
            _size(df)
            | {
                "objects": f"s3://{bucket}/{key}/",
                "parts": len(done),
                "bytes": sum(part.size for part in done),
                "transfer_seconds": round(sum(part.seconds for part in done), 3),
            }
        )


@op(description="Reads a local text file (also .gz and .zst).")
def read_txt_to_string(context: OpExecutionContext, config: configs.ReadTxt) -> Text:
    """Read a local text, which an op annotated ``str`` gets as a whole and one annotated ``Text`` piece by piece."""
    with reported():
        path = input_file(config.input_path)
        context.add_output_metadata({"path": config.input_path, "bytes": path.stat().st_size})
        return checkpoint_text(read_text(path, config.encoding), context.run_id)


@op(description="Reads a text from S3 (also .gz and .zst).", required_resource_keys={"s3"})
def read_txt_from_s3(context: OpExecutionContext, config: configs.ReadTxtFromS3) -> Text:
    """Read a text from S3."""
    with reported(), _downloaded(context, config.bucket_name, config.file_key) as (path, transferred):
        context.add_output_metadata(_metadata(transferred))
        return checkpoint_text(read_text(path, config.encoding), context.run_id)


@op(description="Writes a text to a local file, whole or not at all (also .gz and .zst).")
def write_string_to_txt(context: OpExecutionContext, config: configs.WriteTxt, text: Text) -> None:
    """Write a local text."""
    with reported():
        started = time.monotonic()
        target = output_file(context, config.output_path)
        with whole_file(target) as partial:
            write_text(text, partial, target.name, config.encoding)
        context.add_output_metadata(_written(target, config.output_path, started))


@op(description="Writes a text to S3, whole or not at all (also .gz and .zst).", required_resource_keys={"s3"})
def write_txt_to_s3(context: OpExecutionContext, config: configs.WriteTxtToS3, text: Text) -> None:
    """Write a text to S3."""
    with reported(), _to_upload(context, config.bucket_name, config.file_key) as path:
        write_text(text, path, path.name, config.encoding)


@op(
    description="Shows columns, types, counts and ranges of a table and passes it on; no cell values unless asked for.",
    ins=_TABLE,
    out=Out(nw.LazyFrame),
)
def preview_dataframe(
    context: OpExecutionContext, config: configs.PreviewDataframe, df: nw.LazyFrame[Any]
) -> nw.LazyFrame[Any]:
    """Preview a table."""
    with reported():
        summary = summary_of(df)
        head = df.head(config.rows).collect().rows() if config.show_values else None
        context.add_output_metadata(
            {"preview": MetadataValue.md(preview_markdown(summary, head)), "distinct_counts_exact": summary.exact}
        )
        return df


def _check_limit(config: configs.ReadCsv | configs.ReadCsvFromS3) -> None:
    if config.limit_rows is not None and config.limit_rows < 0:
        raise DataServiceError(f"The limit_rows {config.limit_rows} is negative: give 0 or more, or null for all rows.")


def _read_table(context: OpExecutionContext, path: Path, config: configs.ReadCsv | configs.ReadCsvFromS3) -> Any:
    _check_limit(config)
    if config.infer_types:
        return read_inferred(path, config.dialect, limit_rows=config.limit_rows)
    return engine_of(context.run_id).scan(path, config.dialect, limit_rows=config.limit_rows)


def output_file(context: OpExecutionContext, path: str, key: str = "output_path") -> Path:
    """Resolve the path of a file to write, which no other step of the run may read or write.

    Args:
        context: The step that writes.
        path: The path as the user wrote it.
        key: Name of its configuration key, for messages.

    Raises:
        DataServiceError: If the path is taken, is a folder, or lies outside ``DATA_ROOT``.
    """
    target = _untaken(context, path, key)
    if target.is_dir():
        raise DataServiceError(f"The {key} {path!r} is a folder: give the path of a file.")
    return target


def _untaken(context: OpExecutionContext, path: str, key: str = "output_path") -> Path:
    target = data_path(path)
    for step in other_steps(context).values():
        for taken, what in (("input_path", "input"), ("output_path", "output")):
            if taken in step and data_path(step[taken]) == target:
                raise DataServiceError(f"The {key} {path!r} is the {what} of this run: choose another file.")
    return target


def check_object(context: OpExecutionContext, bucket: str, key: str) -> None:
    """Refuse to write an object that another step of the run reads or writes.

    Raises:
        DataServiceError: If one does.
    """
    for name, step in other_steps(context).items():
        if (step.get("bucket_name"), step.get("file_key")) == (bucket, key):
            what = "output" if name.startswith("write") else "input"
            raise DataServiceError(
                f"The object {key!r} in the bucket {bucket!r} is the {what} of this run: choose another key."
            )


def other_steps(context: OpExecutionContext) -> dict[str, Mapping[str, Any]]:
    """Give the configurations of the run's other steps by name, whether the run or the job's default names them."""
    steps = context.get_step_execution_context().resolved_run_config.ops
    own = str(context.op_handle)
    return {name: step.config for name, step in steps.items() if name != own and isinstance(step.config, Mapping)}


def s3_client(context: OpExecutionContext) -> "S3Client":
    """Give the client of the resource ``s3``."""
    client: S3Client = context.resources.s3.meta.client
    return client


@contextmanager
def _downloaded(context: OpExecutionContext, bucket: str, key: str) -> Iterator[tuple[Path, Transferred]]:
    path = scratch(context, key)
    try:
        yield path, download(s3_client(context), bucket, key, path, context.log.info)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _to_upload(context: OpExecutionContext, bucket: str, key: str) -> Iterator[Path]:
    """Give a private file to write; store it as the object when the block ends well."""
    check_object(context, bucket, key)
    path = scratch(context, key)
    try:
        yield path
        transferred = upload(s3_client(context), path, bucket, key, context.log.info)
        context.add_output_metadata(_metadata(transferred))
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _in_parts(
    context: OpExecutionContext, df: nw.LazyFrame[Any], name: str, config: configs.WriteCsv | configs.WriteCsvToS3
) -> Iterator[list[Path]]:
    """Give private files that hold the rows of a table one after the other."""
    folder = run_folder(context.run_id) / f"transfer-{uuid4().hex}"
    folder.mkdir(mode=0o700)
    try:
        parts = Parts(folder, name, config.dialect, config.index)
        parts.write(df, folder.with_name(f"{folder.name}-rows"))
        yield sorted(folder.iterdir())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch(context: OpExecutionContext, key: str) -> Path:
    """Name a private file of this run that ends as the object key does, so that its format can be told."""
    ending = "".join(Path(key).suffixes[-2:])
    return run_folder(context.run_id) / f"transfer-{uuid4().hex}{ending}"


def _metadata(transferred: Transferred) -> dict[str, Any]:
    known = _object(transferred.bucket, transferred.key, transferred.etag, transferred.size)
    return known | {"transfer_seconds": round(transferred.seconds, 3)}


def _object(bucket: str, key: str, etag: str, size: int) -> dict[str, Any]:
    return {"object": f"s3://{bucket}/{key}", "etag": etag, "bytes": size}


def _sink(rows: pl.LazyFrame, path: Path, name: str, config: configs.WriteCsv | configs.WriteCsvToS3) -> None:
    """Write a table into a file whose ending a name tells."""
    quotes = quoting(rows, config.dialect.delimiter) if format_of(name).kind == "csv" else None
    sink(
        in_steps(rows, quotes or ()),
        path,
        name,
        config.dialect,
        index=config.index,
        quoted=quotes is not None,
        expected_bytes=bytes_held(rows),
    )


def _written(target: Path, output_path: str, started: float) -> dict[str, Any]:
    return {"path": output_path, "bytes": target.stat().st_size, "seconds": _since(started)}


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _size(frame: nw.LazyFrame[Any] | pl.LazyFrame) -> dict[str, Any]:
    lazy: nw.LazyFrame[Any] = nw.from_native(frame) if isinstance(frame, pl.LazyFrame) else frame
    return {"rows": height(lazy), "columns": lazy.collect_schema().len()}
