"""How much memory there is for this process."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OF_PROCESS = Path("/proc/self/cgroup")


def memory_bytes() -> int:
    """Tell how much memory this process may have with all that it keeps in the page cache.

    Returns:
        The machine's memory, or what control groups (versions 1 and 2) leave of it.

    Examples:
        >>> memory_bytes() > 0
        True
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits()])


def _limits() -> Iterator[int]:
    """Read the limits of the control groups that this process is in; in a container its own is the topmost one."""
    groups: list[str] = []
    with suppress(OSError):  # no Linux
        groups = _OF_PROCESS.read_text(encoding="utf-8").splitlines()
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        top, name = (_GROUPS / "memory", "memory.limit_in_bytes") if controllers else (_GROUPS, "memory.max")
        place = top / path.lstrip("/")
        for folder in (place, *place.parents):
            with suppress(OSError, ValueError):  # another's, or "max"
                yield int((folder / name).read_text(encoding="ascii"))
            if folder == top:
                break
