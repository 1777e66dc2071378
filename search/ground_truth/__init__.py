"""Ground truths: the losses of motifs in their whole networks on the real data."""

from ._base import TrainedGroundTruth
from ._checkpoint import load_checkpoint
from ._language_model import LanguageModelGroundTruth
from ._mlp import MLPGroundTruth
from ._tabular import TabularGroundTruth
from ._training import Training

__all__ = [
    "LanguageModelGroundTruth",
    "MLPGroundTruth",
    "TabularGroundTruth",
    "TrainedGroundTruth",
    "Training",
    "load_checkpoint",
]
