"""The paper's selection of hyperparameters, appendix A.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.base import clone
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, ShuffleSplit
from sklearn.utils import check_random_state

from sk_petridish._compat._constraints import (
    Function,
    MappingOf,
    integers,
    job_counts,
    random_states,
)
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import validate_params
from sk_petridish.estimators import PetriDishRegressor
from sk_petridish.metrics import outer_mse
from sk_petridish.motifs import SigmoidSlope
from sk_petridish.motifs._distributions import draw, grid

from ._optuna import OptunaSearchCV, as_distributions

outer_mse_scorer = make_scorer(outer_mse, greater_is_better=False)
"""Scorer of :func:`sk_petridish.metrics.outer_mse`, the paper's criterion, negated."""

Ranges = Mapping[str, BaseDistribution | Sequence[Any]]


@validate_params(
    estimator=[PetriDishRegressor],
    method=[StrOptions({"grid", "random", "optuna"})],
    param_distributions=[MappingOf(BaseDistribution, list, tuple), None],
    n_iter=[integers(1)],
    scoring=[str, Function()],
    cv=["cv_object", None],
    n_jobs=job_counts(),
    random_state=random_states(),
)
def select_hyperparameters(
    estimator: PetriDishRegressor,
    X: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["grid", "random", "optuna"] = "random",
    param_distributions: Ranges | None = None,
    n_iter: int = 50,
    scoring: str | Callable[..., float] = outer_mse_scorer,
    cv: Any = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    **fit_params: Any,
) -> GridSearchCV | RandomizedSearchCV:
    """Choose a dish's settings as the paper does (appendix A.1).

    Every setting is learned on one half of the motifs, and the one of least outer loss on
    the other half is fitted to all of them.

    Parameters
    ----------
    estimator : PetriDishRegressor
        What is tuned; it stays as it is. Few dishes are enough to compare settings.
    X : array-like of shape (n_motifs, n_features)
        Motifs, one a row.
    y : array-like of shape (n_motifs,)
        Their ground-truth losses.
    method : {"grid", "random", "optuna"}, default="random"
        How settings are tried: every combination of choices and of both ends of continuous
        ranges (:class:`~sklearn.model_selection.GridSearchCV`, hundreds with the default
        ranges), at random (:class:`~sklearn.model_selection.RandomizedSearchCV`), or as
        Optuna proposes (a search of the same kind, whose ``study_`` is an Optuna study).
    param_distributions : dict of str to optuna distribution or list, default=None
        The range of every parameter, or its choices. ``None``: the paper's ranges for
        these motifs, :meth:`~sk_petridish.motifs.MotifSpace.hyperparameters`. They surround
        the published settings, so whatever ``estimator`` leaves open (``None``) is as
        published too.
    n_iter : int, default=50
        How many settings are tried; not for a grid.
    scoring : str or callable, default=outer_mse_scorer
        What decides, more is better.
    cv : int, cross-validation generator or iterable, default=None
        How motifs are split. ``None``: once, into equal halves.
    n_jobs : int, default=None
        Processes.
    random_state : int, RandomState instance or None, default=None
        Determines the split and what is tried. The estimator has a ``random_state`` of
        its own.
    **fit_params : dict
        Parameters of ``fit``, such as ``sample_weight``.

    Returns
    -------
    GridSearchCV or RandomizedSearchCV
        The fitted search: ``best_params_``, ``best_score_``, ``cv_results_``, and
        ``best_estimator_``, which it predicts with.

    Raises
    ------
    ValueError
        If ``method`` is unknown, or every setting fails.

    See Also
    --------
    sk_petridish.metrics.outer_mse : The criterion.

    Notes
    -----
    Halves drawn at random ask for motifs between those known. Where motifs beyond them
    matter, a ``cv`` that holds out whole regions asks the right question, such as
    ``KFold()`` on sorted motifs: on sigmoid slopes of an interval, random halves chose
    settings that failed outside of it in three of ten searches
    (``benchmarks/hyperparameters.py``).

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic Petri
       Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020, appendix A.1,
       Tables 2 and 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.model_selection import select_hyperparameters
    >>> slopes = np.linspace(0.4, 1.5, 10)[:, None]
    >>> search = select_hyperparameters(
    ...     PetriDishRegressor(n_dishes=1, max_iter=2, random_state=0),
    ...     slopes,
    ...     0.02 + 0.01 * slopes.ravel(),
    ...     method="grid",
    ...     param_distributions={"n_hidden": [1, 5]},
    ...     random_state=0,
    ... )
    >>> len(search.cv_results_["params"])
    2
    >>> search.predict([[0.5]]).shape
    (1,)
    """
    tuned = clone(estimator)
    if param_distributions is None:
        space = SigmoidSlope() if tuned.motif_space is None else tuned.motif_space
        param_distributions = space.hyperparameters()
        paper = space.recommended("paper")
        tuned.set_params(**{k: v for k, v in paper.items() if getattr(tuned, k) is None})
    ranges = as_distributions(param_distributions)
    seed = check_random_state(random_state).randint(2**31 - 1)
    options = {
        "scoring": scoring,
        "cv": ShuffleSplit(n_splits=1, test_size=0.5, random_state=seed) if cv is None else cv,
        "n_jobs": n_jobs,
    }
    match method:
        case "grid":
            choices = {name: grid(distribution) for name, distribution in ranges.items()}
            search = GridSearchCV(tuned, choices, **options)
        case "random":
            draws = {name: _draws(distribution) for name, distribution in ranges.items()}
            search = RandomizedSearchCV(tuned, draws, n_iter=n_iter, random_state=seed, **options)
        case _:
            search = OptunaSearchCV(tuned, ranges, n_iter=n_iter, random_state=seed, **options)
    return search.fit(X, y, **fit_params)


class _Draws:
    """Optuna's uniform draws as scikit-learn takes them."""

    def __init__(self, distribution: BaseDistribution) -> None:
        self._distribution = distribution

    def rvs(self, random_state: np.random.RandomState) -> Any:
        return draw(self._distribution, 1, random_state)[0]


def _draws(distribution: BaseDistribution) -> list[Any] | _Draws:
    # Choices stay a list: scikit-learn then draws settings without repeating one.
    return (
        grid(distribution)
        if isinstance(distribution, CategoricalDistribution)
        else _Draws(distribution)
    )
