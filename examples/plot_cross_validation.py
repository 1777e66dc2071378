"""
======================================
Comparing surrogates on the same folds
======================================

How do a dish, a regressor on what unlearned dishes measure, and regressors on the bare
slope compare? That depends on what is asked of them. Folds at random ask for slopes
between those known, where any smooth curve does. Folds of neighbouring slopes ask for
an interval of which nothing is known, as a search does that looks for something new.
"""

# %%
# All surrogates are scikit-learn regressors, so one function evaluates them.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_petridish import PetriDishRegressor, PetriDishTransformer
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.datasets import load_sigmoid_slopes
from sk_petridish.metrics import kendall_tau_scorer, regret_scorer

table = load_sigmoid_slopes()
order = np.argsort(table.data.ravel())
X, y = table.data[order], table.target[order]


def gaussian_process(length_scale):
    """Return a Gaussian process with noise, for inputs on about that scale."""
    kernel = Matern(length_scale, (1e-3, 1e5), nu=2.5) + WhiteKernel(0.1, (1e-4, 10.0))
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)


surrogates = {
    "dish": PetriDishRegressor(n_dishes=8, random_state=0),
    "bank of unlearned dishes, GP": make_pipeline(
        PetriDishTransformer(random_state=0), StandardScaler(), gaussian_process(10.0)
    ),
    "GP on the slope": make_pipeline(StandardScaler(), gaussian_process(1.0)),
    "random forest": RandomForestRegressor(300, random_state=0),
    "control": NeuralSurrogate(random_state=0),
}
splitters = {
    "folds at random": KFold(5, shuffle=True, random_state=0),
    "folds of neighbours": KFold(5),
}
scoring = {"tau": kendall_tau_scorer, "regret": regret_scorer}

# %%
# Kendall's tau of the predicted order within each fold, and the regret of choosing the
# fold's motif of best prediction, in units of the error: 0.01 is one per cent of accuracy.
rows = []
for split, splitter in splitters.items():
    for name, surrogate in surrogates.items():
        scores = cross_validate(surrogate, X, y, cv=splitter, scoring=scoring, n_jobs=2)
        for fold, (tau, regret) in enumerate(
            zip(scores["test_tau"], -scores["test_regret"], strict=True)
        ):
            rows.append((split, name, fold, tau, regret))
results = pd.DataFrame(rows, columns=["split", "surrogate", "fold", "tau", "regret"])
summary = results.groupby(["split", "surrogate"], sort=False)[["tau", "regret"]]
print(summary.agg(["mean", "min", "max"]).round(4).to_string())

# %%
# A point a fold, and a bar at the mean.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
for ax, split in zip(axes, splitters, strict=True):
    for height, name in enumerate(reversed(surrogates)):
        chosen = results[(results["split"] == split) & (results["surrogate"] == name)]
        color = f"C{len(surrogates) - 1 - height}"
        ax.plot(chosen["tau"], [height] * len(chosen), "o", color=color, alpha=0.6)
        ax.plot(chosen["tau"].mean(), height, "|", color=color, markersize=22, mew=2.5)
    ax.axvline(0, color="0.8", linewidth=1, zorder=0)
    ax.set(title=split, xlabel="Kendall's $\\tau$ within a fold", xlim=(-1.05, 1.05))
    ax.set_yticks(range(len(surrogates)), list(reversed(surrogates)))

figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "cross_validation.png", dpi=150)
print(f"wrote {figures / 'cross_validation.png'}")
