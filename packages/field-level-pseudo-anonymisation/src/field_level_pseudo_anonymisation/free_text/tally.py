"""What is counted while texts are rewritten; no text and no value."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from field_level_pseudo_anonymisation.free_text.samples import Samples
from field_level_pseudo_anonymisation.techniques.session import Session

Spans = Counter[tuple[str, str]]
"""Number of spans by entity and technique."""


@dataclass(frozen=True)
class Counts:
    """Counts of some texts.

    Attributes:
        texts: Texts; the pieces of one text count as one.
        characters_before: Their characters.
        characters_after: Characters of what was made of them.
        characters_changed: Characters of the texts in spans that became something else.
        spans: Spans that were handled.
        kept: Spans that look like pseudonyms but could not be restored, and stay as they are.
        failed: Spans that look like pseudonyms but could not be restored.
        escaped: Passages that looked like pseudonyms and were marked as text, or unmarked again.
    """

    texts: int = 0
    characters_before: int = 0
    characters_after: int = 0
    characters_changed: int = 0
    spans: Spans = field(default_factory=Counter)
    kept: int = 0
    failed: int = 0
    escaped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.texts + other.texts,
            self.characters_before + other.characters_before,
            self.characters_after + other.characters_after,
            self.characters_changed + other.characters_changed,
            self.spans + other.spans,
            self.kept + other.kept,
            self.failed + other.failed,
            self.escaped + other.escaped,
        )


class TextTally:
    """Counts of one run, kept by several threads.

    Args:
        session: What techniques share, where more may come to be.
        samples: What else is told of the texts.
    """

    def __init__(self, session: Session, samples: Samples | None = None) -> None:
        self.counts = Counts()
        self.session = session
        self.samples = samples or Samples({})
        self._lock = threading.Lock()
        self._started = self._last = time.perf_counter()

    def add(self, counts: Counts) -> None:
        """Count some more."""
        with self._lock:
            self.counts += counts
            self._last = time.perf_counter()

    def __reduce__(self) -> tuple[type["TextTally"], tuple[Session, Samples]]:
        """A copy on another machine counts from nought."""
        return TextTally, (self.session, self.samples)

    def taken(self) -> str:
        """Write down what was counted, and start anew."""
        with self._lock:
            counts, self.counts = self.counts, Counts()
        spans = [[*names, number] for names, number in counts.spans.items()]
        counted = asdict(replace(counts, spans=Counter())) | {"spans": spans}
        return json.dumps([counted, self.samples.taken(), self.session.taken()])

    def add_taken(self, counts: str) -> None:
        """Add what a copy of this object on another machine wrote down."""
        counted, seen, shared = json.loads(counts)
        spans = Counter({(entity, technique): number for entity, technique, number in counted.pop("spans")})
        self.add(Counts(**counted, spans=spans))
        self.samples.add_taken(seen)
        self.session.add_taken(shared)

    def metrics(self) -> dict[str, Any]:
        """Give all figures as a dictionary fit for JSON.

        Returns:
            ``texts_processed``, ``spans``, ``entities`` and ``techniques`` (number of spans by name),
            ``entities_by_technique``, ``characters_before``, ``characters_after``, ``share_changed`` (0 to 1),
            ``passages_escaped``, ``pseudonyms_kept``, ``execution_time_seconds``.
        """
        counts = self.counts
        return {
            "texts_processed": counts.texts,
            "spans": counts.spans.total(),
            "entities": _summed(counts.spans, 0),
            "techniques": _summed(counts.spans, 1),
            "entities_by_technique": [
                {"entity": entity, "technique": technique, "spans": number}
                for (entity, technique), number in sorted(counts.spans.items())
            ],
            "characters_before": counts.characters_before,
            "characters_after": counts.characters_after,
            "share_changed": counts.characters_changed / max(counts.characters_before, 1),
            "passages_escaped": counts.escaped,
            "pseudonyms_kept": counts.kept,
            "execution_time_seconds": round(self._last - self._started, 3),
        }


def _summed(spans: Mapping[tuple[str, str], int], position: int) -> dict[str, int]:
    sums = Counter[str]()
    for names, number in spans.items():
        sums[names[position]] += number
    return dict(sorted(sums.items()))
