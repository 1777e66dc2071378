"""Engines: what runs the inner loop, and which one is chosen."""

from ._choice import Engine, NumbaEngine, TorchEngine, choose_engine

__all__ = ["Engine", "NumbaEngine", "TorchEngine", "choose_engine"]
