"""The fused engine: kernels that train motif-networks one by one, without a tape."""

from ._engine import curves
from ._numba_engine import NumbaEngine
from ._program import FusedNetwork, without_kernel

__all__ = ["FusedNetwork", "NumbaEngine", "curves", "without_kernel"]
