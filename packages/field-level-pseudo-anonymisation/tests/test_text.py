import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.detection.spans import SCHEMA
from field_level_pseudo_anonymisation.free_text.steps import TextReversal, TextStep
from field_level_pseudo_anonymisation.memory_key_store import MemoryKeyStore
from field_level_pseudo_anonymisation.techniques import (
    DeterministicEncrypt,
    Drop,
    Encrypt,
    Hash,
    KeyedHash,
    Redact,
    Replace,
    Retain,
)
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.text import (
    TextResult,
    depseudonymise_text,
    depseudonymise_text_columns,
    pseudonymise_text,
    pseudonymise_text_columns,
)
from util_services.errors import DataServiceError
from util_services.texts import Text

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
KEYS = MemoryKeyStore({"mine": {1: OLD, 2: NEW}, "yours": {1: Fernet.generate_key().decode()}})
UNDO = [TextReversal(Encrypt("mine")), TextReversal(DeterministicEncrypt("mine"))]
BY_ANOTHER_TOOL = Fernet(NEW).encrypt("Zoë".encode()).decode()
OF_ANOTHER_KEY = Fernet(Fernet.generate_key()).encrypt(b"x").decode()


class Runs:
    """Finds runs of capitals as NAME and of digits as NUMBER, so that properties need no language."""

    def detect(self, texts: pl.Series) -> pl.DataFrame:
        spans = [
            (text, *match.span(), "NAME" if match[0].isalpha() else "NUMBER", 1.0)
            for text, content in enumerate(texts)
            for match in re.finditer("[A-Z]+|[0-9]+", content)
        ]
        return pl.DataFrame(spans, schema=SCHEMA, orient="row")


def pseudonymise(text: Any, *steps: TextStep, **detection: Any) -> TextResult:
    return pseudonymise_text(text, steps, language="en", keys=KEYS, **({"names": False} | detection))


def restored(text: str, steps: Sequence[TextReversal] = UNDO, **options: Any) -> str:
    return str(depseudonymise_text(text, steps, keys=KEYS, **options).output)


def test_a_span_is_handled_by_the_first_step_that_names_its_entity() -> None:
    steps = [TextStep(Redact(), ["NAME"]), TextStep(Replace("*"), ["NUMBER", "NAME"])]
    assert pseudonymise("to ANN 55 é", *steps, detector=Runs()).output == "to [REDACTED] * é"
    assert pseudonymise("to ANN 55 é", TextStep(Retain(), ["NAME"]), *steps, detector=Runs()).output == "to ANN * é"
    assert pseudonymise("to ANN 55 é", *steps[1:], detector=Runs()).output == "to * * é"


@pytest.mark.parametrize(
    ("technique", "expected"),
    [
        (Redact(), "[REDACTED]"),
        (Replace("someone"), "someone"),
        (Drop(), ""),
        (Retain(), "ann@example.org"),
        (Hash(), sha256(b"ann@example.org").hexdigest()),
    ],
)
def test_what_stands_in_place_of_a_span(technique: Any, expected: str) -> None:
    assert pseudonymise("to ann@example.org.", TextStep(technique, ["EMAIL"])).output == f"to {expected}."


def test_linkable_techniques_give_equal_pseudonyms_and_randomised_ones_do_not() -> None:
    text = "ANN and ANN\n\n" * 1000  # several segments
    for technique, distinct in [
        (KeyedHash("mine"), 1),
        (DeterministicEncrypt("mine"), 1),
        (Encrypt("mine", Policy.DOCUMENT_RANDOMISED), 1),
        (Encrypt("mine"), 2000),
    ]:
        result = pseudonymise(text, TextStep(technique, ["NAME"]), detector=Runs())
        assert len(set(str(result.output).split()) - {"and"}) == distinct


def test_entities_are_linkable_with_each_other_and_with_a_column_only_if_they_share_sub_keys() -> None:
    def mark(entity: str, share_as: str | None) -> str:
        step = TextStep(KeyedHash("mine"), [entity], share_as)
        return str(pseudonymise("7 ann", step, patterns={"A": ["ann"], "B": ["ann"]}).output)

    assert mark("A", None) != mark("B", None)
    assert mark("A", "person") == mark("B", "person")


def test_a_bare_fernet_token_is_what_other_tools_read_and_write() -> None:
    written = str(pseudonymise("to ANN.", TextStep(Encrypt("mine"), ["NAME"]), detector=Runs()).output)
    token = re.fullmatch(r"to (gAAAA\S+)\.", written)
    assert token
    assert Fernet(NEW).decrypt(token[1]) == b"ANN"
    assert restored(f"Dear {BY_ANOTHER_TOOL},\n") == "Dear Zoë,\n"
    assert restored(f"of an older version: {Fernet(OLD).encrypt(b'x').decode()}") == "of an older version: x"


ANY = st.lists(
    st.one_of(
        st.text(max_size=10),
        st.sampled_from(
            [
                *("[", "[[", "]]", "NAME", ":encrypt:", "gAAAA", "\r\n", "\n\n", " ", "=", "A\U0001d6fcB", "5"),
                *(BY_ANOTHER_TOOL, OF_ANOTHER_KEY, f"[[NAME:encrypt:{BY_ANOTHER_TOOL}]]"),
                *("[[NAME:deterministic_encrypt:x]]", "[[TEXT:literal:W10]]"),
            ]
        ),
    ),
    max_size=12,
).map("".join)


@given(text=ANY)
@settings(max_examples=100)
def test_restoring_gives_back_any_text(text: str) -> None:
    steps = [TextStep(Encrypt("mine"), ["NAME"]), TextStep(DeterministicEncrypt("mine"), ["NUMBER"])]
    once = str(pseudonymise(text, *steps, detector=Runs()).output)
    assert restored(once) == text
    twice = str(pseudonymise(once, *steps, detector=Runs()).output)
    assert restored(restored(twice)) == text


@given(text=ANY)
@settings(max_examples=50)
def test_a_text_in_pieces_is_treated_as_a_whole(text: str) -> None:
    steps = [TextStep(DeterministicEncrypt("mine"), ["NAME", "NUMBER"])]
    whole = pseudonymise(text, *steps, detector=Runs())
    pieces = pseudonymise(iter(text), *steps, detector=Runs())
    assert "".join(pieces.output) == whole.output
    assert pieces.tally.counts == whole.tally.counts


def test_what_an_earlier_run_wrote_is_not_taken_for_personal_data() -> None:
    first = str(pseudonymise("ANN 5 BO", TextStep(DeterministicEncrypt("mine"), ["NUMBER"]), detector=Runs()).output)
    second = str(pseudonymise(first, TextStep(Redact(), ["NAME", "NUMBER"]), detector=Runs()).output)
    assert second.startswith("[REDACTED] [[NUMBER:deterministic_encrypt:")
    assert restored(second) == "[REDACTED] 5 [REDACTED]"


def test_only_pseudonyms_of_the_techniques_named_are_restored() -> None:
    steps = [TextStep(Encrypt("mine"), ["NAME"]), TextStep(DeterministicEncrypt("mine"), ["NUMBER"])]
    text = str(pseudonymise("ANN 5 [[x]]", *steps, detector=Runs()).output)
    assert re.fullmatch(r"ANN \[\[NUMBER:.*\]\] \[\[x\]\]", restored(text, UNDO[:1]))
    assert re.fullmatch(r"gAAAA\S+ 5 \[\[x\]\]", restored(text, UNDO[1:]))


def test_each_pseudonym_is_restored_by_the_key_it_was_made_with() -> None:
    steps = [TextStep(Encrypt("mine"), ["NAME"]), TextStep(Encrypt("yours"), ["NUMBER"])]
    text = str(pseudonymise("ANN 5", *steps, detector=Runs()).output)
    assert restored(text, [TextReversal(Encrypt("yours")), TextReversal(Encrypt("mine"))]) == "ANN 5"


def test_pseudonyms_of_another_key_are_an_error_with_their_number_or_stay() -> None:
    text = f"{BY_ANOTHER_TOOL} {OF_ANOTHER_KEY} {OF_ANOTHER_KEY}"
    with pytest.raises(DataServiceError, match=r"^Of 3 pseudonyms in the text, 2 are not authenticated") as raised:
        restored(text)
    assert "gAAAA" not in str(raised.value)
    assert restored(text, on_error="keep") == f"Zoë {OF_ANOTHER_KEY} {OF_ANOTHER_KEY}"
    pieces = depseudonymise_text(iter([text]), UNDO, keys=KEYS)
    assert len("".join(pieces.output)) > len(OF_ANOTHER_KEY)
    with pytest.raises(DataServiceError, match="2 are not authenticated"):
        pieces.finish()


def test_a_tampered_pseudonym_is_not_restored() -> None:
    text = str(pseudonymise("5", TextStep(DeterministicEncrypt("mine"), ["NUMBER"]), detector=Runs()).output)
    moved = text.replace("NUMBER", "NAME")  # the entity is authenticated
    assert restored(moved, on_error="keep") == moved


def test_the_figures_tell_what_was_done_and_no_text() -> None:
    step = TextStep(Redact(), ["EMAIL"])
    metrics = pseudonymise("To ann@example.org, ann@example.org", step).metrics
    assert metrics.pop("execution_time_seconds") >= 0
    assert metrics == {
        "language": "en",
        "texts_processed": 1,
        "spans": 2,
        "entities": {"EMAIL": 2},
        "techniques": {"redact": 2},
        "entities_by_technique": [{"entity": "EMAIL", "technique": "redact", "spans": 2}],
        "characters_before": 35,
        "characters_after": 25,
        "share_changed": 30 / 35,
        "passages_escaped": 0,
        "pseudonyms_kept": 0,
    }
    assert pseudonymise("5", TextStep(Retain(), ["NUMBER"]), detector=Runs()).metrics["share_changed"] == 0
    undone = depseudonymise_text(BY_ANOTHER_TOOL, UNDO, keys=KEYS, language="fr").metrics
    assert undone["entities_by_technique"] == [{"entity": "not named", "technique": "encrypt", "spans": 1}]


def test_a_hash_of_values_that_can_all_be_tried_is_told() -> None:
    (caution,) = pseudonymise("call 5550123", TextStep(Hash(), ["NUMBER"]), detector=Runs()).cautions
    assert caution.startswith("The hash of 'NUMBER' can be undone by trying every value")
    assert "5550123" not in caution


def test_nothing_of_a_value_or_key_shows_in_a_result() -> None:
    result = pseudonymise("call 5550123", TextStep(Hash(), ["NUMBER"]), detector=Runs())
    assert "5550123" not in repr(result)
    assert NEW not in repr(pseudonymise("ANN", TextStep(Encrypt("mine"), ["NAME"]), detector=Runs()))


NOTES = {"id": ["1", "2", "3"], "note": ["ANN\r\nwrote", None, ""], "more": ["x", "BO 5", "ANN"]}
STEPS = [TextStep(DeterministicEncrypt("mine"), ["NAME"]), TextStep(Redact(), ["NUMBER"])]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table])
def test_text_columns_of_any_frame_come_back_as_the_same_kind(kind: Any) -> None:
    frame = kind.from_pydict(NOTES) if kind is pa.Table else kind(NOTES)
    result = pseudonymise_text_columns(
        frame, ["note", "more"], STEPS, language="en", keys=KEYS, names=False, detector=Runs()
    )
    assert type(result.output) is kind
    plain = result.output.collect() if kind is pl.LazyFrame else result.output
    rows = pl.DataFrame(plain)
    assert rows["id"].to_list() == NOTES["id"]
    assert rows["note"].to_list()[1:] == [None, ""]
    assert rows["more"][1].endswith("]] [REDACTED]")
    assert result.metrics["texts_processed"] == 5
    assert result.metrics["entities"] == {"NAME": 3, "NUMBER": 1}
    back = depseudonymise_text_columns(result.output, ["note", "more"], UNDO, keys=KEYS)
    plain = back.output.collect() if kind is pl.LazyFrame else back.output
    assert pl.DataFrame(plain)["more"].to_list() == ["x", "BO [REDACTED]", "ANN"]


def test_long_cells_and_many_cells_are_each_a_text_of_their_own() -> None:
    cells = ["ANN wrote a lot. " * 1000, "ANN", None] * 70
    frame = pl.DataFrame({"note": cells})
    result = pseudonymise_text_columns(frame, ["note"], STEPS, language="en", keys=KEYS, detector=Runs())
    first, second, third = result.output["note"][:3]
    assert first == f"{second} wrote a lot. " * 1000
    assert third is None
    assert result.metrics["texts_processed"] == 140
    back = depseudonymise_text_columns(result.output, ["note"], UNDO, keys=KEYS)
    assert back.output.equals(frame)


def test_pseudonyms_in_cells_that_cannot_be_restored_are_an_error_once_a_lazy_frame_was_evaluated() -> None:
    frame = pl.DataFrame({"note": [OF_ANOTHER_KEY, "x"]})
    with pytest.raises(DataServiceError, match="Of 1 pseudonyms in the text, 1 are not authenticated"):
        depseudonymise_text_columns(frame, ["note"], UNDO, keys=KEYS)
    lazily = depseudonymise_text_columns(frame.lazy(), ["note"], UNDO, keys=KEYS)
    lazily.output.collect()
    with pytest.raises(DataServiceError, match="1 are not authenticated"):
        lazily.finish()


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([], "The used_function is empty: give at least one technique."),
        ([TextStep(Redact(), [])], r"The step 1 \(redact\) names no pii: give at least one entity."),
        ([TextStep(Redact(), ["EMAIL"], "")], r"The share_as of step 1 \(redact\) is empty"),
        ([TextStep(Redact(), ["EMIAL"])], "The entity 'EMIAL' is unknown: did you mean 'EMAIL'?"),
        ([TextStep(Encrypt("mien"), ["EMAIL"])], "The key 'mien' is not among the keys given: did you mean 'mine'?"),
    ],
)
def test_a_wrong_step_is_one_sentence(steps: list[TextStep], sentence: str) -> None:
    with pytest.raises(DataServiceError, match=sentence):
        pseudonymise("x", *steps)


@pytest.mark.parametrize(
    ("steps", "on_error", "sentence"),
    [
        ([], "fail", "The used_function is empty"),
        (UNDO, "ignore", "The on_error 'ignore' is unknown: choose fail or keep."),
        ([TextReversal(Encrypt("mien"))], "fail", "The key 'mien' is not among the keys given"),
    ],
)
def test_a_wrong_way_back_is_one_sentence(steps: list[TextReversal], on_error: str, sentence: str) -> None:
    with pytest.raises(DataServiceError, match=sentence):
        restored("x", steps, on_error=on_error)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ([], "The text_columns are empty"),
        (["note", "note"], "The text column 'note' is named twice"),
        (["notes"], "The text column 'notes' does not exist: did you mean 'note'?"),
        (["age"], "The column 'age' holds Int64, not text"),
    ],
)
def test_a_wrong_column_is_one_sentence(columns: list[str], sentence: str) -> None:
    frame = pl.DataFrame({"note": ["x"], "age": [5]})
    with pytest.raises(DataServiceError, match=sentence):
        pseudonymise_text_columns(frame, columns, STEPS, language="en", keys=KEYS, detector=Runs())


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DataServiceError, match="half a surrogate pair"):
        pseudonymise("ANN \ud800", *STEPS, detector=Runs())


def test_a_text_in_a_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("field_level_pseudo_anonymisation.text._BATCH_CHARACTERS", 1000)
    text = Text.write(["ANN wrote\n" * 1000], tmp_path / "text")
    result = pseudonymise(text, TextStep(KeyedHash("mine"), ["NAME"]), detector=Runs())
    pieces = list(result.output)
    result.finish()
    assert len(pieces) == 10
    assert len(set("".join(pieces).splitlines())) == 1
    assert result.metrics["entities"] == {"NAME": 1000}
    assert result.metrics["texts_processed"] == 1
