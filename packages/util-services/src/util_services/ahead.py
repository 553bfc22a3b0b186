"""Computing several things at a time, and giving them in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def computed_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Iterator[Result]:
    """Call a function that releases the interpreter's lock for each item, in threads, a few items ahead.

    Unlike ``Executor.map``, which would compute and hold all results at once where the consumer is slow.

    Args:
        function: What to call. What it raises is raised where its result would be given.
        items: What to call it with.
        threads: How many calls at a time.
        ahead: How many results at most are held or computed beyond the one that is given.

    Examples:
        >>> list(computed_ahead(lambda number: number * number, range(4), threads=2, ahead=2))
        [0, 1, 4, 9]
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
