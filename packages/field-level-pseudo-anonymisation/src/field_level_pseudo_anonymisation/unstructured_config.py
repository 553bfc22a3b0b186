"""Run configuration of the ops on free text; the field descriptions show in the Launchpad."""

import re
from typing import Literal

from dagster import Config
from pydantic import Field

from field_level_pseudo_anonymisation import config as configs
from field_level_pseudo_anonymisation.free_text.steps import TextReversal, TextStep
from field_level_pseudo_anonymisation.steps import FAIL
from field_level_pseudo_anonymisation.techniques.deterministic_encrypt import DeterministicEncrypt
from field_level_pseudo_anonymisation.techniques.encrypt import Encrypt
from field_level_pseudo_anonymisation.techniques.format_preserving import FormatPreserving
from field_level_pseudo_anonymisation.techniques.retain import Retain
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Technique
from field_level_pseudo_anonymisation.techniques.tokenise import Tokenise
from field_level_pseudo_anonymisation.text import Detection
from util_services.access import data_path

_KEY_NAME = "Name of the key in the key store; never the key itself."
_LANGUAGE = "ISO 639-1 code of the text's language: en it de nl fr pl es pt sv no da fi el lt ro ru uk zh."
_TEXT_COLUMNS = "Columns whose cells are free text."


class _Pii(Config):
    pii: list[str] = Field(
        description="Entities that the technique is used on: PERSON, EMAIL, PHONE_NUMBERS, …, or names of your own."
    )


class _PiiFields(_Pii):
    share_as: str | None = Field(
        default=None,
        description="A name under which entities share sub-keys, in this and other steps, tables and runs, so that "
        "equal values of theirs get equal pseudonyms; default each entity for itself.",
    )


class HashPii(configs.HashParameters, _Pii):
    """SHA-2 hexadecimal digits; whoever guesses a value can check it."""

    name: Literal["hash"] = "hash"


class KeyedHashPii(configs.KeyedHashParameters, _PiiFields):
    """HMAC-SHA-256 hexadecimal digits; only the holder of the key can check a guess."""

    name: Literal["keyed_hash"] = "keyed_hash"


class EncryptPii(configs.EncryptParameters, _PiiFields):
    """Fernet tokens; the holder of the key can restore them."""

    name: Literal["encrypt"] = "encrypt"


class DeterministicEncryptPii(configs.DeterministicEncryptParameters, _PiiFields):
    """AES-SIV in an envelope; equal values get equal texts, and the holder of the key can restore them."""

    name: Literal["deterministic_encrypt"] = "deterministic_encrypt"


class FormatPreservingPii(configs.FormatPreservingParameters, _PiiFields):
    """FF1 in an envelope; digits become as many digits, and the holder of the key can restore them."""

    name: Literal["format_preserving"] = "format_preserving"


class TokenisePii(configs.TokeniseParameters, _PiiFields):
    """Random tokens in an envelope; the holder of the key and the mapping table can restore them."""

    name: Literal["tokenise"] = "tokenise"


class MaskPii(configs.MaskParameters, _Pii):
    """Characters are covered, but for the first and last few."""

    name: Literal["mask"] = "mask"


class RedactPii(configs.RedactParameters, _Pii):
    """[REDACTED] in place of every span."""

    name: Literal["redact"] = "redact"


class ReplacePii(configs.ReplaceParameters, _Pii):
    """One text in place of every span."""

    name: Literal["replace"] = "replace"


class DropPii(configs.DropParameters, _Pii):
    """Nothing in place of every span."""

    name: Literal["drop"] = "drop"


class SurrogatePii(configs.SurrogateParameters, _PiiFields):
    """A made-up name, address or the like."""

    name: Literal["surrogate"] = "surrogate"


class ShiftDatePii(configs.ShiftDateParameters, _PiiFields):
    """Dates move by some days; one that is not written as told is an error."""

    name: Literal["shift_date"] = "shift_date"


class RoundNumberPii(configs.RoundNumberParameters, _Pii):
    """Numbers become multiples of a step; for entities of your own."""

    name: Literal["round_number"] = "round_number"


class RetainPii(_Pii):
    """The span stays as it is, and no later step changes it."""

    name: Literal["retain"] = "retain"

    def built(self) -> Technique:
        """Give the technique."""
        return Retain()


class UnstructuredStep(Config):
    """One step."""

    technique: (
        HashPii
        | KeyedHashPii
        | EncryptPii
        | DeterministicEncryptPii
        | FormatPreservingPii
        | TokenisePii
        | MaskPii
        | RedactPii
        | ReplacePii
        | DropPii
        | SurrogatePii
        | ShiftDatePii
        | RoundNumberPii
        | RetainPii
    ) = Field(discriminator="name", description="A technique by its name, with its entities and parameters.")

    def step(self) -> TextStep:
        """Give the step.

        Raises:
            DataServiceError: If a parameter is none of the valid ones.
        """
        return TextStep(self.technique.built(), self.technique.pii, getattr(self.technique, "share_as", None))


class UnstructuredConfig(Config):
    """Pseudonymise free text."""

    language: str = Field(description=_LANGUAGE)
    used_function: list[UnstructuredStep] = Field(
        description="Steps: {technique: {NAME: {pii: [...], parameters}}}; the first that names a span's entity "
        "handles it."
    )
    names: bool = Field(
        default=True,
        description="Let a spaCy model look for persons, organisations and places; false where none is installed.",
    )
    model: str | None = Field(
        default=None, description="Name or path of the spaCy model; default the largest installed."
    )
    high_recall: bool = Field(default=False, description="Treat any named entity as a person.")
    patterns: dict[str, list[str]] = Field(
        default={},
        description="Your own regular expressions (Rust's syntax): a list for each entity, ours or your own.",
    )
    words: dict[str, list[str]] = Field(
        default={}, description="Your own words, found as whole words in any case: a list for each entity."
    )

    def steps(self) -> list[TextStep]:
        """Give the steps.

        Raises:
            DataServiceError: If a parameter is none of the valid ones.
        """
        return [each.step() for each in self.used_function]

    def detection(self) -> Detection:
        """Tell how personal data is found.

        Raises:
            DataServiceError: If the model is a folder outside of ``DATA_ROOT``.
        """
        return Detection(
            names=self.names,
            model=_allowed(self.model),
            high_recall=self.high_recall,
            patterns=self.patterns,
            words=self.words,
        )


def _allowed(model: str | None) -> str | None:
    """Confine a model's folder to ``DATA_ROOT``; a name has nothing to confine."""
    return model if model is None or re.fullmatch(r"\w+", model) else str(data_path(model))


class TextColumnsConfig(UnstructuredConfig):
    """Pseudonymise free text in columns of a table."""

    text_columns: list[str] = Field(description=_TEXT_COLUMNS)


class _Undo(Config):
    key_name: str = Field(description=_KEY_NAME)
    share_as: str | None = Field(default=None, description="As it was when the text was pseudonymised.")


class Decrypt(_Undo):
    """Undoes encrypt: bare Fernet tokens, also of other tools, and those in envelopes."""

    name: Literal["decrypt"] = "decrypt"

    def built(self) -> ReversibleTechnique:
        """Give the technique that is undone."""
        return Encrypt(self.key_name)


class DeterministicDecrypt(_Undo):
    """Undoes deterministic_encrypt."""

    name: Literal["deterministic_decrypt"] = "deterministic_decrypt"

    def built(self) -> ReversibleTechnique:
        """Give the technique that is undone."""
        return DeterministicEncrypt(self.key_name)


class FormatPreservingDecrypt(_Undo):
    """Undoes format_preserving; a wrong key is not noticed."""

    name: Literal["format_preserving_decrypt"] = "format_preserving_decrypt"
    alphabet: str = Field(default="digits", description="As it was then.")
    keep_other: bool = Field(default=False, description="As it was then.")
    key_version: int | None = Field(
        default=None, description="Version of the key that was used; default the newest. No other is tried."
    )

    def built(self) -> ReversibleTechnique:
        """Give the technique that is undone."""
        return FormatPreserving(self.key_name, self.alphabet, self.keep_other, self.key_version)


class Detokenise(_Undo):
    """Undoes tokenise."""

    name: Literal["detokenise"] = "detokenise"
    mapping_table: str = Field(description="Where the table of tokens is: a path or s3://bucket/key.")

    def built(self) -> ReversibleTechnique:
        """Give the technique that is undone."""
        return Tokenise(self.key_name, self.mapping_table)


class UnstructuredUndoStep(Config):
    """One step back."""

    technique: Decrypt | DeterministicDecrypt | FormatPreservingDecrypt | Detokenise = Field(
        discriminator="name", description="What is undone, by its name, with the key."
    )

    def reversal(self) -> TextReversal:
        """Give the step."""
        return TextReversal(self.technique.built(), self.technique.share_as)


class UnstructuredUndoConfig(Config):
    """Restore free text."""

    language: str = Field(description="ISO 639-1 code of the text's language, for the report alone.")
    used_function: list[UnstructuredUndoStep] = Field(
        description="What is undone: {technique: {NAME: {key_name}}}. A pseudonym is restored by the first step of its "
        "technique whose key it is."
    )
    on_error: str = Field(
        default=FAIL, description="What becomes of pseudonyms that are of none of the keys: fail, or keep them."
    )

    def steps(self) -> list[TextReversal]:
        """Give the steps."""
        return [each.reversal() for each in self.used_function]


class UndoTextColumnsConfig(UnstructuredUndoConfig):
    """Restore free text in columns of a table."""

    text_columns: list[str] = Field(description=_TEXT_COLUMNS)
