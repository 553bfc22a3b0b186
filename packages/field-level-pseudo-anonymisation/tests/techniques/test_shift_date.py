import datetime as dt

import polars as pl
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.shift_date import ShiftDate
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

VERSIONS = {number: Fernet.generate_key().decode() for number in (1, 2)}


class Keys:
    def key(self, name: str) -> Key:
        return Key(name, VERSIONS)


KEYS = Keys()


def shifted(technique: ShiftDate, texts: list[str], scope: Scope | None = None) -> list[str]:
    return technique.transform(scope or Scope("born", KEYS))(pl.Series(texts, dtype=pl.String)).to_list()


def of_owners(technique: ShiftDate, field: str, texts: list[str], owners: list[str | None]) -> list[str]:
    companions = pl.DataFrame({"patient": owners}, schema={"patient": pl.String})
    return technique.transform_rows(Scope(field, KEYS))(pl.Series(texts), companions).to_list()


def days(before: str, after: str) -> int:
    return (dt.date.fromisoformat(after) - dt.date.fromisoformat(before)).days


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dates(dt.date(200, 1, 1), dt.date(9800, 1, 1)).map(str), min_size=1), st.integers(1, 36_525))
def test_every_date_moves_by_one_to_max_days(texts: list[str], most: int) -> None:
    moves = [days(before, after) for before, after in zip(texts, shifted(ShiftDate("k", most), texts), strict=True)]
    assert all(1 <= abs(move) <= most for move in moves)


def test_moves_take_all_values_alike_often() -> None:
    texts = [str(dt.date(1950, 1, 1) + dt.timedelta(days=day)) for day in range(6000)]
    moves = pl.Series(map(days, texts, shifted(ShiftDate("k", 3), texts))).value_counts()
    assert sorted(moves[""].to_list()) == [-3, -2, -1, 1, 2, 3]
    assert all(800 < count < 1200 for count in moves["count"])


def test_all_dates_of_an_owner_move_alike_in_every_column() -> None:
    technique = ShiftDate("k", 365, owner="patient")
    admitted, left = ["2024-02-28", "2024-02-28", "2024-03-01"], ["2024-03-05", "2024-03-07", "2024-03-02"]
    owners: list[str | None] = ["a", "b", "a"]
    after = of_owners(technique, "admitted", admitted, owners), of_owners(technique, "left", left, owners)
    assert list(map(days, *after)) == list(map(days, admitted, left))
    moves = list(map(days, admitted, after[0]))
    assert moves[0] == moves[2] != moves[1]
    assert not technique.linkable


def test_equal_dates_move_alike_as_the_policy_says() -> None:
    texts = ["2024-02-28"] * 40
    first, second = Scope("born", KEYS), Scope("born", KEYS)
    results = {
        policy: [set(shifted(ShiftDate("k", 3000, policy=policy), texts, scope)) for scope in (first, second)]
        for policy in Policy
    }
    assert results[Policy.DETERMINISTIC][0] == results[Policy.DETERMINISTIC][1]
    assert len(results[Policy.DETERMINISTIC][0]) == len(results[Policy.DOCUMENT_RANDOMISED][0]) == 1
    assert results[Policy.DOCUMENT_RANDOMISED][0] != results[Policy.DOCUMENT_RANDOMISED][1]
    assert len(results[Policy.RANDOMISED][0]) > 1


def test_moves_depend_on_the_field_and_the_version_of_the_key() -> None:
    texts = ["2024-02-28", "2000-01-01"]
    technique = ShiftDate("k", 36_000)
    other_field = shifted(technique, texts, Scope("died", KEYS))
    earlier = shifted(ShiftDate("k", 36_000, key_version=1), texts)
    results = [tuple(shifted(technique, texts)), tuple(other_field), tuple(earlier)]
    assert len(set(results)) == 3


@pytest.mark.parametrize("rest", ["T23:59:59.123456Z", " 07:05", "T00:00:00+02:00", "T10:00:00,5-0330", " 10:00:00"])
def test_the_time_of_day_stays_as_it_stands(rest: str) -> None:
    (after,) = shifted(ShiftDate("k", 9), [f"2024-02-28{rest}"])
    assert after[10:] == rest
    assert 1 <= abs(days("2024-02-28", after[:10])) <= 9


@pytest.mark.parametrize(
    ("formats", "text"),
    [
        (["%d.%m.%Y"], "28.02.2024"),
        (["%d.%m.%Y", "%-d.%-m.%Y"], "8.2.2024"),
        (["%d/%m/%y %H:%M"], "28/02/24 12:30"),
        (["%Y%m%d"], "20240228"),
        (["%B %d, %Y"], "February 28, 2024"),
        (["%d.%m.%Y", "%Y-%m-%d %I:%M %p"], "2024-02-28 04:10 PM"),
    ],
)
def test_the_way_of_writing_stays(formats: list[str], text: str) -> None:
    (after,) = shifted(ShiftDate("k", 300, formats=formats), [text])
    assert after != text
    parsed = [
        dt.datetime.strptime(each, formats[-1].replace("%-", "%")).replace(tzinfo=dt.UTC) for each in (text, after)
    ]
    assert parsed[0].time() == parsed[1].time()
    assert 1 <= abs((parsed[1] - parsed[0]).days) <= 300


@pytest.mark.parametrize("text", ["", "2023-02-29", "28.02.2024", "2024-2-8", "2024-02-28T", "0000-01-01", "x\n"])
def test_what_is_no_date_is_counted_but_not_shown(text: str) -> None:
    with pytest.raises(DataServiceError, match=r"At least 2 values of 'born' are not dates as YYYY-MM-DD") as caught:
        shifted(ShiftDate("k", 9), ["2024-02-28", text, text])
    assert not text or text not in str(caught.value)


def test_a_date_must_be_written_as_its_format_would() -> None:
    with pytest.raises(DataServiceError, match=r"At least 1 values of 'born' are not dates in '%d.%m.%Y'"):
        shifted(ShiftDate("k", 9, formats=["%d.%m.%Y"]), ["8.2.2024"])


def test_a_date_cannot_leave_the_calendar() -> None:
    texts = [f"9999-12-{day}" for day in range(10, 32)]
    with pytest.raises(DataServiceError, match="stay within the years 1 to 9999"):
        shifted(ShiftDate("k", 36_000), texts)


def test_a_missing_owner_is_counted() -> None:
    with pytest.raises(DataServiceError, match="At least 1 values of 'born' have no owner in the column 'patient'"):
        of_owners(ShiftDate("k", 9, owner="patient"), "born", ["2024-02-28", "2024-02-28"], ["a", None])


def test_an_owner_needs_a_table() -> None:
    with pytest.raises(DataServiceError, match="'shift_date' was told to use the column 'patient'"):
        ShiftDate("k", 9, owner="patient").transform(Scope("DATE", KEYS))


@pytest.mark.parametrize("most", [0, -1, 36_526])
def test_max_days_has_bounds(most: int) -> None:
    with pytest.raises(DataServiceError, match="is not in 1 to 36,525"):
        ShiftDate("k", most)


@pytest.mark.parametrize("pattern", ["%Y", "%d.%m", "date", "%Q", "%", "%Y-%m-%d %I:%M", "%Y-%m-%dT%H:%M:%S%z"])
def test_a_format_must_tell_the_day(pattern: str) -> None:
    with pytest.raises(DataServiceError, match="does not tell year, month and day"):
        ShiftDate("k", 9, formats=[pattern])
