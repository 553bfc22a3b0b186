"""Mistakes that a user can mend, told in one sentence."""

import difflib
import re
from collections.abc import Iterable

_QUOTED = re.compile(r"^util_services\.errors\.DataServiceError: (.+)$", re.MULTILINE)


class DataServiceError(Exception):
    """A mistake in a configuration, a setting or the data, told in one sentence for the person at the Launchpad.

    The sentence names the offending value, what was expected and the remedy. It never contains a cell value, a key or
    a credential. Ops turn it into a :class:`dagster.Failure` that is not retried.
    """

    def __init__(self, sentence: str) -> None:
        # Polars makes exceptions of functions of batches anew, and appends the expression in which they were raised.
        super().__init__(sentence.partition("\n\nThis error occurred in")[0])


def quoted(error: Exception) -> str | None:
    r"""Find the sentence of a mistake in the text of another exception, as Spark makes one of what its workers raise.

    Examples:
        >>> quoted(RuntimeError("Traceback:\n  …\nutil_services.errors.DataServiceError: Row 2 is ragged.\n"))
        'Row 2 is ragged.'
    """
    found = _QUOTED.search(str(error))
    return found[1].strip() if found else None


def nearest(value: str, choices: Iterable[str]) -> str:
    """Tell which valid choice is nearest to a wrong one.

    Args:
        value: What the user wrote.
        choices: What would have been valid.

    Returns:
        The end of a sentence: the nearest choice, else all of them (at most ten), else that there are none.

    Examples:
        >>> nearest("agee", ["age", "gender"])
        "did you mean 'age'?"
        >>> nearest("x", ["age", "gender"])
        "choose one of 'age', 'gender'."
        >>> nearest("x", [])
        'there are none.'
    """
    names = list(choices)
    if close := difflib.get_close_matches(value, names, n=1):
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none."
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""  # noqa: PLR2004 - as many as one reads at a glance
    return f"choose one of {', '.join(map(repr, names[:10]))}{more}."
