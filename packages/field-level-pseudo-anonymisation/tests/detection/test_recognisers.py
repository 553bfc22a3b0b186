"""What each recogniser finds, and what it must leave alone."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.languages import LANGUAGES

DETECTORS = {language: Detector(language, names=False) for language in LANGUAGES}


def found(text: str, language: str = "en") -> list[tuple[str, str]]:
    spans = DETECTORS[language].detect(pl.Series([text]))
    return [(entity, text[start:end]) for _, start, end, entity, _ in spans.rows()]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("to ann.o'neil+x@mail.example.org.", "EMAIL", "ann.o'neil+x@mail.example.org"),
        ("an jürgen@müller.example!", "EMAIL", "jürgen@müller.example"),
        ("邮箱a@b.cn。", "EMAIL", "a@b.cn"),
        ("(see https://a.example/b?c=d&e=f#g).", "URL", "https://a.example/b?c=d&e=f#g"),
        ("访问https://a.example/b。", "URL", "https://a.example/b"),
        ("at www.example.org/x, ok", "URL", "www.example.org/x"),
        ("at example.com and", "URL", "example.com"),
        ("from 192.0.2.17:", "IP_ADDRESS", "192.0.2.17"),
        ("from 2001:db8::ff00:42:8329 on", "IP_ADDRESS", "2001:db8::ff00:42:8329"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("konto PL61109010140000071219812874.", "IBAN", "PL61109010140000071219812874"),
        ("card 4111-1111-1111-1111", "CREDIT_CARD", "4111-1111-1111-1111"),
        ("378282246310005", "CREDIT_CARD", "378282246310005"),
        ("follow @jane_doe!", "X_SOCIAL", "@jane_doe"),
        ("toot @ann@social.example now", "X_SOCIAL", "@ann@social.example"),
        ("Instagram: jane.doe", "X_SOCIAL", "jane.doe"),
        ("https://x.com/jane is me", "X_SOCIAL", "https://x.com/jane"),
        ("password: hunter2.", "CREDENTIALS", "hunter2"),
        ('"api_key": "abc123def456"', "CREDENTIALS", "abc123def456"),
        ("Authorization: Bearer abcdef0123456789", "CREDENTIALS", "abcdef0123456789"),
        ("key AKIAIOSFODNN7EXAMPLE x", "CREDENTIALS", "AKIAIOSFODNN7EXAMPLE"),
        ("use ghp_" + "a1" * 18, "CREDENTIALS", "ghp_" + "a1" * 18),
        (
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "CREDENTIALS",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        ),
        ("postgres://u:p@db.example:5432/x", "CREDENTIALS", "postgres://u:p@db.example:5432/x"),
        ("my password is tr0ub4dor&3", "CREDENTIALS", "tr0ub4dor&3"),
        ("call +44 20 7946 0958", "PHONE_NUMBERS", "+44 20 7946 0958"),
        ("at 020 7946 0958 today", "PHONE_NUMBERS", "020 7946 0958"),
        ("reach +49 (0)30 1234567.", "PHONE_NUMBERS", "+49 (0)30 1234567"),
        ("on 12 March 1980.", "DATE", "12 March 1980"),
        ("March 12th, 1980", "DATE", "March 12th, 1980"),
        ("due 2024-02-29", "DATE", "2024-02-29"),
        ("DOB 03/12/80", "DATE_OF_BIRTH", "03/12/80"),
    ],
)
def test_what_is_there_is_found(text: str, entity: str, value: str) -> None:
    assert (entity, value) in found(text)


def test_a_private_key_is_found_whole() -> None:
    block = "-----BEGIN PRIVATE KEY-----\nMIIB\nVg==\n-----END PRIVATE KEY-----"
    assert found(f"key:\n{block}\nend") == [("CREDENTIALS", block)]
    assert found(f"key:\n{block[:-25]}") == [("CREDENTIALS", block[:-25])]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4 and v10.0.0.1",
        "chapter 1.2.3 at 12:30:45, ratio 3:4",
        "order 4111111111111111 and invoice no. 4111 1111 1111 1111",
        "card 4111 1111 1111 1112",
        "std::vector and a::b",
        "1,234,567.89 and 2 500,00 € for 600 123 456 items",
        "999.999.999.999",
        "DE89 3704 0044 0532 0130 01",
        "the password is required, the token expires",
        "a finished sentence.The file.tar.gz and report.v2.pdf",
        "45/13/2024 and 2024-13-01",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ISBN 978-3-16-148410-0",
        "serial number 850101123456, 123456789 visits",
        "@ 5 o'clock, @5",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "born in Leeds on <12 March 1980>"),
        ("it", "nata a Roma il <12 marzo 1980>"),
        ("de", "geb. <12.03.1980> in Köln"),
        ("nl", "geboren op <12 maart 1980>"),
        ("fr", "née le <12 mars 1980>"),
        ("pl", "urodzona <12 marca 1980>"),
        ("es", "fecha de nacimiento: <12 de marzo de 1980>"),
        ("pt", "nascida em <12 de março de 1980>"),
        ("sv", "född den <12 mars 1980>"),
        ("no", "født <12. mars 1980>"),
        ("da", "født den <12. marts 1980>"),
        ("fi", "syntynyt <12. maaliskuuta 1980>"),
        ("el", "γεννήθηκε στις <12 Μαρτίου 1980>"),
        ("lt", "gimė <1980 m. kovo 12 d.>"),
        ("ro", "născută la <12 martie 1980>"),
        ("ru", "родилась <12 марта 1980>"),
        ("uk", "народилася <12 березня 1980>"),
        ("zh", "张三，<1980年3月12日>出生"),
    ],
)
def test_dates_of_birth_are_told_from_others_in_every_language(language: str, text: str) -> None:
    value = text[text.index("<") + 1 : text.index(">")]
    plain = text.replace("<", "").replace(">", "")
    assert ("DATE_OF_BIRTH", value) in found(plain, language)
    assert ("DATE", value) in found(value, language)


def test_a_date_of_birth_is_a_date_where_only_dates_are_wanted() -> None:
    detector = Detector("en", entities=["DATE"], names=False)
    assert detector.detect(pl.Series(["born 12 March 1980"]))["entity"].to_list() == ["DATE"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Tel.: <030/123456>"),
        ("fr", "au <01.42.68.53.00> SVP"),
        ("it", "cell. <333 1234567>"),
        ("es", "móvil <612 34 56 78>"),
        ("nl", "bel <06-12345678>"),
        ("pl", "tel. <600 123 456>"),
        ("pt", "telemóvel <912 345 678>"),
        ("sv", "ring <08-123 456 78>"),
        ("no", "tlf. <22 12 34 56>"),
        ("da", "tlf. <32 12 34 56>"),
        ("fi", "puh. <040 123 4567>"),
        ("el", "τηλ. <210 123 4567>"),
        ("lt", "tel. <8 612 34567>"),
        ("ro", "telefon <0712 345 678>"),
        ("ru", "тел. <8 (912) 345-67-89>"),
        ("uk", "тел. <050 123 4567>"),
        ("zh", "手机<13812345678>"),
    ],
)
def test_telephone_numbers_are_found_in_every_language(language: str, text: str) -> None:
    value = text[text.index("<") + 1 : text.index(">")]
    assert found(text.replace("<", "").replace(">", ""), language) == [("PHONE_NUMBERS", value)]


def test_a_number_that_runs_into_the_next_one_loses_what_is_not_its_own() -> None:
    assert found("fax +44 20 7946 0958 1234 5678 x")[0] == ("PHONE_NUMBERS", "+44 20 7946 0958")


@settings(max_examples=60, deadline=None)
@given(st.text("a1@.:/ -+()é€\n", max_size=40))
def test_any_text_is_read_without_overlaps_and_within_its_bounds(text: str) -> None:
    last = 0
    for _, start, end, *_ in DETECTORS["en"].detect(pl.Series([text])).rows():
        assert last <= start < end <= len(text)
        last = end
