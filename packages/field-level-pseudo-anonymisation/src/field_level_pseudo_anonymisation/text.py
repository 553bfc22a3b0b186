"""Pseudonymising personal data inside free text and turning pseudonyms back; without Dagster."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Any, TypedDict, Unpack

import narwhals as nw
import polars as pl

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.free_text.reader import Reader
from field_level_pseudo_anonymisation.free_text.steps import TextReversal, TextStep, check_text_steps
from field_level_pseudo_anonymisation.free_text.tally import Counts, TextTally
from field_level_pseudo_anonymisation.free_text.writer import SpanDetector, Writer
from field_level_pseudo_anonymisation.keys import KeyStore
from field_level_pseudo_anonymisation.memory_key_store import NO_KEYS
from field_level_pseudo_anonymisation.steps import FAIL
from field_level_pseudo_anonymisation.techniques.session import Session
from util_services.errors import DataServiceError, nearest
from util_services.frames import as_given, map_batches
from util_services.texts import Text, cut

Rewrite = Callable[[list[str]], tuple[list[str], Counts]]
"""Takes texts and gives as many, in order, and counts. May be called from several threads."""

_SEGMENT_CHARACTERS = 4096  # a few paragraphs: enough context, and language models need not hold more
_BATCH_CHARACTERS = 4 << 20  # each call has a cost of its own, each distinct value is looked at once in it


class Detection(TypedDict, total=False):
    """How personal data is found; see :class:`.detection.Detector`.

    Attributes:
        names: Whether a language model looks for persons, organisations and places; default yes.
        model: Name or path of that model; default the largest official one of the language installed.
        high_recall: Whether any named entity counts as a person.
        patterns: The user's own regular expressions, a list for each entity.
        words: The user's own words, likewise.
        detector: Another detector; the other settings are its own matter then.
    """

    names: bool
    model: str | None
    high_recall: bool
    patterns: Mapping[str, Sequence[str]]
    words: Mapping[str, Sequence[str]]
    detector: SpanDetector


@dataclass(frozen=True)
class TextResult:
    """Texts that were rewritten, and what was done to them.

    Attributes:
        output: The text, its pieces (an iterator) or the table, as it was given.
        tally: Counts; of pieces and lazy frames, those so far.
        session: What techniques keep until :meth:`finish`.
        language: Of the texts.
    """

    output: Any
    tally: TextTally
    session: Session
    language: str | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures as :meth:`.TextTally.metrics`, and ``language``; of pieces and lazy frames, once they were read."""
        return {"language": self.language} | self.tally.metrics()

    @property
    def cautions(self) -> list[str]:
        """Sentences on entities that are not as well protected as it seems; no value is in them."""
        return self.tally.samples.cautions()

    def finish(self) -> None:
        """Check the result once pieces or a lazy frame were read, and before it is released; else that is done.

        Raises:
            DataServiceError: If pseudonyms could not be restored, or what techniques keep cannot be made durable.
        """
        if failed := self.tally.counts.failed:
            total = failed + self.tally.counts.spans.total()
            raise DataServiceError(
                f"Of {total:,} pseudonyms in the text, {failed:,} are not authenticated by the keys given: give the "
                "key, technique and parameters that they were made with, or set on_error: keep."
            )
        self.session.finish()


def pseudonymise_text(
    text: str | Text | Iterable[str],
    steps: Sequence[TextStep],
    *,
    language: str,
    keys: KeyStore = NO_KEYS,
    session: Session | None = None,
    **detection: Unpack[Detection],
) -> TextResult:
    """Replace personal data in a text.

    Args:
        text: A text; or one too large for memory, as :class:`util_services.texts.Text` or as pieces cut anywhere, whose
            output is an iterator: read it to the end, then call :meth:`TextResult.finish` before you release it.
        steps: A span is handled by the first that names its entity; other spans stay as they are.
        language: ISO 639-1 code.
        keys: Where keys are fetched, before any text is looked at.
        session: What techniques of one run share, and where they may keep files; default a new one without files.
        detection: As :class:`Detection` says.

    Raises:
        DataServiceError: If a step, a parameter or a key is wrong.

    Examples:
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> step = TextStep(Redact(), ["EMAIL"])
        >>> result = pseudonymise_text("Write to ann@example.org.", [step], language="en", names=False)
        >>> result.output, result.metrics["entities"]
        ('Write to [REDACTED].', {'EMAIL': 1})
    """
    session = session or Session()
    writer = Writer(steps, _detector(steps, language, **detection), keys, session)
    return _of_text(text, writer, TextResult(None, TextTally(session, writer.samples), session, language))


def depseudonymise_text(
    text: str | Text | Iterable[str],
    steps: Sequence[TextReversal],
    *,
    language: str | None = None,
    keys: KeyStore = NO_KEYS,
    on_error: str = FAIL,
    session: Session | None = None,
) -> TextResult:
    """Restore what :func:`pseudonymise_text` or another tool put into a text with techniques that can be undone.

    Bare Fernet tokens and envelopes of the techniques named are restored; all other text stays as it is.

    Args:
        text: As for :func:`pseudonymise_text`.
        steps: Each pseudonym is restored by the first step of its technique whose key it is.
        language: For the report alone.
        keys: Where keys are fetched.
        on_error: What becomes of pseudonyms that are of none of the keys: ``fail`` with their number, or ``keep``.
        session: Where techniques find their files.

    Raises:
        DataServiceError: If a step, a parameter or a key is wrong, or pseudonyms cannot be restored.
    """
    session = session or Session()
    reader = Reader(steps, keys, on_error, session)
    return _of_text(text, reader, TextResult(None, TextTally(session), session, language))


def pseudonymise_text_columns(
    frame: Any,
    columns: Sequence[str],
    steps: Sequence[TextStep],
    *,
    language: str,
    keys: KeyStore = NO_KEYS,
    session: Session | None = None,
    **detection: Unpack[Detection],
) -> TextResult:
    """Replace personal data in the cells of text columns; missing cells and other columns stay as they are.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow. A lazy frame stays lazy: evaluate the output once, then call
            :meth:`TextResult.finish` before you release it.
        columns: Names of the columns.
        steps: As for :func:`pseudonymise_text`.
        language: As for :func:`pseudonymise_text`.
        keys: As for :func:`pseudonymise_text`.
        session: As for :func:`pseudonymise_text`.
        detection: As :class:`Detection` says.

    Raises:
        DataServiceError: If a column, a step, a parameter or a key is wrong.

    Examples:
        >>> from field_level_pseudo_anonymisation.techniques import Redact
        >>> notes = pl.DataFrame({"id": ["1"], "note": ["Write to ann@example.org."]})
        >>> step = TextStep(Redact(), ["EMAIL"])
        >>> pseudonymise_text_columns(notes, ["note"], [step], language="en", names=False).output.rows()
        [('1', 'Write to [REDACTED].')]
    """
    session = session or Session()
    writer = Writer(steps, _detector(steps, language, **detection), keys, session)
    return _of_columns(frame, columns, writer, TextResult(None, TextTally(session, writer.samples), session, language))


def depseudonymise_text_columns(
    frame: Any,
    columns: Sequence[str],
    steps: Sequence[TextReversal],
    *,
    language: str | None = None,
    keys: KeyStore = NO_KEYS,
    on_error: str = FAIL,
    session: Session | None = None,
) -> TextResult:
    """Restore pseudonyms in the cells of text columns; arguments as for the functions above.

    Raises:
        DataServiceError: If a column, a step, a parameter or a key is wrong, or pseudonyms cannot be restored.
    """
    session = session or Session()
    reader = Reader(steps, keys, on_error, session)
    return _of_columns(frame, columns, reader, TextResult(None, TextTally(session), session, language))


def _detector(
    steps: Sequence[TextStep], language: str, detector: SpanDetector | None = None, **detection: Any
) -> SpanDetector:
    entities = check_text_steps(steps)
    return detector or Detector(language, entities=entities, **detection)


def _of_text(text: str | Text | Iterable[str], rewrite: Rewrite, result: TextResult) -> TextResult:
    result.tally.add(Counts(texts=1))
    blocks = [text] if isinstance(text, str) else text.blocks() if isinstance(text, Text) else text
    pieces = _rewritten(cut(blocks, _BATCH_CHARACTERS), rewrite, result.tally)
    if not isinstance(text, str):
        return replace(result, output=pieces)
    done = replace(result, output="".join(pieces))
    done.finish()
    return done


def _rewritten(pieces: Iterable[str], rewrite: Rewrite, tally: TextTally) -> Iterator[str]:
    for piece in pieces:
        new, counts = rewrite(_segments(piece))
        tally.add(counts)
        yield "".join(new)


def _segments(text: str) -> list[str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataServiceError(
            "The text has half a surrogate pair, which is no character: read it in its true encoding."
        ) from None
    return list(cut([text], _SEGMENT_CHARACTERS))


def _of_columns(frame: Any, columns: Sequence[str], rewrite: Rewrite, result: TextResult) -> TextResult:
    data = nw.from_native(frame)
    lazy = data.lazy()
    _check_columns(columns, lazy.collect_schema())
    tally = result.tally

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(_cells(rows[column].cast(pl.String), rewrite, tally) for column in columns)

    changed = map_batches(lazy, batch, columns, dict.fromkeys(columns, nw.String), tally)
    done = replace(result, output=as_given(changed, data))
    if not isinstance(data, nw.LazyFrame):
        done.finish()
    return done


def _check_columns(columns: Sequence[str], schema: nw.Schema) -> None:
    if not columns:
        raise DataServiceError("The text_columns are empty: name at least one column.")
    for column in columns:
        if column not in schema:
            raise DataServiceError(f"The text column {column!r} does not exist: {nearest(column, schema)}")
        if schema[column] not in {nw.String, nw.Categorical, nw.Object, nw.Enum}:
            raise DataServiceError(f"The column {column!r} holds {schema[column]}, not text: choose text columns.")
    if repeated := next((column for column in columns if list(columns).count(column) > 1), None):
        raise DataServiceError(f"The text column {repeated!r} is named twice: name it once.")


def _cells(cells: pl.Series, rewrite: Rewrite, tally: TextTally) -> pl.Series:
    """Rewrite cells, each a text of its own."""
    texts = [_segments(cell) for cell in cells.drop_nulls()]
    segments = [segment for text in texts for segment in text]
    new: list[str] = []
    for batch in _batches(segments):
        results, counts = rewrite(batch)
        tally.add(counts)
        new += results
    tally.add(Counts(texts=len(texts)))
    left = iter(new)
    joined = iter(["".join(next(left) for _ in text) for text in texts])
    return pl.Series(cells.name, [None if cell is None else next(joined) for cell in cells], dtype=pl.String)


def _batches(segments: Sequence[str]) -> Iterator[list[str]]:
    """Put segments together into batches that are worth a call, and not too large."""
    ends = accumulate(map(len, segments))
    numbered = zip((end // _BATCH_CHARACTERS for end in ends), segments, strict=True)
    for _, batch in groupby(numbered, lambda pair: pair[0]):
        yield [segment for _, segment in batch]
