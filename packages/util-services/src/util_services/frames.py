"""What the services need to know about a frame, whatever engine holds it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import narwhals as nw
import polars as pl

from util_services.engine_batches import BatchFunction, Counts, on_spark
from util_services.engine_rows import has_order, is_spark, renumbered, with_numbers, with_positions
from util_services.errors import DataServiceError
from util_services.levels import Levels
from util_services.origins import Origins
from util_services.recipes import Recipe
from util_services.revisions import is_settled, recode, settle, stored_in

Store = Callable[[nw.LazyFrame[Any]], nw.LazyFrame[Any]]
"""Takes a lazy table and gives one that holds the same and is cheap to read."""


KEPT = "__kept__"  # marks the rows that an amendment keeps; a frame with such a column is staged whole


@dataclass(frozen=True)
class Amendment:
    """How a lazy frame differs from the one that it was made of.

    Attributes:
        source: The frame before.
        changes: Gives for rows of ``source``, in their order, the replaced columns, and :data:`KEPT` if rows were left
            out.
        constants: Columns that hold the same text in every row now.
        one_to_one: Replaced columns of text where equal cells are still equal, different ones different and missing
            ones missing.
        inputs: The columns that ``changes`` needs, if that is known.
        recipe: How to compute the replaced columns whenever they are read, where they need not be stored.
    """

    source: pl.LazyFrame
    changes: Callable[[pl.LazyFrame], pl.LazyFrame]
    constants: Mapping[str, str] = field(default_factory=dict)
    one_to_one: Sequence[str] = ()
    inputs: Sequence[str] | None = None
    recipe: Recipe | None = None


AMENDMENTS = Origins[Amendment]()
SELECTIONS = Origins[pl.LazyFrame]()  # of a table that has all its columns


def selected(frame: nw.LazyFrame[Any], names: Sequence[str]) -> nw.LazyFrame[Any]:
    """Leave out columns, which staging need not do before the table is read.

    Args:
        frame: The table.
        names: The columns that stay, in order.

    Examples:
        >>> selected(nw.from_native(pl.LazyFrame({"name": ["Ann"], "age": [25]})), ["age"]).collect().rows()
        [(25,)]
    """
    result, source = frame.select(list(names)), nw.to_native(frame)
    if names and isinstance(source, pl.LazyFrame):
        SELECTIONS.remember(nw.to_native(result), source)
    return settle(result, frame, ())


def amended(
    frame: nw.LazyFrame[Any],
    columns: Mapping[str, nw.Expr | str],
    keep: nw.Expr | None = None,
    *,
    inputs: Sequence[str] = (),
) -> nw.LazyFrame[Any]:
    """Leave out rows and replace columns, each cell from its own row alone.

    The same as ``filter`` and ``with_columns``, but staging knows what changed and need not write the rest again.

    Args:
        frame: The table.
        columns: For each column to replace its new cells, or the one text that all get.
        keep: Which rows stay; default all.
        inputs: The columns that cells and ``keep`` depend on, where Spark shall not do it its own way; see
            :func:`with_cells`.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"name": ["Ann", "Bo"], "age": ["25", "26"]}))
        >>> amended(frame, {"name": "*"}, nw.col("age") > "25").collect().rows()
        [('*', '26')]
    """
    constants = {name: text for name, text in columns.items() if isinstance(text, str)}
    cells = {name: new for name, new in columns.items() if not isinstance(new, str)}
    mark = {} if keep is None else {KEPT: keep}
    source = nw.to_native(frame)
    texts = {name: nw.lit(text) for name, text in constants.items()}
    if inputs and is_spark(source):
        both = with_cells(frame, {**cells, **mark}, inputs)
        left = both.filter(nw.col(KEPT)).drop(KEPT) if mark else both
        return left.with_columns(**texts) if texts else left
    left = frame if keep is None else frame.filter(keep)
    result = left.with_columns(**cells, **texts) if columns else left
    names = frame.collect_schema().names()
    if isinstance(source, pl.LazyFrame) and (columns or mark) and columns.keys() <= set(names) and KEPT not in names:
        changed = [*(name for name in columns if name not in constants), *mark]

        def changes(rows: pl.LazyFrame) -> pl.LazyFrame:
            if not changed:
                return rows.select([])
            return nw.from_native(rows).with_columns(**cells, **mark).select(*changed).to_native()

        AMENDMENTS.remember(nw.to_native(result), Amendment(source, changes, constants))
    return settle(result, frame, columns if keep is None else None)


def with_cells(frame: nw.LazyFrame[Any], cells: Mapping[str, nw.Expr], inputs: Sequence[str]) -> nw.LazyFrame[Any]:
    """Replace or append columns, each cell from its own row alone, by the same rules on every engine.

    The same as ``with_columns``, save that on Spark functions of batches evaluate the expressions: for text, which
    Spark treats by the rules of Java, and for look-ups among many values (``replace_strict``), which Spark would go
    through for every row, would show in its plans, and cannot do through Spark Connect.

    Args:
        frame: The table.
        cells: For each column its cells.
        inputs: The columns that the cells depend on; none where Spark may do it its own way.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"sex": ["f", "m"]}))
        >>> word = nw.col("sex").replace_strict(["f", "m"], ["female", "male"], default=None, return_dtype=nw.String)
        >>> with_cells(frame, {"word": word}, ["sex"]).collect().rows()
        [('f', 'female'), ('m', 'male')]
    """
    if not (inputs and cells and is_spark(nw.to_native(frame))):
        return frame.with_columns(**cells) if cells else frame
    schema = frame.collect_schema()
    empty = pl.DataFrame(schema=nw.Schema({name: schema[name] for name in inputs}).to_polars())

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        return nw.from_native(rows).with_columns(**cells).select(*cells).to_native()

    return map_batches(frame, batch, inputs, nw.from_native(batch(empty)).schema)


def map_batches(
    frame: nw.LazyFrame[Any],
    function: BatchFunction,
    inputs: Sequence[str],
    outputs: Mapping[str, Any],
    counts: Counts | None = None,
    *,
    one_to_one: Sequence[str] = (),
    again: bool = False,
    plain: Sequence[str] = (),
) -> nw.LazyFrame[Any]:
    """Compute columns by a function of batches of rows: the one seam for what expressions cannot say.

    Every row is computed from itself alone, so that the engine may cut the rows as it likes; nothing is evaluated until
    the frame is. The function gets the input columns of a batch as a Polars frame and may run in several threads, or as
    copies on other machines.

    Args:
        frame: The table.
        function: Gives a frame with the columns of ``outputs`` and the height of the batch.
        inputs: Columns the function needs, at least one.
        outputs: Narwhals data type of each column it gives; a column of that name is replaced, any other is appended.
        counts: What the function counts as it goes; complete once the frame was evaluated, on Spark once it was staged.
        one_to_one: Columns of text that it replaces by such where equal cells are still equal, different ones different
            and missing ones missing; staging need not count these anew.
        again: Whether the function gives the same whenever it is called, and so quickly that staging need not keep
            what it gives: if all its columns are one-to-one, it is then called whenever they are read.
        plain: Columns of text that it gives with ASCII letters and digits alone, at least one in each cell that is not
            missing; writing such need not look for what needs quotes.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"name": ["Ann", "Bo"], "age": [25, 26]}))
        >>> shout = lambda rows: rows.select(pl.col("name").str.to_uppercase())
        >>> map_batches(frame, shout, ["name"], {"name": nw.String}).collect().rows()
        [('ANN', 25), ('BO', 26)]
    """
    native = nw.to_native(frame)
    if is_spark(native):
        computed_there: nw.LazyFrame[Any] = nw.from_native(on_spark(native, function, inputs, outputs, counts))
        return computed_there
    if not isinstance(native, pl.LazyFrame):  # held in memory by another engine, only the named columns change place
        eager = frame.collect()
        computed = function(pl.DataFrame(eager.select(*inputs).to_arrow())).select(outputs.keys())
        new = nw.from_native(computed).lazy().collect(eager.implementation)
        return eager.with_columns(*new.iter_columns()).lazy()
    types = pl.Schema(nw.Schema(outputs).to_polars())
    cells = pl.struct(inputs).map_batches(
        lambda batch: function(batch.struct.unnest()).select(types.names()).to_struct(),
        return_dtype=pl.Struct(types),
        is_elementwise=True,
    )
    names = frame.collect_schema().names()
    result = native.with_columns(cells.alias(_CELLS)).with_columns(
        pl.col(_CELLS).struct.field(name).alias(name) for name in types
    )
    result = result.drop(_CELLS)
    if outputs.keys() <= set(names) and KEPT not in names:
        changes = Amendment(
            native,
            lambda rows: rows.select(cells.struct.unnest()),
            one_to_one=tuple(one_to_one),
            inputs=tuple(inputs),
            recipe=Recipe(function, inputs, list(outputs), plain)
            if again and outputs.keys() <= set(one_to_one)
            else None,
        )
        AMENDMENTS.remember(result, changes)
    return nw.from_native(result)


_CELLS = "__cells__"


def amended_in_batches(
    frame: nw.LazyFrame[Any],
    function: BatchFunction,
    inputs: Sequence[str],
    outputs: Mapping[str, Any],
    constants: Mapping[str, str],
    *,
    leaves_out: bool,
) -> nw.LazyFrame[Any]:
    """Leave out rows and replace columns as :func:`amended` does, by a function of batches (:func:`map_batches`).

    Args:
        frame: The table.
        function: Gives the columns of ``outputs``, and :data:`KEPT` if rows are left out, of those that stay.
        inputs: Columns the function needs, at least one.
        outputs: Narwhals data type of each column it gives; each replaces one of that name.
        constants: Columns that hold the same text in every row afterwards.
        leaves_out: Whether the function tells which rows stay.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"name": ["Ann", "Bo"], "age": ["25", "26"]}))
        >>> keep = lambda rows: rows.select((pl.col("age") > "25").alias(KEPT))
        >>> amended_in_batches(frame, keep, ["age"], {}, {"name": "*"}, leaves_out=True).collect().rows()
        [('*', '26')]
    """
    source, texts = nw.to_native(frame), {name: nw.lit(text) for name, text in constants.items()}
    if leaves_out:
        (mark,) = spare(frame)  # the table may have a column of the other name

        def marked(rows: pl.DataFrame) -> pl.DataFrame:
            return function(rows).rename({KEPT: mark})

        both = map_batches(frame, marked, inputs, {**outputs, mark: nw.Boolean()})
        result = both.filter(nw.col(mark)).drop(mark)
    else:
        result = map_batches(frame, function, inputs, outputs)
    result = result.with_columns(**texts) if texts else result
    if isinstance(source, pl.LazyFrame) and KEPT not in frame.collect_schema().names():
        stored = {**outputs, KEPT: nw.Boolean()} if leaves_out else outputs

        def changes(rows: pl.LazyFrame) -> pl.LazyFrame:
            changed: pl.LazyFrame = map_batches(nw.from_native(rows), function, inputs, stored).to_native()
            return changed.select(*stored)

        AMENDMENTS.remember(nw.to_native(result), Amendment(source, changes, constants))
    return settle(result, frame, None if leaves_out else {*outputs, *constants})


def recoded(frame: nw.LazyFrame[Any], known: Mapping[str, Levels], new: Mapping[str, Levels]) -> nw.LazyFrame[Any]:
    """Give columns of text other cells by level; missing ones stay missing.

    Args:
        frame: A table that is known to be settled.
        known: For each column its levels (:func:`util_services.revisions.levels_of`).
        new: The same levels of those columns that change, recoded: equal cells equally.

    Examples:
        >>> name = pl.Series("name", ["Ann", "Bo"])
        >>> before = Levels(name, pl.Series([2, 1]), name)
        >>> frame = settle(nw.from_native(pl.LazyFrame({"name": ["Bo", "Ann", "Ann", None]})))
        >>> after = recoded(frame, {"name": before}, {"name": before.recoded(name.str.to_uppercase())})
        >>> after.collect()["name"].to_list()
        ['BO', 'ANN', 'ANN', None]
    """
    if not new:
        return frame
    cells = {}
    for column, levels in new.items():
        pairs = dict(zip(known[column].cells, levels.cells, strict=True))
        pairs.pop(None, None)
        cells[column] = nw.col(column).replace_strict(
            list(pairs), list(pairs.values()), default=None, return_dtype=nw.String
        )
    return recode(amended(frame, cells), new)


def computed_beside(
    frame: nw.LazyFrame[Any],
    function: BatchFunction,
    inputs: Sequence[str],
    outputs: Mapping[str, Any],
    store: Store,
) -> nw.LazyFrame[Any]:
    """Append columns as :func:`map_batches` does, but compute them once, as what is stored.

    Args:
        frame: The table.
        function: Gives a frame with the columns of ``outputs`` and the height of the batch.
        inputs: Columns the function needs, at least one.
        outputs: Narwhals data type of each column it gives; the table has none of them yet.
        store: Evaluates a lazy table and gives it back, cheap to read. Of a table that is known to be settled it gets
            the new columns alone, which are then put beside the others.

    Examples:
        >>> frame = settle(nw.from_native(pl.LazyFrame({"name": ["Ann", "Bo"]})))
        >>> loud = lambda rows: rows.select(loud=pl.col("name").str.to_uppercase())
        >>> stored = []
        >>> both = computed_beside(frame, loud, ["name"], {"loud": nw.String}, lambda new: stored.append(new) or new)
        >>> stored[0].columns, both.collect().rows()
        (['loud'], [('Ann', 'ANN'), ('Bo', 'BO')])
    """
    computed = map_batches(frame, function, inputs, outputs)
    native = nw.to_native(frame)
    if not (isinstance(native, pl.LazyFrame) and is_settled(native)):
        return store(computed)
    new = store(computed.select(*outputs))
    both: nw.LazyFrame[Any] = nw.from_native(pl.concat([native, nw.to_native(new)], how="horizontal"))
    return stored_in(settle(both, frame, outputs), new)


def numbered(frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    """Add numbers that increase with the rows as the first column: positions from 0, on Spark with gaps.

    Raises:
        DataServiceError: If the table has no order.

    Examples:
        >>> numbered(nw.from_native(pl.LazyFrame({"a": ["x", "y"]})), "row").collect().rows()
        [(0, 'x'), (1, 'y')]
    """
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame):
        return nw.from_native(native.with_row_index(name))
    _check_order(frame)
    result: nw.LazyFrame[Any] = nw.from_native(with_numbers(native, name))
    return result


def in_positions(frame: nw.LazyFrame[Any], name: str, store: Store) -> nw.LazyFrame[Any]:
    """Add the positions of rows, from 0 and without gaps, as the first column.

    Args:
        frame: A table.
        name: Of the new column.
        store: Evaluates a table once and gives it back: on Spark, rows are counted that must not be cut anew.

    Raises:
        DataServiceError: If the table has no order.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"a": ["x", "y"]}))
        >>> in_positions(frame, "row", lambda table: table).collect().rows()
        [(0, 'x'), (1, 'y')]
    """
    native = nw.to_native(frame)
    if isinstance(native, pl.LazyFrame):
        return numbered(frame, name)
    _check_order(frame)
    stored = store(nw.from_native(renumbered(native)))
    result: nw.LazyFrame[Any] = nw.from_native(with_positions(nw.to_native(stored), name))
    return result


def _check_order(frame: nw.LazyFrame[Any]) -> None:
    if not has_order(nw.to_native(frame)):
        raise DataServiceError(
            f"Steps that need the order of rows cannot work on a table of {frame.implementation}: give one of Polars, "
            "pandas or PyArrow, or one that a step of a run has read."
        )


def collected(frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    """Evaluate a lazy frame of aggregates; Polars does so in bounded memory, whatever the size of their source.

    Args:
        frame: Few rows, such as counts.

    Examples:
        >>> frame = nw.from_native(pl.LazyFrame({"age": [25, 26, 26]}))
        >>> collected(frame.select(nw.len())).item()
        3
    """
    streams = isinstance(nw.to_native(frame), pl.LazyFrame)
    return frame.collect(engine="streaming") if streams else frame.collect()


def figures(frames: Sequence[nw.LazyFrame[Any]]) -> list[dict[str, Any]]:
    """Evaluate tables of one row each; those that share an origin share the pass over it.

    Examples:
        >>> table = nw.from_native(pl.LazyFrame({"age": [25, None]}))
        >>> figures([table.select(nw.len()), table.select(nw.col("age").max())])
        [{'len': 2}, {'age': 25}]
    """
    natives = [frame.to_native() for frame in frames]
    if all(isinstance(native, pl.LazyFrame) for native in natives):  # only Polars evaluates several plans at once
        return [frame.row(0, named=True) for frame in pl.collect_all(natives, engine="streaming")]
    return [frame.collect().rows(named=True)[0] for frame in frames]


def as_given(result: nw.LazyFrame[Any], given: Any, engine: Literal["streaming", "in-memory"] | None = None) -> Any:
    """Give a result as the kind of table that it was made of: a lazy one stays lazy, any other is evaluated.

    Args:
        result: What was made of the table.
        given: The table, as a Narwhals frame.
        engine: How Polars evaluates it; by default as it likes.

    Examples:
        >>> given = nw.from_native(pl.DataFrame({"a": [1]}))
        >>> as_given(given.lazy().select(nw.col("a") + 1), given).rows()
        [(2,)]
    """
    if isinstance(given, nw.LazyFrame):
        return result.to_native()
    how: dict[str, Any] = {"engine": engine} if engine and given.implementation.is_polars() else {}
    return result.collect(given.implementation, **how).to_native()


def spare(frame: nw.LazyFrame[Any], count: int = 1) -> list[str]:
    """Name columns that the table does not have, for what is only needed on the way.

    Examples:
        >>> spare(nw.from_native(pl.LazyFrame({"a": [1], "__1__": [2]})), 2)
        ['__2__', '__3__']
    """
    names = set(frame.collect_schema().names())
    free = (name for number in range(1, len(names) + count + 1) if (name := f"__{number}__") not in names)
    return [next(free) for _ in range(count)]
