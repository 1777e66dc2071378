"""All motif-networks as a module, for libraries that take one."""

from __future__ import annotations

from torch import Tensor, nn

from .plain_torch import forward
from .problem import NAMES


class Networks(nn.Module):
    """All motif-networks as a module.

    Parameters
    ----------
    theta : dict of Tensor
        Initial weights.
    slopes : Tensor of shape (n_motifs, 1, 1)
        Motifs.
    """

    def __init__(self, theta: dict[str, Tensor], slopes: Tensor) -> None:
        super().__init__()
        for name, value in theta.items():
            self.register_parameter(name, nn.Parameter(value))
        self.slopes = slopes

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits."""
        return forward({name: getattr(self, name) for name in NAMES}, self.slopes, x)
