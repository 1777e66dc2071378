"""Searches that cost nothing, for tests; at module level, since other processes import them."""

import os
import time
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.linear_model import LinearRegression

from sk_petridish.motifs import ConvCell
from sk_petridish.search import PetriDishSearch
from sk_petridish.search.proposers import GeneticAlgorithm, RandomSearch

SPACE = ConvCell()
# Operations have a price each, so that a linear surrogate can learn them.
PRICES = np.array([5.0, 3.0, 1.0, 0.0, 4.0])


def loss(row):
    """Return a loss that is known at once."""
    return float(PRICES[np.asarray(row, dtype=int)] @ np.array([1.0, 2.0, 1.0, 3.0, 1.0, 2.0]))


def slow_loss(row):
    """Take a while."""
    time.sleep(0.05)
    return loss(row)


class Logged:
    """Notes every evaluation that ends in a file, with the process that made it."""

    def __init__(self, path, seconds=0.0):
        self.path = str(path)
        self.seconds = seconds

    def __call__(self, row):
        time.sleep(self.seconds)
        with Path(self.path).open("a") as file:
            file.write(f"{os.getpid()} {SPACE.decode([row])[0]}\n")
        return loss(row)

    def motifs(self):
        """Return what was evaluated, in order."""
        path = Path(self.path)
        return [line.split()[1] for line in path.read_text().splitlines()] if path.exists() else []

    def workers(self):
        """Return the processes that evaluated."""
        return {line.split()[0] for line in Path(self.path).read_text().splitlines()}


def hang_at_none(row):
    """Never end where the first edge is absent."""
    if row[0] == 0:
        time.sleep(3600)
    return loss(row)


def die_at_none(row):
    """Take the process along where the first edge is absent."""
    if row[0] == 0:
        os._exit(7)
    return loss(row)


def note_and_sleep(path):
    """Say which process sleeps."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(3600)


def epochs(row, trial=None):
    """Report losses that come down to the final one."""
    value = loss(row)
    for epoch in range(9):
        if trial is not None:
            trial.report(value + 1 / (epoch + 1), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    return value


class Prices(LinearRegression):
    """Linear regression on which operations a cell has."""

    def fit(self, X, y):
        """Learn prices."""
        return super().fit(self._expanded(X), y)

    def predict(self, X):
        """Add prices up."""
        return super().predict(self._expanded(X))

    def _expanded(self, X):
        return (np.asarray(X)[:, :, None] == np.arange(5)).reshape(len(X), -1)


def small_search(ground_truth=loss, **changes):
    """Return a search of 8 + 2 x 4 evaluations."""
    settings = {
        "proposer": GeneticAlgorithm(SPACE, n_parents=6),
        "surrogate": Prices(),
        "n_init": 8,
        "n_candidates": 20,
        "n_select": 4,
        "n_iterations": 2,
        "random_state": 0,
    }
    return PetriDishSearch(SPACE, ground_truth, **(settings | changes))


def facts(result):
    """Return what must not depend on how a search came to its end."""
    return [(one.iteration, SPACE.decode([one.motif])[0], one.loss) for one in result.history]


def journal(path):
    """Return a storage that lasts."""
    return JournalStorage(JournalFileBackend(str(path)))


class Unshowable(BaseException):
    """An error that cannot be shown, nor sent to another process."""

    def __repr__(self):
        """Fail."""
        raise SystemExit

    def __reduce__(self):
        """Fail as well."""
        raise SystemExit


class Exits:
    """Raises something else for each choice of the first edge but the last."""

    KINDS = (SystemExit, GeneratorExit, Unshowable, OSError)
    SHOWN = ("SystemExit(2)", "GeneratorExit(2)", "cannot be shown", "OSError(2)")

    def __init__(self, n_kinds):
        self.n_kinds = n_kinds

    def __call__(self, row):
        """Raise, or return a loss."""
        kind = int(row[0])
        if kind < self.n_kinds:
            raise self.KINDS[kind](2)
        return loss(row)


class Given(RandomSearch):
    """Propose known motifs."""

    def __init__(self, motif_space, rows=None):
        super().__init__(motif_space)
        self.rows = rows

    def ask(self, n, history, random_state=None, surrogate=None):
        """Return them."""
        return self.rows


def exits_search(n=5, **changes):
    """Return a search of n motifs of which each but the last raises something else."""
    X = np.array([[first, 1, 2, 3, 1, 1] for first in range(n)], dtype=float)
    settings = {"n_init": 0, "n_candidates": n, "n_select": n, "n_iterations": 1}
    return PetriDishSearch(SPACE, Exits(n - 1), proposer=Given(SPACE, X), **(settings | changes))


def check_exits(result):
    """Check that each costs its own evaluation, and the study says of what it has failed."""
    *failed, last = result.history
    assert [one.state for one in failed] == ["fail"] * len(failed)
    assert (last.state, last.loss) == ("complete", loss(last.motif))
    for trial, shown in zip(result.study.trials, Exits.SHOWN[: len(failed)], strict=False):
        assert shown in trial.user_attrs["error"]
