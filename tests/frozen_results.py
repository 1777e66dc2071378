"""What the library computed before its insides were last rearranged.

``python tests/frozen_results.py --record`` computes every case and keeps it in
``tests/fixtures/frozen_results.npz``, with ``--only`` beside the others; without the option
it prints how far today's results are from those kept. Record anew only where a change of
results is wanted, and say so in the changelog. Cases use public names only.

On a processor that rounds otherwise, numbers differ a little, and choices that depend on
them (a candidate, a trial) may differ altogether: :func:`rounding` tells such processors
apart.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from sk_petridish import PetriDishRegressor, PetriDishTransformer, make_surrogate
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSampler, PetriDishSearch
from sk_petridish.search.proposers import (
    NAO,
    GeneticAlgorithm,
    History,
    RandomSearch,
    ReinforceController,
    SamplerProposer,
)
from sk_petridish.tasks import GaussianTask, MarkovTask, MemoryTask, SampleTask, TeacherTask

FILE = Path(__file__).parent / "fixtures" / "frozen_results.npz"
Case = Callable[[], NDArray[np.float64]]

SPACES = {
    "slope": SigmoidSlope(),
    "slopes": SigmoidSlope(n_slopes=3),
    "activation": ActivationFunction(),
    "cell": RecurrentCell(n_nodes=4),
    "graph": RecurrentGraph(max_nodes=12),
    "conv": ConvCell(n_cells=1),
}
# Small enough for seconds, and for rounding not to be amplified.
SMALL = {
    "n_dishes": 10,
    "inner_steps": 8,
    "max_iter": 3,
    "max_outer_loss": 4.0,
    "random_state": 0,
}


def make_losses(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses that differ, and depend on all columns."""
    return 0.02 + 0.01 * np.abs(np.sin(1 + X @ np.arange(1.0, X.shape[1] + 1)))


def fit_and_predict(space: object, n: int = 8, **changes: object) -> NDArray[np.float64]:
    """Predictions with their spread, of motifs known and unknown."""
    X = space.sample(n + 4, random_state=1)
    settings = SMALL | {"n_dishes": 2 if space.data_kind == "images" else 10} | changes
    dish = PetriDishRegressor(space, **settings).fit(X[:n], make_losses(X[:n]))
    return np.concatenate([*dish.predict(X, return_std=True), dish.loss_curve_])


def go_on(**changes: object) -> NDArray[np.float64]:
    """A fit, more motifs, and more dishes."""
    X = SPACES["slope"].sample(14, random_state=2)
    y = make_losses(X)
    dish = PetriDishRegressor(**(SMALL | changes)).fit(X[:6], y[:6])
    dish.partial_fit(X[6:10], y[6:10], sample_weight=[1, 2, 1, 3])
    dish.set_params(warm_start=True, n_dishes=12).fit(X[:10], y[:10])
    return np.concatenate([dish.predict(X), dish.loss_curve_])


def bank(space: object, **options: object) -> NDArray[np.float64]:
    """Features of the recommended bank."""
    X = space.sample(2, random_state=3)
    return PetriDishTransformer(space, random_state=0, **options).fit_transform(X)


def small_bank(space: object, **options: object) -> NDArray[np.float64]:
    """Features of two sorts of small dishes, with what is seen before training."""
    X = space.sample(3, random_state=3)
    small = {"n_dishes": 2, "inner_steps": 6}
    dishes = [
        ("one", PetriDishRegressor(**small)),
        ("other", PetriDishRegressor(**small, n_hidden=3, engine="torch")),
    ]
    transformer = PetriDishTransformer(
        space, dishes=dishes, zero_cost=True, random_state=0, **options
    )
    return transformer.fit_transform(X)


def learned_bank() -> NDArray[np.float64]:
    """Features of dishes that have learned."""
    X = SPACES["slope"].sample(8, random_state=3)
    dishes = [("dish", PetriDishRegressor(**(SMALL | {"n_dishes": 2, "random_state": None})))]
    transformer = PetriDishTransformer(dishes=dishes, learn=True, random_state=0)
    return transformer.fit(X, make_losses(X)).transform(X)


def surrogate(space: object) -> NDArray[np.float64]:
    """The recommended surrogate, with smaller dishes."""
    model = make_surrogate(space, random_state=0)
    few = {"n_dishes": 1, "inner_steps": 6}
    changes = {}
    for name, value in model.get_params().items():
        if isinstance(value, PetriDishRegressor):
            changes |= {f"{name}__{setting}": number for setting, number in few.items()}
    X = space.sample(14, random_state=4)
    return model.set_params(**changes).fit(X[:10], make_losses(X[:10])).predict(X)


def control() -> NDArray[np.float64]:
    """The paper's control."""
    X = SPACES["slope"].sample(10, random_state=4)
    return NeuralSurrogate(max_iter=20, random_state=0).fit(X, make_losses(X)).predict(X)


def full_width(space: object) -> NDArray[np.float64]:
    """What the full network of a motif gives as it is built, in training mode."""
    row = space.sample(1, random_state=5)[0]
    network = space.blueprint(row).build(4, 5, 3, generator=torch.Generator().manual_seed(0))
    shape = {"vectors": (6, 4), "sequences": (6, 7, 4), "images": (6, 5, 5, 4)}[space.data_kind]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return network(x).detach().double().numpy().ravel()


def rows(space: object) -> NDArray[np.float64]:
    """Motifs drawn, mutated, crossed and repaired."""
    X = space.sample(6, random_state=6)
    mutated = space.mutate(X, 0.4, random_state=7)
    crossed = space.crossover(X, X[::-1], random_state=8)
    return np.concatenate([X, mutated, crossed, space.repair(X * 1.7 + 0.3)]).ravel()


def proposals(name: str, space: object) -> NDArray[np.float64]:
    """What a proposer proposes after ten evaluations."""
    proposer = {
        "random": lambda: RandomSearch(space),
        "genetic": lambda: GeneticAlgorithm(space, n_parents=4),
        "nao": lambda: NAO(space, max_iter=3, n_hidden=8),
        "controller": lambda: ReinforceController(space, n_hidden=8),
        "sampler": lambda: SamplerProposer(space),
    }[name]()
    X = space.sample(10, random_state=9)
    history = History.of(X, make_losses(X), np.repeat([0, 1], 5))
    return proposer.ask(6, history, 0).ravel()


def search(space: object, model: object) -> NDArray[np.float64]:
    """Algorithm 1."""
    result = PetriDishSearch(
        space,
        lambda row: float(make_losses(row[None])[0]),
        surrogate=model,
        n_init=8,
        n_candidates=12,
        n_select=3,
        n_iterations=2,
        exploration=0.2,
        random_state=0,
    ).run()
    return np.concatenate(
        [np.r_[one.iteration, one.motif, one.loss, one.predicted] for one in result.history]
    )


def study(space: object, model: object, **options: object) -> NDArray[np.float64]:
    """An Optuna study with our sampler."""
    sampler = PetriDishSampler(
        space, surrogate=model, n_startup_trials=6, n_candidates=10, refit_every=4, seed=0,
        **options,
    )  # fmt: skip

    def objective(trial: optuna.Trial) -> float:
        other = trial.suggest_float("other", 0, 1)
        return float(make_losses(space.suggest(trial)[None])[0] + 1e-3 * other)

    result = optuna.create_study(sampler=sampler)
    result.optimize(objective, n_trials=16)
    columns = [name for name in result.trials[0].params if name != "other"]
    return np.concatenate(
        [
            np.r_[
                [float(trial.params[name]) for name in columns],
                trial.params["other"],
                trial.value,
                trial.user_attrs.get("predicted", np.nan),
                trial.user_attrs.get("surrogate_kendall_tau", np.nan),
            ]
            for trial in result.trials
        ]
    )


def cases() -> dict[str, Case]:
    """Name what is computed, and how."""
    slope, conv, cell = SPACES["slope"], SPACES["conv"], SPACES["cell"]
    samples = np.random.default_rng(0).standard_normal((40, 10))
    found: dict[str, Case] = {}

    def add(name: str, function: Callable[..., NDArray[np.float64]], *args: object, **options):
        found[name] = lambda: function(*args, **options)

    for name, space in SPACES.items():
        add(f"regressor {name}", fit_and_predict, space)
        add(f"regressor {name} torch", fit_and_predict, space, n_dishes=2, engine="torch")
        add(f"small bank {name}", small_bank, space)
        add(f"full width {name}", full_width, space)
        add(f"rows {name}", rows, space)
        add(f"surrogate {name}", surrogate, space)
        for proposer in ("random", "genetic", "nao", "controller", "sampler"):
            add(f"proposals {proposer} {name}", proposals, proposer, space)
    for name in ("slope", "activation", "graph", "conv"):
        add(f"bank {name}", bank, SPACES[name], average=name != "slope")
    for name, options in {
        "paper": slope.recommended("paper") | {"inner_steps": 20, "max_iter": 3},
        "rank": {"outer_loss": "rank"},
        "float32": {"dtype": "float32"},
        "final": {"statistic": "final_valid", "validation_data": "copy"},
        "curve": {"statistic": "mean_valid", "inner_optimizer": "sgd", "inner_loss": "mse"},
        "classes": {"inner_loss": "cross_entropy", "init": "fan_in"},
        "early stopping": {"early_stopping": True, "max_iter": 5},
        "batches": {"batch_size": 3},
        "unlearned": {"max_iter": 0},
        "gaussian": {"task": GaussianTask(), "learn_labels": False},
        "samples": {"task": SampleTask(samples, samples), "inner_loss": "mse"},
    }.items():
        add(f"options {name}", fit_and_predict, slope, **options)
    for name, task in {
        "markov": MarkovTask(),
        "memory": MemoryTask(lags=(1, 2), xor=True),
        "teacher": TeacherTask(),
    }.items():
        add(f"task {name} sequences", fit_and_predict, cell, task=task, inner_loss="bce")
        wide = {"n_inputs": 4, "n_outputs": 4, "inner_loss": "bce", "engine": "torch"}
        add(f"task {name} images", fit_and_predict, conv, n=4, task=task, **wide)
    add("going on", go_on)
    add("learned bank", learned_bank)
    add("control", control)
    add("search slope", search, slope, PetriDishRegressor(slope, **SMALL))
    add("search conv", search, conv, LinearRegression())
    add("study slope", study, slope, PetriDishRegressor(slope, **SMALL))
    add("study deviation", study, slope, PetriDishRegressor(slope, **SMALL),
        acquisition="lower_confidence_bound", exploration=0.3)  # fmt: skip
    add("study cell", study, cell, LinearRegression())
    return found


def is_choice(name: str) -> bool:
    """Whether a case is made of choices, which another rounding may turn over."""
    return name.startswith(("proposals", "search", "study", "surrogate"))


def rounding() -> NDArray[np.float64]:
    """Numbers that another processor, or another build of a library, rounds otherwise."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(40, 40, generator=generator)
    products = [(each @ each.T).tanh().exp().sum(0) for each in (numbers, numbers.double())]
    solved = np.linalg.solve(np.eye(40) + numbers.double().numpy(), np.ones(40))
    return np.concatenate([*(each.double().numpy() for each in products), solved])


def compute(case: Case) -> NDArray[np.float64]:
    """Run a case quietly, with one thread."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(case(), dtype=np.float64)


def largest_difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Largest difference, relative to the largest number; infinite for other shapes."""
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return np.inf
    scale = max(np.nanmax(np.abs(other), initial=0.0), 1e-300)
    return float(np.nanmax(np.abs(one - other), initial=0.0) / scale)


def main() -> None:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    options = parser.parse_args()
    chosen = {name: case for name, case in cases().items() if options.only in name}
    if options.record:
        with np.load(FILE) as kept:
            others = {name: kept[name] for name in cases() if name not in chosen}
        results = {name: compute(case) for name, case in chosen.items()}
        np.savez_compressed(FILE, rounding=rounding(), **others, **results)
        return
    with np.load(FILE) as kept:
        differences = {
            name: largest_difference(compute(case), kept[name]) for name, case in chosen.items()
        }
    for name, difference in differences.items():
        print(f"{difference:8.1e}  {name}")
    identical = sum(difference == 0 for difference in differences.values())
    print(f"{identical} of {len(differences)} bit-identical, worst {max(differences.values()):.1e}")


if __name__ == "__main__":
    main()
