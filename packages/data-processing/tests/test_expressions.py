import datetime as dt
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_processing.expressions import FUNCTIONS, parse
from util_services.errors import DataServiceError

Row = dict[str, Any]
Oracle = Callable[[Row], Any]

TYPES = {
    "name": pl.String(),
    "e-mail": pl.String(),
    "age": pl.String(),
    "visits": pl.Int64(),
    "weight": pl.Float64(),
    "born": pl.Date(),
    "member": pl.Boolean(),
}
TEXTS = ["", " ", "Ann", " ann ", "Zoë", "a.b", "50 %", "x_y", "名前", "line\nbreak"]
AGES = ["17", "18", " 18", "18.0", "-3", "1e1", "n/a", "", "٣"]


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": nullable(st.sampled_from(TEXTS)),
            "e-mail": nullable(st.sampled_from(TEXTS)),
            "age": nullable(st.sampled_from(AGES)),
            "visits": nullable(st.integers(-3, 3)),
            "weight": nullable(st.sampled_from([-1.5, 0.0, 2.0, 70.25])),
            "born": nullable(st.dates(dt.date(1999, 12, 25), dt.date(2000, 3, 5))),
            "member": nullable(st.booleans()),
        }
    ),
    min_size=1,
    max_size=6,
)


def lifted(function: Callable[..., Any], *operands: Oracle) -> Oracle:
    """What is computed of something missing is missing."""

    def oracle(row: Row) -> Any:
        values = [operand(row) for operand in operands]
        return None if None in values else function(*values)

    return oracle


def as_number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*-?[0-9]+(\.[0-9]*)?(e[0-9]+)?\s*", text) else None


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def cell(name: str) -> Oracle:
    return lambda row: row[name]


def constant(value: Any) -> Oracle:
    return lambda row: value


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ARITHMETIC: dict[str, Callable[[Any, Any], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
Part = tuple[str, Oracle]

TEXT_PARTS: st.SearchStrategy[Part] = st.recursive(
    st.sampled_from([("name", cell("name")), ("`e-mail`", cell("e-mail")), ('col("e-mail")', cell("e-mail"))]),
    lambda inner: st.tuples(
        inner,
        st.sampled_from(
            [
                ("trim", lambda text: text.strip()),
                ("lower", lambda text: text.lower()),
                ("upper", lambda text: text.upper()),
            ]
        ),
    ).map(lambda drawn: (f"{drawn[1][0]}({drawn[0][0]})", lifted(drawn[1][1], drawn[0][1]))),
    max_leaves=3,
)
NUMBER_PARTS: st.SearchStrategy[Part] = st.recursive(
    st.sampled_from(
        [
            ("visits", cell("visits")),
            ("weight", cell("weight")),
            ("number(age)", lifted(as_number, cell("age"))),
            ("len(name)", lifted(len, cell("name"))),
            ("(born - date('2000-01-01'))", lifted(lambda day: (day - dt.date(2000, 1, 1)).days, cell("born"))),
        ]
    )
    | st.integers(-20, 20).map(lambda number: (str(number), constant(number))),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda drawn: (
            f"({drawn[0][0]} {drawn[1]} {drawn[2][0]})",
            lifted(
                lambda a, b: None if drawn[1] == "/" and b == 0 else ARITHMETIC[drawn[1]](a, b),
                drawn[0][1],
                drawn[2][1],
            ),
        )
    ),
    max_leaves=3,
)


def compared(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    return st.tuples(parts, st.sampled_from(sorted(COMPARISONS)), parts).map(
        lambda drawn: (
            f"{drawn[0][0]} {drawn[1]} {drawn[2][0]}",
            lifted(COMPARISONS[drawn[1]], drawn[0][1], drawn[2][1]),
        )
    )


def like(pattern: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in pattern)


MATCHERS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "like": lambda text, part: re.fullmatch(like(part), text, flags=re.DOTALL) is not None,
    "matches": lambda text, part: re.fullmatch(re.escape(part), text) is not None,
}
CONDITIONS: st.SearchStrategy[Part] = st.one_of(
    compared(TEXT_PARTS),
    compared(NUMBER_PARTS),
    st.just(("member", cell("member"))),
    st.just(("age >= 18", lifted(lambda age: None if as_number(age) is None else as_number(age) >= 18, cell("age")))),
    st.just(("born < date('2000-02-29')", lifted(lambda day: day < dt.date(2000, 2, 29), cell("born")))),
    TEXT_PARTS.map(lambda part: (f"{part[0]} is null", lambda row: part[1](row) is None)),
    TEXT_PARTS.map(lambda part: (f"{part[0]} is not empty", lambda row: bool((part[1](row) or "").strip()))),
    st.tuples(TEXT_PARTS, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3)).map(
        lambda drawn: (
            f"{drawn[0][0]} in [{', '.join(map(quoted, drawn[1]))}]",
            lifted(lambda text: text in drawn[1], drawn[0][1]),
        )
    ),
    st.tuples(TEXT_PARTS, st.sampled_from(sorted(MATCHERS)), st.sampled_from([*TEXTS, "%n%", "_nn", "Z%", "%b"])).map(
        lambda drawn: (
            f"{drawn[0][0]} {drawn[1]} {quoted(re.escape(drawn[2]) if drawn[1] == 'matches' else drawn[2])}",
            lifted(lambda text: MATCHERS[drawn[1]](text, drawn[2]), drawn[0][1]),
        )
    ),
    st.tuples(NUMBER_PARTS, st.integers(-3, 3), st.integers(-3, 20)).map(
        lambda drawn: (
            f"{drawn[0][0]} between {drawn[1]} and {drawn[2]}",
            lifted(lambda number: drawn[1] <= number <= drawn[2], drawn[0][1]),
        )
    ),
)


def all_of(*parts: Any) -> Any:
    return False if False in parts else None if None in parts else True


def any_of(*parts: Any) -> Any:
    return True if True in parts else None if None in parts else False


EXPRESSIONS: st.SearchStrategy[Part] = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        inner.map(lambda part: (f"not ({part[0]})", lifted(lambda truth: not truth, part[1]))),
        st.tuples(inner, inner).map(
            lambda drawn: (
                f"({drawn[0][0]}) and ({drawn[1][0]})",
                lambda row: all_of(drawn[0][1](row), drawn[1][1](row)),
            )
        ),
        st.tuples(inner, inner).map(
            lambda drawn: (
                f"({drawn[0][0]}) or ({drawn[1][0]})",
                lambda row: any_of(drawn[0][1](row), drawn[1][1](row)),
            )
        ),
    ),
    max_leaves=4,
)


def outcome(text: str, frame: Any) -> list[tuple[bool, bool]]:
    data = nw.from_native(frame).lazy()
    condition = parse(text).over(data.collect_schema())
    return data.select(met=condition.met, unmet=condition.unmet).collect("polars").rows()  # type: ignore[return-value]


def on_every_engine(rows: list[Row]) -> list[Any]:
    frame = pl.DataFrame(rows, schema=TYPES)
    typed = frame.to_pandas(use_pyarrow_extension_array=True)
    plain = frame.drop("member", "born").to_pandas()  # where a missing truth value or date is one of another type
    return [frame, frame.lazy(), frame.to_arrow(), typed, plain]


@pytest.mark.parametrize("text", ["weight / weight = 1", "(weight / 0) between -3 and 3", "1e300 * 1e300 * weight > 0"])
def test_what_has_no_result_neither_meets_a_condition_nor_fails_it_on_any_engine(text: str) -> None:
    row: Row = dict.fromkeys(TYPES) | {"weight": 0.0}
    for frame in on_every_engine([row]):
        assert outcome(text, frame) == [(False, False)], type(frame)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS.filter(lambda part: any(name in part[0] for name in TYPES)), ROWS)
def test_an_expression_says_of_each_row_what_python_says_on_every_engine(drawn: Part, rows: list[Row]) -> None:
    text, oracle = drawn
    truth = [oracle(row) for row in rows]
    expected = [(value is True, value is False) for value in truth]
    for frame in on_every_engine(rows):
        if isinstance(frame, pd.DataFrame) and any(name in text and name not in frame for name in TYPES):
            continue
        assert outcome(text, frame) == expected, type(frame)


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text(alphabet="ab1 ()[]`'\".,<>=!+-*/%_and or not in is null"))
def test_any_text_is_parsed_or_refused_with_a_sentence(text: str) -> None:
    try:
        parse(text)
    except DataServiceError as error:
        sentence = str(error)
        assert sentence.endswith((".", "?"))


@settings(max_examples=30, deadline=None)
@given(st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)), st.integers(1, 13), st.integers(0, 32))
def test_days_are_those_of_the_calendar(day: dt.date, month: int, number: int) -> None:
    text = f"{day.year:04}-{month:02}-{number:02}"
    try:
        valid = dt.date(day.year, month, number)
    except ValueError:
        valid = None
    frame = pl.DataFrame({"right": [day.isoformat()], "maybe": [text], "day": [day]})
    assert outcome("date(right) == day", frame) == [(True, False)]
    assert outcome("date(maybe) is null", frame) == [(valid is None, valid is not None)]
    if valid:
        days = (day - valid).days
        assert outcome(f"day - date(maybe) == {days} and date(right) - day == 0", frame) == [(True, False)]


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("age >= 18", ["18", " 18 ", "018"]),
        ("age == '18'", ["18"]),
        ("age IN [17, 18]", ["17", "18", " 18 ", "018"]),
        ("NOT age is NULL and age = 17", ["17"]),
        ("16 < age <= 17", ["17"]),
        ("age <> 18 and age is not null", ["17"]),
        ("age not in (18,)", ["17"]),
        ("age matches '[0-9]+'", ["17", "18", "018"]),
        ("age not like '%8'", ["17", " 18 ", "n/a"]),
        ("coalesce(age, 'x') == 'x'", [None]),
        ("abs(age - 20) > 2", ["17"]),
        ("+age == 17 or -age == -17", ["17"]),
    ],
)
def test_cells_that_are_texts_are_read_as_what_they_are_compared_with(text: str, met: list[str | None]) -> None:
    ages = ["17", "18", " 18 ", "018", "n/a", None]
    frame = pl.DataFrame({"age": ages})
    assert [age for age, (yes, _) in zip(ages, outcome(text, frame), strict=True) if yes] == met


def test_a_cell_that_cannot_be_read_counts_as_missing_and_is_told() -> None:
    frame = nw.from_native(
        pl.LazyFrame({"age": ["17", "n/a", None, ""], "born": ["2000-02-30", "x", None, "2000-01-01"]})
    )
    condition = parse("age >= 18 and age < 99 or date(born) > date('1999-01-01')").over(frame.collect_schema())
    told = {
        (each.column, each.kind.value): frame.select(each.failed.sum()).collect().item()
        for each in condition.conversions
    }
    assert told == {("age", "a number"): 2, ("born", "a date"): 2}
    assert frame.select(condition.unknown).collect().rows() == [(True,), (True,), (True,), (False,)]


def test_names_are_written_with_backticks_or_col() -> None:
    frame = pl.DataFrame({"first name": ["x"], "a`b": ["x"], 'say "hi"': ["x"], "in": ["x"], "name": ["x"]})
    text = "`first name` == 'x' and `a``b` == 'x' and col(\"say \"\"hi\"\"\") == 'x' and in == 'x' and name == 'x'"
    assert outcome(text, frame) == [(True, False)]


def test_an_expression_names_the_columns_that_it_reads() -> None:
    assert parse("lower(b) == 'x' or a > 1 and b is null").columns == ("b", "a")


REFUSED = {
    "": "The expression is empty",
    "x" * 4001: "The expression has 4,001 characters: give at most 4,000.",
    "not " * 40 + "member": "The expression is nested more than 32 levels deep: write it flatter.",
    "eval('1') == 1": "The function 'eval' does not exist in expressions: choose one of 'number', 'date',",
    "__import__('os') == 1": "The function '__import__' does not exist in expressions",
    "trimm(name) == ''": "The function 'trimm' does not exist in expressions: did you mean 'trim'?",
    "len(name, 1) > 1": "The function 'len' has 2 arguments in the expression: write len(x).",
    "name.upper() == ''": "The expression is malformed at character 5, where '.' stands: columns have no attributes",
    "name[0] == 'x'": "The expression is malformed at character 5, where '[' stands: a list stands only after 'in'.",
    "[name for name in age]": "The expression is malformed at character 1, where '[' stands",
    "(lambda: 1)() == age": "The expression is malformed at character",
    "age := 1": "The expression is malformed at character 5, where ':' stands",
    "age >= 18; drop": "The expression is malformed at character 10, where ';' stands: only one condition is possible.",
    "age >= 18 && member": "The expression is malformed at character 11, where '&' stands: write 'and'.",
    "name 'secret'": "The expression is malformed at character 6, where a text stands:",
    "age >=": "The expression ends too early",
    "1 == 1": "The expression names no column",
    "name matches '(a'": "The pattern '(a' is no regular expression that can be matched in linear time",
    "name matches 'a)|(b'": "The pattern 'a)|(b' is no regular expression",
    "name matches '(?=a)'": "The pattern '(?=a)' is no regular expression that can be matched in linear time",
    r"name matches '(a)\1'": r"The pattern '(a)\\1' is no regular expression that can be matched in linear time",
}
REFUSED_OVER_A_TABLE = {
    "agee >= 18": "The column 'agee' in the expression does not exist (a text needs quotes): did you mean 'age'?",
    "age == null": "The expression uses null as a value: write 'is null' to ask whether a cell is missing.",
    "name": "In the expression, name is a text where a condition is expected: compare it, as in 'name == true'.",
    "visits": "In the expression, visits is a number where a condition is expected: compare it, as in 'visits == 18'.",
    "visits > 'secret'": "In the expression, a text stands where a number is expected: write one such as 18 or 1.5.",
    "born == 'secret'": "In the expression, a text stands where a date is expected: write one such as date(",
    "visits == born": "In the expression, born is a date where a number is expected: change one of them.",
    "born + 1 > born": "In the expression, born is a date where a number is expected: change one of them.",
    "visits like 'x'": "In the expression, visits is a number where a text is expected: change one of them.",
    "member > true": "In the expression, member is true or false and has no order: use == or !=.",
    "member between true and true": "In the expression, member is true or false and has no order",
    "name in [age]": "The list after 'in' holds more than texts, numbers and dates: write them out.",
    "date(name, '%d %B') is null": "The date format '%d %B' is not one that an expression can read",
    "date(name, age) is null": "In the expression, the format in date(name, age) is no text",
    "date(name, '%d.%m.%Y') == date('2000-02-30')": "In the expression, a text stands where a date is expected",
    "(member and age > 1) is null": "In the expression, a combination of conditions is used as a value",
    "(member or age > 1) == member": "In the expression, a combination of conditions is used as a value",
    "tags is null": "The column 'tags' has the type List(String), which an expression cannot use",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_condition_over_a_row_is_refused_before_there_are_data(text: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        parse(text)
    assert str(refused.value).startswith(REFUSED[text])
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", REFUSED_OVER_A_TABLE)
def test_what_does_not_fit_the_columns_is_refused_before_a_row_is_read(text: str) -> None:
    expression = parse(text)
    with pytest.raises(DataServiceError) as refused:
        expression.over(nw.Schema.from_polars(pl.Schema({**TYPES, "tags": pl.List(pl.String)})))
    assert str(refused.value).startswith(REFUSED_OVER_A_TABLE[text])
    assert "secret" not in str(refused.value)


def test_many_conditions_and_many_parentheses_are_no_problem() -> None:
    frame = pl.DataFrame({"n": ["399"]})
    assert outcome(" or ".join(f"n=={n}" for n in range(300, 400)), frame) == [(True, False)]
    assert outcome("(" * 1500 + "n==399" + ")" * 1500, frame) == [(True, False)]


def test_every_function_has_a_usage_that_parses() -> None:
    for function in FUNCTIONS.values():
        for usage in function.usage.split(" or "):
            parse(f"{usage} is not null".replace("y)", "'y')"))


def test_the_manual_lists_every_function() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "expressions.md").read_text()
    for function in FUNCTIONS.values():
        assert f"| `{function.usage}` | {function.meaning} |" in manual


def test_the_manuals_examples_are_expressions() -> None:
    manual = (Path(__file__).parents[1] / "docs" / "expressions.md").read_text()
    (examples,) = re.findall(r"```text\n(.*?)```", manual, flags=re.DOTALL)
    assert all(parse(line).columns for line in examples.splitlines())
    (python,) = re.findall(r"```python\n(.*?)```", manual, flags=re.DOTALL)
    exec(python, {})
