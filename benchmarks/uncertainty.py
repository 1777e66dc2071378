"""Whether the standard deviation of a prediction is that of its error.

Each seed draws 15 slopes from 0.37 to 1.50 to learn from, and everything random in the
surrogates. Errors are judged on the other slopes of that interval, which are like those
learned from, and on those outside of it, which are not::

    python benchmarks/uncertainty.py --n-seeds 10

prints the table and writes it to ``benchmarks/results/``. Coverage is the share of
measured losses within the central interval of a normal distribution around the prediction:
0.5, 0.68 and 0.9 are what it should be. The last column is the mean logarithmic score in
units of the training losses' standard deviation; lower is better, and a few confident
errors weigh heavily.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sk_petridish import PetriDishRegressor
from sk_petridish.datasets import load_sigmoid_slopes

LOW, HIGH = 0.37, 1.50
LEVELS = (0.5, 0.68, 0.9)
RESULTS = Path(__file__).parent / "results" / "uncertainty.txt"

Predictions = tuple[NDArray[np.float64], NDArray[np.float64]]


def dish(X: NDArray, y: NDArray, everywhere: NDArray, seed: int) -> Predictions:
    """Predict by a dish with its defaults."""
    return PetriDishRegressor(random_state=seed).fit(X, y).predict(everywhere, return_std=True)


def dish_spread(X: NDArray, y: NDArray, everywhere: NDArray, seed: int) -> Predictions:
    """Predict by a dish that leaves nothing out: the spread over dishes as it is."""
    surrogate = PetriDishRegressor(random_state=seed, oob_fraction=0).fit(X, y)
    return surrogate.predict(everywhere, return_std=True)


def unlearned(X: NDArray, y: NDArray, everywhere: NDArray, seed: int) -> Predictions:
    """Predict by unlearned dishes."""
    surrogate = PetriDishRegressor(random_state=seed, max_iter=0).fit(X, y)
    return surrogate.predict(everywhere, return_std=True)


def gaussian_process(X: NDArray, y: NDArray, everywhere: NDArray, seed: int) -> Predictions:
    """Predict by a Gaussian process on the slope, with noise."""
    kernel = ConstantKernel() * Matern(nu=2.5) + WhiteKernel(0.1)
    surrogate = GaussianProcessRegressor(
        kernel, normalize_y=True, n_restarts_optimizer=5, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hyperparameters at the end of their range
        return surrogate.fit(X, y).predict(everywhere, return_std=True)


def random_forest(X: NDArray, y: NDArray, everywhere: NDArray, seed: int) -> Predictions:
    """Predict by a random forest on the slope: the spread over its trees."""
    forest = RandomForestRegressor(500, random_state=seed).fit(X, y)
    trees = np.array([tree.predict(everywhere) for tree in forest.estimators_])
    return trees.mean(axis=0), trees.std(axis=0)


METHODS = {
    "dish": dish,
    "dish, spread as it is": dish_spread,
    "dish, unlearned": unlearned,
    "Gaussian process": gaussian_process,
    "random forest": random_forest,
}


def evaluate(method: str, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return each region's errors in standard deviations, and these in those of the losses."""
    table = load_sigmoid_slopes()
    slopes, errors = table.data.ravel(), table.target
    inside = (slopes >= LOW) & (slopes <= HIGH)
    train = np.random.default_rng(seed).permutation(np.flatnonzero(inside))[:15]
    scale = errors[train].std()
    predicted, std = METHODS[method](table.data[train], errors[train], table.data, seed)
    std = np.maximum(std, 1e-3 * scale)
    others = inside.copy()
    others[train] = False
    return {
        region: np.array([(errors - predicted)[chosen] / std[chosen], std[chosen] / scale])
        for region, chosen in {"inside": others, "outside": ~inside}.items()
    }


def summary(results: dict[str, list[dict[str, NDArray[np.float64]]]]) -> str:
    """Lay the figures out."""
    n_seeds = len(next(iter(results.values())))
    lines = [
        f"15 slopes to learn from, {n_seeds} seeds; coverage: mean over the seeds [worst]",
        f"{'':32s}"
        + "".join(f"{f'{level:.0%}':>14s}" for level in LEVELS)
        + "   median std   score",
    ]
    for region in ("inside", "outside"):
        for method, runs in results.items():
            cells = []
            for level in LEVELS:
                covered = [
                    np.mean(np.abs(run[region][0]) < norm.ppf(0.5 + level / 2)) for run in runs
                ]
                worst = covered[int(np.argmax(np.abs(np.array(covered) - level)))]
                cells.append(f"{f'{np.mean(covered):.2f} [{worst:.2f}]':>14s}")
            z, std = np.concatenate([run[region] for run in runs], axis=1)
            score = np.mean(np.log(std) + z**2 / 2 + np.log(2 * np.pi) / 2)
            lines.append(
                f"{region + ': ' + method:32s}{''.join(cells)}{np.median(std):13.2f}{score:8.2f}"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the comparison, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-seeds", type=int, default=10)
    parser.add_argument("--n-jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    results = {
        method: joblib.Parallel(arguments.n_jobs)(
            joblib.delayed(evaluate)(method, seed) for seed in range(arguments.n_seeds)
        )
        for method in METHODS
    }
    report = summary(results)
    print(report)
    RESULTS.write_text(report + "\n")


if __name__ == "__main__":
    main()
