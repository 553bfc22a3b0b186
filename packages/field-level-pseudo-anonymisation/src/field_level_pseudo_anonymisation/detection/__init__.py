"""Detection of personal data in free text: where it stands and what it is."""

from field_level_pseudo_anonymisation.detection.detector import Detector
from field_level_pseudo_anonymisation.detection.entities import Entity

__all__ = ["Detector", "Entity"]
