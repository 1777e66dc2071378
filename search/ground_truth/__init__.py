"""Ground truths: train the whole network of a motif on the real data."""

from sk_petridish.search.ground_truth._mlp import MLPGroundTruth

__all__ = ["MLPGroundTruth"]
