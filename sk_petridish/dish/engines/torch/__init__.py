"""The reference engine: plain PyTorch."""

from ._engine import TorchEngine

__all__ = ["TorchEngine"]
