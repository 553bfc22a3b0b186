"""Quotes around cells of CSV where it is known beforehand which columns need any.

To look for what needs quotes in every cell takes a third of the time of writing a table. Of many columns it can be told
sooner: of columns that are read by all their bytes at once, of such with few levels by these.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from util_services.parquet_files import repeating

_QUOTE, _LINE_ENDS = '"', "\r\n"
_BY_CELL = 3  # a column whose cells are looked at one by one costs what so many plain ones save


class PlainColumns:
    """Finds columns of which no cell needs quotes, as their rows come by.

    Args:
        names: The columns, all of text.
        delimiter: What stands between cells, one ASCII character.

    Attributes:
        delimiter: Likewise.
        names: Columns of which none of the cells that came by needs quotes; not those whose values repeat.
    """

    def __init__(self, names: Iterable[str], delimiter: str) -> None:
        self.delimiter = delimiter
        self.names = set(names)
        self._special = sorted(_special(delimiter).encode())

    def watched(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give batches as they come, and look at them.

        Examples:
            >>> columns = PlainColumns(["name", "city"], ",")
            >>> names, cities = pa.array(["Ann", None]), pa.array(["Rome, Italy", "Oslo"])
            >>> for batch in columns.watched([pa.record_batch([names, cities], ["name", "city"])]):
            ...     pass
            >>> columns.names
            {'name'}
        """
        for number, batch in enumerate(batches):
            if not number:
                self.names.difference_update(repeating(pa.Table.from_batches([batch])))
            for name, cells in zip(batch.schema.names, batch.columns, strict=True):
                if name in self.names and not self._is_plain(cells):
                    self.names.discard(name)
            yield batch

    def _is_plain(self, cells: pa.StringArray) -> bool:
        """Look at all bytes, which may be more than those of the cells; a quoted empty cell is no missing one."""
        _, offsets, characters = cells.buffers()
        if characters is not None and characters.size:
            text = np.frombuffer(characters, np.uint8)
            least = text.min()  # of most columns more than any special character: one look is enough
            if any(special >= least and (text == special).any() for special in self._special):
                return False
        ends = np.frombuffer(offsets, np.int32)[cells.offset :][: len(cells) + 1]
        return bool(np.count_nonzero(ends[1:] == ends[:-1]) == cells.null_count)


class Quoting:
    """Puts quotes around the cells of a table of text that need them, by what is known of its columns.

    Args:
        delimiter: What stands between cells, one ASCII character.

    Attributes:
        delimiter: Likewise.
    """

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self._plain = 0
        self._by_level: list[pl.Expr] = []
        self._by_cell: list[pl.Expr] = []

    def take_plain(self, columns: Collection[str]) -> None:
        """Take columns of which no cell needs quotes."""
        self._plain += len(columns)

    def take_levels(self, column: str, cells: pl.Series) -> None:
        """Take a column of which all values are known.

        Args:
            column: Its name.
            cells: At least its values; may repeat.
        """
        values = cells.drop_nulls().unique().to_frame("value")
        needing = values.filter(self._need(pl.col("value")))["value"]
        if needing.is_empty():
            self._plain += 1
        else:
            quoted = needing.to_frame().select(_quoted(pl.col("value"))).to_series()
            self._by_level.append(pl.col(column).replace(needing, quoted))

    def take_unknown(self, columns: Iterable[str]) -> None:
        """Take columns of which nothing is known."""
        for cells in map(pl.col, columns):
            self._by_cell.append(pl.when(self._need(cells)).then(_quoted(cells)).otherwise(cells))

    def cells(self) -> Sequence[pl.Expr] | None:
        """Give the new cells of the columns that have some to quote.

        Returns:
            ``None`` if it is quicker to have Polars look at all cells as it writes them.

        Examples:
            >>> quoting = Quoting(",")
            >>> quoting.take_plain(["age", "name"])
            >>> quoting.take_levels("city", pl.Series(["Oslo", "Rome, Italy"]))
            >>> pl.DataFrame({"city": ["Rome, Italy", "Oslo", None]}).select(quoting.cells())["city"].to_list()
            ['"Rome, Italy"', 'Oslo', None]
        """
        pays = self._plain >= len(self._by_level) + _BY_CELL * len(self._by_cell)
        return [*self._by_level, *self._by_cell] if pays else None

    def _need(self, cells: pl.Expr) -> pl.Expr:
        return cells.str.contains_any(list(_special(self.delimiter))) | (cells == "")


def _special(delimiter: str) -> str:
    return f"{_QUOTE}{delimiter}{_LINE_ENDS}"


def _quoted(cells: pl.Expr) -> pl.Expr:
    doubled = cells.str.replace_all(_QUOTE, 2 * _QUOTE, literal=True)
    return pl.concat_str(pl.lit(_QUOTE), doubled, pl.lit(_QUOTE)).name.keep()
