"""theta_init: the weights from which every motif-network starts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sk_petridish._compat._constraints import reals
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, check_fields


@dataclass(frozen=True)
class InitialWeights:
    """How a dish draws theta_init.

    Every weight is keyed by the dish's seed, its node's key (its position, or the
    name of its weights) and its role, and by nothing else: motif-networks share what
    they have in common (section 3.1), and a prediction does not depend on the rest of
    its batch.

    Parameters
    ----------
    init : {"normal", "fan_in"}
        N(0, 1), the paper's, or that divided by sqrt(fan-in).
    scale : float
        Factor on all of them, biases too.

    Raises
    ------
    ValueError
        If a field is none of these.
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "init": [StrOptions({"normal", "fan_in"})],
        "scale": [reals(0, closed="left")],
    }

    init: Literal["normal", "fan_in"]
    scale: float

    def __post_init__(self) -> None:
        """Refuse values that are none."""
        check_fields(self)

    def draw(
        self, seed: int, key: int, role: str, shape: tuple[int, ...], fan_in: int
    ) -> NDArray[np.float64]:
        """Draw one weight of one dish.

        Parameters
        ----------
        seed : int
            The dish's.
        key : int
            The node's key in its blueprint, :meth:`Blueprint.weight_keys`.
        role : str
            Which of the node's weights.
        shape : tuple of int
            Shape of the weight.
        fan_in : int
            Width of the node's input.

        Returns
        -------
        ndarray of the given shape
            Initial values.
        """
        weights = self.scale * _standard_normal(seed, key, role, shape)
        return weights / np.sqrt(fan_in) if self.init == "fan_in" else weights


class DrawnOnce:
    """Initial weights by motif-networks, kept for as long as these exist."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()

    def get(self, network: Any, given: Hashable, draw: Callable[[], Any]) -> Any:
        """Return what ``draw`` gave for the same network and circumstances.

        Parameters
        ----------
        network : object
            Motif-networks.
        given : hashable
            All else that the weights depend on.
        draw : callable
            Called where there are none yet.

        Returns
        -------
        object
            What ``draw()`` returned.
        """
        kept = self._kept.setdefault(network, {})
        if given not in kept:
            kept[given] = draw()
        return kept[given]

    def __reduce__(self) -> tuple[type[DrawnOnce], tuple[()]]:
        # A copy or a pickle has networks of its own.
        return DrawnOnce, ()


# Motif-networks of other batches have weights in common.
@lru_cache(maxsize=4096)
def _standard_normal(seed: int, key: int, role: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    generator = np.random.default_rng([seed, key, zlib.crc32(role.encode())])
    return generator.standard_normal(shape)
