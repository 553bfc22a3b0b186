"""Cleaning steps by name."""

from data_processing.steps.columns import (
    DropColumns,
    DropIncompleteColumns,
    JoinColumns,
    RenameColumns,
    ReorderColumns,
    SelectColumns,
    SplitColumn,
)
from data_processing.steps.conditions import FilterRows
from data_processing.steps.conversions import ConvertTypes
from data_processing.steps.dates import DeriveAge, FormatDates
from data_processing.steps.duplicates import RemoveDuplicates
from data_processing.steps.missing import Fill, FillMissingValues, NormaliseMissingMarkers
from data_processing.steps.numeric import BinNumbers, TreatOutliers
from data_processing.steps.rows import DropIncompleteRows, SampleRows, SortRows
from data_processing.steps.step import Inputs, Outcome, Step
from data_processing.steps.tables import JoinTable
from data_processing.steps.texts import ReplacePattern, ReplaceValues, StandardiseText
from data_processing.steps.validation import ValidateSchema

ALL: tuple[type[Step], ...] = (
    RemoveDuplicates,
    NormaliseMissingMarkers,
    FillMissingValues,
    DropIncompleteRows,
    DropIncompleteColumns,
    StandardiseText,
    ReplaceValues,
    ReplacePattern,
    ConvertTypes,
    FormatDates,
    DeriveAge,
    BinNumbers,
    TreatOutliers,
    RenameColumns,
    ReorderColumns,
    SelectColumns,
    DropColumns,
    SplitColumn,
    JoinColumns,
    FilterRows,
    SampleRows,
    SortRows,
    JoinTable,
    ValidateSchema,
)
STEPS: dict[str, type[Step]] = {step.name: step for step in ALL}
"""Every step by the name that run configurations call it."""

__all__ = [
    "STEPS",
    "BinNumbers",
    "ConvertTypes",
    "DeriveAge",
    "DropColumns",
    "DropIncompleteColumns",
    "DropIncompleteRows",
    "Fill",
    "FillMissingValues",
    "FilterRows",
    "FormatDates",
    "Inputs",
    "JoinColumns",
    "JoinTable",
    "NormaliseMissingMarkers",
    "Outcome",
    "RemoveDuplicates",
    "RenameColumns",
    "ReorderColumns",
    "ReplacePattern",
    "ReplaceValues",
    "SampleRows",
    "SelectColumns",
    "SortRows",
    "SplitColumn",
    "StandardiseText",
    "Step",
    "TreatOutliers",
    "ValidateSchema",
]
