"""Displays: what a surrogate predicts, how it learned, what it learned, what it found."""

from ._motif import MotifDisplay
from ._outer_loop import OuterLoopDisplay
from ._parameter import ParameterDisplay
from ._search import SearchDisplay
from ._surrogate import SurrogateDisplay
from ._synthetic_data import SyntheticDataDisplay

__all__ = [
    "MotifDisplay",
    "OuterLoopDisplay",
    "ParameterDisplay",
    "SearchDisplay",
    "SurrogateDisplay",
    "SyntheticDataDisplay",
]
