"""How columns are computed anew whenever they are read, where that is as quick as reading them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from util_services.engine_batches import BatchFunction


@dataclass(frozen=True)
class Recipe:
    """A function of batches of rows that replaces columns of text, one-to-one and the same way each time.

    Attributes:
        function: Gives the new columns.
        inputs: The columns that it needs.
        outputs: The columns that it replaces.
        plain: Those of them whose cells are ASCII letters and digits, at least one.
    """

    function: BatchFunction
    inputs: Sequence[str]
    outputs: Sequence[str]
    plain: Sequence[str] = ()

    def read(self, before: Callable[[Sequence[str]], pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
        """Compute some rows.

        Args:
            before: Reads columns of these rows as they are before.
            names: The columns to give.

        Examples:
            >>> shout = Recipe(lambda rows: rows.select(pl.col("name").str.to_uppercase()), ["name"], ["name"])
            >>> shout.read(pl.DataFrame({"age": [25], "name": ["Ann"]}).select, ["name"]).item()
            'ANN'
        """
        if not set(names) & set(self.outputs):
            return before(names)
        kept = [name for name in names if name not in self.outputs]
        rows = before(list(dict.fromkeys((*kept, *self.inputs))))
        return rows.with_columns(self.function(rows.select(self.inputs))).select(names)
