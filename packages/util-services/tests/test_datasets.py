from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from util_services.datasets import Cursor, S3Object, changes

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def entry(key: str, etag: str = "e", age: float = 100.0) -> S3Object:
    return S3Object("b", key, etag, NOW - timedelta(seconds=age), 1)


def step(
    cursor: Cursor, listing: list[S3Object], limit: int = 1000, remember: int = 10_000
) -> tuple[list[str], Cursor]:
    found, after = changes(cursor, listing, now=NOW, settle=timedelta(seconds=10), limit=limit, remember=remember)
    return [each.key for each in found], Cursor.parse(after.dump())


def test_each_state_of_an_object_is_found_once() -> None:
    keys, cursor = step(Cursor(), [entry("a"), entry("b")])
    assert keys == ["a", "b"]
    keys, cursor = step(cursor, [entry("a"), entry("b")])
    assert keys == []
    keys, cursor = step(cursor, [entry("a", "new"), entry("b"), entry("c")])
    assert keys == ["a", "c"]


def test_an_object_that_may_still_be_replaced_waits() -> None:
    keys, cursor = step(Cursor(), [entry("a", age=3)])
    assert keys == []
    keys, _ = step(cursor, [entry("a", "replaced", age=11)])
    assert keys == ["a"]


def test_a_deleted_object_is_forgotten_and_found_again_when_it_comes_back() -> None:
    _, cursor = step(Cursor(), [entry("a"), entry("b")])
    keys, cursor = step(cursor, [entry("b")])
    assert (keys, len(cursor.seen)) == ([], 1)
    assert step(cursor, [entry("a"), entry("b")])[0] == ["a"]


def test_many_objects_come_in_portions_oldest_first() -> None:
    listing = [entry(f"{number:04}", age=5000 - number) for number in range(2500)]
    cursor, found = Cursor(), []
    for _ in range(26):
        keys, cursor = step(cursor, listing, limit=100)
        found += keys
    assert found == [each.key for each in listing]


def test_the_cursor_is_bounded_and_still_finds_everything_once() -> None:
    listing = [entry(f"{number:05}", age=90_000 - number) for number in range(5_000)]
    cursor, found = Cursor(), []
    for _ in range(60):
        keys, cursor = step(cursor, listing, limit=100, remember=500)
        found += keys
        assert len(cursor.dump()) < 500 * 11 + 100
    assert found == [each.key for each in listing]
    keys, cursor = step(cursor, [*listing, entry("new", age=20)], remember=500)
    assert keys == ["new"]


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 5), st.integers(1, 8))
def test_nothing_is_lost_or_repeated_whatever_the_limits(ages: list[int], limit: int, remember: int) -> None:
    listing = [entry(str(number), age=100.0 + age) for number, age in enumerate(ages)]
    cursor, found = Cursor(), []
    for _ in range(50):
        keys, cursor = step(cursor, listing, limit=limit, remember=remember)
        found += keys
    assert sorted(found) == sorted(each.key for each in listing)


def test_a_cursor_that_cannot_be_read_counts_as_none() -> None:
    for text in (None, "", "{}", "[]", '{"seen": "***", "watermark": null}', '{"seen": 3, "watermark": null}'):
        assert Cursor.parse(text) == Cursor()
