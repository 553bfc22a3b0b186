"""Check digits of national identifiers that python-stdnum does not know."""

import re

from stdnum import luhn, verhoeff


def _digits(value: str) -> list[int]:
    return [int(sign) for sign in value if sign.isdigit()]


def _weighted(value: str, weights: str, modulus: int) -> int:
    return sum(digit * int(weight) for digit, weight in zip(_digits(value), weights.split(), strict=False)) % modulus


def is_latvian(value: str) -> bool:
    """Tell whether a Latvian personas kods has its check digit; those from 2017 on begin with 32 and tell no birthday.

    Examples:
        >>> is_latvian("161175-19997"), is_latvian("161175-19998")
        (True, False)
    """
    digits = _digits(value)
    if digits[:2] != [3, 2] and not (1 <= digits[0] * 10 + digits[1] <= 31 and 1 <= digits[2] * 10 + digits[3] <= 12):  # noqa: PLR2004
        return False
    return (1101 - _weighted(value, "1 6 3 7 9 10 5 8 4 2", 1101)) % 11 == digits[-1]


def is_hungarian_tax_id(value: str) -> bool:
    """Tell whether a Hungarian adóazonosító jel has its check digit (Act CL of 2017, annex 1).

    Examples:
        >>> is_hungarian_tax_id("8123456780")
        False
    """
    return _weighted(value, "1 2 3 4 5 6 7 8 9", 11) == _digits(value)[-1]


def is_taj(value: str) -> bool:
    """Tell whether a Hungarian TAJ number has its check digit (Act LXXXIII of 1997)."""
    return _weighted(value, "3 7 3 7 3 7 3 7", 10) == _digits(value)[-1]


def is_snils(value: str) -> bool:
    """Tell whether a Russian SNILS has its two check digits.

    Examples:
        >>> is_snils("112-233-445 95"), is_snils("112-233-445 96")
        (True, False)
    """
    digits = _digits(value)
    return _weighted(value, "9 8 7 6 5 4 3 2 1", 101) % 100 == digits[9] * 10 + digits[10]


def is_luxembourgish(value: str) -> bool:
    """Tell whether a Luxembourgish matricule has a birthday and its two check digits (Luhn's and Verhoeff's)."""
    digits = re.sub(r"\D", "", value)
    return (
        1 <= int(digits[4:6]) <= 12  # noqa: PLR2004
        and 1 <= int(digits[6:8]) <= 31  # noqa: PLR2004
        and luhn.is_valid(digits[:12])
        and verhoeff.is_valid(digits[:11] + digits[12])
    )


def is_nino(value: str) -> bool:
    """Tell whether a British National Insurance number has a prefix that is given out; it has no check digit."""
    return value[:2].upper() not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
