"""Functions of batches of rows on Spark: as an Arrow function of records, on the machines that hold the rows."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import narwhals as nw
import polars as pl
import pyarrow as pa

from util_services.engine_rows import TALLY, counts_of, hide, shown
from util_services.errors import DataServiceError

BatchFunction = Callable[[pl.DataFrame], pl.DataFrame]
"""Takes some rows and gives for each of them, in order, the new cells."""

POLARS_INSTEAD = "start the run with ENGINE=polars."
_CELLS = "__cells__"


class Counts(Protocol):
    """What a function of batches counts.

    Where batches are computed elsewhere, the function has a copy there: what that one counted comes back with the rows.
    """

    def taken(self) -> str:
        """Write down what was counted, without any value, and start anew."""

    def add_taken(self, counts: str) -> None:
        """Add what a copy wrote down."""


def on_spark(
    frame: Any, function: BatchFunction, inputs: Sequence[str], outputs: Mapping[str, Any], counts: Counts | None
) -> Any:
    """Compute columns of a Spark table; see :func:`util_services.frames.map_batches`.

    The function is sent to the machines that hold the rows, with all that it refers to.

    Raises:
        DataServiceError: If it cannot be sent.
    """
    from pyspark import cloudpickle
    from pyspark.sql import functions
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    arrow = pl.DataFrame(schema=nw.Schema(outputs).to_polars()).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    before = counts_of(frame)
    tally = f"{TALLY}{len(before)}"
    arrow = pa.schema([*arrow, *([pa.field(tally, pa.string())] if counts else [])])
    kinds = from_arrow_schema(arrow, prefer_timestamp_ntz=True)
    compute = _batch(function, counts, to_arrow_schema(kinds))
    try:
        cloudpickle.dumps(compute)  # type: ignore[no-untyped-call]
    except DataServiceError:
        raise
    except Exception:  # noqa: BLE001 - whatever keeps it here
        raise DataServiceError(
            f"The run has a step that keeps a state in its process, which does not run on Spark yet: {POLARS_INSTEAD}"
        ) from None
    cells = functions.arrow_udf(  # type: ignore[attr-defined]
        compute, kinds
    ).asNondeterministic()  # computed once, where it stands
    struct = functions.struct(*(functions.col(name).alias(name) for name in inputs))
    whole = shown(frame)
    names = whole.columns
    new = [name for name in kinds.names if name not in names]
    return hide(
        whole.withColumn(_CELLS, cells(struct)).select(
            *(functions.col(f"{_CELLS}.{name}" if name in kinds.names else name).alias(name) for name in names),
            *(functions.col(f"{_CELLS}.{name}").alias(name) for name in new),
        ),
        [*before, counts] if counts else before,
    )


def _batch(function: BatchFunction, counts: Counts | None, schema: pa.Schema) -> Callable[[Any], Any]:
    """Wrap a function of Polars rows as one of Arrow records."""

    def compute(records: pa.Array) -> pa.Array:
        names = [field.name for field in records.type]
        try:
            rows = pl.DataFrame(pa.Table.from_arrays(records.flatten(), names))
            cells = function(rows).to_arrow(compat_level=pl.CompatLevel.oldest())
        except DataServiceError:
            raise
        except Exception as error:  # noqa: BLE001 - its text may quote cells, and Spark logs it
            place = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
            raise RuntimeError(message) from None
        if counts:
            taken = [counts.taken(), *[None] * (len(records) - 1)][: len(records)]
            cells = cells.append_column(schema.names[-1], pa.array(taken, pa.string()))
        columns = [cells[field.name].combine_chunks().cast(field.type) for field in schema]
        return pa.StructArray.from_arrays(columns, fields=list(schema))

    return compute
