"""Whether twenty seconds of training rank recurrent cells as a longer training does.

``python benchmarks/laptop_preset.py`` trains random cells of NAO's space as
``LanguageModelGroundTruth.preset("laptop")`` does, again with another seed, and longer: twice as
wide, through windows twice as long, on all words of the Penn Treebank, twice. It prints
rank correlations between these losses, after each epoch of the short training too, and the
seconds on one core. Rows go to ``benchmarks/results/``, where an interrupted run goes on. The
treebank is read from the folder that ``SK_PETRIDISH_DATA`` names.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rows import Row, append_rows, read_rows
from scipy.stats import kendalltau, spearmanr

from sk_petridish.motifs import RecurrentCell
from sk_petridish.search.ground_truth import LanguageModelGroundTruth

Floats = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results"
COLUMNS = ("cell", "training", "losses", "seconds")
SPACE = RecurrentCell()
# What differs from the preset.
TRAININGS: dict[str, dict[str, Any]] = {
    "laptop": {},
    "laptop, other seed": {"random_state": 1},
    "longer": {"n_tokens": None, "n_hidden": 128, "n_epochs": 2, "n_time_steps": 20},
}


def train(row: Floats, training: str) -> Row:
    """Train one cell, and describe it."""
    trial = optuna.create_study().ask()
    start = time.process_time()
    LanguageModelGroundTruth.preset("laptop", SPACE, **TRAININGS[training])(row, trial)
    seconds = time.process_time() - start
    values = trial.study.trials[trial.number].intermediate_values
    losses = [values[epoch] for epoch in sorted(values)]
    return {
        "cell": _text(row),
        "training": training,
        "losses": " ".join(f"{loss:.6f}" for loss in losses),
        "seconds": f"{seconds:.1f}",
    }


def _text(row: Floats) -> str:
    return " ".join(str(int(number)) for number in row)


def report(rows: list[Row]) -> str:
    """Correlate the trainings of the cells that have all of a pair."""
    losses = {
        (row["training"], row["cell"]): [float(loss) for loss in row["losses"].split()]
        for row in rows
    }
    lines = []
    for training in TRAININGS:
        ours = [row for row in rows if row["training"] == training]
        if ours:
            best = np.array([min(losses[training, row["cell"]]) for row in ours])
            seconds = np.array([float(row["seconds"]) for row in ours])
            lines.append(
                f"{training:20} {len(ours):3d} cells: loss {best.mean():.3f} ± {best.std():.3f}, "
                f"{np.median(seconds):.0f} s a cell ({seconds.min():.0f} to {seconds.max():.0f})"
            )
    lines.append(f"\n{'rank correlation':50}{'cells':>6}{'Kendall':>10}{'Spearman':>10}")

    def correlate(name: str, short: dict[str, float], other: str) -> None:
        cells = [cell for cell in short if (other, cell) in losses]
        if len(cells) >= 3:
            pair = [short[cell] for cell in cells], [min(losses[other, cell]) for cell in cells]
            tau, rho = kendalltau(*pair)[0], spearmanr(*pair)[0]
            lines.append(f"{name:50}{len(cells):6d}{tau:10.3f}{rho:10.3f}")

    both, longer = ("laptop", "laptop, other seed"), "longer"
    for one, other in (both, ("laptop", longer), ("laptop, other seed", longer)):
        curves = {cell: curve for (training, cell), curve in losses.items() if training == one}
        for epoch in range(1, min(map(len, curves.values()), default=0) + 1):
            best = {cell: min(curve[:epoch]) for cell, curve in curves.items()}
            correlate(f"{one}, epoch {epoch}, with {other}", best, other)
    runs = [{cell: min(losses[name, cell]) for name, cell in losses if name == run} for run in both]
    mean = {cell: (runs[0][cell] + runs[1][cell]) / 2 for cell in runs[0] if cell in runs[1]}
    correlate(f"mean of both seeds, with {longer}", mean, longer)
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-cells", type=int, default=16)
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = RESULTS / "laptop_preset.csv"
    done = {(row["cell"], row["training"]) for row in read_rows(path)}
    cells = SPACE.sample(arguments.n_cells, random_state=100)
    missing = [
        (cell, training)
        for training in arguments.trainings
        for cell in cells
        if (_text(cell), training) not in done
    ]
    parallel = Parallel(arguments.jobs, return_as="generator")
    rows = append_rows(path, COLUMNS, parallel(delayed(train)(*one) for one in missing))
    summary = report(rows)
    print(summary)
    path.with_suffix(".txt").write_text(summary + "\n")


if __name__ == "__main__":
    main()
