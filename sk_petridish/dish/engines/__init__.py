"""Engines: what runs the inner loop, and which one is chosen."""

from ._base import Engine
from ._registry import AUTO, ENGINE_NAMES, choose_engine, register_engine, unregister_engine
from .fused import NumbaEngine
from .torch import TorchEngine

# The one that "auto" prefers comes last.
register_engine(TorchEngine, automatic=True)
register_engine(NumbaEngine, automatic=True)

__all__ = [
    "AUTO",
    "ENGINE_NAMES",
    "Engine",
    "NumbaEngine",
    "TorchEngine",
    "choose_engine",
    "register_engine",
    "unregister_engine",
]
