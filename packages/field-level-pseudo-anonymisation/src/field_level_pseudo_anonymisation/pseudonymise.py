"""Pseudonymising columns of a table and turning pseudonyms back; without Dagster, for any data frame."""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import polars as pl

from field_level_pseudo_anonymisation.keys import KeyStore
from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
from field_level_pseudo_anonymisation.portable import Portable
from field_level_pseudo_anonymisation.steps import KEEP, Reversal, Step, check_steps
from field_level_pseudo_anonymisation.tally import Tally
from field_level_pseudo_anonymisation.techniques.constants import Drop
from field_level_pseudo_anonymisation.techniques.domain import InspectingTechnique, domains
from field_level_pseudo_anonymisation.techniques.session import Session
from field_level_pseudo_anonymisation.techniques.technique import RowTechnique, Scope
from util_services.distinct import DistinctValues, Transform, of_present, put_back
from util_services.errors import DataServiceError
from util_services.frames import as_given, map_batches, recoded, selected
from util_services.levels import Levels
from util_services.revisions import is_settled, levels_of
from util_services.staged_tables import height

Cells = Callable[[pl.Series, pl.DataFrame], pl.Series]
"""Takes a column's cells as text, and the rows; gives new cells, missing where a value could not be turned back."""


@dataclass(frozen=True)
class _Work:
    """What is done to one column in one step.

    Attributes:
        column: Its name.
        cells: How.
        alone: Whether equal cells get equal new ones, whatever else is in the row.
        one_to_one: Whether that leaves as many different values.
        quick: Whether new cells are as well computed again as stored.
        plain: Whether they are ASCII letters and digits, at least one.
        companions: Other columns that ``cells`` looks at.
        keeps: Values that could not be turned back stay as they are.
    """

    column: str
    cells: Cells
    alone: bool = True
    one_to_one: bool = False
    quick: bool = False
    plain: bool = False
    companions: tuple[str, ...] = ()
    keeps: bool = False

    def new(self, before: pl.Series, rows: pl.DataFrame) -> tuple[pl.Series, pl.Series | None]:
        """Give new cells, and tell which values could not be turned back, if there are any."""
        after = self.cells(before, rows)
        if after.null_count() == before.null_count():
            return after, None
        return (after.fill_null(before) if self.keeps else after), after.is_null() & before.is_not_null()


@dataclass(frozen=True)
class Result:
    """A table whose columns were transformed, and what was done to it.

    Attributes:
        frame: The table, of the type that was given.
        steps: What was done, in order.
        cautions: Sentences on values that are not as well protected as it seems; no value is in them.
        tally: Counts; of a lazy frame, those of its evaluations so far.
        session: What techniques keep until :meth:`finish`.
    """

    frame: Any
    steps: tuple[Step, ...]
    cautions: tuple[str, ...]
    tally: Tally
    session: Session

    @property
    def metrics(self) -> dict[str, Any]:
        """Rows, columns, techniques and seconds; of a lazy frame, once it was evaluated."""
        return {
            "rows_processed": self.tally.rows,
            "columns_transformed": list(dict.fromkeys(column for step in self.steps for column in step.columns)),
            "techniques_applied": [step.technique.name for step in self.steps],
            "execution_time_seconds": round(self.tally.seconds, 3),
        }

    def finish(self) -> None:
        """Check the result once a lazy frame was evaluated, and before it is released; with other frames, that is done.

        Raises:
            DataServiceError: If values could not be turned back, or what techniques keep cannot be made durable.
        """
        if failed := sorted(self.tally.unrestored.items()):
            counts = ", ".join(f"{count:,} in the column {column!r}" for column, count in failed)
            raise DataServiceError(
                f"Of {self.tally.rows:,} rows, some have values that the key does not authenticate ({counts}): give "
                "the key, type and parameters that they were made with, or set on_error: keep."
            )
        self.session.finish()


def pseudonymise(
    frame: Any, steps: Sequence[Step], *, keys: KeyStore = NO_KEYS, session: Session | None = None
) -> Result:
    """Replace values of columns by pseudonyms; missing values stay missing, other columns stay as they are.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow. A lazy frame stays lazy: evaluate the result once, then call
            :meth:`Result.finish` before you release it. Columns that are not text become text.
        steps: Applied in this order; several may follow each other on one column.
        keys: Where keys are fetched, before any value is looked at.
        session: What techniques of one run share, and where they may keep files; default a new one without files.

    Raises:
        DataServiceError: If a step, a parameter or a key is wrong.

    Examples:
        >>> from field_level_pseudo_anonymisation.techniques import Hash, Redact
        >>> people = pl.DataFrame({"name": ["Ann", None], "born": ["1966", "1982"], "sex": ["F", "M"]})
        >>> result = pseudonymise(people, [Step(Redact(), ["name"]), Step(Hash(), ["born"])])
        >>> result.frame["name"].to_list(), result.frame["born"][0][:8], result.metrics["rows_processed"]
        (['[REDACTED]', None], 'c00cf031', 2)
        >>> result.cautions[0][:50]
        "The hash of 'born' can be undone by trying every v"
    """
    data = nw.from_native(frame)
    lazy = data.lazy()
    session, salt = session or Session(), secrets.token_bytes(32)
    tally = Tally(session)
    left = check_steps(steps, lazy.collect_schema().names())
    doing = [step for step in steps if not isinstance(step.technique, Drop)]
    work = [
        _pseudonyms(step, column, Scope(step.field(column), keys, salt, session))
        for step in doing
        for column in step.columns
    ]
    result = _transformed(lazy, work, tally)
    if len(left) < len(lazy.collect_schema()):
        result = selected(result, left)
    return _finished(data, result, tuple(steps), _cautions(lazy, steps), tally, session)


def depseudonymise(
    frame: Any, steps: Sequence[Reversal], *, keys: KeyStore = NO_KEYS, session: Session | None = None
) -> Result:
    """Turn pseudonyms back into the values they were made of.

    A value that is no pseudonym of that key is an error that tells the column and the number of rows, or stays as it is
    if the step says ``on_error: keep``. A frame in memory is checked at once; a lazy one, whose failures are counted
    while it is evaluated, when :meth:`Result.finish` is called after that. Until then such cells are missing.

    Args:
        frame: As for :func:`pseudonymise`.
        steps: Applied in this order: the reverse of the order in which they were done, where several concern a column.
        keys: Where keys are fetched, before any value is looked at.
        session: Where techniques find their files.

    Raises:
        DataServiceError: If a step, a parameter or a key is wrong, or values cannot be turned back.
    """
    data = nw.from_native(frame)
    lazy = data.lazy()
    session = session or Session()
    tally = Tally(session)
    check_steps(steps, lazy.collect_schema().names())
    work = [
        _Work(column, _restoring(step, Scope(step.field(column), keys, session=session)), keeps=step.on_error == KEEP)
        for step in steps
        for column in step.columns
    ]
    return _finished(data, _transformed(lazy, work, tally), tuple(steps), (), tally, session)


def _finished(
    data: Any,
    result: nw.LazyFrame[Any],
    steps: tuple[Step, ...],
    cautions: tuple[str, ...],
    tally: Tally,
    session: Session,
) -> Result:
    # In one batch, each distinct value of a column is found; in several, both cores have work.
    engine: Literal["in-memory", "streaming"] = (
        "in-memory" if all(step.technique.linkable for step in steps) else "streaming"
    )
    done = Result(as_given(result, data, engine), steps, cautions, tally, session)
    if not isinstance(data, nw.LazyFrame):
        done.finish()
    return done


def _cautions(frame: nw.LazyFrame[Any], steps: Sequence[Step]) -> tuple[str, ...]:
    """Look at the columns whose technique protects no better than their values allow."""
    looked_at = [
        (step.technique, column)
        for step in steps
        if isinstance(step.technique, InspectingTechnique)
        for column in step.columns
    ]
    known = domains(frame, list(dict.fromkeys(column for _, column in looked_at)))
    found = (technique.caution(column, known[column]) for technique, column in looked_at)
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def _transformed(frame: nw.LazyFrame[Any], work: Sequence[_Work], tally: Tally) -> nw.LazyFrame[Any]:
    """Do all work, of which it is known to what columns, in layers.

    First come columns whose cells are computed by level, then those whose new cells a run stores, last those that it
    computes whenever they are read; each layer needs only columns that those before it leave alone.
    """
    schema = frame.collect_schema()
    of_columns: dict[str, list[_Work]] = {}
    for each in work:
        of_columns.setdefault(each.column, []).append(each)
    for column in of_columns:
        if schema[column].is_nested() or schema[column] == nw.Binary:
            raise DataServiceError(
                f"The column {column!r} holds lists, records or bytes, not single values: leave it out or drop it."
            )
    companions = {name for each in work for name in each.companions}
    alone = [name for name, doing in of_columns.items() if name not in companions and all(one.alone for one in doing)]
    alike = [
        name for name, doing in of_columns.items() if schema[name] == nw.String and all(one.one_to_one for one in doing)
    ]
    known = levels_of(frame, alone)
    again = [
        name
        for name in alone
        if name in alike
        and name not in known
        and all(one.quick for one in of_columns[name])
        and is_settled(nw.to_native(frame))
    ]
    others = [name for name in of_columns if name not in known and name not in again]
    if not others or known or again:
        tally.add(height(frame), Counter(), Counter())
    result = _by_level(frame, known, of_columns, tally)
    for columns, are_again in ((others, False), (again, True)):
        if columns:
            batch = _Batch([each for each in work if each.column in columns], tally, counts=columns == list(of_columns))
            types = dict.fromkeys(columns, nw.String)
            one_to_one = [name for name in columns if name in alike]
            plain = [name for name in columns if of_columns[name][-1].plain]
            result = map_batches(
                result, batch, batch.inputs, types, tally, one_to_one=one_to_one, again=are_again, plain=plain
            )
    return result


@dataclass(frozen=True)
class _Batch:
    """Does the work on a batch of rows.

    Attributes:
        work: In order.
        tally: Counts what could not be turned back.
        counts: Whether it counts the rows, too.
    """

    work: Sequence[_Work]
    tally: Tally
    counts: bool

    @property
    def inputs(self) -> list[str]:
        """The columns that this needs."""
        return list(dict.fromkeys(name for each in self.work for name in (each.column, *each.companions)))

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the changed columns."""
        unrestored, kept = Counter[str](), Counter[str]()
        changed = {each.column: rows[each.column].cast(pl.String) for each in self.work}
        for each in self.work:
            beside = rows.with_columns(changed.values()) if each.companions else rows
            after, lost = each.new(changed[each.column], beside)
            (kept if each.keeps else unrestored)[each.column] += 0 if lost is None else int(lost.sum())
            changed[each.column] = after.alias(each.column)
        self.tally.add(rows.height if self.counts else 0, +unrestored, +kept)
        return pl.DataFrame(changed)


def _by_level(
    frame: nw.LazyFrame[Any], known: Mapping[str, Levels], of_columns: Mapping[str, Sequence[_Work]], tally: Tally
) -> nw.LazyFrame[Any]:
    """Do the work on columns of which the levels are known: once for each."""
    new = dict(known)
    for column in known:
        for each in of_columns[column]:
            after, lost = each.new(new[column].cells, pl.DataFrame())
            rows = Counter({column: 0 if lost is None else new[column].rows(lost)})
            tally.add(0, *((Counter[str](), +rows) if each.keeps else (+rows, Counter[str]())))
            new[column] = new[column].recoded(after)
    return recoded(frame, known, new)


def _pseudonyms(step: Step, column: str, scope: Scope) -> _Work:
    technique = step.technique
    if isinstance(technique, RowTechnique) and technique.companions:
        of_rows, names = Portable(technique.transform_rows, scope), technique.companions

        def beside_companions(texts: pl.Series, rows: pl.DataFrame) -> pl.Series:
            present = texts.is_not_null()
            return put_back(
                present, of_rows(texts.drop_nulls(), rows.select(pl.col(*names).cast(pl.String)).filter(present))
            )

        return _Work(column, beside_companions, alone=False, companions=names)
    transform = Portable(technique.transform, scope)
    cells = _of_present(DistinctValues(transform) if technique.linkable else transform)
    return _Work(
        column,
        cells,
        alone=technique.linkable,
        one_to_one=technique.one_to_one,
        quick=technique.quick,
        plain=technique.plain,
    )


def _restoring(step: Reversal, scope: Scope) -> Cells:
    return _of_present(DistinctValues(Portable(step.technique.restore, scope)))


def _of_present(transform: Transform) -> Cells:
    """Transform what is not missing."""

    def cells(texts: pl.Series, rows: pl.DataFrame) -> pl.Series:
        del rows
        return of_present(transform, texts)

    return cells
