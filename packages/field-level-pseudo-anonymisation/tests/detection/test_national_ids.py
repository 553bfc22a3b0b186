import polars as pl
import pytest

from field_level_pseudo_anonymisation.detection import Detector
from field_level_pseudo_anonymisation.detection.identifiers import IDENTIFIERS

# Examples of the issuers and of python-stdnum's documentation; country, language of the country, word, identifier.
EXAMPLES = [
    ("AT", "de", "SVNR", "1237 010180"),
    ("BE", "nl", "Rijksregisternummer", "85.07.30-033.28"),
    ("BE", "fr", "registre national", "85 07 30 033 28"),
    ("BG", "", "ЕГН", "8032056031"),
    ("CH", "de", "AHV-Nr.", "756.9217.0769.85"),
    ("CN", "zh", "身份证", "360426199101010071"),
    ("CY", "el", "TIC", "10259033P"),
    ("CZ", "", "rodné číslo", "710319/2745"),
    ("DE", "de", "Steuer-ID", "36 574 261 809"),
    ("DK", "da", "CPR", "211062-5629"),
    ("EE", "", "isikukood", "36805280109"),
    ("ES", "es", "DNI", "54362315-K"),
    ("ES", "es", "NIE", "X-2482300W"),
    ("FI", "fi", "henkilötunnus", "131052-308T"),
    ("FR", "fr", "NIR", "2 95 10 99 126 111 93"),
    ("FR", "fr", "numéro fiscal", "3023217600053"),
    ("GB", "en", "NI number", "AB 12 34 56 C"),
    ("GB", "en", "NHS no.", "943-476-5870"),
    ("GB", "en", "UTR", "1955839661"),
    ("GR", "el", "ΑΜΚΑ", "01013099997"),
    ("GR", "el", "ΑΦΜ", "094259216"),
    ("HR", "", "OIB", "33392005961"),
    ("HU", "", "adóazonosító jel", "8071592153"),
    ("HU", "", "TAJ-szám", "111 111 110"),
    ("IE", "en", "PPS number", "6433435F"),
    ("IS", "", "kennitala", "450401-3150"),
    ("IT", "it", "codice fiscale", "RCCMNL83S18D969H"),
    ("LT", "lt", "asmens kodas", "33309240064"),
    ("LU", "fr", "matricule", "1893120105732"),
    ("LV", "", "personas kods", "161175-19997"),
    ("NL", "nl", "BSN", "1112.22.333"),
    ("NO", "no", "fødselsnummer", "151086 95088"),
    ("PL", "pl", "PESEL", "44051401359"),
    ("PT", "pt", "NIF", "123456789"),
    ("PT", "pt", "Cartão de Cidadão", "00000000 0 ZZ4"),
    ("RO", "ro", "CNP", "1630615123457"),
    ("RS", "", "JMBG", "0101006500006"),
    ("RU", "ru", "ИНН", "123456789047"),
    ("RU", "ru", "СНИЛС", "112-233-445 95"),
    ("SE", "sv", "personnummer", "880320-0016"),
    ("SI", "", "EMŠO", "0101006500006"),
    ("SK", "", "rodné číslo", "7103192745"),
    ("TR", "", "kimlik no", "17291716060"),
    ("UA", "uk", "РНОКПП", "1759013776"),
]
WITHOUT_CHECK_DIGIT = {"AB 12 34 56 C", "211062-5629"}  # Denmark gives out CPR numbers that fail its check since 2007
DETECTORS = {code: Detector(code, entities=["NATIONAL_ID"], names=False) for code in ("en", "fi", "pl", "nl", "sv")}


def found(text: str, language: str = "fi") -> list[str]:
    return [text[start:end] for _, start, end, *_ in DETECTORS[language].detect(pl.Series([text])).rows()]


def texts_found(texts: list[str]) -> list[list[str]]:
    result: list[list[str]] = [[] for _ in texts]
    for text, start, end, *_ in DETECTORS["fi"].detect(pl.Series(texts)).rows():
        result[text].append(texts[text][start:end])
    return result


def test_there_is_an_example_of_every_country() -> None:
    assert {kind.country for kind in IDENTIFIERS} == {country for country, *_ in EXAMPLES}
    assert len({kind.country for kind in IDENTIFIERS} - {"CN", "TR"}) >= 20


def test_every_identifier_is_found_where_its_name_stands_beside_it() -> None:
    before = texts_found([f"{word}: {value}, x" for _, _, word, value in EXAMPLES])
    behind = texts_found([f"x {value} ({word})" for _, _, word, value in EXAMPLES])
    assert before == behind == [[value] for *_, value in EXAMPLES]


def test_no_identifier_is_found_if_its_check_digit_is_wrong() -> None:
    wrong = [
        f"{word}: {value[:place]}{(int(value[place]) + 1) % 10}{value[place + 1 :]}, x"
        for _, _, word, value in EXAMPLES
        if value not in WITHOUT_CHECK_DIGIT
        for place in [max(place for place, sign in enumerate(value) if sign.isdigit())]
    ]
    assert [text for text, values in zip(wrong, texts_found(wrong), strict=True) if values] == []


def test_no_identifier_is_found_in_a_text_of_another_country_without_a_word_for_it() -> None:
    foreign = [f"x {value} x" for country, *_, value in EXAMPLES if country != "FI"]
    assert [text for text, values in zip(foreign, texts_found(foreign), strict=True) if values] == []


def test_a_distinctive_identifier_is_found_at_home_without_a_word_for_it() -> None:
    assert found("Anna 131052-308T x", "fi") == ["131052-308T"]
    assert found("Anna 44051401359 x", "pl") == ["44051401359"]
    assert found("Anna 880320-0016 x", "sv") == ["880320-0016"]


def test_a_checksum_that_one_number_in_ten_has_is_no_proof_even_at_home() -> None:
    assert found("x 111222333 x", "nl") == []
    assert found("BSN 111222333", "nl") == ["111222333"]


def test_the_number_of_an_order_is_no_identifier_at_home() -> None:
    assert found("zamówienie nr 44051401359", "pl") == []
    assert found("faktura 44051401359", "pl") == []


def test_a_word_does_not_reach_past_another_number_or_sentence() -> None:
    assert found("PESEL 44051401359, total 44051401359", "fi") == ["44051401359"]
    assert found("The PESEL is known. Total 44051401359", "fi") == []


@pytest.mark.parametrize("text", ["PESEL 440514013591", "PESEL A44051401359", "PESEL 44051401359.5"])
def test_a_piece_of_a_longer_number_is_no_identifier(text: str) -> None:
    assert found(text) == []
