"""National identifiers, each proven by its checksum and by words or the language of the text.

A checksum alone proves little: one random number in ten has that of a Dutch BSN. An identifier therefore also has its
own name or a general one nearby ("BSN", "national id"), or it stands in a text of its country's language and is
distinctive: a birthday, letters or a strong checksum let at most about one random string of its form in twenty pass.
"""

from dataclasses import dataclass

import polars as pl

from field_level_pseudo_anonymisation.detection.context import named, thing
from field_level_pseudo_anonymisation.detection.entities import Entity
from field_level_pseudo_anonymisation.detection.identifiers import IDENTIFIERS, Identifier
from field_level_pseudo_anonymisation.detection.languages import Language
from field_level_pseudo_anonymisation.detection.recogniser import passes
from field_level_pseudo_anonymisation.detection.spans import SCHEMA, occurrences
from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

_GENERAL = naming(words("national_id"))

# Written in one piece, but for the signs that identifiers have inside; and in groups.
_SOLID = (
    r"(?:[0-9]|[A-Za-z]{1,2}-?[0-9])(?:[0-9A-Za-z]|[./+-][0-9A-Za-z]){6,20}"
    r"|[A-Za-z]{6}[0-9LMNP-Vlmnp-v]{2}[0-9A-Za-z]{8}"
)
_LAYOUTS = (
    "0000 00 00 00000",
    "00 00 000 000 000",
    "0 00 00 0N 000 000 00",
    "00000NN000000 00",
    "00 000 000 000",
    "00.00.00-000.00",
    "00 00 00 000 00",
    "00.00.00 000 00",
    "000-000-000 00",
    "000-000-000-00",
    "000 000 0000",
    "000-000-0000",
    "000 000 000",
    "000-000-000",
    "0000 00 000",
    "0000 000000",
    "000000 00000",
    "000000 0000",
    "00000 00000",
    "00000000 0000",
    "00000000 0 NN0",
    "00000000 A",
    "00000000-A",
    "00.000.000 A",
    "00.000.000-A",
    "AA 00 00 00 A",
    "AA 000000 A",
    "A 0000000 A",
    "AAA AAA NNNNN ANNNA",
    "AA 000000000",
)
_SIGNS = {"0": "[0-9]", "A": "[A-Za-z]", "N": "[0-9A-Za-z]", ".": r"\."}
_GROUPED = rf"(?:{'|'.join(''.join(_SIGNS.get(sign, sign) for sign in layout) for layout in _LAYOUTS)})(?-u:\b)"
_SHAPES = f"^(?i:{'|'.join(identifier.shape for identifier in IDENTIFIERS)})$"
_LEAD = "^|[^0-9A-Za-z_]"
_HINT = "[0-9][0-9A-Za-z ./+-]{5}[0-9A-Za-z]"


@dataclass(frozen=True)
class IdentifierRecogniser:
    """Finds national identifiers of all countries.

    Attributes:
        regions: Countries of the text's language.
        entities: NATIONAL_ID.
    """

    regions: tuple[str, ...]
    entities: frozenset[str] = frozenset({Entity.NATIONAL_ID})

    def find(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Find identifiers; see :meth:`.recogniser.Recogniser.find`."""
        searched = texts.filter(pl.col("content").str.contains(_HINT))
        if searched.is_empty():
            return SCHEMA.to_frame()
        found = pl.concat(occurrences(searched, _LEAD, form) for form in (_SOLID, _GROUPED))
        found = found.filter(
            pl.col("value").str.contains(_SHAPES),
            ~pl.col("after").str.contains(r"^(?:[0-9A-Za-z_@]|[./,-][0-9A-Za-z])"),
        ).with_columns(
            named(_GENERAL).alias("general"),
            (thing() | pl.col("before").str.contains(r"[0-9A-Za-z][-./]$")).alias("doubtful"),
        )
        shaped = found.select(
            pl.col("value").str.contains(f"^(?i:{identifier.shape})$").alias(str(place))
            for place, identifier in enumerate(IDENTIFIERS)
        )
        held = (
            self._held(identifier, found.filter(flags))
            for identifier, flags in zip(IDENTIFIERS, shaped, strict=True)
            if flags.any()
        )
        return pl.concat([SCHEMA.to_frame(), *held])

    def _held(self, identifier: Identifier, shaped: pl.DataFrame) -> pl.DataFrame:
        at_home = identifier.distinctive and identifier.country in self.regions
        called = pl.col("general") | named(naming(identifier.words))
        rest = shaped.with_columns(called.alias("called")).filter(
            pl.col("called") | ~pl.col("doubtful") if at_home else pl.col("called")
        )
        return rest.filter(passes(rest["value"], identifier.valid)).select(
            "text",
            "start",
            "end",
            pl.lit(str(Entity.NATIONAL_ID)).alias("entity"),
            pl.when("called").then(0.97).otherwise(0.85).alias("score"),
        )


def recognisers(language: Language) -> tuple[IdentifierRecogniser, ...]:
    """Give the recogniser of national identifiers, at home in the countries of the language."""
    return (IdentifierRecogniser(language.regions),)
