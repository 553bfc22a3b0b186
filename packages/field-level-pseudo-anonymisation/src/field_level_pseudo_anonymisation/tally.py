"""What is counted while a frame is evaluated, batch by batch."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from field_level_pseudo_anonymisation.techniques.session import Session


@dataclass
class Tally:
    """Counts of one evaluation, kept by several threads.

    Attributes:
        session: What techniques share, where more may come to be.
        rows: Rows so far.
        unrestored: For each column, values so far that could not be turned back.
        kept: For each column, values so far that were left as they are because they could not be turned back.
    """

    session: Session = field(default_factory=Session, repr=False)
    rows: int = 0
    unrestored: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    _started: float = field(default_factory=time.perf_counter)
    _last: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, rows: int, unrestored: Counter[str], kept: Counter[str]) -> None:
        """Count a batch."""
        with self._lock:
            self.rows += rows
            self.unrestored += unrestored
            self.kept += kept
            self._last = time.perf_counter()

    def taken(self) -> str:
        """Write down the counts, and start anew."""
        with self._lock:
            counts = json.dumps([self.rows, self.unrestored, self.kept, self.session.taken()])
            self.rows, self.unrestored, self.kept = 0, Counter(), Counter()
        return counts

    def add_taken(self, counts: str) -> None:
        """Add what a copy of this object on another machine wrote down."""
        rows, unrestored, kept, shared = json.loads(counts)
        self.add(rows, Counter(unrestored), Counter(kept))
        self.session.add_taken(shared)

    def __reduce__(self) -> tuple[type["Tally"], tuple[Session]]:
        """A copy on another machine counts from nought."""
        return Tally, (self.session,)

    @property
    def seconds(self) -> float:
        """Time from the start to the last batch."""
        return max(self._last - self._started, 0.0)
