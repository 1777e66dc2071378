"""Ground truths: the losses of motifs in their whole networks on the real data."""

from sk_petridish.search.ground_truth._language_model import LanguageModelGroundTruth
from sk_petridish.search.ground_truth._mlp import MLPGroundTruth
from sk_petridish.search.ground_truth._tabular import TabularGroundTruth

__all__ = ["LanguageModelGroundTruth", "MLPGroundTruth", "TabularGroundTruth"]
