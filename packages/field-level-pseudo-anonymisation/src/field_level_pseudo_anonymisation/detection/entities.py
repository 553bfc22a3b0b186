"""What kinds of personal data are told apart."""

from enum import StrEnum


class Entity(StrEnum):
    """A kind of personal data, by the name that run configurations use."""

    PERSON = "PERSON"
    EMAIL = "EMAIL"
    PHONE_NUMBERS = "PHONE_NUMBERS"
    CREDIT_CARD = "CREDIT_CARD"
    URL = "URL"
    DATE_OF_BIRTH = "DATE_OF_BIRTH"
    CREDENTIALS = "CREDENTIALS"
    X_SOCIAL = "X_SOCIAL"
    IBAN = "IBAN"
    IP_ADDRESS = "IP_ADDRESS"
    NATIONAL_ID = "NATIONAL_ID"
    ORGANISATION = "ORGANISATION"
    LOCATION = "LOCATION"
    DATE = "DATE"


NAMES = frozenset({Entity.PERSON, Entity.ORGANISATION, Entity.LOCATION})
"""What only a language model finds."""
