from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing import derive_age, format_dates
from util_services.errors import DataServiceError

DAYS = st.dates(date(1900, 1, 1), date(2030, 12, 31))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | DAYS, max_size=5), DAYS)
def test_the_age_is_the_number_of_birthdays(born: list[date | None], on: date) -> None:
    def birthdays(day: date) -> int:
        return on.year - day.year - ((on.month, on.day) < (day.month, day.day))

    frame = pl.DataFrame({"born": [day and day.isoformat() for day in born]}, schema={"born": pl.String})
    result = derive_age(frame, column="born", reference_date=on.isoformat(), on_failure="missing").frame
    assert result["age"].to_list() == [birthdays(day) if day and day <= on else None for day in born]


def test_who_was_born_on_29_february_has_the_birthday_on_1_march_in_other_years() -> None:
    frame = pl.DataFrame({"born": ["2004-02-29"], "x": [1]})
    ages = [
        derive_age(frame, column="born", reference_date=on).frame["age"][0]
        for on in ("2022-02-28", "2022-03-01", "2024-02-29")
    ]
    assert ages == [17, 18, 20]


def test_the_age_follows_the_date_or_takes_its_place() -> None:
    frame = pl.DataFrame({"id": [1], "born": ["31.12.1999"], "x": [2]})
    how: dict[str, Any] = {"column": "born", "reference_date": "2026-01-01", "formats": ["%d.%m.%Y"]}
    assert derive_age(frame, **how).frame.columns == ["id", "born", "age", "x"]
    assert derive_age(frame, drop=True, into="years", **how).frame.rows() == [(1, 26, 2)]


def test_a_birth_to_come_or_no_date_is_rejected() -> None:
    frame = pl.DataFrame({"born": ["2027-01-01", "unknown", None, "2000-01-01"]})
    result = derive_age(frame, column="born", reference_date="2026-01-01")
    assert result.frame.rows() == [(None, None), ("2000-01-01", 26)]
    assert result.reports[0].rejects == 2
    assert set(result.rejects["rejected_because"]) == {"born is not a date of birth up to that day"}


def test_columns_of_dates_need_no_format() -> None:
    frame = pl.DataFrame({"born": [date(2000, 1, 1)]})
    assert derive_age(frame, column="born", reference_date="2026-01-01").frame["age"].to_list() == [26]


FORMATS = ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%b %d, %Y", "%d %B %Y", "%Y%m%d", " %y-%m-%d"]
SPACE = st.text(st.sampled_from(" \t\n\xa0\u3000"), max_size=2)
DATE_LIKE = st.builds(lambda day, form: day.strftime(form), DAYS, st.sampled_from(FORMATS)) | st.sampled_from(
    ["", "x", "1"]
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.tuples(SPACE, DATE_LIKE, SPACE).map("".join), max_size=8),
    st.lists(st.sampled_from(FORMATS), min_size=1, unique=True),
)
def test_space_around_a_date_makes_no_difference(cells: list[str | None], formats: list[str]) -> None:
    frame = pl.DataFrame({"day": cells}, schema={"day": pl.String})
    bare = frame.with_columns(pl.col("day").str.strip_chars())
    how: dict[str, Any] = {"columns": ["day"], "formats": formats, "on_failure": "missing"}
    assert format_dates(frame, **how).frame.equals(format_dates(bare, **how).frame, null_equal=True)
    left = [format_dates(each, columns=["day"], formats=formats).frame for each in (frame, bare)]
    assert left[0].equals(left[1], null_equal=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dates(date(1000, 1, 1)), max_size=5))
def test_dates_are_written_in_the_format_asked_for(days: list[date]) -> None:
    frame = pl.DataFrame({"day": [f"{day:%d/%m/}{day.year}" for day in days]}, schema={"day": pl.String})
    formats = ["%d/%m/%Y", "%Y-%m-%d"]
    once = format_dates(frame, columns=["day"], formats=formats).frame
    assert once["day"].to_list() == [day.isoformat() for day in days]
    assert format_dates(once, columns=["day"], formats=formats).frame.equals(once)
    assert format_dates(once, columns=["day"], formats=formats, to="%d/%m/%Y").frame.equals(frame)


def test_no_date_is_rejected_fails_or_becomes_missing() -> None:
    frame = pl.DataFrame({"day": ["2024-02-30", "2024-02-29"]})
    how: dict[str, Any] = {"columns": ["day"], "formats": ["%Y-%m-%d"], "to": "%d.%m.%Y"}
    assert format_dates(frame, **how).frame.rows() == [("29.02.2024",)]
    assert format_dates(frame, on_failure="missing", **how).frame.rows() == [(None,), ("29.02.2024",)]
    with pytest.raises(
        DataServiceError, match="1 cell of the column 'day' of the step format_dates is not a date in a"
    ):
        format_dates(frame, on_failure="fail", **how)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"reference_date": "yesterday"}, "The step derive_age cannot use the reference_date 'yesterday': give a day"),
        ({"column": "bron"}, "The column 'bron' in column of the step derive_age does not exist: did you mean 'born'?"),
        ({"into": "born"}, "The column 'born' in into of the step derive_age exists already: choose another name."),
        ({"into": ""}, "A name in into of the step derive_age is empty: give the new column a name."),
        ({"formats": ["%y"]}, "The step derive_age cannot use the format '%y': give one that tells a day, such as %d."),
        ({"formats": ["day"]}, "The step derive_age cannot use the format 'day': give one that tells a day, such as"),
        ({"on_failure": ""}, "The on_failure '' of the step derive_age is unknown: choose reject, fail or missing."),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(how: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataServiceError) as caught:
        derive_age(pl.DataFrame({"born": ["2000-01-01"]}), **{"column": "born", "reference_date": "2026-01-01"} | how)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("last", [date(2099, 12, 31), date(2100, 1, 1)])
def test_many_dates_are_written_as_few_are(last: date) -> None:
    days = pl.date_range(date(1900, 1, 1), last, eager=True).alias("day").shuffle(1).append(pl.Series([None]))
    frame = pl.DataFrame({"day": days.dt.to_string("%d.%m.%Y")})
    result = format_dates(frame, columns=["day"], formats=["%d.%m.%Y"], to="%d %B %Y").frame
    assert result["day"].to_list() == [day and f"{day:%d %B %Y}" for day in days]
