"""Small regressors, and motifs with a smooth loss, for tests."""

import numpy as np

from sk_petridish import PetriDishRegressor

# In no particular order.
SLOPES = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7, 1.1, 0.45])[:, None]
LOSSES = 0.02 + 0.004 * np.abs(np.log(SLOPES.ravel() / 0.23)) ** 1.5

FAST = {
    "n_dishes": 2,
    "n_hidden": 2,
    "n_synthetic": 8,
    "n_batches": 2,
    "inner_steps": 15,
    "max_iter": 4,
    "max_outer_loss": 4.0,
    "random_state": 0,
}


def fast(**changes):
    """Return an unfitted regressor that learns in no time."""
    return PetriDishRegressor(**(FAST | changes))
