"""Motif spaces: what a row of ``X`` means, family by family."""

from ._base import Motifs, MotifSpace
from ._sigmoid_slope import SigmoidSlope

__all__ = ["MotifSpace", "Motifs", "SigmoidSlope"]
