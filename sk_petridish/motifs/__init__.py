"""Motif spaces: what a row of ``X`` means, family by family."""

from ._activation_function import ActivationFunction
from ._base import DataKind, Motifs, MotifSpace
from ._conv_cell import ConvCell
from ._graph import MotifEdge, MotifGraph
from ._module_motif import ModuleMotif
from ._product_space import ProductSpace
from ._recurrent_cell import PUBLISHED_CELLS, RecurrentCell
from ._recurrent_graph import RecurrentGraph
from ._sigmoid_slope import SigmoidSlope
from .notation._named_functions import ACTIVATION_FUNCTIONS

__all__ = [
    "ACTIVATION_FUNCTIONS",
    "PUBLISHED_CELLS",
    "ActivationFunction",
    "ConvCell",
    "DataKind",
    "ModuleMotif",
    "MotifEdge",
    "MotifGraph",
    "MotifSpace",
    "Motifs",
    "ProductSpace",
    "RecurrentCell",
    "RecurrentGraph",
    "SigmoidSlope",
]
