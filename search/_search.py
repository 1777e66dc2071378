"""Algorithm 1 of the paper, on an Optuna study."""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, get_args

import joblib
import numpy as np
import optuna
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import (
    LARGEST_SEED,
    ArrayOfNumbers,
    Function,
    Implements,
    integers,
    job_counts,
    reals,
)
from sk_petridish._compat._optuna import quietly, storage_of
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, validate_params, validated
from sk_petridish.motifs import MotifSpace
from sk_petridish.motifs._distributions import holds, widened

from ._acquisition import Acquisition
from ._checks import check_evaluation, check_ranking, check_storage
from ._evaluator import GroundTruthFunction
from ._result import SearchResult
from ._run import SearchRun
from .proposers import GeneticAlgorithm, History, Proposer


class PetriDishSearch:
    """Search motifs with a surrogate between proposals and evaluations (Algorithm 1).

    Some random motifs are evaluated first. Then, in each iteration, a surrogate learns from
    all losses known, a proposer draws candidates, and those predicted to be best are
    evaluated [1]_.

    Every evaluation is a trial of an Optuna study. With a storage that lasts, a search that
    was killed goes on where it was when it is run again, to the result that it would have
    had; several machines can run the same search on one study.

    Parameters
    ----------
    motif_space : MotifSpace
        What is searched.
    ground_truth : callable
        ``ground_truth(row, trial)`` or ``ground_truth(row)``: the loss of a motif, lower is
        better. To be called in other processes it must be picklable. A trial that is told
        intermediate losses may be ended by the ``pruner``.
    proposer : Proposer, default=None
        Draws candidates. ``None`` is a
        :class:`~sk_petridish.search.proposers.GeneticAlgorithm`.
    surrogate : regressor, default=None
        Predicts losses from motifs. ``None`` is :func:`~sk_petridish.make_surrogate`.
    n_init : int, default=40
        Motifs known before the first iteration: those given, and random ones.
    n_candidates : int, default=100
        Candidates of an iteration, M. As many as ``n_select`` leave nothing to rank: the
        proposer searches alone.
    n_select : int, default=20
        Evaluations of an iteration, K.
    n_iterations : int, default=3
        Iterations. A finished search can be run again with more.
    acquisition : {"mean", "lower_confidence_bound", "expected_improvement"}, default="mean"
        By what candidates are ranked: the prediction, one standard deviation below it, or
        the expected improvement. The latter two need a surrogate with
        ``predict(X, return_std=True)``.
    exploration : float, default=0.0
        Share of evaluations that any candidate gets, not the best one.
    X_init : array-like of shape (n_given, n_features), default=None
        Motifs whose losses are known. They may lie beyond the ranges that are searched.
    y_init : array-like of shape (n_given,), default=None
        These losses.
    test_ground_truth : callable, default=None
        Evaluates the best motif when the search is over, as ``ground_truth`` would; its
        failure costs the test only.
    n_iter_no_change : int, default=None
        Iterations without a smaller best loss after which the search has converged.
        ``None`` never stops for that.
    tol : float, default=0.0
        By how much it has to be smaller.
    timeout : float, default=None
        Seconds after which no evaluation begins any more.
    evaluation_timeout : float, default=None
        Seconds that an evaluation may take. Each has a process of its own then, which is
        ended; that takes seconds to start.
    pruner : optuna.pruners.BasePruner, default=None
        What may end evaluations early, such as
        :class:`~optuna.pruners.SuccessiveHalvingPruner` (ASHA).
    storage : str or optuna.storages.BaseStorage, default=None
        Where the study is kept, as :func:`optuna.create_study` takes it. ``None`` keeps it
        for as long as the search runs, and then in memory. SQLite is for one worker: it
        does not lock trials, so that two may take the same one.
    study_name : str, default="petri-dish-search"
        The study's name. An existing one is gone on with.
    n_jobs : int, default=None
        Evaluations at the same time, by joblib: in processes, or on a cluster under
        ``joblib.parallel_config(backend="dask")``. ``None`` is 1 unless a
        :func:`joblib.parallel_config` says otherwise.
    lease : float, default=60.0
        Seconds after which a worker that was not heard of counts as dead, so that others do
        its evaluations. The clocks of machines must agree to much less. A storage that is out
        of reach is waited for twice as long.
    verbose : bool, default=False
        Whether to show a progress bar.
    random_state : int, default=None
        Determines the search, except what the evaluations themselves leave to chance.
        Several machines on one study need an integer.

    Raises
    ------
    ValueError
        If a parameter cannot be.

    See Also
    --------
    PetriDishSampler : Trial by trial, within studies of one's own.
    sk_petridish.inspection.SearchDisplay : Draws what it finds.

    Notes
    -----
    An evaluation that raises, exits, or returns anything but one finite number is a failed
    trial. A motif whose evaluation has taken its worker along three times is given up. Workers
    that write the same batch at once may write a trial twice; the later one fails unevaluated.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       Algorithm 1.

    Examples
    --------
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> from sk_petridish.search import PetriDishSearch
    >>> search = PetriDishSearch(
    ...     SigmoidSlope(),
    ...     lambda row: abs(row[0] - 0.3),  # instead of training networks
    ...     surrogate=PetriDishRegressor(
    ...         n_dishes=2, max_iter=2, max_outer_loss=4, random_state=0
    ...     ),
    ...     n_init=8,
    ...     n_select=2,
    ...     n_iterations=2,
    ...     random_state=0,
    ... )
    >>> result = search.run()
    >>> len(result.history)
    12
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace],
        "ground_truth": [Function()],
        "proposer": [Implements("ask"), None],
        "surrogate": [Implements("fit", "predict", "get_params"), None],
        "n_init": [integers(0)],
        "n_candidates": [integers(1)],
        "n_select": [integers(1)],
        "n_iterations": [integers(0)],
        "acquisition": [StrOptions(set(get_args(Acquisition)))],
        "exploration": [reals(0, 1, closed="both")],
        "X_init": [ArrayOfNumbers(finite=False), None],
        "y_init": [ArrayOfNumbers(finite=False), None],
        "test_ground_truth": [Function(), None],
        "n_iter_no_change": [integers(1), None],
        "tol": [reals(0, math.inf, closed="both")],
        "timeout": [reals(0, math.inf, closed="both"), None],
        "evaluation_timeout": [reals(0, math.inf, closed="right"), None],
        "pruner": [BasePruner, None],
        "storage": [str, BaseStorage, None],
        "study_name": [str],
        "n_jobs": job_counts(),
        "lease": [reals(0, math.inf, closed="right")],
        "verbose": ["verbose"],
        "random_state": [integers(0, LARGEST_SEED), None],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace,
        ground_truth: GroundTruthFunction,
        *,
        proposer: Proposer | None = None,
        surrogate: RegressorMixin | None = None,
        n_init: int = 40,
        n_candidates: int = 100,
        n_select: int = 20,
        n_iterations: int = 3,
        acquisition: Acquisition = "mean",
        exploration: float = 0.0,
        X_init: ArrayLike | None = None,
        y_init: ArrayLike | None = None,
        test_ground_truth: GroundTruthFunction | None = None,
        n_iter_no_change: int | None = None,
        tol: float = 0.0,
        timeout: float | None = None,
        evaluation_timeout: float | None = None,
        pruner: BasePruner | None = None,
        storage: str | BaseStorage | None = None,
        study_name: str = "petri-dish-search",
        n_jobs: int | None = None,
        lease: float = 60.0,
        verbose: bool = False,
        random_state: int | None = None,
    ) -> None:
        if n_select > n_candidates:
            raise ValueError(
                f"n_select must be at most n_candidates, got {n_select} and {n_candidates}."
            )
        self.motif_space = motif_space
        self.ground_truth = ground_truth
        self.proposer = GeneticAlgorithm(motif_space) if proposer is None else proposer
        self.surrogate = surrogate
        check_ranking(motif_space, surrogate, self.proposer, acquisition)
        self.n_init = int(n_init)
        self.n_candidates = int(n_candidates)
        self.n_select = int(n_select)
        self.n_iterations = int(n_iterations)
        self.acquisition: Acquisition = acquisition
        self.exploration = float(exploration)
        self.initial = _check_initial(motif_space, X_init, y_init)
        self.test_ground_truth = test_ground_truth
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.timeout = timeout
        self.evaluation_timeout = evaluation_timeout
        self.pruner = NopPruner() if pruner is None else pruner
        check_storage(storage)
        check_evaluation(ground_truth, self.pruner, evaluation_timeout, storage)
        self.storage = storage
        self.study_name = study_name
        self.n_jobs = n_jobs
        # Threads cannot wait for longer, three hundred years.
        self.lease = min(float(lease), threading.TIMEOUT_MAX)
        self.verbose = verbose
        self.random_state = None if random_state is None else int(random_state)

    @validate_params(reclaim=["boolean"])
    def run(self, *, reclaim: bool = False) -> SearchResult:
        """Search, or go on with the search.

        Parameters
        ----------
        reclaim : bool, default=False
            Whether to do again at once what was being evaluated when the search was killed.
            Say so only if no other worker is alive; otherwise one waits for leases to
            expire.

        Returns
        -------
        SearchResult
            What was found; after Ctrl-C, what was found so far.

        Raises
        ------
        ValueError
            If the study is that of another search.
        RuntimeError
            If none of the first evaluations gave a loss, if workers do not reach the storage,
            or if that was out of reach for two leases. The search can be run again then.
        """
        if isinstance(self.storage, InMemoryStorage) and not _stays_in_this_process(self.n_jobs):
            raise RuntimeError(
                "Workers in other processes do not reach a storage in memory: their storage is not "
                "that of the search."
            )
        with self._stored() as storage:
            run = SearchRun(self, storage)
            if reclaim:
                run.study.reclaim()
            try:
                interrupted = not run.run()
                test_loss = None if interrupted else run.test()
            except KeyboardInterrupt:
                run.study.reclaim(run=run.name, interrupted=True)
                interrupted, test_loss = True, None
            study = run.study.study
            if storage is not self.storage and not isinstance(storage, InMemoryStorage):
                study = _in_memory(study)
            history = run.study.evaluations()
        return SearchResult(self.motif_space, history, study, test_loss, interrupted)

    @contextlib.contextmanager
    def _stored(self) -> Iterator[str | BaseStorage]:
        """Yield the storage, a temporary one where there is none."""
        if self.storage is not None:
            yield self.storage
        elif self.evaluation_timeout is None and _stays_in_this_process(self.n_jobs):
            yield InMemoryStorage()
        else:
            with tempfile.TemporaryDirectory(prefix="sk_petridish_") as folder:
                yield JournalStorage(JournalFileBackend(str(Path(folder, "journal.log"))))


def _check_initial(motif_space: MotifSpace, X: ArrayLike | None, y: ArrayLike | None) -> History:
    """Check results that are known before."""
    if X is None and y is None:
        return History.empty(motif_space)
    if X is None or y is None:
        raise ValueError("X_init and y_init go together.")
    rows = np.array([motif_space._on_steps(row) for row in motif_space.validate(X)])
    initial = History.of(rows, y)
    if initial.y.shape != (len(rows),) or not np.isfinite(initial.y).all():
        raise ValueError("y_init must have a finite loss for each motif of X_init.")
    for column, (name, distribution) in enumerate(motif_space.search_space().items()):
        for row, number in enumerate(rows[:, column]):
            # A trial may say a number beyond a range, but no other choice or step.
            if not holds(widened(distribution, number), number):
                raise ValueError(
                    f"Row {row} of X_init has {name}={number:g}, which is none of {distribution}: "
                    "no trial can say it."
                )
    return initial


def _stays_in_this_process(n_jobs: int | None) -> bool:
    backend, _ = get_active_backend()
    # A cluster has a client, and may have but one worker.
    alone = joblib.effective_n_jobs(n_jobs) == 1 and not hasattr(backend, "client")
    return alone or bool(getattr(backend, "uses_threads", False))


def _in_memory(study: optuna.Study) -> optuna.Study:
    """Copy a study from a storage that is about to go."""
    memory = InMemoryStorage()
    with quietly():
        optuna.copy_study(
            from_study_name=study.study_name, from_storage=storage_of(study), to_storage=memory
        )
        return optuna.load_study(study_name=study.study_name, storage=memory)
