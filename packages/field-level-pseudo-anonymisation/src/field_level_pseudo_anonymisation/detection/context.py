"""What stands around a candidate and speaks for or against it."""

import polars as pl

from field_level_pseudo_anonymisation.detection.vocabulary import naming, words

# What ends the reach of a word: another number, the end of a line, the end of a sentence (but not of an abbreviation).
_UP_TO_BARRIER = r"(?s)^.*(?:[0-9]{4}|[!?;\n\r。；]|\p{L}{4}\.\s)"
_FROM_BARRIER = r"(?s)(?:[0-9]{2}|[.,!?;\n\r。；，]).*$"

_THING = (
    naming(words("thing"))
    + r"\p{L}*[\s.:#º°'’-]{0,4}"
    + rf"(?:(?:{words('number')})[\s.:#º°]{{0,4}}){{0,2}}(?:[A-Z]{{1,4}}[-/ ]?)?$"
)


def before() -> pl.Expr:
    """Give what stands before a candidate in its sentence, after the number before it."""
    return pl.col("before").str.replace(_UP_TO_BARRIER, "")


def after() -> pl.Expr:
    """Give what stands right behind a candidate in its part of the sentence."""
    return pl.col("after").str.replace(_FROM_BARRIER, "").str.replace(r"^\s*[(（]", " ")


def named(expression: str) -> pl.Expr:
    """Tell whether words, an expression of :func:`.vocabulary.naming`, stand near a candidate."""
    return before().str.contains(expression) | after().str.contains(expression)


def thing() -> pl.Expr:
    """Tell whether a candidate is called the number of an order, an invoice, a version or another thing."""
    return pl.col("before").str.contains(_THING)


def alone() -> pl.Expr:
    """Tell whether a candidate is no piece of a longer number or word."""
    return ~pl.col("after").str.contains(r"^(?:[0-9A-Za-z_@]|[-./,:+][0-9])")
