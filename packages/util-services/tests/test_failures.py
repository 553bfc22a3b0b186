import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import Failure

from util_services.failures import reported
from util_services.formats import sink

TABLE = pl.DataFrame({"name": ["Ann Smith"] * 200_000})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
@pytest.mark.parametrize(
    "write",
    [
        lambda full: sink(TABLE.lazy(), full, "out.csv"),
        lambda full: sink(TABLE.lazy(), full, "out.csv", expected_bytes=1),
        lambda full: sink(TABLE.lazy(), full, "out.jsonl"),
        lambda full: sink(TABLE.lazy(), full, "out.parquet"),
        lambda full: pq.write_table(pa.table({"name": pa.array(TABLE["name"].to_list())}), full),
        lambda full: full.write_bytes(b"x"),
    ],
)
def test_a_full_disk_is_one_sentence(tmp_path: Path, write: Callable[[Path], None]) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")  # writers may remove what they failed to write
    with pytest.raises(Failure) as failed, reported():
        write(full)
    assert failed.value.description == (
        "No space is left on a disk: free some where the output, the staging folder (STAGING_DIR) and temporary files "
        "lie, and run again."
    )
