"""Run configuration of the ops on tables; the field descriptions show in the Launchpad.

The parameters of each technique come first, without the columns, so that ops on texts use the same ones.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from dagster import Config
from pydantic import Field

from field_level_pseudo_anonymisation.steps import FAIL, Reversal, Step
from field_level_pseudo_anonymisation.techniques import (
    DeterministicEncrypt,
    Drop,
    Encrypt,
    FormatPreserving,
    Hash,
    KeyedHash,
    Mask,
    Redact,
    Replace,
    RoundNumber,
    ShiftDate,
    Surrogate,
    Tokenise,
)
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Technique
from util_services.errors import DataServiceError, nearest

_KEY_NAME = "Name of the key in the key store; never the key itself."
_KEY_VERSION = "Version of the key, to stay linkable with data from before a rotation; default the newest."
_ALPHABET = (
    "Characters that are encrypted: digits, lower_case, upper_case, letters, letters_and_digits, "
    "or 2 to 256 characters."
)
_KEEP_OTHER = "Leave other characters in place, such as - and spaces; otherwise a value that has any is refused."
_MAPPING_TABLE = "Where the encrypted table of tokens is: a path or s3://bucket/key; made at first use."
_POLICY = (
    "deterministic: equal values get equal results wherever the key is used; document_randomised: within one run only; "
    "randomised: never."
)
_POLICY_LINKABLE = (
    "deterministic: equal values get equal pseudonyms wherever the key is used; "
    "document_randomised: within one run only."
)


def policy_of(name: str) -> Policy:
    """Give a policy by its name.

    Raises:
        DataServiceError: If it is unknown.

    Examples:
        >>> policy_of("deterministic")
        <Policy.DETERMINISTIC: 'deterministic'>
    """
    names = [policy.value for policy in Policy]
    if name not in names:
        raise DataServiceError(f"The policy {name!r} is unknown: {nearest(name, names)}")
    return Policy(name)


class Parameters(Protocol):
    """Parameters of a technique."""

    def built(self) -> Technique:
        """Give the technique.

        Raises:
            DataServiceError: If a parameter is none of the valid ones.
        """


class HashParameters(Config):
    """Parameters of hash."""

    algorithm: str = Field(default="sha256", description="sha256 or sha512.")

    def built(self) -> Technique:
        """Give the technique."""
        return Hash(self.algorithm)


class KeyedHashParameters(Config):
    """Parameters of keyed_hash."""

    key_name: str = Field(description=_KEY_NAME)
    policy: str = Field(default="deterministic", description=_POLICY_LINKABLE)
    key_version: int | None = Field(default=None, description=_KEY_VERSION)

    def built(self) -> Technique:
        """Give the technique."""
        return KeyedHash(self.key_name, policy_of(self.policy), self.key_version)


class EncryptParameters(Config):
    """Parameters of encrypt."""

    key_name: str = Field(description=_KEY_NAME)
    policy: str = Field(
        default="randomised",
        description="randomised: every token differs; document_randomised: equal values of a column get equal tokens "
        "within one run.",
    )

    def built(self) -> Technique:
        """Give the technique."""
        return Encrypt(self.key_name, policy_of(self.policy))


class DeterministicEncryptParameters(Config):
    """Parameters of deterministic_encrypt."""

    key_name: str = Field(description=_KEY_NAME)
    policy: str = Field(default="deterministic", description=_POLICY_LINKABLE)
    key_version: int | None = Field(default=None, description=_KEY_VERSION)

    def built(self) -> Technique:
        """Give the technique."""
        return DeterministicEncrypt(self.key_name, policy_of(self.policy), self.key_version)


class FormatPreservingParameters(Config):
    """Parameters of format_preserving."""

    key_name: str = Field(description=_KEY_NAME)
    alphabet: str = Field(default="digits", description=_ALPHABET)
    keep_other: bool = Field(default=False, description=_KEEP_OTHER)
    key_version: int | None = Field(default=None, description=_KEY_VERSION)

    def built(self) -> Technique:
        """Give the technique."""
        return FormatPreserving(self.key_name, self.alphabet, self.keep_other, self.key_version)


class TokeniseParameters(Config):
    """Parameters of tokenise."""

    key_name: str = Field(description=_KEY_NAME)
    mapping_table: str = Field(description=_MAPPING_TABLE)
    policy: str = Field(default="deterministic", description=_POLICY)
    bits: int = Field(default=128, description="Random bits of a token, a multiple of 8 from 96 to 512.")

    def built(self) -> Technique:
        """Give the technique."""
        return Tokenise(self.key_name, self.mapping_table, policy_of(self.policy), self.bits)


class MaskParameters(Config):
    """Parameters of mask."""

    keep_first: int = Field(default=0, description="Characters that stay at the start.")
    keep_last: int = Field(default=0, description="Characters that stay at the end.")
    character: str = Field(default="*", description="What covers the others.")
    preset: str | None = Field(
        default=None, description="email or card, in place of keep_first and keep_last; default none."
    )

    def built(self) -> Technique:
        """Give the technique."""
        return Mask(self.keep_first, self.keep_last, self.character, self.preset)


class RedactParameters(Config):
    """Parameters of redact: none."""

    def built(self) -> Technique:
        """Give the technique."""
        return Redact()


class ReplaceParameters(Config):
    """Parameters of replace."""

    new_value: str = Field(description="What stands in place of every value; missing values stay missing.")

    def built(self) -> Technique:
        """Give the technique."""
        return Replace(self.new_value)


class DropParameters(Config):
    """Parameters of drop: none."""

    def built(self) -> Technique:
        """Give the technique."""
        return Drop()


class SurrogateParameters(Config):
    """Parameters of surrogate."""

    key_name: str = Field(description=_KEY_NAME)
    kind: str = Field(
        description="What is made up: name, first_name, last_name, email, user_name, phone_number, address, "
        "street_address, postcode, city, country, company, job, iban, url or date.",
    )
    locale: str = Field(default="en_US", description="Language and country, such as de_DE.")
    policy: str = Field(default="deterministic", description=_POLICY)
    key_version: int | None = Field(default=None, description=_KEY_VERSION)

    def built(self) -> Technique:
        """Give the technique."""
        return Surrogate(self.key_name, self.kind, self.locale, policy_of(self.policy), self.key_version)


class ShiftDateParameters(Config):
    """Parameters of shift_date."""

    key_name: str = Field(description=_KEY_NAME)
    max_days: int = Field(description="Largest shift in days, 1 to 36,525.")
    owner: str | None = Field(
        default=None,
        description="Column that tells whose date it is, so that all dates of a person move alike; as it is at this "
        "step.",
    )
    formats: list[str] = Field(
        default=[], description="How dates are written, such as %d.%m.%Y; default ISO 8601, with or without a time."
    )
    policy: str = Field(default="deterministic", description=_POLICY)
    key_version: int | None = Field(default=None, description=_KEY_VERSION)

    def built(self) -> Technique:
        """Give the technique."""
        formats = tuple(self.formats)
        return ShiftDate(self.key_name, self.max_days, self.owner, formats, policy_of(self.policy), self.key_version)


class RoundNumberParameters(Config):
    """Parameters of round_number."""

    step: float = Field(description="Values become multiples of it, such as 10 or 0.5; greater than 0.")
    decimal_mark: str = Field(default=".", description=". or , in values and results alike.")

    def built(self) -> Technique:
        """Give the technique."""
        return RoundNumber(self.step, self.decimal_mark)


class _Columns(Config):
    columns: list[str] = Field(description="Columns that the technique is used on.")


class _Fields(_Columns):
    share_as: str | None = Field(
        default=None,
        description="A name under which columns share sub-keys, in this and other steps, tables and runs, so that "
        "equal values of theirs get equal pseudonyms; default each column for itself.",
    )


class HashColumns(HashParameters, _Columns):
    """SHA-2 hexadecimal digits; whoever guesses a value can check it."""

    name: Literal["hash"] = "hash"


class KeyedHashColumns(KeyedHashParameters, _Fields):
    """HMAC-SHA-256 hexadecimal digits; only the holder of the key can check a guess."""

    name: Literal["keyed_hash"] = "keyed_hash"


class EncryptColumns(EncryptParameters, _Fields):
    """Fernet tokens; the holder of the key can turn them back."""

    name: Literal["encrypt"] = "encrypt"


class DeterministicEncryptColumns(DeterministicEncryptParameters, _Fields):
    """AES-SIV; equal values get equal texts, and the holder of the key can turn them back."""

    name: Literal["deterministic_encrypt"] = "deterministic_encrypt"


class FormatPreservingColumns(FormatPreservingParameters, _Fields):
    """FF1; digits become as many digits, and the holder of the key can turn them back."""

    name: Literal["format_preserving"] = "format_preserving"


class TokeniseColumns(TokeniseParameters, _Fields):
    """Random tokens; the holder of the key and the mapping table can turn them back."""

    name: Literal["tokenise"] = "tokenise"


class MaskColumns(MaskParameters, _Columns):
    """Characters are covered, but for the first and last few."""

    name: Literal["mask"] = "mask"


class RedactColumns(RedactParameters, _Columns):
    """[REDACTED] in place of every value."""

    name: Literal["redact"] = "redact"


class ReplaceColumns(ReplaceParameters, _Columns):
    """One text in place of every value."""

    name: Literal["replace"] = "replace"


class DropColumns(DropParameters, _Columns):
    """The column is left out."""

    name: Literal["drop"] = "drop"


class SurrogateColumns(SurrogateParameters, _Fields):
    """A made-up name, address or the like."""

    name: Literal["surrogate"] = "surrogate"


class ShiftDateColumns(ShiftDateParameters, _Fields):
    """Dates move by some days, those of one person alike."""

    name: Literal["shift_date"] = "shift_date"


class RoundNumberColumns(RoundNumberParameters, _Columns):
    """Numbers become multiples of a step."""

    name: Literal["round_number"] = "round_number"


class StructuredStep(Config):
    """One step."""

    technique: (
        HashColumns
        | KeyedHashColumns
        | EncryptColumns
        | DeterministicEncryptColumns
        | FormatPreservingColumns
        | TokeniseColumns
        | MaskColumns
        | RedactColumns
        | ReplaceColumns
        | DropColumns
        | SurrogateColumns
        | ShiftDateColumns
        | RoundNumberColumns
    ) = Field(discriminator="name", description="A technique by its name, with its columns and parameters.")

    def step(self) -> Step:
        """Give the step.

        Raises:
            DataServiceError: If a parameter is none of the valid ones.
        """
        return Step(self.technique.built(), self.technique.columns, getattr(self.technique, "share_as", None))


class StructuredConfig(Config):
    """Pseudonymise columns."""

    used_function: list[StructuredStep] = Field(
        description="Steps, applied in this order: {technique: {NAME: {columns: [...], parameters}}}."
    )

    def steps(self) -> list[Step]:
        """Give the steps.

        Raises:
            DataServiceError: If a parameter is none of the valid ones.
        """
        return [each.step() for each in self.used_function]


class Undo(Config):
    """How columns are turned back."""

    type: str = Field(
        description="decrypt undoes encrypt, deterministic_decrypt deterministic_encrypt, format_preserving_decrypt "
        "format_preserving, detokenise tokenise."
    )
    columns: list[str] = Field(
        description="Columns that were pseudonymised; named as they were then, unless they share sub-keys."
    )
    key_name: str = Field(description=_KEY_NAME)
    on_error: str = Field(
        default=FAIL,
        description="What becomes of a value that is no pseudonym of that key: fail, or keep it as it is.",
    )
    share_as: str | None = Field(default=None, description="As it was when the columns were pseudonymised.")
    alphabet: str = Field(default="digits", description="format_preserving_decrypt: as it was then.")
    keep_other: bool = Field(default=False, description="format_preserving_decrypt: as it was then.")
    key_version: int | None = Field(
        default=None,
        description="format_preserving_decrypt: version of the key that was used; default the newest. The other types "
        "try all versions.",
    )
    mapping_table: str | None = Field(default=None, description="detokenise: where the table of tokens is.")

    def reversal(self) -> Reversal:
        """Give the step.

        Raises:
            DataServiceError: If the type is unknown.
        """
        if self.type not in REVERSALS:
            raise DataServiceError(f"The type {self.type!r} is unknown: {nearest(self.type, REVERSALS)}")
        return Reversal(REVERSALS[self.type](self), self.columns, self.share_as, self.on_error)


REVERSALS: Mapping[str, Callable[[Undo], ReversibleTechnique]] = {
    "decrypt": lambda undo: Encrypt(undo.key_name),
    "deterministic_decrypt": lambda undo: DeterministicEncrypt(undo.key_name),
    "format_preserving_decrypt": lambda undo: FormatPreserving(
        undo.key_name, undo.alphabet, undo.keep_other, undo.key_version
    ),
    "detokenise": lambda undo: Tokenise(undo.key_name, undo.mapping_table or ""),
}
"""For each type, the technique that is undone."""


class UndoStep(Config):
    """One step back."""

    technique: Undo = Field(description="What is undone, on which columns, with which key.")


class DepseudonymiseConfig(Config):
    """Turn pseudonyms back."""

    used_function: list[UndoStep] = Field(
        description="Steps, applied in this order: {technique: {type, columns, key_name}}."
    )

    def steps(self) -> list[Reversal]:
        """Give the steps.

        Raises:
            DataServiceError: If a type is unknown.
        """
        return [each.technique.reversal() for each in self.used_function]
