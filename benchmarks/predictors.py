"""How well surrogates rank architectures that they have not seen, on published tables.

Random splits of a table, the same for every method: some motifs to learn from, the others
to predict. Architectures that are the same network, by the motif space's canonical form,
are one. ``python benchmarks/predictors.py --space recurrent-graph`` (or ``recurrent-cell``,
``conv-cell``, ``sigmoid``) prints Kendall's tau and Spearman's rho on the others, mean and standard
deviation over splits, each of which has its own seeds too, and seconds for learning and
predicting. Rows go to ``benchmarks/results/``, where an interrupted run goes on.

The published tables are read from the folder that ``SK_PETRIDISH_DATA`` names. Only losses
on the task in question are used, and only as targets. The losses of recurrent cells are those
that this project has measured (``examples/experiment_recurrent_cells.py`` and
``benchmarks/laptop_preset.py``), of random cells only.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from structures import structural_features

from sk_petridish import NormalScores, PetriDishRegressor
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.datasets import load_sigmoid_slopes
from sk_petridish.estimators._readers import make_readers
from sk_petridish.estimators._recommended_banks import make_banks, make_zero_cost
from sk_petridish.motifs import (
    ConvCell,
    MotifSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search.ground_truth import TabularGroundTruth

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results"
COLUMNS = ("space", "n_train", "split", "method", "tau", "rho", "seconds")
# Dishes are drawn anew for every split modulo this: banks cost most of the time.
N_BANKS = 2


class Table(NamedTuple):
    """Motifs with losses, one a network."""

    space: MotifSpace
    X: Floats
    y: Floats
    sizes: tuple[int, ...]  # how many to learn from
    n_test: int | None
    dish: dict[str, object]  # settings of the single dishes that are compared


def load(name: str) -> Table:
    """Read a table."""
    if name == "sigmoid":
        slopes = load_sigmoid_slopes()
        space: MotifSpace = SigmoidSlope()
        return Table(space, slopes.data, slopes.target, (16, 40), None, {"n_dishes": 8})
    if name == "recurrent-cell":
        space = RecurrentCell()
        known = TabularGroundTruth(space, *_random_cells(space))
        return Table(space, known.X, known.y, (20, 40), None, {"n_dishes": 8})
    folder = Path(os.environ["SK_PETRIDISH_DATA"])
    if name == "recurrent-graph":
        rows = list(csv.DictReader((folder / "nasbench_nlp.csv").open()))
        space = RecurrentGraph()
        X = space.encode([json.loads(row["recipe"]) for row in rows])
        y = np.array([float(row["ptb_test_loss"]) for row in rows])
        known = TabularGroundTruth(space, X, y)
        return Table(space, known.X, known.y, (16, 40, 80), None, {"n_dishes": 8})
    rows = list(csv.DictReader((folder / "nasbench201.csv").open()))
    # One cell for each class of isomorphic strings, and for each different network.
    first = {row["isomorphism_class"]: row for row in reversed(rows)}
    kept = [first[name] for name in sorted(first)]
    space = ConvCell()
    X = space.encode([row["arch"] for row in kept])
    y = 100 - np.array([float(row["cifar10_test_acc_200ep"]) for row in kept])
    known = TabularGroundTruth(space, X, y)
    chosen = np.random.default_rng(201).permutation(len(known.y))[:328]
    # Learning takes PyTorch minutes a split, so that there is but one dish.
    dish = {"n_dishes": 1, "dtype": "float32", "max_outer_loss": 4.0, "oob_fraction": 0.0}
    return Table(space, known.X[chosen], known.y[chosen], (16, 40, 128), 200, dish)


def _random_cells(space: RecurrentCell) -> tuple[Floats, Floats]:
    """Read the random cells that other benchmarks have trained for twenty seconds each."""
    searched = list(csv.DictReader((RESULTS / "recurrent_cells.csv").open()))
    losses = {row["cell"]: float(row["loss"]) for row in searched if row["iteration"] == "0"}
    for row in csv.DictReader((RESULTS / "laptop_preset.csv").open()):
        if row["training"] == "laptop":
            losses[row["cell"]] = min(float(loss) for loss in row["losses"].split())
    return space.from_string(list(losses)), np.array(list(losses.values()))


class Remembered(TransformerMixin, BaseEstimator):
    """Features that were computed before, by rows."""

    def __init__(self, features: dict[bytes, Floats]) -> None:
        self.features = features

    def fit(self, X: Floats, y: Floats | None = None) -> Remembered:
        """Do nothing."""
        self.fitted_ = True
        return self

    def transform(self, X: Floats) -> Floats:
        """Look features up."""
        return np.array([self.features[row.tobytes()] for row in X])


class Features:
    """All that is computed of motifs without their losses, once, and how long it took."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[tuple[str, int], tuple[Remembered, float]] = {}

    def __call__(self, kind: str, seed: int) -> tuple[Remembered, float]:
        """Return features, and seconds a motif."""
        seed %= N_BANKS
        if (kind, seed) not in self._known:
            start = time.perf_counter()
            features = self._compute(kind, seed)
            seconds = (time.perf_counter() - start) / len(features)
            by_row = {row.tobytes(): one for row, one in zip(self._table.X, features, strict=True)}
            self._known[kind, seed] = Remembered(by_row), seconds
        return self._known[kind, seed]

    def _compute(self, kind: str, seed: int) -> Floats:
        space, X = self._table.space, self._table.X
        if kind == "structure":
            return structural_features(space, X)
        if kind == "raw":
            return X
        banks = dict(make_banks(space, seed))
        if kind == "bank":
            return banks["dishes"].fit_transform(X)
        # Where the family's surrogate has no zero-cost block: of its first sort of dish.
        first = PetriDishRegressor(**next(iter(space.recommended("bank").values())))
        return banks.get("zero_cost", make_zero_cost(space, first, seed)).fit_transform(X)


def readers(features: Features, seed: int, *kinds: str) -> tuple[BaseEstimator, float]:
    """Make the mean of one average of regressors per block of features, and time the blocks."""
    blocks, seconds = [], 0.0
    for kind in kinds:
        block, its_seconds = features(kind, seed)
        blocks.append((kind, make_pipeline(block, VotingRegressor(make_readers(seed)))))
        seconds += its_seconds
    return TransformedTargetRegressor(VotingRegressor(blocks), transformer=NormalScores()), seconds


Made = tuple[BaseEstimator, float]


def methods(table: Table, features: Features) -> dict[str, Callable[[int], Made]]:
    """Name every method under comparison: it gives a regressor, and seconds a motif."""
    space, dish = table.space, table.dish

    # Choices have no order: of a row of them, regressors see which ones were made.
    choices = isinstance(space, ConvCell | RecurrentCell | RecurrentGraph)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False) if choices else None

    def scored(regressor: BaseEstimator) -> Made:
        whole = make_pipeline(encoder or StandardScaler(), regressor)
        return TransformedTargetRegressor(whole, transformer=NormalScores()), 0.0

    blocks = ("bank", "zero-cost") if space.recommended("zero_cost") else ("bank",)
    kernel = Matern(1.0, (1e-2, 1e3), nu=2.5) + WhiteKernel(0.1, (1e-4, 1e1))
    made = {
        "bank of dishes": lambda seed: readers(features, seed, *blocks),
        "bank and structure": lambda seed: readers(features, seed, *blocks, "structure"),
    }
    if len(blocks) > 1:
        made["bank without zero-cost"] = lambda seed: readers(features, seed, "bank")
    return made | {
        "zero-cost alone": lambda seed: readers(features, seed, "zero-cost"),
        "structure alone": lambda seed: readers(features, seed, "structure"),
        "dish": lambda seed: (PetriDishRegressor(space, random_state=seed, **dish), 0.0),
        "dish, unlearned": lambda seed: (
            PetriDishRegressor(space, random_state=seed, **(dish | {"max_iter": 0})),
            0.0,
        ),
        "Gaussian process": lambda seed: scored(GaussianProcessRegressor(kernel, normalize_y=True)),
        "random forest": lambda seed: scored(RandomForestRegressor(300, random_state=seed)),
        "gradient boosting": lambda seed: scored(GradientBoostingRegressor(random_state=seed)),
        "control": lambda seed: (NeuralSurrogate(random_state=seed), 0.0),
    }


def splits(table: Table, n_train: int, n_splits: int) -> Iterator[tuple[int, Floats, Floats]]:
    """Return the rows to learn from and those to predict."""
    for split in range(n_splits):
        order = np.random.default_rng([n_train, split]).permutation(len(table.y))
        stop = None if table.n_test is None else n_train + table.n_test
        yield split, order[:n_train], order[n_train:stop]


def measure(table: Table, made: Made, train: Floats, test: Floats) -> dict[str, float]:
    """Fit one method and rank the others."""
    regressor, seconds = made
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dishes that do not converge, of kernels' bounds
        predicted = regressor.fit(table.X[train], table.y[train]).predict(table.X[test])
    seconds = seconds * (len(train) + len(test)) + time.perf_counter() - start
    # What predicts the same for all ranks nothing.
    tau = np.nan_to_num(kendalltau(predicted, table.y[test])[0])
    rho = np.nan_to_num(spearmanr(predicted, table.y[test])[0])
    return {"tau": round(tau, 4), "rho": round(rho, 4), "seconds": round(seconds, 2)}


def table_of(rows: list[dict[str, str]]) -> str:
    """Summarise the rows of a space."""
    lines = [f"machine: {platform.machine()}, one core, Python {platform.python_version()}"]
    for n_train in sorted({int(row["n_train"]) for row in rows}):
        lines.append(f"\n{n_train} motifs to learn from")
        lines.append(f"{'':24}{'Kendall':>16}{'Spearman':>16}{'seconds':>10}{'splits':>8}")
        ours = [row for row in rows if int(row["n_train"]) == n_train]
        for method in dict.fromkeys(row["method"] for row in ours):
            own = [row for row in ours if row["method"] == method]
            tau, rho, seconds = (
                np.array([float(row[name]) for row in own]) for name in ("tau", "rho", "seconds")
            )
            lines.append(
                f"{method:24}{tau.mean():9.3f} ± {tau.std():.3f}{rho.mean():9.3f} ± "
                f"{rho.std():.3f}{np.median(seconds):11.1f}{len(own):8d}"
            )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--space",
        choices=("recurrent-graph", "recurrent-cell", "conv-cell", "sigmoid"),
        required=True,
    )
    parser.add_argument("--n-splits", type=int, default=10)
    parser.add_argument("--n-train", type=int, nargs="+", help="only these")
    parser.add_argument("--methods", nargs="+", help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / f"predictors_{arguments.space}.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    done = {(int(row["n_train"]), int(row["split"]), row["method"]) for row in rows}
    table = load(arguments.space)
    features = Features(table)
    made = methods(table, features)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not rows:
            writer.writeheader()
        for method in arguments.methods or made:
            for n_train in arguments.n_train or table.sizes:
                for split, train, test in splits(table, n_train, arguments.n_splits):
                    if (n_train, split, method) in done:
                        continue
                    row = {"space": arguments.space, "n_train": n_train, "split": split}
                    row |= {"method": method}
                    row |= measure(table, made[method](split), train, test)
                    writer.writerow(row)
                    file.flush()
                    rows.append({name: str(value) for name, value in row.items()})
    summary = table_of(rows)
    print(summary)
    path.with_suffix(".txt").write_text(summary + "\n")


if __name__ == "__main__":
    main()
