"""Format-preserving encryption: ciphertexts of the same characters and length as the values."""

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Scope
from util_services.distinct import Transform
from util_services.errors import DataServiceError

ALPHABETS: Mapping[str, str] = {
    "digits": string.digits,
    "lower_case": string.ascii_lowercase,
    "upper_case": string.ascii_uppercase,
    "letters": string.ascii_letters,
    "letters_and_digits": string.ascii_letters + string.digits,
}
"""Characters of each named alphabet, in numeral order."""

_SMALLEST_DOMAIN = 1_000_000
_MOST_CHARACTERS = 256  # that the library takes

Cipher = Callable[[str], str]


@dataclass(frozen=True)
class FormatPreserving(ReversibleTechnique):
    """FF1 with AES-256 under a sub-key of the field; the tweak is the field's name.

    Equal values get equal ciphertexts. FF1 does not authenticate: with another key or version a ciphertext turns into
    another text of its kind, not into an error. Empty texts stay empty.

    Attributes:
        key_name: The stored key.
        alphabet: Characters that are encrypted: digits, lower_case, upper_case, letters (a-z, A-Z), letters_and_digits,
            or 2 to 256 different characters in a fixed order.
        keep_other: Leave other characters in place, such as ``-`` and spaces; they stay readable. Otherwise a value
            that has any is refused.
        key_version: Version of the stored key that values are, or were, encrypted with; default the newest.

    Raises:
        DataServiceError: If the alphabet is none.

    References:
        NIST SP 800-38G Rev. 1 (2nd public draft), "Recommendation for Block Cipher Modes of Operation: Methods for
        Format-Preserving Encryption", algorithms 7 and 8; the smallest domain, 10⁶, is its requirement.
    """

    name: ClassVar[str] = "format_preserving"
    key_name: str
    alphabet: str = "digits"
    keep_other: bool = False
    key_version: int | None = None

    def __post_init__(self) -> None:
        characters = self.characters
        if not 2 <= len(characters) <= _MOST_CHARACTERS or len(set(characters)) < len(characters):  # noqa: PLR2004
            names = ", ".join(ALPHABETS)
            raise DataServiceError(
                f"The alphabet {self.alphabet[:80]!r} of format_preserving is neither one of {names} nor 2 to "
                f"{_MOST_CHARACTERS} different characters: give one of these."
            )

    @property
    def characters(self) -> str:
        """The characters that are encrypted, in numeral order."""
        return ALPHABETS.get(self.alphabet, self.alphabet)

    @property
    def linkable(self) -> bool:
        """Equal values get equal ciphertexts in the same field, under the same key."""
        return True

    @property
    def shortest(self) -> int:
        """Fewest characters of the alphabet that a value must have: 6 digits, or 4 letters."""
        length = 1
        while len(self.characters) ** length < _SMALLEST_DOMAIN:
            length += 1
        return length

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that encrypts texts.

        Returns:
            Raises a :class:`DataServiceError` with their count if texts are too short or have other characters.

        Raises:
            DataServiceError: If the key is missing.
        """
        from fastfpe import ff1

        encrypt = self._cipher(ff1.encrypt, scope)

        def encrypted(texts: pl.Series) -> pl.Series:
            self._check(texts, scope.field)
            return pl.Series(texts.name, list(map(encrypt, texts)), dtype=pl.String)

        return encrypted

    def restore(self, scope: Scope) -> Transform:
        """Fetch the key and give the function that decrypts texts: missing where one cannot be a ciphertext.

        Raises:
            DataServiceError: If the key is missing.
        """
        from fastfpe import ff1

        decrypt = self._cipher(ff1.decrypt, scope)

        def decrypted(texts: pl.Series) -> pl.Series:
            possible = texts.to_frame().select(self._fits(pl.first())).to_series()
            values = [decrypt(text) if fits else None for text, fits in zip(texts, possible, strict=True)]
            return pl.Series(texts.name, values, dtype=pl.String)

        return decrypted

    def _cipher(self, run: Callable[[str, str, str, str], str], scope: Scope) -> Cipher:
        key = scope.keys.key(self.key_name).subkey(self.name, scope.field, version=self.key_version).hex()
        tweak, characters = scope.field.encode().hex(), self.characters
        if not self.keep_other:
            return lambda text: run(key, tweak, characters, text) if text else text
        numeral = re.compile(self._class(""))

        def around_others(text: str) -> str:
            plain = "".join(numeral.findall(text))
            if len(plain) == len(text):
                return run(key, tweak, characters, text) if text else text
            new = iter(run(key, tweak, characters, plain))
            return numeral.sub(lambda _: next(new), text)

        return around_others

    def _check(self, texts: pl.Series, field: str) -> None:
        counts = texts.to_frame().select(
            short=(self._numerals(pl.first()) < self.shortest).and_(pl.first() != "").sum(),
            other=self._has_others(pl.first()).sum(),
        )
        short, other = counts.row(0)
        if other and not self.keep_other:
            raise DataServiceError(
                f"At least {other:,} values of {field!r} have characters outside the alphabet {self.alphabet!r}: "
                "set keep_other, or give an alphabet that has them."
            )
        if short:
            raise DataServiceError(
                f"At least {short:,} values of {field!r} have fewer than {self.shortest} characters of the alphabet "
                f"{self.alphabet!r}, so that all possible ones could be tried: use another technique, such as "
                "deterministic_encrypt."
            )

    def _fits(self, text: pl.Expr) -> pl.Expr:
        long_enough = (self._numerals(text) >= self.shortest) | (text == "")
        return long_enough if self.keep_other else long_enough & ~self._has_others(text)

    def _numerals(self, text: pl.Expr) -> pl.Expr:
        return text.str.count_matches(self._class(""))

    def _has_others(self, text: pl.Expr) -> pl.Expr:
        return text.str.contains(self._class("^"))

    def _class(self, negation: str) -> str:
        """Give a character class that Python and Polars read alike."""
        escaped = re.sub(r"[\]\[\\^&~-]", r"\\\g<0>", self.characters)
        return f"[{negation}{escaped}]"
