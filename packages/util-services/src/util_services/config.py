"""Run configuration of the reading, writing and previewing ops; the field descriptions show in the Launchpad."""

from dagster import Config
from pydantic import Field

from util_services.csv_files import CsvDialect

_DELIMITER = "Character between cells."
_ENCODING = "Python codec of the text, such as utf-8, latin-1 or cp1252."


class _Layout(Config):
    delimiter: str = Field(default=",", description=_DELIMITER)
    encoding: str = Field(default="utf-8", description=_ENCODING)


class _ReadTable(_Layout):
    header: int | None = Field(default=0, description="Line with the column names, from 0; null if there is none.")
    infer_types: bool = Field(
        default=False, description="false: cells are text and stay as they are; true: the types that pandas infers."
    )
    limit_rows: int | None = Field(default=None, description="Read only the first so many rows; null for all.")

    @property
    def dialect(self) -> CsvDialect:
        return CsvDialect(self.delimiter, self.encoding, self.header)


class _WriteTable(_Layout):
    index: bool = Field(default=False, description="Put the row number in front, in a column without a name.")
    header: bool = Field(default=True, description="Write the column names.")
    single_object: bool = Field(
        default=True,
        description="true: one file or object; false: a folder or prefix of that name with parts of 500,000 rows.",
    )

    @property
    def dialect(self) -> CsvDialect:
        return CsvDialect(self.delimiter, self.encoding, 0 if self.header else None)


class _LocalInput(Config):
    input_path: str = Field(description="File to read, relative to DATA_ROOT or the working directory.")


class _LocalOutput(Config):
    output_path: str = Field(description="File to write, relative to DATA_ROOT or the working directory.")


class _S3Object(Config):
    bucket_name: str = Field(description="Bucket.")
    file_key: str = Field(description="Object key; its ending tells the format.")


class _Text(Config):
    encoding: str = Field(default="utf-8", description=_ENCODING)


class ReadCsv(_LocalInput, _ReadTable):
    """Read a local table."""


class WriteCsv(_LocalOutput, _WriteTable):
    """Write a local table."""


class ReadCsvFromS3(_S3Object, _ReadTable):
    """Read a table from S3."""


class WriteCsvToS3(_S3Object, _WriteTable):
    """Write a table to S3."""


class ReadTxt(_LocalInput, _Text):
    """Read a local text."""


class WriteTxt(_LocalOutput, _Text):
    """Write a local text."""


class ReadTxtFromS3(_S3Object, _Text):
    """Read a text from S3."""


class WriteTxtToS3(_S3Object, _Text):
    """Write a text to S3."""


class PreviewDataframe(Config):
    """Preview a table."""

    show_values: bool = Field(
        default=False, description="Also show the first rows. They are stored in the event log: only for public data."
    )
    rows: int = Field(default=5, description="How many rows show_values shows.")
