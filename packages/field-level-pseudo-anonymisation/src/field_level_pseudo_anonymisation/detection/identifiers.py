"""Identifiers that states give to persons: one definition a kind.

The checksums are python-stdnum's and those of :mod:`.checksums`; the words are what the identifier is called.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stdnum.at import vnr
from stdnum.be import bis, nn
from stdnum.bg import egn, pnf
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.cy import vat as cyprus_tic
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir
from stdnum.gb import nhs, utr
from stdnum.gr import amka
from stdnum.gr import vat as greek_vat
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.is_ import kennitala
from stdnum.it import codicefiscale
from stdnum.lt import asmens
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import cc
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.si import emso
from stdnum.tr import tckimlik
from stdnum.ua import rntrc

from field_level_pseudo_anonymisation.detection.checksums import (
    is_hungarian_tax_id,
    is_latvian,
    is_luxembourgish,
    is_nino,
    is_snils,
    is_taj,
)


@dataclass(frozen=True)
class Identifier:
    """A kind of identifier.

    Attributes:
        country: ISO 3166-1 alpha-2.
        name: What it is called.
        shape: Regular expression of the forms in which it is written, in any case.
        valid: Tells whether one of that shape holds.
        words: Expression of the words that name it.
        distinctive: Whether its shape and checksum are proof enough in a text of its country's language.
    """

    country: str
    name: str
    shape: str
    valid: Callable[[str], bool]
    words: str
    distinctive: bool = True


def _any(*checks: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda value: any(check(value) for check in checks)


IDENTIFIERS = (
    Identifier(
        "AT",
        "Sozialversicherungsnummer",
        r"[0-9]{4}[ -]?[0-9]{6}",
        vnr.is_valid,
        "svnr|sv-n|sozialversicherung|versicherungsnummer",
        distinctive=False,
    ),
    Identifier(
        "BE",
        "Rijksregisternummer / numéro de registre national",
        r"[0-9]{2}[. ]?[0-9]{2}[. ]?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}",
        _any(nn.is_valid, bis.is_valid),
        "rijksregister|insz|niss|registre national|numéro national|rrn|bis-n",
    ),
    Identifier(
        "BG",
        "ЕГН, ЛНЧ",
        r"[0-9]{10}",
        _any(egn.is_valid, pnf.is_valid),
        "егн|лнч|egn|единен граждански",
        distinctive=False,
    ),
    Identifier(
        "CH",
        "AHV-Nummer / numéro AVS",
        r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}",
        ahv.is_valid,
        "ahv|avs|oasi|sozialversicherung",
    ),
    Identifier("CN", "居民身份证号码", r"[0-9]{17}[0-9X]", ric.is_valid, "身份证|公民身份"),
    Identifier(
        "CY",
        "Tax identification code",
        r"[0-9]{8}[A-Z]",
        cyprus_tic.is_valid,
        r"tic|αριθμός φορολογικ|α\.?φ\.?μ|αφμ|afm",
    ),
    Identifier(
        "CZ",
        "Rodné číslo",
        r"[0-9]{6}/?[0-9]{3,4}",
        rc.is_valid,
        r"rodné číslo|rodného čísla|r\.?\s?č|rč",
        distinctive=False,
    ),
    Identifier(
        "DE",
        "Steuer-Identifikationsnummer",
        r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        idnr.is_valid,
        r"steuer-?id|steueridentifikation|steuerliche|steuernummer|idnr|id-nr|tin\b|tax id",
    ),
    Identifier("DK", "CPR-nummer", r"[0-9]{6}[- ]?[0-9]{4}", cpr.is_valid, "cpr|personnummer", distinctive=False),
    Identifier("EE", "Isikukood", r"[1-8][0-9]{10}", ik.is_valid, r"isikukood|ik\b"),
    Identifier(
        "ES",
        "DNI, NIE",
        r"(?:[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-Z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]",
        _any(dni.is_valid, nie.is_valid),
        r"dni|nif|nie\b|documento nacional|identificación fiscal",
    ),
    Identifier(
        "FI",
        "Henkilötunnus",
        r"[0-9]{6}[-+ABCDEFUVWXY][0-9]{3}[0-9A-Y]",
        hetu.is_valid,
        "henkilötunnu|hetu|personbeteckning",
    ),
    Identifier(
        "FR",
        "NIR",
        r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        nir.is_valid,
        r"nir\b|sécurité sociale|sécu|insee|n° ss",
    ),
    Identifier(
        "FR",
        "Numéro fiscal (SPI)",
        r"[0-3][0-9] ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        fr_nif.is_valid,
        r"numéro fiscal|spi\b|référence fiscale|identifiant fiscal",
    ),
    Identifier(
        "GB",
        "National Insurance number",
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        is_nino,
        r"nino\b|ni number|ni no|national insurance",
    ),
    Identifier("GB", "NHS number", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", nhs.is_valid, "nhs", distinctive=False),
    Identifier(
        "GB",
        "Unique taxpayer reference",
        r"[0-9]{5} ?[0-9]{5}",
        utr.is_valid,
        r"utr\b|taxpayer|tax reference",
        distinctive=False,
    ),
    Identifier("GR", "ΑΜΚΑ", r"[0-9]{11}", amka.is_valid, r"αμκα|α\.μ\.κ\.α|amka"),
    Identifier(
        "GR", "ΑΦΜ", r"(?:EL ?)?[0-9]{9}", greek_vat.is_valid, r"αφμ|α\.φ\.μ|afm\b|φορολογικ", distinctive=False
    ),
    Identifier("HR", "OIB", r"[0-9]{11}", oib.is_valid, r"oib\b|osobni identifikacijski", distinctive=False),
    Identifier("HU", "Adóazonosító jel", r"8[0-9]{9}", is_hungarian_tax_id, "adóazonosító|adójel", distinctive=False),
    Identifier(
        "HU",
        "TAJ-szám",
        r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}",
        is_taj,
        r"taj\b|taj-|társadalombiztosítás",
        distinctive=False,
    ),
    Identifier("IE", "PPS number", r"[0-9]{7}[A-W][A-IW]?", pps.is_valid, "pps|personal public service"),
    Identifier("IS", "Kennitala", r"[0-9]{6}-?[0-9]{4}", kennitala.is_valid, r"kennital|kt\."),
    Identifier(
        "IT",
        "Codice fiscale",
        r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]",
        codicefiscale.is_valid,
        r"codice fiscale|c\.\s?f\.|cf\b",
    ),
    Identifier("LT", "Asmens kodas", r"[3-6][0-9]{10}", asmens.is_valid, r"asmens kod|a\.\s?k\."),
    Identifier(
        "LU",
        "Matricule",
        r"(?:18|19|20)[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{5}",
        is_luxembourgish,
        r"matricule|numéro d'identification|cns\b",
    ),
    Identifier("LV", "Personas kods", r"[0-9]{6}-?[0-9]{5}", is_latvian, "personas kod", distinctive=False),
    Identifier(
        "NL",
        "Burgerservicenummer",
        r"[0-9]{9}|[0-9]{4}[. ][0-9]{2}[. ][0-9]{3}",
        bsn.is_valid,
        "bsn|burgerservice|sofi",
        distinctive=False,
    ),
    Identifier(
        "NO",
        "Fødselsnummer",
        r"[0-9]{6} ?[0-9]{5}",
        fodselsnummer.is_valid,
        r"fødselsnummer|personnummer|fnr\b|f\.nr|d-nummer",
    ),
    Identifier("PL", "PESEL", r"[0-9]{11}", pesel.is_valid, "pesel"),
    Identifier(
        "PT",
        "NIF",
        r"[1-3][0-9]{2} ?[0-9]{3} ?[0-9]{3}",
        pt_nif.is_valid,
        r"nif\b|contribuinte|identificação fiscal",
        distinctive=False,
    ),
    Identifier(
        "PT",
        "Cartão de cidadão",
        r"[0-9]{8} ?[0-9] ?[A-Z0-9]{2}[0-9]",
        cc.is_valid,
        r"cartão de cidadão|cc\b|documento de identificação",
        distinctive=False,
    ),
    Identifier("RO", "CNP", r"[1-9][0-9]{12}", cnp.is_valid, r"cnp\b|cod(?:ul)? numeric personal"),
    Identifier("RS", "ЈМБГ", r"[0-9]{13}", emso.is_valid, "jmbg|јмбг"),
    Identifier("RU", "ИНН", r"[0-9]{12}", inn.is_valid, "инн"),
    Identifier("RU", "СНИЛС", r"[0-9]{3}-?[0-9]{3}-?[0-9]{3}[- ]?[0-9]{2}", is_snils, "снилс"),
    Identifier(
        "SE",
        "Personnummer, samordningsnummer",
        r"(?:(?:19|20)?[0-9]{6}[-+ ]?[0-9]{4})",
        personnummer.is_valid,
        r"personnummer|samordningsnummer|pers\.?nr|pnr\b",
    ),
    Identifier("SI", "EMŠO", r"[0-9]{13}", emso.is_valid, "emšo|emso"),
    Identifier(
        "SK",
        "Rodné číslo",
        r"[0-9]{6}/?[0-9]{3,4}",
        rc.is_valid,
        r"rodné číslo|rodného čísla|r\.?\s?č|rč",
        distinctive=False,
    ),
    Identifier("TR", "T.C. kimlik no", r"[1-9][0-9]{10}", tckimlik.is_valid, r"kimlik|tckn|t\.?c\.? no"),
    Identifier(
        "UA",
        "РНОКПП",
        r"[0-9]{10}",
        rntrc.is_valid,
        "рнокпп|іпн|ідентифікаційний (?:номер|код)|податков",
        distinctive=False,
    ),
)
"""One definition a kind; the first valid one of a number is as good as another, for all are national identifiers."""
