"""Provably optimal k-anonymity for data frames.

Examples:
    >>> import pandas as pd
    >>> from dataframe_level_anonymisation import KAnonymity, anonymise
    >>> patients = pd.DataFrame({"age": ["25", "26", "36", "37"], "gender": ["M", "M", "F", "F"]})
    >>> result = anonymise(
    ...     patients,
    ...     quasi_identifiers=["age", "gender"],
    ...     hierarchies={"age": "simpl_age", "gender": "simpl_gender"},
    ...     models=[KAnonymity(2)],
    ... )
    >>> result.frame["age"].tolist()
    ['[25, 30)', '[25, 30)', '[35, 40)', '[35, 40)']
"""

from dataframe_level_anonymisation.anonymise import anonymise
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
from dataframe_level_anonymisation.quality_models import (
    AverageClassSize,
    Discernibility,
    Loss,
    NonUniformEntropy,
    Precision,
)
from dataframe_level_anonymisation.result import Result
from dataframe_level_anonymisation.risk import RiskReport, assess_risk

__all__ = [
    "AlphaKAnonymity",
    "AverageClassSize",
    "AverageRisk",
    "BetaLikeness",
    "DeltaDisclosurePrivacy",
    "Discernibility",
    "DistinctLDiversity",
    "EntropyLDiversity",
    "KAnonymity",
    "KMap",
    "Loss",
    "NonUniformEntropy",
    "Precision",
    "PrivacyModel",
    "RecursiveCLDiversity",
    "Result",
    "RiskReport",
    "SampleUniqueness",
    "TCloseness",
    "anonymise",
    "assess_risk",
]
