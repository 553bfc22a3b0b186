import threading
from concurrent.futures import ThreadPoolExecutor

from field_level_pseudo_anonymisation.techniques.session import Session


class Counter:
    def __init__(self) -> None:
        self.finished = 0

    def finish(self) -> None:
        self.finished += 1


def test_what_is_shared_is_made_once_and_finished() -> None:
    session, barrier = Session(), threading.Barrier(4)

    def get(_: int) -> Counter:
        barrier.wait()
        return session.shared("a", Counter, Counter)

    with ThreadPoolExecutor(4) as pool:
        (shared,) = set(pool.map(get, range(4)))
    other = session.shared("b", Counter, Counter)
    session.finish()
    assert (shared.finished, other.finished) == (1, 1)
