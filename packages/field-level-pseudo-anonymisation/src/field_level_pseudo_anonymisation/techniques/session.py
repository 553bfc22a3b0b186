"""What the techniques of one run share, such as an open mapping table, and write when all values were transformed."""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar


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
    """Something that lives as long as a run, and can be copied to other machines by pickling."""

    def taken(self) -> str:
        """Write down what came to be in a copy since the last time, readable for the original alone."""

    def add_taken(self, taken: str) -> None:
        """Add what a copy wrote down."""

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
        shared: What they share already.
    """

    def __init__(self, storage: Storage | None = None, shared: Mapping[Hashable, Shared] | None = None) -> None:
        self.storage = storage
        self._lock = threading.Lock()
        self._shared: dict[Hashable, Shared] = dict(shared or {})

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

    def __reduce__(self) -> tuple[type["Session"], tuple[None, dict[Hashable, Shared]]]:
        """A copy on another machine keeps no files, and has copies of what is shared so far."""
        return Session, (None, self._shared)

    def taken(self) -> list[str]:
        """Write down what came to be in all that is shared, and start anew; see :meth:`Shared.taken`."""
        return [shared.taken() for shared in self._shared.values()]

    def add_taken(self, taken: Iterable[str]) -> None:
        """Add what a copy wrote down."""
        for shared, each in zip(self._shared.values(), taken, strict=True):
            shared.add_taken(each)

    def finish(self) -> None:
        """Finish everything shared; call it once, after all values were transformed and before they are released.

        Raises:
            DataServiceError: If something cannot be made durable; the results must then not be released.
        """
        for shared in self._shared.values():
            shared.finish()
