"""Run configuration of the ops on tables; the field descriptions show in the Launchpad.

The parameters of each technique come first, without the columns, so that ops on texts use the same ones.
"""

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from dagster import Config
from pydantic import Field

from field_level_pseudo_anonymisation.steps import FAIL, Reversal, Step
from field_level_pseudo_anonymisation.techniques.constants import Drop, Redact, Replace
from field_level_pseudo_anonymisation.techniques.deterministic_encrypt import DeterministicEncrypt
from field_level_pseudo_anonymisation.techniques.encrypt import Encrypt
from field_level_pseudo_anonymisation.techniques.hash import Hash
from field_level_pseudo_anonymisation.techniques.keyed_hash import KeyedHash
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Technique
from util_services.errors import DataServiceError, nearest

_KEY_NAME = "Name of the key in the key store; never the key itself."
_KEY_VERSION = "Version of the key, to stay linkable with data from before a rotation; default the newest."
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

    kind: Literal["hash"] = "hash"


class KeyedHashColumns(KeyedHashParameters, _Fields):
    """HMAC-SHA-256 hexadecimal digits; only the holder of the key can check a guess."""

    kind: Literal["keyed_hash"] = "keyed_hash"


class EncryptColumns(EncryptParameters, _Fields):
    """Fernet tokens; the holder of the key can turn them back."""

    kind: Literal["encrypt"] = "encrypt"


class DeterministicEncryptColumns(DeterministicEncryptParameters, _Fields):
    """AES-SIV; equal values get equal texts, and the holder of the key can turn them back."""

    kind: Literal["deterministic_encrypt"] = "deterministic_encrypt"


class RedactColumns(RedactParameters, _Columns):
    """[REDACTED] in place of every value."""

    kind: Literal["redact"] = "redact"


class ReplaceColumns(ReplaceParameters, _Columns):
    """One text in place of every value."""

    kind: Literal["replace"] = "replace"


class DropColumns(DropParameters, _Columns):
    """The column is left out."""

    kind: Literal["drop"] = "drop"


class StructuredStep(Config):
    """One step."""

    technique: (
        HashColumns
        | KeyedHashColumns
        | EncryptColumns
        | DeterministicEncryptColumns
        | RedactColumns
        | ReplaceColumns
        | DropColumns
    ) = Field(discriminator="kind", description="A technique by its name, with its columns and parameters.")

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

    type: str = Field(description="decrypt undoes encrypt, deterministic_decrypt undoes deterministic_encrypt.")
    columns: list[str] = Field(
        description="Columns that were pseudonymised; named as they were then, unless they share sub-keys."
    )
    key_name: str = Field(description=_KEY_NAME)
    on_error: str = Field(
        default=FAIL,
        description="What becomes of a value that is no pseudonym of that key: fail, or keep it as it is.",
    )
    share_as: str | None = Field(default=None, description="As it was when the columns were pseudonymised.")

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
