"""Use the installed package as a newcomer does, outside the repository.

``python .ci/smoke.py`` wants an environment with the package and what it depends on, and
nothing else of the repository on the path; ``.ci/run`` runs it in two fresh ones, with the
wheel and with the source distribution. The tests know more, but see the repository: here
it counts that nothing is missing in what was packed.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
import optuna

import sk_petridish
from sk_petridish import PetriDishRegressor, PetriDishTransformer
from sk_petridish.datasets import load_sigmoid_slopes, load_text
from sk_petridish.motifs import RecurrentCell, SigmoidSlope
from sk_petridish.search import PetriDishSampler, PetriDishSearch
from sk_petridish.search.ground_truth import LanguageModelGroundTruth, TabularGroundTruth
from sk_petridish.search.proposers import RandomSearch

SPACE = SigmoidSlope()
# So few dishes and steps that it is compiling the kernels which takes the time.
SMALL = {
    "n_dishes": 2,
    "inner_steps": 5,
    "max_iter": 2,
    "max_outer_loss": 10.0,
    "oob_fraction": 0.0,
}


def small(engine: str = "numba") -> PetriDishRegressor:
    """Return an unfitted regressor."""
    return PetriDishRegressor(SPACE, engine=engine, random_state=0, **SMALL)


def everything_is_installed() -> None:
    """Import all modules, private ones too, from where packages are installed."""
    installed = Path(sysconfig.get_path("purelib")).resolve()
    found = pkgutil.walk_packages(sk_petridish.__path__, "sk_petridish.")
    names = ["sk_petridish", *(info.name for info in found)]
    for name in names:
        path = Path(importlib.import_module(name).__file__ or "").resolve()
        assert installed in path.parents, f"{name} comes from {path}, not from {installed}"
    assert "sk_petridish.search.proposers._base" in names
    assert files("sk_petridish").joinpath("py.typed").is_file()
    assert version("sk-petridish") == sk_petridish.__version__


def dishes_learn(X: np.ndarray, y: np.ndarray) -> None:
    """Fit with both engines, predict, transform, save and load."""
    predicted = {name: small(name).fit(X, y).predict(X) for name in ("numba", "torch")}
    np.testing.assert_allclose(predicted["numba"], predicted["torch"], rtol=1e-6)
    bank = PetriDishTransformer(SPACE, dishes=[("small", small())], random_state=0)
    assert np.isfinite(bank.fit_transform(X)).all()
    dish = small().fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        dish.save(Path(folder, "dish.safetensors"))
        again = PetriDishRegressor.load(Path(folder, "dish.safetensors"))
    np.testing.assert_array_equal(again.predict(X), dish.predict(X))


def a_language_model_reads() -> None:
    """Train a language model on a text of our own."""
    space = RecurrentCell(n_nodes=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text("one two three four\n" * 100)
        ground_truth = LanguageModelGroundTruth.preset(
            "laptop",
            space,
            corpus=load_text(path),
            n_hidden=4,
            n_epochs=1,
            batch_size=4,
            valid_batch_size=2,
            checkpoint_dir=folder,
        )
        row = space.sample(1, random_state=0)[0]
        assert ground_truth(row) == ground_truth(row) < 2


def searches_find(X: np.ndarray, y: np.ndarray) -> None:
    """Search in batches, and let a study be advised."""
    few = {"n_init": 4, "n_candidates": 6, "n_select": 2, "n_iterations": 1, "random_state": 0}
    result = PetriDishSearch(
        SPACE, loss, proposer=RandomSearch(SPACE), surrogate=small(), **few
    ).run()
    assert len(result.history) == 6
    assert result.best_loss == min(one.loss for one in result.history)
    table = TabularGroundTruth(SPACE, X, y)
    assert table(X[0]) == y[0]
    sampler = PetriDishSampler(
        SPACE, surrogate=small(), n_startup_trials=4, n_candidates=6, refit_every=2, seed=0
    )
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: loss(SPACE.suggest(trial)), n_trials=7)
    assert len({trial.params["slope"] for trial in study.trials}) == 7


def loss(row: np.ndarray, trial: optuna.Trial | None = None) -> float:
    """Return a loss that is known at once."""
    return float((row[0] - 0.3) ** 2)


def main() -> None:
    """Do all of it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    everything_is_installed()
    table = load_sigmoid_slopes()
    assert table.data.shape == (len(table.target), 1)
    dishes_learn(table.data[::8], table.target[::8])
    a_language_model_reads()
    searches_find(table.data, table.target)
    print(f"sk-petridish {sk_petridish.__version__} works on Python {sys.version.split()[0]}.")


if __name__ == "__main__":
    main()
