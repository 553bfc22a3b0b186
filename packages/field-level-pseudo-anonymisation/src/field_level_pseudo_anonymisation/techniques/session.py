"""What the techniques of one run share, such as an open mapping table, and write when all values were transformed."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from util_services.errors import DataServiceError


@dataclass(frozen=True)
class Stored:
    """What a technique has stored.

    Attributes:
        content: All of it.
        version: Differs whenever the content does.
    """

    content: bytes = field(repr=False)
    version: str


class Storage(Protocol):
    """Where a technique keeps a file of its own. A location is a local path or ``s3://bucket/key``."""

    def read(self, location: str) -> Stored | None:
        """Give what is stored, ``None`` if nothing is.

        Raises:
            DataServiceError: If the location is malformed, forbidden or cannot be reached.
        """

    def write(self, location: str, content: bytes, *, replacing: str | None) -> str:
        """Store the content, whole or not at all.

        Args:
            location: Where to.
            content: All of it.
            replacing: The version that :meth:`read` gave before, ``None`` if nothing was stored.

        Returns:
            The new version.

        Raises:
            DataServiceError: As :meth:`read`, or if something else is stored there by now.
        """


class Shared(Protocol):
    """Something that lives as long as a run."""

    def finish(self) -> None:
        """Make durable what the run's results depend on; called once, after all values were transformed.

        Raises:
            DataServiceError: If that fails; the results must then not be released.
        """


SharedT = TypeVar("SharedT", bound=Shared)


class Session:
    """What the techniques of one run share.

    The caller makes one per run, gives it to every :class:`Scope`, evaluates the frame, and calls :meth:`finish` before
    the results are released. A run that fails never calls it, so that it leaves nothing behind.

    Args:
        storage: Where techniques keep files; ``None`` where they shall not keep any.
    """

    def __init__(self, storage: Storage | None = None) -> None:
        self.storage = storage
        self._lock = threading.Lock()
        self._shared: dict[Hashable, Shared] = {}

    def shared(self, identity: Hashable, kind: type[SharedT], make: Callable[[], SharedT]) -> SharedT:
        """Give what is known under an identity, made at first use.

        Args:
            identity: What it is known under.
            kind: Its class; those of one identity but different classes are different.
            make: Makes it.
        """
        with self._lock:
            known = self._shared.get((kind, identity))
            if not isinstance(known, kind):
                known = self._shared[kind, identity] = make()
            return known

    def __reduce__(self) -> tuple[type["Session"], tuple[()]]:
        """A copy on another machine keeps no files; what techniques share cannot be in two places.

        Raises:
            DataServiceError: If techniques share anything.
        """
        if self._shared:
            raise DataServiceError(
                "The technique tokenise keeps one mapping table for all rows, which does not run on Spark yet: start "
                "the run with ENGINE=polars."
            )
        return Session, ()

    def finish(self) -> None:
        """Finish everything shared; call it once, after all values were transformed and before they are released.

        Raises:
            DataServiceError: If something cannot be made durable; the results must then not be released.
        """
        for shared in self._shared.values():
            shared.finish()
