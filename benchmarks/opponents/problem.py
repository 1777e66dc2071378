"""The problem that all implementations solve.

Motif-networks 10 -> 1 -> 1 -> 10 with sigmoids of different slopes, trained by 250
steps of Adam on 20 samples (section 4.1); wanted is the gradient of the outer loss
with respect to the synthetic inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_petridish.blueprints import Widths
from sk_petridish.dish import DishSettings, InitialWeights, InnerLoop, draw_dish
from sk_petridish.tasks import GaussianTask

Floats = NDArray[np.float32]

LR, L2 = 0.01, 1e-5
BETA_1, BETA_2, EPSILON, UNDER_ROOT = 0.9, 0.999, 1e-8, 1e-16
NAMES = ("w1", "b1", "w2", "b2", "w3", "b3")


class Problem(NamedTuple):
    """Data, initial weights and motifs.

    Parameters
    ----------
    slopes, losses : ndarray of shape (n_motifs,)
        Motifs and their normalised ground truth.
    settings : DishSettings
        The dish.
    x_train, x_valid : ndarray of shape (n_samples, 10)
        Synthetic inputs.
    y : ndarray of shape (n_samples, 10)
        Labels of both.
    theta_init : dict of ndarray
        Weights and biases of the three layers.
    """

    slopes: Floats
    losses: Floats
    settings: DishSettings
    x_train: Floats
    x_valid: Floats
    y: Floats
    theta_init: dict[str, Floats]


def make(n_motifs: int, n_hidden: int = 1, steps: int = 250, n_samples: int = 20) -> Problem:
    """Draw the problem."""
    slopes = np.linspace(0.37, 1.5, n_motifs)
    losses = np.abs(np.log(slopes / 0.23))
    settings = DishSettings(
        widths=Widths(10, n_hidden, 10),
        n_synthetic=n_samples,
        task=GaussianTask(),
        validation_data="separate",
        learn_labels=False,
        initial_weights=InitialWeights("normal", 1.0),
        inner=InnerLoop(steps, LR, L2, "adam", "bce", 1),
        statistic="final_valid",
    )
    dish = draw_dish(settings, seed=0)
    shapes = [(10, n_hidden), (n_hidden, n_hidden), (n_hidden, 10)]
    theta = {}
    # Layers stand at positions 1, 3 and 5 of the blueprint, activations between them.
    for layer, (n_in, n_out) in enumerate(shapes, start=1):
        for role, shape in (("weight", (n_in, n_out)), ("bias", (1, n_out))):
            drawn = settings.initial_weights.draw(0, 2 * layer - 1, role, shape, n_in)
            theta[f"{role[0]}{layer}"] = drawn.astype(np.float32)
    return Problem(
        slopes=slopes.astype(np.float32),
        losses=((losses - losses.mean()) / losses.std()).astype(np.float32),
        settings=settings,
        x_train=dish.x_train.astype(np.float32),
        x_valid=dish.x_valid.astype(np.float32),
        y=dish.y_train.astype(np.float32),
        theta_init=theta,
    )
