"""Re-identification risk: three attackers, uniqueness, and what the classes of a table give away as they are.

A class is the set of rows that agree in all quasi-identifiers. Whoever knows somebody's quasi-identifiers finds the
class and can do no better than pick one of its ``f`` rows: the probability of a hit is ``1 / f``.

References:
    K. El Emam, Guide to the De-Identification of Personal Health Information, 2013, chapter 16.
    K. El Emam and F. K. Dankar, Protecting Privacy Using k-Anonymity, JAMIA 15 (5), 2008.
    F. K. Dankar and K. El Emam, A method for evaluating marketer re-identification risk, EDBT/ICDT Workshops 2010.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from dataframe_level_anonymisation.class_sizes import class_sizes, sizes_of
from dataframe_level_anonymisation.classes import Counts, Histogram, TooManyTuples, histogram
from dataframe_level_anonymisation.pregeneralisation import histogram_tuples
from dataframe_level_anonymisation.roles import check_roles
from dataframe_level_anonymisation.sensitive_risk import SensitiveRisk
from util_services.errors import DataServiceError
from util_services.wording import percent

RISK_THRESHOLD = 1 / 11
"""0.09: the risk that EMA Policy 0070 and Health Canada accept for a public release, reached with classes of 11 rows.

Their 0.09 is 1/11 rounded down, so 1/11 itself is used: a class of 11 rows is not above it.
"""

SMALL_TABLE = 50
"""Below so many rows one person is more than 2% of the table, so every share here jumps from person to person."""

DOMINANT_SHARE = 0.9
"""A sensitive value in more than this share of rows can be guessed of anybody in the table, whatever the classes."""


@dataclass(frozen=True)
class Attacker:
    """The risk that an attacker puts a name to a row.

    Attributes:
        highest: Probability for the row at greatest risk, 0 to 1.
        average: Mean probability over the rows, 0 to 1.
        share_above: Share of rows whose probability is above the threshold, 0 to 1.
    """

    highest: float
    average: float
    share_above: float


@dataclass(frozen=True)
class Attackers:
    """Three attackers and uniqueness; all 0 for an empty table.

    Attributes:
        prosecutor: Looks for one person and knows that this person is in the table: ``1 / f``, where ``f`` is the
            size of the class.
        journalist: Looks for anybody and does not know who is in the table: ``1 / F``, where ``F`` is the size of the
            class in the population.
        marketer: Wants as many matches as possible: the share of rows expected to be matched correctly, 0 to 1.
        sample_uniqueness: Share of rows that are alone in their class, 0 to 1.
        population_uniqueness: Share of rows whose class has one member in the population, 0 to 1; ``None`` if the
            population is not known.
        threshold: The risk above which ``share_above`` counts a row, above 0 to 1.
        population_known: Whether a population was given. Without one ``F`` is taken to be ``f``, so that the
            journalist's and the marketer's figures are upper bounds.
    """

    prosecutor: Attacker
    journalist: Attacker
    marketer: float
    sample_uniqueness: float
    population_uniqueness: float | None
    threshold: float
    population_known: bool


def attackers(sizes: Counts, population: Counts | None = None, threshold: float = RISK_THRESHOLD) -> Attackers:
    """Compute the risk of re-identification from class sizes.

    With ``n`` rows in classes of sizes ``f`` and population sizes ``F``: the prosecutor's average is ``classes / n``;
    the marketer's expected share is ``sum(f / F) / n``; the journalist's average is the larger of that (the attacker
    starts from a row) and ``classes / sum(F)`` (the attacker starts from a person of the population).

    Args:
        sizes: Array (classes,): rows of each class, each at least 1.
        population: Array (classes,): members of the population in each class. A number below the class's own size is
            raised to it, since the population contains the table.
        threshold: Risk above which a row counts as at risk, above 0 to 1; default 1/11, which is the 0.09 of EMA
            Policy 0070 and Health Canada.

    Raises:
        DataServiceError: If the threshold is out of range.

    References:
        K. El Emam, Guide to the De-Identification of Personal Health Information, 2013, chapter 16.

    Examples:
        >>> found = attackers(np.array([1, 1, 2, 16]))
        >>> found.prosecutor
        Attacker(highest=1.0, average=0.2, share_above=0.2)
        >>> found.sample_uniqueness
        0.1
    """
    check_threshold(threshold)
    rows = int(sizes.sum())
    uniqueness = _share(sizes[sizes == 1], rows)
    if population is None:
        prosecutor = _attacker(sizes, sizes, threshold, len(sizes) / max(rows, 1))
        return Attackers(
            prosecutor, prosecutor, prosecutor.average, uniqueness, None, threshold, population_known=False
        )
    members = np.maximum(population, sizes)
    expected = float((sizes / members).sum()) / max(rows, 1)
    from_population = len(sizes) / max(int(members.sum()), 1)
    return Attackers(
        prosecutor=_attacker(sizes, sizes, threshold, len(sizes) / max(rows, 1)),
        journalist=_attacker(sizes, members, threshold, max(expected, from_population)),
        marketer=expected,
        sample_uniqueness=uniqueness,
        population_uniqueness=_share(sizes[members == 1], rows),
        threshold=threshold,
        population_known=True,
    )


def check_threshold(threshold: float) -> None:
    """Refuse a risk threshold that is not a probability above 0.

    Raises:
        DataServiceError: If it is not.
    """
    if not 0 < threshold <= 1:
        raise DataServiceError(
            f"The risk_threshold {threshold:g} is not a probability: give a number above 0 and up to 1, such as 0.09."
        )


def threshold_text(threshold: float) -> str:
    """Write a threshold as people quote it.

    Examples:
        >>> threshold_text(1 / 11), threshold_text(0.2)
        ('0.09', '0.2')
    """
    return "0.09" if threshold == RISK_THRESHOLD else f"{threshold:.3g}"


def _attacker(sizes: Counts, members: Counts, threshold: float, average: float) -> Attacker:
    highest = 1 / int(members.min()) if len(members) else 0.0
    return Attacker(highest, average, _share(sizes[1 / members > threshold], int(sizes.sum())))


def _share(of: Counts, rows: int) -> float:
    return int(of.sum()) / rows if rows else 0.0


@dataclass(frozen=True)
class RiskReport:
    """How identifying a table is as it is.

    Attributes:
        rows: Number of rows.
        quasi_identifiers: Column names.
        classes: Sizes of the equivalence classes, ascending.
        population: Array (classes,): members of the population in each class of ``classes``; ``None`` without one.
        k: Size of the smallest class; 0 for an empty table.
        attackers: Risk of re-identification and uniqueness.
        unique_by_column: For each quasi-identifier the share of rows whose value occurs nowhere else, 0 to 1: whom
            the column alone singles out.
        sensitive: One entry a sensitive attribute.
        rows_outside_population: Rows with a combination that the population table does not have, although it should.
        warnings: Sentences for the person who decides; they name columns, never cell values.
    """

    rows: int
    quasi_identifiers: tuple[str, ...]
    classes: Counts
    population: Counts | None
    k: int
    attackers: Attackers
    unique_by_column: dict[str, float]
    sensitive: tuple[SensitiveRisk, ...]
    rows_outside_population: int
    warnings: tuple[str, ...]


def assess_risk(
    frame: Any,
    *,
    quasi_identifiers: Sequence[str],
    sensitive_attributes: Sequence[str] = (),
    population: Any = None,
    risk_threshold: float = RISK_THRESHOLD,
) -> RiskReport:
    """Tell how identifying a table is, without changing it.

    Only a histogram of distinct combinations reaches memory, of no more than the environment variable
    ``HISTOGRAM_TUPLES`` allows; if there are more, only the sizes of their classes do.

    Args:
        frame: pandas, Polars (eager or lazy) or PyArrow table.
        quasi_identifiers: At least one column name.
        sensitive_attributes: Columns worth protecting.
        population: Table of the people among whom an attacker looks, one row a person, with all quasi-identifiers in
            the spelling of ``frame``; it should contain everybody in ``frame``.
        risk_threshold: Risk above which a row counts as at risk, above 0 to 1; default 1/11 (the 0.09 of EMA Policy
            0070 and Health Canada).

    Raises:
        DataServiceError: If a column is unknown, roles overlap, the population lacks a column, or the threshold is out
            of range.

    Examples:
        >>> import pandas as pd
        >>> patients = pd.DataFrame({"age": ["25", "25", "36"], "disease": ["flu", "cold", "flu"]})
        >>> report = assess_risk(patients, quasi_identifiers=["age"], sensitive_attributes=["disease"])
        >>> report.k, report.attackers.sample_uniqueness, report.sensitive[0].distinct_l
        (1, 0.3333333333333333, 1)
    """
    check_threshold(risk_threshold)
    data = nw.from_native(frame).lazy()
    check_roles(data.collect_schema().names(), (), quasi_identifiers, sensitive_attributes)
    people = None if population is None else nw.from_native(population).lazy()
    try:
        tuples = histogram(data, quasi_identifiers, sensitive_attributes, people, most=histogram_tuples())
    except TooManyTuples:
        counted = _counted_elsewhere(data, quasi_identifiers, sensitive_attributes, people)
    else:
        counted = _counted_here(tuples)
    sizes, found, rows = counted.sizes, counted.population, int(counted.sizes.sum())
    members = None if found is None else np.maximum(found, sizes)
    outside = 0 if found is None else int(sizes[found == 0].sum())
    risks = attackers(sizes, members, risk_threshold)
    return RiskReport(
        rows=rows,
        quasi_identifiers=tuple(quasi_identifiers),
        classes=sizes,
        population=members,
        k=int(sizes.min()) if rows else 0,
        attackers=risks,
        unique_by_column=dict(zip(quasi_identifiers, counted.alone, strict=True)),
        sensitive=counted.sensitive,
        rows_outside_population=outside,
        warnings=tuple(_warnings(rows, risks, counted.sensitive, outside)),
    )


@dataclass(frozen=True, eq=False)
class _Counted:
    """What was counted of a table.

    Attributes:
        sizes: Array (classes,): rows of each class, ascending.
        population: Array (classes,): rows of each class in the population table, if there is one.
        alone: For each quasi-identifier the share of rows whose value occurs nowhere else, 0 to 1.
        sensitive: One entry a sensitive attribute.
    """

    sizes: Counts
    population: Counts | None
    alone: Sequence[float]
    sensitive: tuple[SensitiveRisk, ...]


def _counted_here(tuples: Histogram) -> _Counted:
    of_values = (tuples.value_counts(column) for column in range(len(tuples.columns)))
    alone = [_share(counts[counts == 1], tuples.rows) for counts in of_values]
    return _Counted(*sizes_of(tuples), alone, tuple(SensitiveRisk.of_tuples(name, tuples) for name in tuples.sensitive))


def _counted_elsewhere(
    frame: nw.LazyFrame[Any], columns: Sequence[str], sensitive: Sequence[str], population: nw.LazyFrame[Any] | None
) -> _Counted:
    """Count more tuples than memory shall hold where the table is evaluated."""
    sizes, members = class_sizes(frame, columns, population)
    rows = int(sizes.sum())
    of_values = (class_sizes(frame, [column])[0] for column in columns)
    alone = [_share(counts[counts == 1], rows) for counts in of_values]
    return _Counted(
        sizes, members, alone, tuple(SensitiveRisk.of_table(name, frame, columns, rows) for name in sensitive)
    )


def _warnings(rows: int, risks: Attackers, sensitive: Sequence[SensitiveRisk], outside: int) -> list[str]:
    if not rows:
        return ["The table has no rows, so there is nothing to assess."]
    warnings = []
    if rows < SMALL_TABLE:
        warnings.append(small_table(rows))
    if risks.journalist.highest > risks.threshold:
        warnings.append(
            f"{percent(risks.journalist.share_above)} of the rows have a risk of re-identification above the threshold "
            f"of {threshold_text(risks.threshold)}; the highest is {percent(risks.journalist.highest)}. Anonymise the "
            "table before it is shared."
        )
    if not sensitive:
        warnings.append(no_sensitive_attribute())
    warnings += [dominant(each.name, each.largest_share) for each in sensitive if each.largest_share > DOMINANT_SHARE]
    if outside:
        warnings.append(
            f"{outside:,} row{'s' * (outside > 1)} with a combination of quasi-identifiers that the population table "
            "lacks, although it should contain everybody: check that both spell values alike. Such rows are rated as "
            "if nobody outside of the table had their combination."
        )
    return warnings


def small_table(rows: int) -> str:
    """Warn that a table has few rows."""
    return (
        f"The table has only {rows:,} rows, fewer than {SMALL_TABLE}: one person is more than 2% of it, so the shares "
        "here say little, and few people have to be told apart."
    )


def no_sensitive_attribute() -> str:
    """Warn that nothing is known to be worth protecting."""
    return (
        "No sensitive attribute is named, so it was not examined whether people with the same quasi-identifiers also "
        "share what is worth protecting; then their class alone gives it away."
    )


def dominant(column: str, share: float) -> str:
    """Warn that a sensitive value is nearly everybody's."""
    return (
        f"One value of the sensitive attribute {column!r} is in {percent(share)} of the rows: whoever is known to be "
        "in the table very likely has it, whatever is done to the quasi-identifiers."
    )
