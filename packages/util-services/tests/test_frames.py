from typing import Any, Literal

import narwhals as nw
import polars as pl
import pytest

from util_services.errors import DataServiceError
from util_services.frames import AMENDMENTS, map_batches


def shouted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col("name").str.to_uppercase(), letters=pl.col("name").str.len_chars().cast(pl.Int64))


@pytest.mark.parametrize("convert", [pl.DataFrame.lazy, pl.DataFrame.to_pandas, pl.DataFrame.to_arrow])
def test_batches_are_mapped_alike_on_every_engine(convert: Any) -> None:
    native = convert(pl.DataFrame({"name": ["Ann", None], "age": [1, 2]}))
    lazy = nw.from_native(native).lazy()
    mapped = map_batches(lazy, shouted, ["name"], {"name": nw.String, "letters": nw.Int64})
    assert type(nw.to_native(mapped)) is type(native)
    assert mapped.collect("polars").to_native().to_dict(as_series=False) == {
        "name": ["ANN", None],
        "age": [1, 2],
        "letters": [3, None],
    }


def test_mapped_batches_keep_the_order_of_rows_and_are_known_as_an_amendment() -> None:
    names = [f"n{number}" for number in range(300_000)]
    lazy = nw.from_native(pl.LazyFrame({"name": names, "age": 1}))
    mapped = nw.to_native(
        map_batches(lazy, lambda rows: rows.select(pl.col("name") + "!"), ["name"], {"name": nw.String})
    )
    assert mapped.collect(engine="streaming")["name"].to_list() == [f"{name}!" for name in names]
    amendment = AMENDMENTS.of(mapped)
    assert amendment is not None
    assert amendment.changes(amendment.source.head(2)).collect().to_dict(as_series=False) == {"name": ["n0!", "n1!"]}


@pytest.mark.parametrize("engine", ["streaming", "in-memory"])
def test_a_mistake_found_in_a_batch_is_told_in_its_own_sentence(engine: Literal["streaming", "in-memory"]) -> None:
    def refuse(rows: pl.DataFrame) -> pl.DataFrame:
        raise DataServiceError(f"The column 'a' has {rows.height} rows too many: give none.")

    frame = map_batches(nw.from_native(pl.LazyFrame({"a": ["x"]})), refuse, ["a"], {"a": nw.String})
    with pytest.raises(DataServiceError) as raised:
        frame.to_native().collect(engine=engine)
    assert str(raised.value) == "The column 'a' has 1 rows too many: give none."
