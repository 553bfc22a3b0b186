"""Tokenise: a random token for a value, and a table that tells which; the table is encrypted and kept apart."""

from dataclasses import dataclass
from typing import ClassVar

from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.technique import ReversibleTechnique, Scope
from field_level_pseudo_anonymisation.techniques.token_table import TokenTable
from util_services.distinct import Transform
from util_services.errors import DataServiceError

_FEWEST_BITS, _MOST_BITS = 96, 512


@dataclass(frozen=True)
class Tokenise(ReversibleTechnique):
    """Replace values by random tokens, lower-case hexadecimal digits, that tell nothing, not even the length.

    The table is written when the session is finished: call :meth:`Session.finish` once all values were transformed and
    before they are released. Turning tokens back takes the table and the key; without the table nobody can, not even
    with the key.

    Attributes:
        key_name: The stored key; it encrypts the table.
        mapping_table: Where the table is: a local path or ``s3://bucket/key``; made at first use.
        policy: deterministic: equal values get equal tokens whenever this table is used; document_randomised:
            within one run only; randomised: never.
        bits: Random bits of a token, a multiple of 8 from 96 to 512.

    Raises:
        DataServiceError: If a parameter is none of the valid ones.
    """

    name: ClassVar[str] = "tokenise"
    key_name: str
    mapping_table: str
    policy: Policy = Policy.DETERMINISTIC
    bits: int = 128

    def __post_init__(self) -> None:
        if not _FEWEST_BITS <= self.bits <= _MOST_BITS or self.bits % 8:
            raise DataServiceError(
                f"The bits {self.bits} of tokenise are not a multiple of 8 from {_FEWEST_BITS} to {_MOST_BITS}: "
                "give 128."
            )
        if not self.mapping_table:
            raise DataServiceError("The mapping_table of tokenise is empty: give a path or s3://bucket/key.")

    @property
    def linkable(self) -> bool:
        """Equal values get equal tokens, unless randomised."""
        return self.policy.linkable

    def transform(self, scope: Scope) -> Transform:
        """Fetch the key, open the table and give the function that makes tokens.

        Raises:
            DataServiceError: If the key is missing, or the table cannot be read with it.
        """
        table = self._table(scope)
        return lambda texts: table.tokens(texts, scope.field, self.policy, self.bits)

    def restore(self, scope: Scope) -> Transform:
        """Fetch the key, open the table and give the function that looks tokens up: missing where one is not in it.

        Raises:
            DataServiceError: If the key or the table is missing, or the table cannot be read with it.
        """
        table = self._table(scope)
        if table.is_new:
            raise DataServiceError(
                f"The mapping table {self.mapping_table!r} does not exist: give the one that the tokens were made with."
            )
        return lambda texts: table.values(texts, scope.field)

    def _table(self, scope: Scope) -> TokenTable:
        def opened() -> TokenTable:
            if scope.session.storage is None:
                raise DataServiceError("The technique tokenise keeps a file: give the session a storage.")
            return TokenTable(self.mapping_table, scope.keys.key(self.key_name), scope.session.storage)

        return scope.session.shared((self.mapping_table, self.key_name), TokenTable, opened)
