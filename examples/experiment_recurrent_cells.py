"""
================================================
Experiment 4.2: recurrent cells on Penn Treebank
================================================

The second half of the paper at the scale of one laptop: Algorithm 1 searches the space of NAO
for the recurrent cell of a language model, with dishes between a proposer and the training of
cells. Everybody begins with the same random cells and makes the same number of further
trainings.

The ground truth trains a model of 64 units on 100,000 words of the Penn Treebank, in twenty
seconds on a core (``LanguageModelGroundTruth.preset("laptop")``). The same lines with
``preset("paper")`` and a GPU train the 27 million weights of the paper's models.

Run as it is, this script draws the searches that are recorded in
``benchmarks/results/recurrent_cells.csv``. With ``--search`` it runs those that are missing
there, and goes on with one that was interrupted: ``python examples/experiment_recurrent_cells.py
--search --seeds 3 --jobs 2 --results new.csv`` measures everything anew. That needs the treebank
(see :func:`~sk_petridish.datasets.load_penn_treebank`) and some fifty minutes a seed on one core.
``benchmarks/recurrent_cells.py`` trains the winners again, and says what dishes cost beside a
training.
"""

# %%
# What is searched, and how: the paper's experiment has 40 random cells and three iterations
# in which the best 20 of 100 candidates are trained; a laptop has half of that.
import argparse
import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna

from sk_petridish import make_surrogate
from sk_petridish.datasets import load_penn_treebank
from sk_petridish.inspection import MotifDisplay, SearchDisplay
from sk_petridish.motifs import RecurrentCell
from sk_petridish.search import PetriDishSearch
from sk_petridish.search.ground_truth import LanguageModelGroundTruth
from sk_petridish.search.proposers import NAO, GeneticAlgorithm, RandomSearch

ROOT = Path(sys.argv[0]).resolve().parents[1]
parser = argparse.ArgumentParser(description="Search recurrent cells on Penn Treebank.")
parser.add_argument("--search", action="store_true", help="run what is not recorded")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--init", type=int, default=20, help="random cells at first")
parser.add_argument("--candidates", type=int, default=100, help="proposed in an iteration")
parser.add_argument("--select", type=int, default=10, help="trained in an iteration")
parser.add_argument("--iterations", type=int, default=2)
parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time")
parser.add_argument(
    "--results", type=Path, default=ROOT / "benchmarks" / "results" / "recurrent_cells.csv"
)
parser.add_argument("--work", type=Path, default=Path("figures", "recurrent_cells"))
arguments = parser.parse_args()

space = RecurrentCell()
ground_truth = LanguageModelGroundTruth.preset(
    "laptop", space, checkpoint_dir=arguments.work / "checkpoints"
)
test = LanguageModelGroundTruth.preset(
    "laptop", space, checkpoint_dir=arguments.work / "checkpoints", split="test"
)


# %%
# Five methods. A search with as many candidates as trainings has nothing to rank: its proposer
# searches alone. Random search with partial evaluations stops a training that, after an epoch,
# is worse than the median of those before it; it gets more trainings, which cost about as many
# epochs.
def methods(seed):
    """Make what differs from method to method."""
    surrogate = make_surrogate(
        space,
        random_state=seed,
        n_jobs=arguments.jobs,
        memory=str(arguments.work / "memory"),
    )
    dish = {"surrogate": surrogate, "n_candidates": arguments.candidates}
    alone = {"n_candidates": arguments.select}
    more = round(1.7 * arguments.select)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=arguments.init, n_warmup_steps=0)
    return {
        "dish + GA": {"proposer": GeneticAlgorithm(space), **dish},
        "dish + NAO": {"proposer": NAO(space), **dish},
        "dish + random search": {"proposer": RandomSearch(space), **dish},
        "NAO": {"proposer": NAO(space), **alone},
        "random search, partial": {
            "proposer": RandomSearch(space),
            "n_select": more,
            "n_candidates": more,
            "pruner": pruner,
        },
    }


def search(method, settings, seed):
    """Run a search, or go on with it, and describe its evaluations, a row each."""
    name = f"{method.replace(' ', '_').replace(',', '')}_{seed}"
    log = optuna.storages.journal.JournalFileBackend(str(arguments.work / f"{name}.log"))
    run = PetriDishSearch(
        space,
        ground_truth,
        **({"n_select": arguments.select} | settings),
        n_init=arguments.init,
        n_iterations=arguments.iterations,
        storage=optuna.storages.JournalStorage(log),
        study_name=name,
        n_jobs=arguments.jobs,
        verbose=True,
        random_state=seed,
    )
    result = run.run(reclaim=True)
    if result.interrupted:
        raise SystemExit("Interrupted. The same command goes on from here.")
    spent = {tuple(space.suggest(trial)): trial for trial in result.study.trials}
    rows = []
    for one in result.history:
        trial = spent[tuple(one.motif)]
        rows.append(
            {
                "seed": seed,
                "method": method,
                "iteration": one.iteration,
                "state": one.state,
                "loss": f"{one.loss:.6f}",
                "predicted": f"{one.predicted:.6f}",
                "epochs": len(trial.intermediate_values),
                "cell": " ".join(str(int(number)) for number in one.motif),
                "test_loss": "",
            }
        )
    # The best cell known after each iteration is tested, with the weights that were kept.
    for iteration in range(arguments.iterations + 1):
        best = best_of([row for row in rows if row["iteration"] <= iteration])
        best["test_loss"] = f"{test(motif(best)):.6f}"
    return rows


def best_of(rows):
    """Return the row of smallest loss among those trained to the end."""
    return min(
        (row for row in rows if row["state"] == "complete"), key=lambda row: float(row["loss"])
    )


def motif(row):
    """Read a recorded cell."""
    return space.from_string([row["cell"]])[0]


recorded = []
if arguments.results.exists():
    with arguments.results.open(newline="") as file:
        recorded = list(csv.DictReader(file))
if arguments.search:
    load_penn_treebank()  # where it is missing, say so now
for seed in range(arguments.seeds * arguments.search):
    for method, settings in methods(seed).items():
        if any(row["seed"] == str(seed) and row["method"] == method for row in recorded):
            continue
        arguments.work.mkdir(parents=True, exist_ok=True)
        print(method, "seed", seed, flush=True)
        rows = search(method, settings, seed)
        recorded += [{name: str(value) for name, value in row.items()} for row in rows]
        new = arguments.results.with_suffix(".new")
        with new.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(recorded[0]))
            writer.writeheader()
            writer.writerows(recorded)
        new.replace(arguments.results)
if not recorded:
    raise SystemExit(f"Nothing is recorded in {arguments.results}; --search searches.")


# %%
# What each method has found. Perplexities are exponentials of losses; they are those of small
# models with 2,000 words, far from published ones, and compare methods among each other only.
by_method = {}
for row in recorded:
    by_method.setdefault(row["method"], {}).setdefault(row["seed"], []).append(row)
by_method = {method: list(runs.values()) for method, runs in by_method.items()}
full = max(int(row["epochs"]) for row in recorded)


def milestones(rows):
    """Return trainings spent, in whole ones, and the best cell's test perplexity, by iteration."""
    places, perplexities = [], []
    for iteration in range(1 + max(int(row["iteration"]) for row in rows)):
        known = [row for row in rows if int(row["iteration"]) <= iteration]
        places.append(sum(int(row["epochs"]) for row in known) / full)
        perplexities.append(np.exp(float(best_of(known)["test_loss"])))
    return np.array(places), np.array(perplexities)


for method, runs in by_method.items():
    ends = np.array([milestones(rows)[1][-1] for rows in runs])
    spent = np.mean([milestones(rows)[0][-1] for rows in runs])
    print(
        f"{method:24} test perplexity {ends.mean():.2f} ({' '.join(f'{end:.2f}' for end in ends)}) "
        f"after {spent:.1f} trainings"
    )

# %%
# Figure 3 of the paper: test perplexity of the best cell against trainings, the mean of the
# seeds and their range. On the right, the smallest validation loss after each training.
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
for number, (method, runs) in enumerate(by_method.items()):
    points = np.array([milestones(rows) for rows in runs])
    x, y = points[:, 0].mean(axis=0), points[:, 1]
    left.plot(x, y.mean(axis=0), marker="o", color=f"C{number}", label=method)
    left.fill_between(x, y.min(axis=0), y.max(axis=0), color=f"C{number}", alpha=0.12, linewidth=0)
left.set(xlabel="trainings, in whole ones", ylabel="test perplexity of the best cell")
left.legend(frameon=False)
SearchDisplay.from_losses(
    {
        method: [[float(row["loss"]) for row in rows] for rows in runs]
        for method, runs in by_method.items()
    },
    ax=right,
)
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "recurrent_cells_figure_3.png", dpi=120)

# %%
# Figure 5 of the paper: the best cell found.
best = best_of(recorded)
print(f"best cell: {best['cell']} ({best['method']}, seed {best['seed']})")
figure, ax = plt.subplots(figsize=(10, 4.5), layout="constrained")
MotifDisplay.from_motif(space, motif(best), ax=ax)
figure.savefig(figures / "recurrent_cells_figure_5.png", dpi=120)
