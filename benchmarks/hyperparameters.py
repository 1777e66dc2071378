"""The selection of hyperparameters of appendix A.1: what it takes, and what it gives.

``--parts time`` times a grid search of 50 settings in five folds on 30 slopes, with one
dish each and two processes. ``--parts quality`` selects settings within the ranges of
Table 2 as appendix A.1 does, 15 slopes to learn from and 15 to choose by, and compares
what is found with the published setting and with what the motif space recommends, on the
slopes outside of the interval::

    python benchmarks/hyperparameters.py --n-seeds 5

prints both tables and writes them to ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from sk_petridish import PetriDishRegressor
from sk_petridish.datasets import load_sigmoid_slopes
from sk_petridish.metrics import spearman_score
from sk_petridish.model_selection import outer_mse_scorer, select_hyperparameters
from sk_petridish.motifs import SigmoidSlope

LOW, HIGH = 0.37, 1.50
GRID = np.arange(0.01, 2.011, 0.01)[:, None]
RESULTS = Path(__file__).parent / "results"


def known_slopes(seed: int) -> np.ndarray:
    """Choose the 30 slopes that a search may know."""
    slopes = load_sigmoid_slopes().data.ravel()
    inside = np.flatnonzero((slopes >= LOW) & (slopes <= HIGH))
    return np.random.default_rng(seed).permutation(inside)[:30]


def time_grid() -> str:
    """Time 250 fits and a last one, in a process that has its kernels on disk."""
    table = load_sigmoid_slopes()
    known = known_slopes(0)
    grid = {
        "inner_lr": [0.001, 0.002, 0.004, 0.007, 0.01],
        "outer_lr": [0.01, 0.02, 0.03, 0.04, 0.05],
        "n_hidden": [1, 3],
    }
    settings = {
        "best": SigmoidSlope().recommended("best"),
        "paper": SigmoidSlope().recommended("paper"),
    }
    lines = [f"{platform.machine()}, {joblib.cpu_count()} cores: 50 settings, 5 folds, 30 slopes"]
    for name, recommended in settings.items():
        dish = PetriDishRegressor(**recommended, n_dishes=1, random_state=0)
        search = GridSearchCV(
            dish,
            grid,
            cv=KFold(5, shuffle=True, random_state=0),
            scoring=outer_mse_scorer,
            n_jobs=2,
        )
        start = time.perf_counter()
        search.fit(table.data[known], table.target[known])
        seconds = time.perf_counter() - start
        fit = search.cv_results_["mean_fit_time"]
        lines.append(
            f"{name:6s} settings around the grid: {seconds:6.1f} s in two processes; a fit "
            f"{np.median(fit):.2f} s (median), {fit.max():.2f} s (slowest)"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def choose(method: str, seed: int) -> PetriDishRegressor:
    """Return a dish with the settings that a method chooses, unfitted."""
    table = load_sigmoid_slopes()
    known = known_slopes(seed)
    if method in ("published", "recommended"):
        name = {"published": "paper", "recommended": "best"}[method]
        return PetriDishRegressor(**SigmoidSlope().recommended(name), random_state=seed)
    search = select_hyperparameters(
        PetriDishRegressor(n_dishes=1, random_state=seed),
        table.data[known],
        table.target[known],
        method=method,
        n_jobs=2,
        random_state=seed,
    )
    return search.best_estimator_.set_params(n_dishes=24)


def quality(n_seeds: int) -> str:
    """Compare what is chosen on slopes that nothing was chosen by."""
    table = load_sigmoid_slopes()
    slopes, errors = table.data.ravel(), table.target
    outside = (slopes < LOW) | (slopes > HIGH)
    lines = [
        f"24 dishes with the chosen setting, 15 slopes to learn from, {n_seeds} seeds: median "
        "[worst]",
        f"{'':14s}{'Spearman outside':>20s}{'left of it':>18s}{'|peak - measured|':>20s}"
        f"{'search, s':>12s}",
    ]
    for method in ("published", "random", "optuna", "recommended"):
        rows = []
        for seed in range(n_seeds):
            start = time.perf_counter()
            dish = choose(method, seed)
            seconds = time.perf_counter() - start
            train = known_slopes(seed)[:15]
            dish.fit(table.data[train], errors[train])
            predicted = dish.predict(table.data)
            rows.append(
                (
                    spearman_score(errors[outside], predicted[outside]),
                    spearman_score(errors[slopes < LOW], predicted[slopes < LOW]),
                    abs(GRID[dish.predict(GRID).argmin(), 0] - table.peak),
                    seconds,
                )
            )
            print(method, seed, np.round(rows[-1], 3), flush=True)
        values = np.array(rows).T
        lines.append(
            f"{method:14s}"
            f"{f'{np.median(values[0]):.3f} [{values[0].min():.3f}]':>20s}"
            f"{f'{np.median(values[1]):.3f} [{values[1].min():.3f}]':>18s}"
            f"{f'{np.median(values[2]):.3f} [{values[2].max():.3f}]':>20s}"
            f"{np.median(values[3]):12.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the asked parts, print and keep them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", default=["time", "quality"])
    parser.add_argument("--n-seeds", type=int, default=5)
    arguments = parser.parse_args()
    # One dish in a few hundred does not converge; that is what is compared here.
    warnings.simplefilter("ignore")
    parts = {"time": time_grid, "quality": lambda: quality(arguments.n_seeds)}
    for name in arguments.parts:
        report = parts[name]()
        print(report)
        (RESULTS / f"hyperparameters_{name}.txt").write_text(report + "\n")


if __name__ == "__main__":
    main()
