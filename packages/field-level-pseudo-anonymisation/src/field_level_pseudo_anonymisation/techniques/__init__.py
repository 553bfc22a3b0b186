"""Techniques that make pseudonyms of values, one small definition each."""

from field_level_pseudo_anonymisation.techniques.constants import Drop, Redact, Replace
from field_level_pseudo_anonymisation.techniques.deterministic_encrypt import DeterministicEncrypt
from field_level_pseudo_anonymisation.techniques.encrypt import Encrypt
from field_level_pseudo_anonymisation.techniques.format_preserving import FormatPreserving
from field_level_pseudo_anonymisation.techniques.hash import Hash
from field_level_pseudo_anonymisation.techniques.keyed_hash import KeyedHash
from field_level_pseudo_anonymisation.techniques.mask import Mask
from field_level_pseudo_anonymisation.techniques.retain import Retain
from field_level_pseudo_anonymisation.techniques.round_number import RoundNumber
from field_level_pseudo_anonymisation.techniques.shift_date import ShiftDate
from field_level_pseudo_anonymisation.techniques.surrogate import Surrogate
from field_level_pseudo_anonymisation.techniques.technique import Technique
from field_level_pseudo_anonymisation.techniques.tokenise import Tokenise

TECHNIQUES: dict[str, type[Technique]] = {
    each.name: each
    for each in (
        Hash,
        KeyedHash,
        Encrypt,
        DeterministicEncrypt,
        FormatPreserving,
        Tokenise,
        Mask,
        Redact,
        Replace,
        Drop,
        Surrogate,
        ShiftDate,
        RoundNumber,
        Retain,
    )
}
"""Every technique by its name in run configurations."""

__all__ = [
    "TECHNIQUES",
    "DeterministicEncrypt",
    "Drop",
    "Encrypt",
    "FormatPreserving",
    "Hash",
    "KeyedHash",
    "Mask",
    "Redact",
    "Replace",
    "RoundNumber",
    "ShiftDate",
    "Surrogate",
    "Technique",
    "Tokenise",
]
