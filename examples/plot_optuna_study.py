"""
======================================
An Optuna study, with one argument set
======================================

A study of one's own: with which activation function does a small perceptron learn most from
one look at each of some handwritten digits? The objective is what Optuna's users write
anyway. The motif space suggests an activation function to a trial, as
``trial.suggest_float`` would a number.

All that changes for the dish is the study's ``sampler``. It trains each candidate in a few
tiny networks before one is worth a trial.
"""

# %%
# The objective trains the network around the activation function, for a moment.
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sk_petridish.inspection import SearchDisplay, SurrogateDisplay
from sk_petridish.motifs import ActivationFunction
from sk_petridish.search import PetriDishSampler

torch.set_num_threads(1)  # tiny tensors
optuna.logging.set_verbosity(optuna.logging.WARNING)
digits = load_digits()
x_train, x_valid, y_train, y_valid = (
    torch.from_numpy(part)
    for part in train_test_split(
        (digits.data / 16).astype(np.float32), digits.target, test_size=0.5, random_state=0
    )
)
space = ActivationFunction()


def objective(trial):
    """Return the validation loss of a perceptron that has seen every image once."""
    motif = space.suggest(trial)
    generator = torch.Generator().manual_seed(0)
    network = space.blueprint(motif).build(64, 16, 10, generator=generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for batch in torch.randperm(len(x_train), generator=generator).split(32):
        loss = torch.nn.functional.cross_entropy(network(x_train[batch]), y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(network(x_valid), y_valid).item()


# %%
# The same study with Optuna's default sampler and with the dish's, from the same sixteen
# motifs. Losses that are not finite make failed trials, which both leave out. One study a
# sampler shows how it is done; which one is better, ``benchmarks/search.py`` measures.
first = space.sample(16, random_state=0)
samplers = {
    "TPE": optuna.samplers.TPESampler(seed=0),
    "dish": PetriDishSampler(space, n_startup_trials=16, refit_every=8, seed=0),
}
studies = {}
for name, sampler in samplers.items():
    study = optuna.create_study(sampler=sampler)
    for row in first:
        study.enqueue_trial(dict(zip(space.search_space(), row.tolist(), strict=True)))
    study.optimize(objective, n_trials=48)
    studies[name] = study
    motif = [study.best_params[column] for column in space.search_space()]
    print(f"{name}: {study.best_value:.3f} with", *space.decode(space.repair([motif])))

# %%
# Every trial of the dish's says what was predicted of it; optuna-dashboard shows it, too.
predicted = [trial for trial in studies["dish"].trials if "predicted" in trial.user_attrs]
pairs = [
    (trial.value, trial.user_attrs["predicted"]) for trial in predicted if trial.value is not None
]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
losses = {
    name: [[np.nan if trial.value is None else trial.value for trial in study.trials]]
    for name, study in studies.items()
}
SearchDisplay.from_losses(losses, ax=left).ax_.set(yscale="log")
SurrogateDisplay.from_predictions(*zip(*pairs, strict=True), ax=right)
figures = Path("figures")
figures.mkdir(exist_ok=True)
figure.savefig(figures / "optuna_study.png", dpi=120)
