"""What the first spans of each entity look like, to tell whether all its values can be tried; no value is kept."""

import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from field_level_pseudo_anonymisation.techniques.domain import Domain, InspectingTechnique, shapes, values_shaped

_SAMPLE_SPANS = 10_000
_FINGERPRINT_BYTES = 16


@dataclass
class _Seen:
    """What was seen of an entity: how many spans, fingerprints of their values, and shapes of these."""

    spans: int = 0
    fingerprints: set[str] = field(default_factory=set)
    shapes: set[str] = field(default_factory=set)


class Samples:
    """Looks at the first spans of entities; may be called by several threads.

    Args:
        techniques: For each entity that is looked at the technique that handles its spans.
        salt: What fingerprints are made with; default random. It is in no result.
    """

    def __init__(self, techniques: Mapping[str, InspectingTechnique], salt: bytes | None = None) -> None:
        self._techniques = techniques
        self._salt = salt or secrets.token_bytes(32)
        self._looked_at: dict[str, int] = {}
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Samples"], tuple[Mapping[str, InspectingTechnique], bytes]]:
        """A copy on another machine has seen nothing, and makes the same fingerprints."""
        return Samples, (self._techniques, self._salt)

    def add(self, entity: str, values: pl.Series) -> None:
        """Look at the first values of an entity."""
        if entity not in self._techniques:
            return
        with self._lock:
            left = _SAMPLE_SPANS - self._looked_at.get(entity, 0)
            first = values.head(max(left, 0))
            self._looked_at[entity] = self._looked_at.get(entity, 0) + len(first)
            if len(first):
                distinct = first.unique()
                self._add(entity, len(first), map(self._fingerprint, distinct), shapes(distinct))

    def taken(self) -> dict[str, Any]:
        """Give what was seen, fit for JSON and without any value, and start anew."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return {entity: [each.spans, sorted(each.fingerprints), sorted(each.shapes)] for entity, each in seen.items()}

    def add_taken(self, seen: Mapping[str, Any]) -> None:
        """Add what a copy gave."""
        with self._lock:
            for entity, (spans, fingerprints, looks) in seen.items():
                self._add(entity, spans, fingerprints, looks)

    def cautions(self) -> list[str]:
        """Give the sentences."""
        found = (self._techniques[entity].caution(entity, _domain(seen)) for entity, seen in sorted(self._seen.items()))
        return [sentence for sentence in found if sentence]

    def _add(self, entity: str, spans: int, fingerprints: Any, looks: Any) -> None:
        seen = self._seen.setdefault(entity, _Seen())
        seen.spans += spans
        seen.fingerprints.update(fingerprints)
        seen.shapes.update(looks)

    def _fingerprint(self, value: str) -> str:
        return hashlib.blake2b(value.encode(), digest_size=_FINGERPRINT_BYTES, key=self._salt).hexdigest()


def _domain(seen: _Seen) -> Domain:
    return Domain(seen.spans, len(seen.fingerprints), values_shaped(seen.shapes))
