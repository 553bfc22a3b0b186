"""Run configuration of the anonymisation ops; the field descriptions show in the Launchpad."""

from typing import Any, Literal

from dagster import Config
from pydantic import Field

from dataframe_level_anonymisation.privacy_models import (
    AlphaKAnonymity,
    AverageRisk,
    BetaLikeness,
    DeltaDisclosurePrivacy,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    KMap,
    PrivacyModel,
    RecursiveCLDiversity,
    SampleUniqueness,
    TCloseness,
)
from dataframe_level_anonymisation.risk import RISK_THRESHOLD
from util_services.errors import DataServiceError

_K = "Every combination of quasi-identifiers shall occur in at least so many rows; a whole number from 1."
_QUASI = "Columns that together could single a person out."
_SENSITIVE = "Column whose values shall not be inferred; it stays as it is."
_ORDERED = "Ground distance: equal, ordered (numbers, by rank) or hierarchical."


class _Roles(Config):
    ident: list[str] = Field(description="Columns that identify a person directly; their cells become *.")
    quasi_identifiers: list[str] = Field(description=_QUASI)


class _Reported(Config):
    population: str | None = Field(
        default=None,
        description="Table of the people among whom an attacker looks, with all quasi-identifiers: a path or "
        "s3://bucket/key, read with the defaults of the reading step.",
    )
    risk_threshold: float = Field(
        default=RISK_THRESHOLD,
        description="Re-identification risk above which a row counts as at risk, above 0 to 1; default 1/11.",
    )
    report_path: str | None = Field(default=None, description="Local jobs: write the report there, .html and .json.")
    report_key: str | None = Field(default=None, description="S3 jobs: write the report there, .html and .json.")
    report_bucket: str | None = Field(
        default=None, description="S3 jobs: bucket of the report, if it is another than the output's."
    )


class _Measure(_Reported):
    supp_level: float = Field(description="Share of rows that may be left out, in per cent, 0 to 100.")
    generalisation_hierarchies: dict[str, Any] = Field(
        description="How each quasi-identifier is coarsened: a name such as simpl_age, a .csv file, or a specification "
        "such as {intervals: {widths: [5, 10]}}."
    )
    recoding: str = Field(
        default="global", description="global: all rows alike; local: search again for the rows left out, less loss."
    )
    quality: str = Field(
        default="loss",
        description="What to minimise: loss, non_uniform_entropy, discernibility, average_class_size or precision.",
    )
    search_budget_seconds: float = Field(
        default=60.0, description="How long more than 20 million combinations of levels are searched."
    )


class RiskReportConfig(_Reported):
    """The risk of a table as it is."""

    quasi_identifiers: list[str] = Field(description=_QUASI)
    sensitive_attributes: list[str] = Field(description="Columns worth protecting.")


class KAnonymityConfig(_Measure, _Roles):
    """k-anonymity."""

    sensitive_attributes: list[str] = Field(description="Columns worth protecting; they stay as they are.")
    k: int = Field(description=_K)

    def models(self) -> list[PrivacyModel]:
        """Give the requirements."""
        return [KAnonymity(self.k)]


class LDiversityConfig(_Measure, _Roles):
    """k-anonymity and l-diversity."""

    sensitive_attribute: str = Field(description=_SENSITIVE)
    k: int = Field(description=_K)
    l: float = Field(description="Number of sensitive values that each class shall be as good as; from 1.")  # noqa: E741 - the model\'s own letter
    diversity: str = Field(default="distinct", description="How they are counted: distinct, entropy or recursive.")
    c: float | None = Field(default=None, description="For recursive (c, l)-diversity: c, above 0.")

    @property
    def sensitive_attributes(self) -> list[str]:
        """The sensitive attribute as a list."""
        return [self.sensitive_attribute]

    def models(self) -> list[PrivacyModel]:
        """Give the requirements.

        Raises:
            DataServiceError: If the kind of diversity is unknown, or c and the kind do not go together.
        """
        if (self.diversity == "recursive") != (self.c is not None):
            raise DataServiceError(
                "Recursive (c, l)-diversity needs c: give a number above 0."
                if self.c is None
                else f"The key c = {self.c:g} goes with diversity: recursive only: leave it out or set that."
            )
        if self.diversity == "recursive":
            return [KAnonymity(self.k), RecursiveCLDiversity(self.c or 0.0, _whole(self.l), self.sensitive_attribute)]
        if self.diversity == "entropy":
            return [KAnonymity(self.k), EntropyLDiversity(self.l, self.sensitive_attribute)]
        if self.diversity == "distinct":
            return [KAnonymity(self.k), DistinctLDiversity(_whole(self.l), self.sensitive_attribute)]
        raise DataServiceError(f"The diversity {self.diversity!r} is unknown: choose distinct, entropy or recursive.")


def _whole(number: float) -> int:
    if number != int(number):
        raise DataServiceError(f"The requirement l = {number:g} is not possible: give a whole number from 1.")
    return int(number)


class TClosenessConfig(_Measure, _Roles):
    """k-anonymity and t-closeness."""

    sensitive_attribute: str = Field(description=_SENSITIVE)
    k: int = Field(description=_K)
    t: float = Field(description="Largest distance of a class's sensitive values from those of the input, 0 to 1.")
    distance: str = Field(default="equal", description=_ORDERED)
    sensitive_hierarchy: Any = Field(
        default=None, description="Hierarchy of the sensitive attribute, for the hierarchical distance."
    )

    @property
    def sensitive_attributes(self) -> list[str]:
        """The sensitive attribute as a list."""
        return [self.sensitive_attribute]

    def models(self) -> list[PrivacyModel]:
        """Give the requirements."""
        return [
            KAnonymity(self.k),
            TCloseness(self.t, self.sensitive_attribute, self.distance, self.sensitive_hierarchy),
        ]


class KAnonymityModel(Config):
    """Every class has at least k rows."""

    kind: Literal["k_anonymity"] = "k_anonymity"
    k: int = Field(description=_K)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return KAnonymity(self.k)


class KMapModel(Config):
    """Every released tuple describes at least k people of the population."""

    kind: Literal["k_map"] = "k_map"
    k: int = Field(description="A whole number from 1; needs population.")

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return KMap(self.k)


class AlphaKAnonymityModel(Config):
    """k-anonymity, and no sensitive value has more than the share alpha of a class."""

    kind: Literal["alpha_k_anonymity"] = "alpha_k_anonymity"
    alpha: float = Field(description="Above 0, at most 1.")
    k: int = Field(description=_K)
    sensitive_attribute: str = Field(description=_SENSITIVE)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return AlphaKAnonymity(self.alpha, self.k, self.sensitive_attribute)


class DistinctLDiversityModel(Config):
    """Every class has at least l distinct sensitive values."""

    kind: Literal["distinct_l_diversity"] = "distinct_l_diversity"
    l: int = Field(description="A whole number from 1.")  # noqa: E741 - the model\'s own letter
    sensitive_attribute: str = Field(description=_SENSITIVE)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return DistinctLDiversity(self.l, self.sensitive_attribute)


class EntropyLDiversityModel(Config):
    """The entropy of the sensitive values in every class is at least log(l)."""

    kind: Literal["entropy_l_diversity"] = "entropy_l_diversity"
    l: float = Field(description="A number from 1.")  # noqa: E741 - the model\'s own letter
    sensitive_attribute: str = Field(description=_SENSITIVE)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return EntropyLDiversity(self.l, self.sensitive_attribute)


class RecursiveCLDiversityModel(Config):
    """In every class the most frequent sensitive value occurs less than c times as often as the rarer ones."""

    kind: Literal["recursive_c_l_diversity"] = "recursive_c_l_diversity"
    c: float = Field(description="Above 0.")
    l: int = Field(description="A whole number from 1.")  # noqa: E741 - the model\'s own letter
    sensitive_attribute: str = Field(description=_SENSITIVE)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return RecursiveCLDiversity(self.c, self.l, self.sensitive_attribute)


class TClosenessModel(Config):
    """In every class the sensitive values are distributed as in the whole input, up to t."""

    kind: Literal["t_closeness"] = "t_closeness"
    t: float = Field(description="From 0 to 1.")
    sensitive_attribute: str = Field(description=_SENSITIVE)
    distance: str = Field(default="equal", description=_ORDERED)
    hierarchy: Any = Field(default=None, description="Hierarchy of the sensitive attribute, for hierarchical.")

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return TCloseness(self.t, self.sensitive_attribute, self.distance, self.hierarchy)


class BetaLikenessModel(Config):
    """In no class does a sensitive value's share exceed its share in the input by more than the factor beta."""

    kind: Literal["beta_likeness"] = "beta_likeness"
    beta: float = Field(description="Above 0.")
    sensitive_attribute: str = Field(description=_SENSITIVE)
    enhanced: bool = Field(default=True, description="Also against -ln p, so that frequent values are protected.")

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return BetaLikeness(self.beta, self.sensitive_attribute, self.enhanced)


class DeltaDisclosurePrivacyModel(Config):
    """In every class every sensitive value's share q is near its share p in the input: |log2(q / p)| < delta."""

    kind: Literal["delta_disclosure_privacy"] = "delta_disclosure_privacy"
    delta: float = Field(description="Above 0.")
    sensitive_attribute: str = Field(description=_SENSITIVE)

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return DeltaDisclosurePrivacy(self.delta, self.sensitive_attribute)


class AverageRiskModel(Config):
    """The average re-identification risk, classes by rows, is at most the threshold."""

    kind: Literal["average_risk"] = "average_risk"
    threshold: float = Field(description="Above 0, at most 1.")

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return AverageRisk(self.threshold)


class SampleUniquenessModel(Config):
    """The share of rows that are alone in their class is at most the threshold."""

    kind: Literal["sample_uniqueness"] = "sample_uniqueness"
    threshold: float = Field(description="From 0 to 1.")

    def requirement(self) -> PrivacyModel:
        """Give the privacy model."""
        return SampleUniqueness(self.threshold)


class Requirement(Config):
    """One privacy model."""

    model: (
        KAnonymityModel
        | KMapModel
        | AlphaKAnonymityModel
        | DistinctLDiversityModel
        | EntropyLDiversityModel
        | RecursiveCLDiversityModel
        | TClosenessModel
        | BetaLikenessModel
        | DeltaDisclosurePrivacyModel
        | AverageRiskModel
        | SampleUniquenessModel
    ) = Field(discriminator="kind", description="A privacy model by its name, with its parameters.")


class AnonymiseConfig(_Measure, _Roles):
    """Any combination of privacy models."""

    sensitive_attributes: list[str] = Field(
        description="Columns worth protecting; they stay as they are. Those of the models need not be repeated."
    )
    requirements: list[Requirement] = Field(
        alias="models", description="What must hold, all at once: {model: {NAME: {parameters}}}."
    )

    def models(self) -> list[PrivacyModel]:
        """Give the requirements."""
        return [each.model.requirement() for each in self.requirements]
