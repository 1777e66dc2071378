"""What measures the motifs of a space, as it recommends."""

from __future__ import annotations

import joblib
import numpy as np

from sk_petridish.motifs import MotifSpace

from ._regressor import PetriDishRegressor
from ._transformer import PetriDishTransformer

Bank = tuple[str, PetriDishTransformer]
Seed = int | np.random.RandomState | None


def make_banks(
    motif_space: MotifSpace,
    random_state: Seed,
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
) -> list[Bank]:
    """Make what measures the motifs of a space, block by block.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    random_state : int, RandomState instance or None
        Determines dishes.
    n_jobs : int, default=None
        Threads of dishes.
    memory : str or joblib.Memory, default=None
        Keeps what they measure.

    Returns
    -------
    list of (str, PetriDishTransformer) tuples
        ``"dishes"``, and ``"zero_cost"`` where the space recommends it.
    """
    bank = [
        (name, PetriDishRegressor(**settings, n_jobs=n_jobs))
        for name, settings in motif_space.recommended("bank").items()
    ]
    dishes = PetriDishTransformer(
        motif_space, dishes=bank, average=True, memory=memory, random_state=random_state
    )
    banks = [("dishes", dishes)]
    if (settings := motif_space.recommended("zero_cost")) is not None:
        start = PetriDishRegressor(**settings)
        banks.append(("zero_cost", make_zero_cost(motif_space, start, random_state, memory)))
    return banks


def make_zero_cost(
    motif_space: MotifSpace,
    start: PetriDishRegressor,
    random_state: Seed,
    memory: str | joblib.Memory | None = None,
) -> PetriDishTransformer:
    """Make what measures motifs before any training.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row of ``X`` means.
    start : PetriDishRegressor
        Describes the dishes.
    random_state : int, RandomState instance or None
        Determines them.
    memory : str or joblib.Memory, default=None
        Keeps what is measured.

    Returns
    -------
    PetriDishTransformer
        Means over the dishes.
    """
    return PetriDishTransformer(
        motif_space,
        dishes=[("start", start)],
        curves=(),
        zero_cost=True,
        average=True,
        memory=memory,
        random_state=random_state,
    )
