"""Ground truths: the losses of motifs in their whole networks on the real data."""

from ._language_model import LanguageModelGroundTruth
from ._mlp import MLPGroundTruth
from ._tabular import TabularGroundTruth

__all__ = ["LanguageModelGroundTruth", "MLPGroundTruth", "TabularGroundTruth"]
