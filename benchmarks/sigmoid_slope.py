"""How well surrogates predict slopes that they have not seen (section 4.1).

Each seed draws 30 slopes from 0.37 to 1.50, half of them to learn from and half as
the paper's validation points, and everything random in the surrogates. Predictions
are compared with the measured error of the slopes outside that interval::

    python benchmarks/sigmoid_slope.py --n-seeds 10

prints the table and writes it to ``benchmarks/results/``, with a row a seed and method.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator

from sk_petridish import PetriDishRegressor
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.datasets import load_sigmoid_slopes
from sk_petridish.datasets._sigmoid_slopes import local_linear
from sk_petridish.motifs import SigmoidSlope

LOW, HIGH = 0.37, 1.50
GRID = np.arange(0.01, 2.011, 0.01)[:, None]
RESULTS = Path(__file__).parent / "results"
ROWS = RESULTS / "sigmoid_slope.csv"
COLUMNS = ("method", "seed", "outside", "left", "peak", "validation_mse", "n_converged", "seconds")


def surrogates(seed: int) -> dict[str, BaseEstimator]:
    """Every method under comparison."""
    paper = SigmoidSlope().recommended("paper")
    return {
        "dish": PetriDishRegressor(random_state=seed),
        "dish, unlearned": PetriDishRegressor(max_iter=0, random_state=seed),
        "dish, paper's settings": PetriDishRegressor(**paper, random_state=seed),
        "control": NeuralSurrogate(random_state=seed),
    }


def evaluate(method: str, seed: int) -> dict[str, object]:
    """Fit one method with one seed and measure it."""
    table = load_sigmoid_slopes()
    slopes, errors = table.data.ravel(), table.target
    inside = np.flatnonzero((slopes >= LOW) & (slopes <= HIGH))
    chosen = np.random.default_rng(seed).permutation(inside)[:30]
    train, validation = chosen[:15], chosen[15:]
    surrogate = surrogates(seed)[method]
    start = time.perf_counter()
    surrogate.fit(table.data[train], errors[train])
    seconds = time.perf_counter() - start
    predicted = surrogate.predict(table.data)
    outside = (slopes < LOW) | (slopes > HIGH)
    left = slopes < LOW
    scale = errors[train].std()
    converged = [dish.converged for dish in getattr(surrogate, "dishes_", [])]
    return {
        "method": method,
        "seed": seed,
        "outside": spearmanr(predicted[outside], errors[outside]).statistic,
        "left": spearmanr(predicted[left], errors[left]).statistic,
        "peak": GRID[surrogate.predict(GRID).argmin(), 0],
        "validation_mse": np.mean(((predicted - errors)[validation] / scale) ** 2),
        "n_converged": f"{sum(converged)}/{len(converged)}" if converged else "",
        "seconds": seconds,
    }


def ceiling() -> dict[str, NDArray[np.float64]]:
    """Simulate a perfect predictor: the smoothed curve against itself with the runs' noise.

    Returns the 5, 50 and 95 % quantiles of its rank correlations.
    """
    table = load_sigmoid_slopes()
    slopes = table.data.ravel()
    truth = local_linear(np.log(slopes), np.log(slopes)) @ table.target
    n_runs = np.array([(table.runs["slope"] == slope).sum() for slope in slopes])
    run_std = np.sqrt(np.mean(table.target_stderr**2 * n_runs))
    noise = np.random.default_rng(0).normal(size=(1000, len(slopes))) * run_std / np.sqrt(n_runs)
    rows = {"outside": (slopes < LOW) | (slopes > HIGH), "left": slopes < LOW}
    return {
        name: np.quantile(
            [spearmanr(truth[chosen], (truth + one)[chosen]).statistic for one in noise],
            [0.05, 0.5, 0.95],
        )
        for name, chosen in rows.items()
    }


def summary(rows: list[dict[str, object]]) -> str:
    """Lay the figures out: median, quartiles and worst seed of each method."""
    table = load_sigmoid_slopes()
    lines = [
        f"measured peak {table.peak:.3f}, 90 % interval {table.peak_interval.round(3).tolist()}; "
        f"{len(table.target)} slopes, {len(table.runs['run'])} runs",
        "Spearman of a perfect predictor, given the noise of the runs, median [5 %, 95 %]: "
        + ", ".join(f"{n} {m:.2f} [{lo:.2f}, {hi:.2f}]" for n, (lo, m, hi) in ceiling().items()),
        f"machine: {platform.machine()}, {joblib.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "",
        f"{'':24s} {'Spearman outside':>24s} {'Spearman left':>24s} {'peak':>20s} "
        f"{'|peak - measured|':>20s} {'val. MSE':>9s} {'fit, s':>7s}",
        f"{'median [quartiles] min':24s}",
    ]
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        mine = [row for row in rows if row["method"] == method]
        values = {
            name: np.array([float(str(row[name])) for row in mine])
            for name in ("outside", "left", "peak", "validation_mse", "seconds")
        }
        error = np.abs(values["peak"] - table.peak)
        lines.append(
            f"{method:24s} {_spread(values['outside']):>24s} {_spread(values['left']):>24s} "
            f"{_spread(values['peak'], worst=False):>20s} {np.median(error):8.3f} max "
            f"{error.max():.3f} {np.median(values['validation_mse']):9.4f} "
            f"{np.median(values['seconds']):7.1f}"
        )
        hits = (values["outside"] >= 0.94) & (values["left"] >= 0.90) & (error <= 0.06)
        lines.append(
            f"{'':24s} seeds with outside >= 0.94: {(values['outside'] >= 0.94).sum()}, left >= "
            f"0.90: {(values['left'] >= 0.90).sum()}, peak within 0.06: {(error <= 0.06).sum()}, "
            f"all three: {hits.sum()} of {len(mine)}"
        )
    return "\n".join(lines)


def _spread(values: np.ndarray, *, worst: bool = True) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    text = f"{middle:.3f} [{low:.2f}, {high:.2f}]"
    return f"{text} {values.min():.3f}" if worst else text


def read_rows() -> list[dict[str, object]]:
    """Read the rows that were measured before."""
    if not ROWS.exists():
        return []
    with ROWS.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run the comparison, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-seeds", type=int, default=10)
    parser.add_argument("--n-jobs", type=int, default=1, help="processes; 1 for honest seconds")
    parser.add_argument("--methods", nargs="*", default=list(surrogates(0)), help="all by default")
    parser.add_argument("--resume", action="store_true", help="keep rows measured before")
    arguments = parser.parse_args()
    rows = read_rows() if arguments.resume else []
    done = {(row["method"], int(str(row["seed"]))) for row in rows}
    tasks = [(m, seed) for m in arguments.methods for seed in range(arguments.n_seeds)]
    results = joblib.Parallel(arguments.n_jobs, return_as="generator")(
        joblib.delayed(evaluate)(*task) for task in tasks if task not in done
    )
    RESULTS.mkdir(exist_ok=True)
    for row in results:
        rows.append({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
        print(rows[-1], flush=True)
        with ROWS.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    report = summary(rows)
    print(report)
    (RESULTS / "sigmoid_slope.txt").write_text(report + "\n")


if __name__ == "__main__":
    main()
