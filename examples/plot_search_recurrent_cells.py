"""
===========================
Searching a recurrent cell
===========================

Algorithm 1 of the paper, from the first random cells to the best one found: a recurrent
cell in the space of NAO is to read images of digits row by row and say which digit it has
seen. Each evaluation trains a network of 16 units, which takes a second; one on a language
model takes hours, and then the minutes of the dishes do not count.

In each iteration a genetic algorithm proposes forty cells, dishes rank them, and the
best four are trained. A single search shows how it is done; which method is better,
``benchmarks/search.py`` measures.
"""

# %%
# The ground truth: the validation error of the cell's network. It reports its error after
# every epoch, so that a pruner may end it.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_petridish.inspection import MotifDisplay, SearchDisplay
from sk_petridish.motifs import RecurrentCell
from sk_petridish.search import PetriDishSearch
from sk_petridish.search.proposers import GeneticAlgorithm, RandomSearch

torch.set_num_threads(1)  # tiny tensors
digits = load_digits()
x_train, x_valid, y_train, y_valid = (
    torch.from_numpy(part)
    for part in train_test_split(
        (digits.images / 16).astype(np.float32), digits.target, test_size=0.5, random_state=0
    )
)
space = RecurrentCell(n_nodes=6, gated=False)


def ground_truth(row, trial=None):
    """Cross-entropy after the last row of the image."""
    generator = torch.Generator().manual_seed(0)
    network = space.blueprint(row).build(8, 16, 10, generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for epoch in range(4):
        for batch in torch.randperm(len(x_train), generator=generator).split(32):
            outputs = network(x_train[batch])[:, -1]
            loss = torch.nn.functional.cross_entropy(outputs, y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            error = torch.nn.functional.cross_entropy(network(x_valid)[:, -1], y_valid).item()
        if trial is not None:
            trial.report(error, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    return error


# %%
# With ``storage="sqlite:///search.db"`` or another one a search that is killed goes on
# where it was, when it is run again.
settings = {"n_init": 16, "n_select": 4, "n_iterations": 4, "random_state": 0}
proposer = GeneticAlgorithm(space, n_parents=6)
searches = {
    "dish + GA": PetriDishSearch(
        space, ground_truth, proposer=proposer, n_candidates=40, **settings
    ),
    # As many candidates as evaluations: nothing to rank, the proposer searches alone.
    "GA": PetriDishSearch(space, ground_truth, proposer=proposer, n_candidates=4, **settings),
    # Random search with partial evaluations: successive halving ends evaluations that do
    # not look promising. A pruner goes together with the dish, too.
    "random, partial": PetriDishSearch(
        space,
        ground_truth,
        proposer=RandomSearch(space),
        n_candidates=4,
        pruner=optuna.pruners.SuccessiveHalvingPruner(reduction_factor=2),
        **settings,
    ),
}
results = {name: search.run() for name, search in searches.items()}
for name, result in results.items():
    n_epochs = sum(len(trial.intermediate_values) for trial in result.study.trials)
    print(f"{name}: {result.best_loss:.3f} after {n_epochs} epochs")
print("best cell:", space.decode([results["dish + GA"].best_motif])[0])

# %%
# What it found, what it had predicted, and the cell.
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(15, 4), layout="constrained", width_ratios=[1, 1, 1.6]
)
SearchDisplay.from_results(results, ax=left)
SearchDisplay.from_results(results["dish + GA"], kind="predictions", ax=middle)
MotifDisplay.from_motif(space, results["dish + GA"].best_motif, ax=right)
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "search_recurrent_cells.png", dpi=120)
