"""Where lazy tables come from."""

import weakref
from typing import Any, Generic, TypeVar

Origin = TypeVar("Origin")


class Origins(Generic[Origin]):
    """Remembers where lazy frames come from, so that one that reaches its destination untouched need not be evaluated.

    By identity: a frame that anything was done to is another one.

    Examples:
        >>> import polars as pl
        >>> origins = Origins[str]()
        >>> frame = pl.LazyFrame({"a": [1]})
        >>> origins.remember(frame, "here")
        >>> origins.of(frame), origins.of(frame.head(1))
        ('here', None)
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Origin]] = {}

    def remember(self, frame: Any, origin: Origin) -> None:
        """Note the origin of a frame for as long as the frame lives."""
        number = id(frame)
        self._known[number] = weakref.ref(frame, lambda _: self._known.pop(number, None)), origin

    def of(self, frame: Any) -> Origin | None:
        """Give the origin of this very frame, if it is known."""
        reference, origin = self._known.get(id(frame), (None, None))
        return origin if reference is not None and reference() is frame else None
