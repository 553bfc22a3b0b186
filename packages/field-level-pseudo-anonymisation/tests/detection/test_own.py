import polars as pl
import pytest

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.own import Groups
from util_services.errors import DataServiceError


def found(text: str, patterns: Groups = (), words: Groups = ()) -> list[tuple[str, str]]:
    detector = Detector("en", names=False, patterns=patterns, words=words)
    return [(entity, text[start:end]) for _, start, end, entity, _ in detector.detect(pl.Series([text])).rows()]


def test_patterns_find_entities_of_the_users_own() -> None:
    assert found("record P-123456.", patterns={"PATIENT": [r"P-(\d){6}"]}) == [("PATIENT", "P-123456")]


def test_words_are_found_whole_and_in_any_case() -> None:
    words = {"PLACE": ["York", "New York"]}
    assert found("NEW\n york, Yorkshire, york", words=words) == [("PLACE", "NEW\n york"), ("PLACE", "york")]


def test_words_with_signs_are_taken_literally() -> None:
    assert found("C++ and [x].y", words={"W": ["c++", "[x]."]}) == [("W", "C++"), ("W", "[x].")]


def test_words_of_scripts_without_spaces_are_found_inside() -> None:
    assert found("昨天张三去了", words={"PERSON": ["张三"]}) == [("PERSON", "张三")]


def test_a_list_longer_than_one_expression_is_found_to_the_last_word() -> None:
    names = [f"name{n}" for n in range(1_200)]
    assert found("name0 name1199 name1200", words={"W": names}) == [("W", "name0"), ("W", "name1199")]


def test_a_pattern_that_would_take_exponential_time_elsewhere_takes_linear_time() -> None:
    assert found("a" * 5_000 + "!", patterns={"A": [r"(a+)+b"]}) == []


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"A": ["(x"]}, r"The pattern '\(x' for A is no regular expression \(unclosed group\)"),
        ({"A": ["(?=x)"]}, "look-around"),
        ({"A": ["x*"]}, "The pattern 'x\\*' for A matches the empty text: require a character"),
        ({"A": ["x" * 1001]}, "A pattern for A has 1001 characters"),
        ({"A": [r"\w{1000}{1000}"]}, "is no regular expression"),
        ({"patient": ["x"]}, "The entity name 'patient' is malformed: use capital letters"),
    ],
)
def test_a_malformed_pattern_is_refused(patterns: Groups, message: str) -> None:
    with pytest.raises(DataServiceError, match=message):
        found("", patterns=patterns)


@pytest.mark.parametrize("words", [{"W": []}, {"W": [" "]}])
def test_a_blank_list_of_words_is_refused(words: Groups) -> None:
    with pytest.raises(DataServiceError, match="has a blank word or none"):
        found("", words=words)
