"""
===========================================
Finding the best slope of a sigmoid, unseen
===========================================

How good is a perceptron on MNIST whose activation is ``1 / (1 + exp(-c x))``? That
depends on the slope ``c``. A Synthetic Petri Dish [1]_ is shown 15 slopes from one
interval, all of them to the right of the best one, and predicts the others. It runs
each slope in a network of a few neurons, so it finds the peak and the fall-off beyond
it; a network that only sees the number ``c`` cannot.

.. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic Petri
   Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020, section 4.1.
"""

# %%
# The ground truth: validation errors of fully trained networks, several runs each. Of
# 30 slopes in the training interval, 15 are learned from and 15 check the settings, as
# in the paper; all others are only predicted.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from sk_petridish import PetriDishRegressor
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.datasets import load_sigmoid_slopes

LOW, HIGH = 0.37, 1.50

table = load_sigmoid_slopes()
slopes, errors = table.data.ravel(), table.target
inside = (slopes >= LOW) & (slopes <= HIGH)
chosen = np.random.default_rng(0).permutation(np.flatnonzero(inside))[:30]
train, validation = chosen[:15], chosen[15:]

# %%
# Three surrogates: the dish, the same dish with its first, unlearned data, and the
# paper's control, a small perceptron on the slope itself.
surrogates = {
    "dish": PetriDishRegressor(random_state=0, verbose=True),
    "unlearned dish": PetriDishRegressor(max_iter=0, random_state=0),
    "control": NeuralSurrogate(random_state=0),
}
grid = np.r_[0.01:0.5:0.02, 0.5:2.02:0.05][:, None]  # finer where the peak is
curves = {}
print(f"measured: best slope {table.peak:.2f}, 90 % interval {table.peak_interval.round(2)}")
for name, surrogate in surrogates.items():
    surrogate.fit(table.data[train], errors[train])
    predicted = surrogate.predict(table.data)
    curves[name] = surrogate.predict(grid)
    mse = np.mean((predicted - errors)[validation] ** 2) / errors[train].var()
    print(
        f"{name}: best slope {grid[curves[name].argmin(), 0]:.2f}, rank correlation outside the "
        f"interval {spearmanr(predicted[~inside], errors[~inside]).statistic:.2f}, left of it "
        f"{spearmanr(predicted[slopes < LOW], errors[slopes < LOW]).statistic:.2f}, "
        f"error on the validation points {mse:.3f}"
    )


# %%
# Figure 1 of the paper: predicted against measured, the training interval shaded.
def draw(title, names, path):
    """Plot predictions of some surrogates over the ground truth."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.axvspan(LOW, HIGH, color="tab:blue", alpha=0.12, label="training interval")
    axes.errorbar(
        slopes,
        100 * (1 - errors),
        yerr=100 * table.target_stderr,
        fmt="D",
        markersize=3.5,
        linewidth=0.8,
        color="tab:blue",
        label="ground truth",
    )
    axes.plot(
        slopes[train], 100 * (1 - errors[train]), "o", mfc="none", color="k", label="learned from"
    )
    for name, color in names.items():
        axes.plot(grid, 100 * (1 - curves[name]), color=color, linewidth=2, label=name)
    axes.set(
        xlabel="slope of the sigmoid", ylabel="validation accuracy, %", title=title, xlim=(0, 2.03)
    )
    # The smallest slopes, down to 86 %, would flatten everything else.
    axes.set_ylim(94, 98)
    axes.legend(loc="lower center", frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"wrote {path}")


figures = Path("figures")
draw(
    "A dish predicts the peak that it was not shown",
    {"dish": "tab:green", "control": "tab:red"},
    figures / "sigmoid_slope_figure_1.png",
)

# %%
# Figure 4: before any learning, the dish already knows something of the motif.
draw(
    "The same dish with its first, unlearned data",
    {"unlearned dish": "tab:green"},
    figures / "sigmoid_slope_figure_4.png",
)
