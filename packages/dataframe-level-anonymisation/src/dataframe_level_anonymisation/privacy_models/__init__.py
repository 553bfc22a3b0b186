"""Privacy models: what every equivalence class, or the released table as a whole, must meet.

Adding a model: write a frozen dataclass with ``name``, ``parameters``, ``attribute`` and ``tests``. The search knows no
more of a model than its tests.
"""

from dataframe_level_anonymisation.privacy_models.closeness import TCloseness
from dataframe_level_anonymisation.privacy_models.diversity import (
    AlphaKAnonymity,
    DistinctLDiversity,
    EntropyLDiversity,
    RecursiveCLDiversity,
)
from dataframe_level_anonymisation.privacy_models.likeness import BetaLikeness, DeltaDisclosurePrivacy
from dataframe_level_anonymisation.privacy_models.model import PrivacyModel, title
from dataframe_level_anonymisation.privacy_models.requirements import (
    ClassTest,
    SizeTest,
    TableTest,
    Test,
    passed,
    worst,
)
from dataframe_level_anonymisation.privacy_models.sizes import AverageRisk, KAnonymity, KMap, SampleUniqueness

__all__ = [
    "AlphaKAnonymity",
    "AverageRisk",
    "BetaLikeness",
    "ClassTest",
    "DeltaDisclosurePrivacy",
    "DistinctLDiversity",
    "EntropyLDiversity",
    "KAnonymity",
    "KMap",
    "PrivacyModel",
    "RecursiveCLDiversity",
    "SampleUniqueness",
    "SizeTest",
    "TCloseness",
    "TableTest",
    "Test",
    "passed",
    "title",
    "worst",
]
