"""Cost of a suggestion in a study that has become long.

Studies get so many finished trials, of recurrent cells of eight nodes, and then thirty more
that are asked and told one after another. The surrogate is linear and fitted once, so that the
time is that of reading the study and of choosing a motif::

    python benchmarks/long_studies.py --sizes 100 1000 3000 10000

prints the table and writes it to ``benchmarks/results/``. ``first`` is the first suggestion of
a worker that goes on with the study, which reads all of it and fits; the other columns are
the median and the worst of the others, in milliseconds. Opponents are samplers of Optuna's on
the same studies.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
import torch
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, create_trial
from sklearn.linear_model import LinearRegression

from sk_petridish.motifs import RecurrentCell
from sk_petridish.search import PetriDishSampler

N_TOLD = 30
RESULTS = Path(__file__).parent / "results" / "long_studies.txt"
SPACE = RecurrentCell(n_nodes=8)
PRICES = np.random.RandomState(1).standard_normal(len(SPACE.search_space()))


def petri_dish() -> BaseSampler:
    """Return the sampler, which learns once."""
    return PetriDishSampler(
        SPACE,
        surrogate=LinearRegression(),
        n_candidates=100,
        n_startup_trials=20,
        refit_every=10**6,
        seed=0,
    )


SAMPLERS = {
    "PetriDishSampler": petri_dish,
    "TPESampler": lambda: TPESampler(seed=0),
    "RandomSampler": lambda: RandomSampler(seed=0),
}


def storage_of(kind: str, folder: str) -> BaseStorage | None:
    """Return a new storage."""
    match kind:
        case "journal":
            return JournalStorage(JournalFileBackend(f"{folder}/journal"))
        case "sqlite":
            return RDBStorage(f"sqlite:///{folder}/studies.db")
    return None


def finished(n: int) -> list[FrozenTrial]:
    """Return trials of motifs at random."""
    names = SPACE.search_space()
    return [
        create_trial(
            params=dict(zip(names, row.astype(int).tolist(), strict=True)),
            distributions=names,
            value=float(row @ PRICES),
        )
        for row in SPACE.sample(n, random_state=0)
    ]


def seconds(kind: str, size: int, sampler: BaseSampler) -> list[float]:
    """Return how long each suggestion takes in a study of so many trials."""
    taken = []
    # In memory where there is such a folder: disks are not what is compared.
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        study = optuna.create_study(storage=storage_of(kind, folder), sampler=sampler)
        study.add_trials(finished(size))
        for _ in range(N_TOLD + 1):
            start = time.perf_counter()
            trial = study.ask()
            motif = SPACE.suggest(trial)
            taken.append(time.perf_counter() - start)
            study.tell(trial, float(motif @ PRICES))
    return taken


def main() -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 3000, 10_000])
    parser.add_argument("--storages", nargs="+", default=["memory", "journal", "sqlite"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    lines = [
        f"{'storage':<9}{'sampler':<18}{'trials':>7}{'first, s':>10}{'median, ms':>12}"
        f"{'worst, ms':>11}"
    ]
    print(lines[0])
    cases = itertools.product(arguments.storages, arguments.sizes, SAMPLERS.items())
    for kind, size, (name, sampler) in cases:
        first, *others = seconds(kind, size, sampler())
        lines.append(
            f"{kind:<9}{name:<18}{size:>7}{first:>10.3f}{np.median(others) * 1e3:>12.2f}"
            f"{max(others) * 1e3:>11.2f}"
        )
        print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
