"""Losses of the inner loop, with the labels that each needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from sk_petridish.blueprints import SampleShape, data_kind
from sk_petridish.tasks import LabelKind

# Labels of 0 and 1 are learned from ±2 on, sigmoid(±2) = 0.88 and 0.12: far enough from
# the ends that a gradient reaches them.
_LABEL_LOGIT = 2.0


class InnerLoss(ABC):
    """A loss per motif-network, and the coordinates in which labels are learned."""

    labels: ClassVar[LabelKind]

    @abstractmethod
    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Compare outputs with labels, (..., n_samples, n_outputs) each, to (...)."""

    @abstractmethod
    def unconstrain(self, labels: Tensor) -> Tensor:
        """Turn labels into unconstrained numbers that the outer loop may learn.

        Undoes :meth:`constrain`, except for labels of 0 and 1, which no finite number
        gives.
        """

    @abstractmethod
    def constrain(self, free: Tensor) -> Tensor:
        """Turn unconstrained numbers into labels."""


class BinaryCrossEntropy(InnerLoss):
    """The paper's: an independent yes or no at every output."""

    labels = "binary"

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Compare outputs with labels."""
        losses = F.binary_cross_entropy_with_logits(outputs, labels, reduction="none")
        return losses.mean((-2, -1))

    def unconstrain(self, labels: Tensor) -> Tensor:
        """Turn labels into logits."""
        hard = (labels == 0) | (labels == 1)
        return torch.where(hard, _LABEL_LOGIT * (2 * labels - 1), labels.logit())

    def constrain(self, free: Tensor) -> Tensor:
        """Turn logits into labels."""
        return torch.sigmoid(free)


class CrossEntropy(InnerLoss):
    """One class out of ``n_outputs`` a sample; labels are distributions."""

    labels = "class"

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Compare outputs with labels."""
        return -(labels * outputs.log_softmax(-1)).sum(-1).mean(-1)

    def unconstrain(self, labels: Tensor) -> Tensor:
        """Turn class probabilities into logits with the mean of those of one-hot rows."""
        hard = ((labels == 0) | (labels == 1)).all(-1, keepdim=True)
        from_hard = _LABEL_LOGIT * (2 * labels - 1)
        logits = labels.log()
        mean = _LABEL_LOGIT * (2 / labels.shape[-1] - 1)
        return torch.where(hard, from_hard, logits - logits.mean(-1, keepdim=True) + mean)

    def constrain(self, free: Tensor) -> Tensor:
        """Turn logits into class probabilities."""
        return free.softmax(-1)


class MeanSquaredError(InnerLoss):
    """Regression on real labels."""

    labels = "real"

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Compare outputs with labels."""
        return (outputs - labels).square().mean((-2, -1))

    def unconstrain(self, labels: Tensor) -> Tensor:
        """Real labels are unconstrained already."""
        return labels

    def constrain(self, free: Tensor) -> Tensor:
        """Real labels are unconstrained already."""
        return free


INNER_LOSSES: dict[str, InnerLoss] = {
    "bce": BinaryCrossEntropy(),
    "cross_entropy": CrossEntropy(),
    "mse": MeanSquaredError(),
}
"""Losses of the inner loop, by name."""


def align_labels(
    outputs: Tensor, labels: Tensor, output_shape: SampleShape
) -> tuple[Tensor, Tensor]:
    """Bring outputs and labels to (..., n, n_outputs), where every n has a label.

    Parameters
    ----------
    outputs : Tensor of shape (n_dishes, n_motifs, n_samples, *output_shape, n_outputs)
        Outputs, at all time steps of sequences, and all positions of images.
    labels : Tensor of shape (n_dishes, n_motifs, n_samples[, *output_shape], n_outputs)
        Labels of all of these, or one a sample.
    output_shape : tuple of int
        Axes of an output beside its units.

    Returns
    -------
    outputs, labels : Tensor of shape (n_dishes, n_motifs, n, n_outputs)
        What a loss takes.

    Raises
    ------
    ValueError
        If labels have another shape.
    """
    # Behind dishes, motifs and samples, and before units.
    labelled = tuple(labels.shape[3:-1])
    if labelled == output_shape:
        return outputs.flatten(2, -2), labels.flatten(2, -2)
    if labelled:
        raise ValueError(
            f"Labels are there for the positions {labelled} of a sample, but outputs for "
            f"{output_shape}."
        )
    if data_kind(output_shape) == "sequences":
        # One label a sequence, for its end.
        return outputs[..., -1, :], labels
    # One label an image: a mean over the outputs is global average pooling.
    return outputs.mean((-3, -2)), labels
