"""Displays: what a surrogate predicts, how it learned, and what it learned."""

from ._motif import MotifDisplay
from ._outer_loop import OuterLoopDisplay
from ._parameter import ParameterDisplay
from ._surrogate import SurrogateDisplay
from ._synthetic_data import SyntheticDataDisplay

__all__ = [
    "MotifDisplay",
    "OuterLoopDisplay",
    "ParameterDisplay",
    "SurrogateDisplay",
    "SyntheticDataDisplay",
]
