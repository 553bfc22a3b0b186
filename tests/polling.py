"""Waiting for what other processes do."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(ask: Callable[[], T | None], seconds: float, explain: Callable[[], str]) -> T:
    """Ask until there is an answer.

    Args:
        ask: Gives the answer, or nothing yet.
        seconds: How long to go on.
        explain: Says what is known when the time is over.

    Raises:
        TimeoutError: No answer came.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.3)
    raise TimeoutError(explain())


def wait_for_threads(name: str) -> None:
    """Wait until all threads of that name have ended."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()
