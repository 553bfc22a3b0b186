"""Running programs under a hard limit of memory, page cache included, which the kernel enforces."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")


@contextmanager
def memory_limit(megabytes: int) -> Iterator[tuple[str, list[str]]]:
    """Make a memory cgroup of its own where this user may, else have systemd make one for each program.

    Args:
        megabytes: Of 10⁶ bytes: what the program may have at most, its share of the page cache included, and no swap.

    Yields:
        What limits, in words, and what to put before a program's command line.

    Raises:
        SystemExit: If neither is to be had.
    """
    limit = megabytes * 1_000_000
    version_2 = (_V2 / "cgroup.controllers").exists()
    group = (_V2 if version_2 else _V1) / f"benchmark-{os.getpid()}"
    try:
        group.mkdir()
        settings = (
            {"memory.max": limit, "memory.swap.max": 0}
            if version_2
            else {"memory.limit_in_bytes": limit, "memory.swappiness": 0}
        )
        for name, value in settings.items():
            (group / name).write_text(str(value))
    except OSError:
        if group.exists():
            group.rmdir()
        if shutil.which("systemd-run") is None:
            raise SystemExit(
                "A memory limit needs root, for a cgroup, or systemd-run: start it with one of them."
            ) from None
        properties = ["-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0"]
        yield "systemd-run --scope", ["systemd-run", "--user", "--scope", "--quiet", *properties]
        return
    try:
        enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        yield f"cgroup v{2 if version_2 else 1}", ["sh", "-c", enter, "sh"]
    finally:
        group.rmdir()
