import pickle
from collections import Counter

import polars as pl

from field_level_pseudo_anonymisation.free_text.samples import Samples
from field_level_pseudo_anonymisation.free_text.tally import Counts, TextTally
from field_level_pseudo_anonymisation.techniques import Hash
from field_level_pseudo_anonymisation.techniques.session import Session

NUMBERS = pl.Series(["12"] * 3 + ["345"] * 20 + [str(number) for number in range(40)] * 10)
COUNTS = Counts(texts=3, characters_before=9, characters_changed=2, spans=Counter({("NUMBER", "hash"): 2}), kept=1)


def test_copies_tell_together_what_one_tally_would() -> None:
    alone, original = (TextTally(Session(), Samples({"NUMBER": Hash()})) for _ in range(2))
    alone.add(COUNTS + COUNTS)
    alone.samples.add("NUMBER", NUMBERS)
    for part in (NUMBERS.head(200), NUMBERS.slice(200)):
        copy: TextTally = pickle.loads(pickle.dumps(original))
        copy.add(COUNTS)
        copy.samples.add("NUMBER", part)
        original.add_taken(copy.taken())
        assert copy.counts == Counts()
    assert original.counts == alone.counts
    (caution,) = original.samples.cautions()
    assert "about 41 distinct values in 423 rows" in caution
    assert alone.samples.cautions() == [caution]


def test_what_a_copy_writes_down_holds_no_value() -> None:
    tally = TextTally(Session(), Samples({"NUMBER": Hash()}))
    tally.samples.add("NUMBER", pl.Series(["5550123"]))
    tally.samples.add("EMAIL", pl.Series(["ann@example.org"]))  # is not looked at
    taken = tally.taken()
    assert "9999999" in taken
    assert "5550123" not in taken
    assert "example" not in taken
