"""Restoring what pseudonyms in texts stand for."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from field_level_pseudo_anonymisation.free_text.envelopes import LITERAL, Envelope, find, passage_of
from field_level_pseudo_anonymisation.free_text.rewriting import Place, replaced
from field_level_pseudo_anonymisation.free_text.steps import TextReversal
from field_level_pseudo_anonymisation.free_text.tally import Counts
from field_level_pseudo_anonymisation.keys import KeyStore
from field_level_pseudo_anonymisation.portable import KeysAskedFor
from field_level_pseudo_anonymisation.steps import FAIL, KEEP
from field_level_pseudo_anonymisation.techniques.session import Session
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.distinct import Transform
from util_services.errors import DataServiceError

NOT_NAMED = "not named"
"""What a bare token stands for, which does not tell."""


class Reader:
    """Finds pseudonyms and puts back what they stand for; may be called by several threads.

    Args:
        steps: Techniques to undo.
        keys: Where keys are fetched.
        on_error: What becomes of pseudonyms of none of the keys.
        session: Where techniques find their files.

    Raises:
        DataServiceError: If a parameter or a key is wrong.
    """

    def __init__(self, steps: Sequence[TextReversal], keys: KeyStore, on_error: str, session: Session) -> None:
        if not steps:
            raise DataServiceError("The used_function is empty: give at least one technique.")
        if on_error not in {FAIL, KEEP}:
            raise DataServiceError(f"The on_error {on_error!r} is unknown: choose {FAIL} or {KEEP}.")
        self._steps = steps
        self._keeps = on_error == KEEP
        self._keys = KeysAskedFor(keys)
        self._session = session
        self._techniques = {step.technique.name for step in steps}
        for number, _ in enumerate(steps):  # a wrong key is told before any text is looked at
            self._restoring(number, "")

    def __call__(self, texts: list[str]) -> tuple[list[str], Counts]:
        """Restore texts, and count what was done."""
        found = [(position, each) for position, text in enumerate(texts) for each in find(text)]
        pseudonyms = [(position, each) for position, each in found if each.technique in self._techniques]
        values = self._values([each for _, each in pseudonyms])
        literals = [(position, each) for position, each in found if each.technique == LITERAL]
        passages = [passage_of(each.payload) for _, each in literals]
        places: dict[int, list[Place]] = {}
        for (position, each), value in sorted(zip(pseudonyms + literals, values + passages, strict=True)):
            if value is not None:
                places.setdefault(position, []).append(Place(each.start, each.end, value))
        new = [replaced(text, places.get(position, [])) for position, text in enumerate(texts)]
        restored = [each for (_, each), value in zip(pseudonyms, values, strict=True) if value is not None]
        missing = len(pseudonyms) - len(restored)
        counts = Counts(
            characters_before=sum(map(len, texts)),
            characters_after=sum(map(len, new)),
            characters_changed=sum(each.end - each.start for each in restored),
            spans=Counter((each.entity or NOT_NAMED, each.technique) for each in restored),
            kept=missing if self._keeps else 0,
            failed=0 if self._keeps else missing,
            escaped=len(passages) - passages.count(None),
        )
        return new, counts

    def _values(self, pseudonyms: Sequence[Envelope]) -> list[str | None]:
        """Give what each stands for, nothing where that cannot be told: the first step whose key it is says."""
        values: list[str | None] = [None] * len(pseudonyms)
        left: dict[tuple[str, str], list[int]] = {}
        for at, each in enumerate(pseudonyms):
            left.setdefault((each.technique, each.entity), []).append(at)
        for number, step in enumerate(self._steps):
            for (technique, entity), places in left.items():
                if technique != step.technique.name or not places:
                    continue
                payloads = pl.Series([pseudonyms[at].payload for at in places], dtype=pl.String)
                for at, value in zip(places, self._restoring(number, entity)(payloads), strict=True):
                    values[at] = value
                left[technique, entity] = [at for at in places if values[at] is None]
        return values

    @lru_cache(maxsize=1000)  # noqa: B019 - a reader lives as long as its run
    def _restoring(self, number: int, entity: str) -> Transform:
        step = self._steps[number]
        return step.technique.restore(Scope(step.field(entity), self._keys, session=self._session))
