"""What the searches of ``examples/experiment_recurrent_cells.py`` were worth, and what dishes cost.

A training of the laptop's preset is noisy, and the best of forty is partly the luckiest. So
``python benchmarks/recurrent_cells.py`` trains the winner of every search again with other
seeds, beside the best of the random cells that all searches began with, and reports the test
perplexities of these trainings. It also reports the mean loss of the cells that each method
chose, and how well the dish ranked those; and seconds on one core: of dishes, a bank and the
paper's, that learn from forty cells and rank a hundred others, and of one training.

Reads ``benchmarks/results/recurrent_cells.csv`` and writes ``recurrent_cells_retrained.csv`` beside
it, where an interrupted run goes on. The treebank is read from the folder that
``SK_PETRIDISH_DATA`` names.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from rows import Row, append_rows, read_rows
from scipy.stats import kendalltau

from sk_petridish import PetriDishRegressor, make_surrogate
from sk_petridish.motifs import RecurrentCell
from sk_petridish.search.ground_truth import LanguageModelGroundTruth

RESULTS = Path(__file__).parent / "results"
START = "best random cell"
SPACE = RecurrentCell()


def winners(rows: list[Row]) -> dict[tuple[str, str], str]:
    """Return the best cell of every search, and of the random ones, by method and seed."""
    found = {}
    for seed in dict.fromkeys(row["seed"] for row in rows):
        ours = [row for row in rows if row["seed"] == seed and row["state"] == "complete"]
        groups = {START: [row for row in ours if row["iteration"] == "0"]}
        for row in ours:
            groups.setdefault(row["method"], []).append(row)
        for method, group in groups.items():
            found[method, seed] = min(group, key=lambda row: float(row["loss"]))["cell"]
    return found


def retrain(cell: str, random_state: int) -> Row:
    """Train a cell with another seed, and test it."""
    ground_truth = LanguageModelGroundTruth.preset(
        "laptop", SPACE, split="test", random_state=random_state
    )
    loss = ground_truth(SPACE.from_string([cell])[0])
    return {"cell": cell, "random_state": str(random_state), "test_loss": f"{loss:.6f}"}


def report(rows: list[Row], retrained: list[Row]) -> str:
    """Summarise searches and the trainings of their winners."""
    found = winners(rows)
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    lines = [f"{'':24}{'test perplexity':>28}{'cells chosen,':>18}{'tau among':>12}"]
    lines.append(f"{'':24}{'of the winner, trained anew':>28}{'mean loss':>18}{'them':>12}")
    for method in dict.fromkeys(method for method, _ in found):
        perplexities = [
            np.exp(
                np.mean(
                    [
                        float(row["test_loss"])
                        for row in retrained
                        if row["cell"] == found[method, seed]
                    ]
                )
            )
            for seed in seeds
        ]
        line = f"{method:24}{np.mean(perplexities):8.2f} ("
        line += f"{' '.join(f'{one:.2f}' for one in perplexities)})".ljust(19)
        chosen = [row for row in rows if row["method"] == method and row["iteration"] != "0"]
        if method == START:  # beside what is chosen, all random ones
            chosen = [row for row in rows if row["iteration"] == "0"]
        if all(row["state"] == "complete" for row in chosen):
            losses = np.array([float(row["loss"]) for row in chosen])
            line += f"{losses.mean():9.4f} ± {losses.std():.4f}"
            taus = _taus(chosen)
            if taus:
                line += f"{np.mean(taus):12.2f}"
        lines.append(line)
    counts = [len([row for row in retrained if row["cell"] == cell]) for cell in found.values()]
    lines.append(f"{len(seeds)} searches a method, {min(counts)} trainings a winner")
    return "\n".join(lines)


def _taus(rows: list[Row]) -> list[float]:
    """Compare predictions with losses, batch by batch."""
    batches: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["predicted"] != "nan":
            batches.setdefault((row["seed"], row["iteration"]), []).append(row)
    return [
        float(
            kendalltau(
                [float(row["loss"]) for row in batch], [float(row["predicted"]) for row in batch]
            )[0]
        )
        for batch in batches.values()
    ]


def processor_seconds(call: Callable[[], object]) -> float:
    """Time a call, on one core."""
    start = time.process_time()
    call()
    return time.process_time() - start


def costs(rows: list[Row]) -> str:
    """Time dishes that learn from a search's cells and rank others, and one training."""
    first = [row for row in rows if row["seed"] == rows[0]["seed"]]
    first = [row for row in first if row["method"] == first[0]["method"]]
    X = SPACE.from_string([row["cell"] for row in first])
    y = np.array([float(row["loss"]) for row in first])
    others = SPACE.sample(100, random_state=0)
    paper = PetriDishRegressor(SPACE, **SPACE.recommended("paper"), n_dishes=1, random_state=0)
    lines = []
    for name, surrogate in {
        "bank of dishes": make_surrogate(SPACE, random_state=0),
        "dish of the paper": paper,
    }.items():
        surrogate.fit(X[:10], y[:10])  # kernels are compiled once on a machine
        fit = processor_seconds(lambda made=surrogate: made.fit(X, y))
        rank = processor_seconds(lambda made=surrogate: made.predict(others))
        lines.append(
            f"{name:24}{fit:6.1f} s to learn from {len(X)} cells, {rank:.1f} s to rank "
            f"{len(others)}"
        )
    train = processor_seconds(lambda: LanguageModelGroundTruth.preset("laptop", SPACE)(X[0]))
    lines.append(f"{'one training':24}{train:6.1f} s")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainings", type=int, default=3, help="of every winner")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    rows = read_rows(RESULTS / "recurrent_cells.csv")
    path = RESULTS / "recurrent_cells_retrained.csv"
    done = {(row["cell"], row["random_state"]) for row in read_rows(path)}
    missing = [
        (cell, seed)
        for seed in range(1, arguments.trainings + 1)
        for cell in dict.fromkeys(winners(rows).values())
        if (cell, str(seed)) not in done
    ]
    parallel = Parallel(arguments.jobs, return_as="generator")
    made = parallel(delayed(retrain)(*one) for one in missing)
    retrained = append_rows(path, ("cell", "random_state", "test_loss"), made)
    kept = set(winners(rows).values())
    summary = report(rows, [row for row in retrained if row["cell"] in kept])
    summary += "\n\n" + costs(rows)
    print(summary)
    (RESULTS / "recurrent_cells.txt").write_text(summary + "\n")


if __name__ == "__main__":
    main()
