"""Generalisation hierarchies: for each level an array of group codes over a column's values.

Adding a kind: write a :class:`Kind` with its parameters and ``labels``, and name it in ``KINDS``.
"""

from dataframe_level_anonymisation.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from dataframe_level_anonymisation.hierarchies.kind import Kind
from dataframe_level_anonymisation.hierarchies.specifications import BUILT_IN, HIERARCHIES_DIR, KINDS, Spec, parse

__all__ = ["BUILT_IN", "HIERARCHIES_DIR", "KINDS", "SUPPRESSED", "Hierarchy", "Kind", "Spec", "parse"]
