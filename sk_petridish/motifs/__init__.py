"""Motif spaces: what a row of ``X`` means, family by family."""

from ._base import MotifSpace
from ._sigmoid_slope import SigmoidSlope

__all__ = ["MotifSpace", "SigmoidSlope"]
