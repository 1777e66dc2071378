"""How many evaluations search methods need, with a dish before them and without.

Searches in published tables: of convolutional cells (NAS-Bench-201, CIFAR-10) at 40 + 3 x 20
evaluations, and of recurrent graphs (NAS-Bench-NLP, Penn Treebank) at 20 + 3 x 5. Every
method gets the same random motifs to begin with, a seed. ``python benchmarks/search.py --space
conv-cell`` (or ``recurrent-graph``) prints for each the regret of the best motif found, the
evaluations needed to reach the best percentile of the table and those needed for what the
same proposer reaches alone; it draws best-so-far against evaluations. ``--controller`` lets
the controller alone make 1,000 evaluations, next to random search. Rows go to
``benchmarks/results/``, where an interrupted run goes on. ``--time`` times a study of 100 trials
with the sampler, which learns again after every tenth, first with nothing measured before.

The table of cells lacks about half of all cells. A proposal that it lacks is rejected and
another one asked for, from all methods alike; Optuna's sampler is told that such a trial
failed. Of graphs there are so many that no proposal is in the table: there each becomes the
nearest row of the table, the one that differs in the fewest columns.

Dishes are unlearned, and measure a network the same whatever the seed of the search; they
are drawn once, and what they measure is kept in ``benchmarks/.memory/``. Tables are read
from the folder that ``SK_PETRIDISH_DATA`` names.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from optuna.samplers import TPESampler
from predictors import load
from sklearn.base import RegressorMixin
from sklearn.utils import check_random_state

from sk_petridish import make_surrogate
from sk_petridish.inspection import SearchDisplay
from sk_petridish.motifs import ConvCell, RecurrentGraph
from sk_petridish.search import PetriDishSampler, PetriDishSearch
from sk_petridish.search._optuna import params_of
from sk_petridish.search.ground_truth import TabularGroundTruth
from sk_petridish.search.proposers import (
    NAO,
    GeneticAlgorithm,
    History,
    Proposer,
    RandomSearch,
    ReinforceController,
)

Floats = NDArray[np.float64]
HERE = Path(__file__).parent
RESULTS, MEMORY = HERE / "results", HERE / ".memory"
COLUMNS = ("method", "seed", "hit_rate", "seconds", "losses")
# How often a method is asked for proposals that the table has. It learns anew each time, and
# so is asked for more than is needed, and for twice as many the next time.
ROUNDS, SURPLUS = 8, 3


class Problem(NamedTuple):
    """A table to search, and for how long."""

    table: TabularGroundTruth
    n_init: int
    n_candidates: int
    n_select: int
    n_iterations: int
    nao: dict[str, int]  # what is not as by default


class TableSpace(RecurrentGraph):
    """Recurrent graphs of which there are only those of a table."""

    def __init__(self, rows: Floats, max_nodes: int = 24) -> None:
        super().__init__(max_nodes)
        self.rows = rows
        self._places = {row.tobytes(): place for place, row in enumerate(rows)}

    def _sample(self, n: int, generator: np.random.RandomState) -> Floats:
        return self.rows[generator.randint(len(self.rows), size=n)]

    def _repair(self, rows: Floats) -> Floats:
        return self.rows[[self._nearest(row) for row in rows]]

    def _nearest(self, row: Floats) -> int:
        # Most are rows of the table, which need not be compared with all of it.
        place = self._places.get(row.tobytes())
        return int((self.rows != row).sum(axis=1).argmin()) if place is None else place

    def canonical_keys(self, X: Floats) -> list[int]:
        """Return numbers of rows: the table has each network once."""
        return [self._places[row.tobytes()] for row in np.asarray(X, dtype=np.float64)]


class OnTable:
    """Proposals that a table has; others are asked for again."""

    def __init__(self, proposer: Proposer, table: TabularGroundTruth) -> None:
        self.proposer = proposer
        self.table = table
        self.n_asked = self.n_hits = 0

    def ask(
        self,
        n: int,
        history: History,
        random_state: int | np.random.RandomState | None = None,
        surrogate: RegressorMixin | None = None,
    ) -> Floats:
        """Ask until there are enough."""
        generator = check_random_state(random_state)
        kept: list[Floats] = []
        for attempt in range(ROUNDS * (n > 0)):
            proposed = self.proposer.ask(SURPLUS * n * 2**attempt, history, generator, surrogate)
            hits = [self.table.entry(row) for row in proposed if row in self.table]
            self.n_asked += len(proposed)
            self.n_hits += len(hits)
            kept += hits
            if len(kept) >= n or not len(proposed):
                break
            # Neither what is kept nor what the table lacks is to be proposed again.
            history = History.of(
                np.vstack([history.X, proposed]),
                np.r_[history.y, np.full(len(proposed), np.nan)],
                np.r_[history.iteration, np.full(len(proposed), history.iteration.max(initial=0))],
            )
        return np.reshape(kept[:n], (-1, history.X.shape[1]))


def make_problem(space: str) -> Problem:
    """Read a table."""
    if space == "recurrent-graph":
        rows = load(space)
        table = TabularGroundTruth(TableSpace(rows.X), rows.X, rows.y)
        return Problem(table, 20, 25, 5, 3, {"max_iter": 100})
    path = Path(os.environ["SK_PETRIDISH_DATA"]) / "nasbench201.csv"
    cells = list(csv.DictReader(path.open()))
    cell = ConvCell()
    errors = [100 - float(row["cifar10_test_acc_200ep"]) for row in cells]
    table = TabularGroundTruth(cell, cell.encode([row["arch"] for row in cells]), errors)
    return Problem(table, 40, 100, 20, 3, {})


def proposers(problem: Problem) -> dict[str, Callable[[], Proposer]]:
    """Name the ways to propose."""
    space = problem.table.motif_space
    return {
        "GA": lambda: GeneticAlgorithm(space),
        "NAO": lambda: NAO(space, **problem.nao),
        "random search": lambda: RandomSearch(space),
        "controller": lambda: ReinforceController(space),
    }


def initial(problem: Problem, seed: int) -> Floats:
    """Draw the motifs that all methods begin with."""
    X = problem.table.X
    return X[np.random.default_rng(seed).choice(len(X), problem.n_init, replace=False)]


def search(problem: Problem, proposer: Proposer, seed: int, *, dish: bool) -> tuple[Floats, float]:
    """Run Algorithm 1; give losses in order, and the share of proposals that the table has."""
    table = problem.table
    space = table.motif_space
    on_table = OnTable(proposer, table)
    X = initial(problem, seed)
    # The dishes are those of the family, whether or not the table restricts it.
    result = PetriDishSearch(
        space,
        table,
        proposer=on_table,
        surrogate=make_surrogate(space, random_state=0, memory=str(MEMORY)),
        n_init=problem.n_init,
        n_candidates=problem.n_candidates if dish else problem.n_select,
        n_select=problem.n_select,
        n_iterations=problem.n_iterations,
        X_init=X,
        y_init=[table(row) for row in X],
        random_state=seed,
    ).run()
    losses = np.array([one.loss for one in result.history])
    return losses, on_table.n_hits / max(on_table.n_asked, 1)


def tpe(problem: Problem, seed: int) -> tuple[Floats, float]:
    """Run Optuna's default sampler, one trial after the other."""
    table = problem.table
    space = table.motif_space
    study = optuna.create_study(sampler=TPESampler(seed=seed))
    add_known(study, problem, seed)
    losses = [trial.value for trial in study.trials]
    seen = {table.entry(row).tobytes() for row in initial(problem, seed)}
    budget = problem.n_init + problem.n_iterations * problem.n_select
    n_asked = n_hits = 0
    while len(losses) < budget:
        trial = study.ask()
        row = space.suggest(trial)
        n_asked += 1
        n_hits += row in table
        if row not in table:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif table.entry(row).tobytes() in seen:
            study.tell(trial, table(row))  # known, and so no evaluation
        else:
            seen.add(table.entry(row).tobytes())
            losses.append(table(row))
            study.tell(trial, losses[-1])
        if n_asked > 100 * budget:
            break
    return np.array(losses), n_hits / n_asked


def sampler(problem: Problem, seed: int) -> tuple[Floats, float]:
    """Run our sampler, which learns again after every fifth result, in an Optuna study."""
    table = problem.table
    space = table.motif_space
    proposer = OnTable(GeneticAlgorithm(space), table)
    study = optuna.create_study(
        sampler=PetriDishSampler(
            space,
            surrogate=make_surrogate(space, random_state=0, memory=str(MEMORY)),
            proposer=proposer,
            n_startup_trials=problem.n_init,
            n_candidates=problem.n_candidates,
            refit_every=5,
            seed=seed,
        )
    )
    add_known(study, problem, seed)
    n_trials = problem.n_iterations * problem.n_select
    study.optimize(lambda trial: table(space.suggest(trial)), n_trials=n_trials)
    losses = np.array([trial.value for trial in study.trials])
    return losses, proposer.n_hits / max(proposer.n_asked, 1)


def time_study(problem: Problem) -> str:
    """Time 100 trials with the sampler, twice in one memory."""
    table = problem.table
    space = table.motif_space
    lines = []
    with tempfile.TemporaryDirectory() as memory:
        for before in ("nothing", "everything"):
            start = time.perf_counter()
            surrogate = make_surrogate(space, random_state=0, memory=memory)
            study = optuna.create_study(
                sampler=PetriDishSampler(space, surrogate=surrogate, refit_every=10, seed=0)
            )
            study.optimize(lambda trial: table(space.suggest(trial)), n_trials=100)
            seconds = time.perf_counter() - start
            lines.append(f"100 trials, {before} measured before: {seconds:.1f} s")
    return "\n".join(lines)


def add_known(study: optuna.Study, problem: Problem, seed: int) -> None:
    """Tell a study of the motifs that all methods begin with."""
    distributions = problem.table.motif_space.search_space()
    for row in initial(problem, seed):
        params = params_of(problem.table.motif_space, row)
        value = problem.table(row)
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=value)
        )


Method = Callable[[int], tuple[Floats, float]]


def methods(problem: Problem) -> dict[str, Method]:
    """Name the methods under comparison."""
    made: dict[str, Method] = {}
    for name, make in proposers(problem).items():
        made[f"dish + {name}"] = lambda seed, make=make: search(problem, make(), seed, dish=True)
        made[name] = lambda seed, make=make: search(problem, make(), seed, dish=False)
    return made | {"dish + GA, sampler": partial(sampler, problem), "TPE": partial(tpe, problem)}


def controller_alone(problem: Problem) -> dict[str, Method]:
    """Name the methods that are followed over 1,000 evaluations."""
    long = problem._replace(n_init=20, n_iterations=49)
    made = proposers(long)
    return {
        f"{name}, 1,000": lambda seed, make=made[name]: search(long, make(), seed, dish=False)
        for name in ("controller", "random search")
    }


def report(problem: Problem, runs: dict[str, list[Floats]], rates: dict[str, float]) -> str:
    """Summarise regret, and evaluations for equal quality."""
    best = problem.table.y.min()
    percentile = np.quantile(problem.table.y, 0.01)
    mean = {
        name: np.mean([np.minimum.accumulate(run) for run in ours], axis=0) - best
        for name, ours in runs.items()
    }
    header = ("", "regret at the end", "median", "reached", "best percentile", "it alone", "TPE")
    lines = [
        f"{len(problem.table.y)} networks; best loss {best:.4g}, best percentile {percentile:.4g}.",
        "Evaluations until the best percentile (median and quartiles over seeds), and until the",
        "mean regret is what the same proposer alone, and what TPE, ends with.",
        _line(*header, "in table", "runs"),
    ]
    for name, ours in runs.items():
        regrets = np.array([run.min() - best for run in ours])
        reached = np.array([(run <= percentile).any() for run in ours])
        alone = name.removeprefix("dish + ").removesuffix(", sampler")
        lines.append(
            _line(
                name,
                f"{regrets.mean():.3f} ± {regrets.std():.3f}",
                f"{np.median(regrets):.3f}",
                f"{reached.mean():.0%}",
                _until(ours, percentile),
                _equal(mean, name, alone),
                _equal(mean, name, "TPE"),
                f"{rates[name]:.0%}",
                str(len(ours)),
            )
        )
    return "\n".join(lines)


def _line(*cells: str) -> str:
    """Align the cells of the table."""
    widths = (22, -18, -9, -9, -20, -10, -10, -10, -6)
    return "".join(
        f"{cell:<{width}}" if width > 0 else f"{cell:>{-width}}"
        for cell, width in zip(cells, widths, strict=True)
    )


def _until(runs: list[Floats], limit: float) -> str:
    """Count evaluations until a loss is reached; runs that never do come last."""
    counts = [np.argmax(run <= limit) + 1.0 if (run <= limit).any() else np.inf for run in runs]
    low, middle, high = np.quantile(counts, [0.25, 0.5, 0.75], method="higher")
    low, middle, high = (f"{q:.0f}" if np.isfinite(q) else "never" for q in (low, middle, high))
    return f"{middle} ({low} to {high})"


def _equal(mean: dict[str, Floats], name: str, other: str) -> str:
    """Count evaluations until the mean regret is what another method ends with."""
    if other == name or other not in mean:
        return ""
    reached = mean[name] <= mean[other][-1]
    return str(reached.argmax() + 1) if reached.any() else "never"


def learning(runs: dict[str, list[Floats]]) -> str:
    """Follow the mean loss of what is proposed over 1,000 evaluations."""
    lines = [f"{'mean loss of evaluations':24}" + "".join(f"{n:>9}" for n in range(100, 1001, 100))]
    for name, ours in runs.items():
        parts = np.array([run[:1000].reshape(10, 100).mean(axis=1) for run in ours])
        lines.append(f"{name:24}" + "".join(f"{value:9.2f}" for value in parts.mean(axis=0)))
        lines.append(
            f"{'  sd over seeds':24}" + "".join(f"{value:9.2f}" for value in parts.std(axis=0))
        )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, and print all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", choices=("conv-cell", "recurrent-graph"), required=True)
    parser.add_argument("--controller", action="store_true", help="1,000 evaluations")
    parser.add_argument("--time", action="store_true", help="100 trials of a study")
    parser.add_argument("--n-seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", help="only these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    problem = make_problem(arguments.space)
    if arguments.time:
        text = time_study(problem)
        print(text)
        (RESULTS / f"search_{arguments.space}_time.txt").write_text(text + "\n")
        return
    made = controller_alone(problem) if arguments.controller else methods(problem)
    name = f"search_{arguments.space}{'_controller' if arguments.controller else ''}"
    path = RESULTS / f"{name}.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    done = {(row["method"], int(row["seed"])) for row in rows}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not rows:
            writer.writeheader()
        for seed in range(arguments.n_seeds):
            for method in arguments.methods or made:
                if (method, seed) in done:
                    continue
                start = time.perf_counter()
                losses, rate = made[method](seed)
                row = {"method": method, "seed": seed, "hit_rate": f"{rate:.3f}"}
                row |= {"seconds": f"{time.perf_counter() - start:.1f}"}
                row |= {"losses": " ".join(f"{loss:.6g}" for loss in losses)}
                writer.writerow(row)
                file.flush()
                rows.append({key: str(value) for key, value in row.items()})
    runs, rates = {}, {}
    for method in made:
        ours = [row for row in rows if row["method"] == method]
        if ours:
            runs[method] = [np.array([float(one) for one in row["losses"].split()]) for row in ours]
            rates[method] = float(np.mean([float(row["hit_rate"]) for row in ours]))
    text = learning(runs) if arguments.controller else report(problem, runs, rates)
    print(text)
    path.with_suffix(".txt").write_text(text + "\n")
    if not arguments.controller:
        draw(problem, runs, path.with_suffix(".png"))


def draw(problem: Problem, runs: dict[str, list[Floats]], path: Path) -> None:
    """Draw best so far against evaluations, a panel for each proposer."""
    best = problem.table.y.min()
    figure, panels = plt.subplots(
        2, 2, figsize=(10, 7), layout="constrained", sharex=True, sharey=True
    )
    for panel, name in zip(panels.flat, proposers(problem), strict=True):
        # What one proposer has more than others comes last, for the sake of colours.
        shown = [f"dish + {name}", name, "TPE", f"dish + {name}, sampler"]
        display = SearchDisplay.from_losses(
            {method: [run - best for run in runs[method]] for method in shown if method in runs},
            ax=panel,
        )
        display.ax_.set(ylabel="regret of the best motif", title=name)
        display.ax_.set_yscale("symlog", linthresh=0.1)
        display.ax_.axvline(problem.n_init, color="0.8", linewidth=1, zorder=0)
    for panel in panels.flat:
        panel.label_outer()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
