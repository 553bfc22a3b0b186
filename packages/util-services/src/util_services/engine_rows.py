"""Spark tables whose rows keep their order, in a column that nobody sees but who reads and writes them.

A Spark table has no order. Its rows get numbers when they are read; :func:`hide` gives the table a class that carries
such columns through whatever is done to it, but tells of, selects and collects the others alone. So expressions,
schemas and aggregates are the same as on a table without them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

ROW = "__row__"
_TABLE = "__table__"
_PLACE_BITS = 33
TALLY = "__tally__"  # and what follows it: one column for each function of batches that counts


def is_hidden(name: str) -> bool:
    """Tell whether a column is one that only who reads and writes tables sees."""
    return name == ROW or name.startswith(TALLY)


def is_spark(native: Any) -> bool:
    """Tell whether a table is one of PySpark, without importing it.

    Examples:
        >>> is_spark("text")
        False
    """
    return any(
        kind.__module__.startswith("pyspark.sql.") and kind.__name__ == "DataFrame" for kind in type(native).mro()
    )


def hide(frame: Any, counts: Sequence[Any] = ()) -> Any:
    """Hide the columns that a Spark table has for who reads and writes it; one without a row number stays as it is.

    Args:
        frame: A table of PySpark's class.
        counts: What functions of batches count, in the order of their hidden columns; see :mod:`engine_batches`.
    """
    if isinstance(frame, _Ordered) or ROW not in frame.columns:
        return frame
    kind: Any = type(frame)
    frame.__class__ = _class_of(kind)
    frame.counts = tuple(counts)
    return frame


def counts_of(frame: Any) -> tuple[Any, ...]:
    """Give what functions of batches count of a table."""
    return frame.counts if isinstance(frame, _Ordered) else ()


def shown(frame: Any) -> Any:
    """Give a Spark table with its hidden columns as ordinary ones."""
    return frame.all_columns() if isinstance(frame, _Ordered) else frame


def has_order(frame: Any) -> bool:
    """Tell whether a Spark table knows the order of its rows."""
    return isinstance(frame, _Ordered)


def with_numbers(frame: Any, name: str) -> Any:
    """Add numbers that increase with the rows of a table that has an order, as the first column."""
    from pyspark.sql import functions

    return frame.select(functions.col(ROW).alias(name), *frame.columns)


def renumbered(frame: Any) -> Any:
    """Number the rows of a table that has an order anew, as sorting does; see :func:`with_positions`."""
    return frame.sort(ROW)


def with_positions(frame: Any, name: str) -> Any:
    """Add positions from 0 as the first column of a table whose numbers are new; the rows of its parts are counted.

    A number holds the part of the table, and in its lower 33 bits the place in it (``monotonically_increasing_id``).
    """
    from pyspark.sql import functions

    number = functions.col(ROW)
    part = functions.shiftright(number, _PLACE_BITS)
    counts = shown(frame).groupBy(part.alias("part")).count().collect()
    starts, rows = {0: 0}, 0
    for each in sorted(counts):
        starts[each["part"]], rows = rows, rows + each["count"]
    pairs = [functions.lit(each).cast("bigint") for pair in starts.items() for each in pair]
    start = functions.element_at(functions.create_map(*pairs), part)
    place = number.bitwiseAND(functions.lit((1 << _PLACE_BITS) - 1))
    return frame.select((start + place).alias(name), *frame.columns)


def estimated_distinct(frame: Any, relative_error: float) -> dict[str, int]:
    """Estimate the distinct values of each column of a Spark table (HyperLogLog++), a missing one not counted."""
    from pyspark.sql import functions

    counts = [functions.approx_count_distinct(name, relative_error).alias(name) for name in frame.columns]
    row: dict[str, int] = frame.agg(*counts).collect()[0].asDict()
    return row


@cache
def _class_of(kind: type) -> type:
    return type("OrderedDataFrame", (_Ordered, kind), {})


def _flat(columns: Sequence[Any]) -> list[Any]:
    return list(columns[0]) if len(columns) == 1 and isinstance(columns[0], list | tuple) else list(columns)


def _visible(frame: Any) -> Any:
    return frame.visible() if isinstance(frame, _Ordered) else frame


class _Ordered:
    """What differs from PySpark's own class, classic or Connect; methods that Narwhals calls, and those that show rows.

    Results of ``super()`` are tables of PySpark's class, with the hidden columns as ordinary ones.
    """

    counts: tuple[Any, ...]

    @property
    def schema(self) -> Any:
        whole = super().schema  # type: ignore[misc]
        return type(whole)([field for field in whole.fields if not is_hidden(field.name)])

    @property
    def columns(self) -> list[str]:
        return [field.name for field in self.schema.fields]

    @property
    def dtypes(self) -> list[tuple[str, str]]:
        return [(field.name, field.dataType.simpleString()) for field in self.schema.fields]

    @property
    def write(self) -> Any:
        return self.in_order().write

    def all_columns(self) -> Any:
        """Give the table with the hidden columns as ordinary ones."""
        return super().select("*")  # type: ignore[misc]

    def visible(self) -> Any:
        """Give the table without the hidden columns, and so without an order."""
        return self.all_columns().drop(*self._hidden())

    def visible_and_row(self) -> Any:
        """Give the table without hidden columns save that of the order, which is an ordinary one."""
        return self.all_columns().select(*self.columns, ROW)

    def in_order(self) -> Any:
        """Give the table sorted by its order, without the hidden columns."""
        return self.all_columns().sort(ROW).drop(*self._hidden())

    def select(self, *columns: Any) -> Any:
        wanted: list[Any] = []
        for column in _flat(columns):
            wanted += self.columns if isinstance(column, str) and column == "*" else [column]
        return self._again(super().select(*wanted, *self._hidden()))  # type: ignore[misc]

    def withColumn(self, name: str, column: Any) -> Any:  # noqa: N802 - PySpark's name
        return self._again(super().withColumn(name, column))  # type: ignore[misc]

    def withColumns(self, columns: Any) -> Any:  # noqa: N802 - PySpark's name
        return self._again(super().withColumns(columns))  # type: ignore[misc]

    def withColumnsRenamed(self, names: Any) -> Any:  # noqa: N802 - PySpark's name
        return self._again(super().withColumnsRenamed(names))  # type: ignore[misc]

    def where(self, condition: Any) -> Any:
        return self._again(super().filter(condition))  # type: ignore[misc]

    filter = where

    def drop(self, *columns: Any) -> Any:
        return self._again(super().drop(*columns))  # type: ignore[misc]

    def dropna(self, *args: Any, **options: Any) -> Any:
        if options.get("subset") is None:
            options["subset"] = self.columns
        return self._again(super().dropna(*args, **options))  # type: ignore[misc]

    def limit(self, num: int) -> Any:
        return self._again(self.all_columns().sort(ROW).limit(num))

    def sort(self, *columns: Any, **options: Any) -> Any:
        """Sort, and number the rows anew: a number holds the part of the table, then the place in it."""
        from pyspark.sql import functions

        return self._again(super().sort(*columns, **options).withColumn(ROW, functions.monotonically_increasing_id()))  # type: ignore[misc]

    orderBy = sort  # noqa: N815 - PySpark's name

    def join(self, other: Any, on: Any = None, how: str | None = None) -> Any:
        """Join; an order is kept where each row of the result has one of this table."""
        if how in {"inner", "left", "left_outer", "semi", "left_semi", "anti", "left_anti", "cross", None}:
            return self._again(super().join(_visible(other), on, how))  # type: ignore[misc]
        return self.visible().join(_visible(other), on, how)

    def union(self, other: Any) -> Any:
        """Put the rows of another table, whose columns stand in the same order, behind those of this one."""
        return self.unionByName(other.toDF(*self.columns) if other.columns != self.columns else other)

    unionAll = union  # noqa: N815 - PySpark's name

    def unionByName(self, other: Any, allowMissingColumns: bool = False) -> Any:  # noqa: N802, N803 - PySpark's names
        """Put the rows of another table behind those of this one."""
        from pyspark.sql import functions

        if not isinstance(other, _Ordered):
            return self.visible().unionByName(other, allowMissingColumns)
        both = [
            each.visible_and_row().withColumn(_TABLE, functions.lit(number))
            for number, each in enumerate((self, other))
        ]
        rows = both[0].unionByName(both[1], allowMissingColumns).sort(_TABLE, ROW).drop(_TABLE)
        return hide(rows.withColumn(ROW, functions.monotonically_increasing_id()))

    def unpivot(self, *args: Any, **options: Any) -> Any:
        return self.visible().unpivot(*args, **options)

    def distinct(self) -> Any:
        return self.visible().distinct()

    def dropDuplicates(self, subset: Iterable[str] | None = None) -> Any:  # noqa: N802 - PySpark's name
        if subset is None:
            return self.visible().dropDuplicates()
        return self._again(super().dropDuplicates(list(subset)))  # type: ignore[misc]

    def collect(self) -> Any:
        return self.in_order().collect()

    def toArrow(self) -> Any:  # noqa: N802 - PySpark's name
        return self.in_order().toArrow()

    def toPandas(self) -> Any:  # noqa: N802 - PySpark's name
        return self.in_order().toPandas()

    def toLocalIterator(self, *args: Any, **options: Any) -> Any:  # noqa: N802 - PySpark's name
        return self.in_order().toLocalIterator(*args, **options)

    def _again(self, frame: Any) -> Any:
        return hide(frame, self.counts)

    def _hidden(self) -> list[str]:
        return [field.name for field in super().schema.fields if is_hidden(field.name)]  # type: ignore[misc]
