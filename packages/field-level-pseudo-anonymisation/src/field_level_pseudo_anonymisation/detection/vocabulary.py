"""Words that tell what stands beside them, from the file ``vocabulary.toml``."""

import tomllib
from functools import lru_cache
from importlib import resources

_FILE = "vocabulary.toml"


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(resources.files(__package__).joinpath(_FILE).read_text("utf-8"))


def words(topic: str) -> str:
    r"""Give an expression of the words of a topic in all languages, without a group around it, the longest first.

    Examples:
        >>> "geboren|" in words("birth")
        True
    """
    distinct = {word for group in _vocabulary()[topic].values() for word in group}
    return "|".join(sorted(distinct, key=lambda word: (-len(word), word)))


def naming(expression: str) -> str:
    """Make an expression that finds words in any case where a word begins, whatever its ending.

    Examples:
        >>> import polars as pl
        >>> pl.Series(["My BSN:", "Absn", "我的BSN"]).str.contains(naming("bsn")).to_list()
        [True, False, True]
    """
    return rf"(?i)(?:^|[^\p{{L}}]|\p{{Han}})(?:{expression})"
