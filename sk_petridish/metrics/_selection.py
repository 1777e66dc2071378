"""What choosing the k motifs of best prediction gives.

Where predictions are tied at the k-th place, it is open which of the tied motifs are
chosen: both scores are means over all choices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._validation import validate_params

from ._validation import LOSSES, Losses, check_losses


class _Choice(NamedTuple):
    """The k motifs of best prediction: ``certain``, and ``n_open`` out of ``tied``."""

    certain: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    n_open: int


def _choose(y_pred: Losses, k: int) -> _Choice:
    last = np.sort(y_pred)[min(k, len(y_pred)) - 1]
    certain = y_pred < last
    return _Choice(certain, y_pred == last, int(min(k, len(y_pred)) - certain.sum()))


@validate_params(y_true=LOSSES, y_pred=LOSSES, k=[integers(1)])
def regret_score(y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 1) -> float:
    """Regret at k: how much worse the best of k chosen motifs is than the best of all.

    Chosen are those of lowest predicted loss, as by a surrogate that decides which k
    architectures are trained.

    Parameters
    ----------
    y_true : array-like of shape (n_motifs,)
        Measured losses.
    y_pred : array-like of shape (n_motifs,)
        Predicted losses.
    k : int, default=1
        How many are chosen; all, where there are no more.

    Returns
    -------
    float
        In the units of the losses; 0 where the best motif is among those chosen. A mean
        over all choices where predictions are tied.

    Raises
    ------
    ValueError
        If a loss is not finite, losses are further apart than floats reach, there are not as
        many of both, or k is not positive.

    See Also
    --------
    precision_at_k_score : How many of the k best are chosen.
    regret_scorer : The same with k=1 for ``scoring=``; for another k, use
        ``make_scorer(regret_score, greater_is_better=False, k=k)``.

    Examples
    --------
    >>> from sk_petridish.metrics import regret_score
    >>> losses, predictions = [0.10, 0.25, 0.30, 0.20], [2.0, 1.0, 4.0, 3.0]
    >>> round(regret_score(losses, predictions), 3), regret_score(losses, predictions, k=2)
    (0.15, 0.0)
    """
    measured, predicted = check_losses(y_true, y_pred)
    if measured.max() / 2 - measured.min() / 2 > np.finfo(np.float64).max / 2:
        raise ValueError(
            "The losses in y_true are further apart than floats reach: divide them by 10."
        )
    certain, tied, n_open = _choose(predicted, k)
    best_certain = measured[certain].min(initial=np.inf)
    # The j-th best of the tied ones is the best of those chosen in C(n - 1 - j, n_open - 1)
    # of the C(n, n_open) choices.
    others = np.sort(measured[tied])
    ways = np.array(
        [_log_binomial(len(others) - 1 - j, n_open - 1) for j in range(len(others) - n_open + 1)]
    )
    share = np.exp(ways - _log_binomial(len(others), n_open))
    best = np.minimum(others[: len(share)], best_certain)
    # Rounding of the shares must not turn into a regret.
    return float(share @ (best - measured.min()) / share.sum())


@validate_params(y_true=LOSSES, y_pred=LOSSES, k=[integers(1)])
def precision_at_k_score(y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 10) -> float:
    """Precision at k: the share of the k best motifs among the k of best prediction.

    Parameters
    ----------
    y_true : array-like of shape (n_motifs,)
        Measured losses.
    y_pred : array-like of shape (n_motifs,)
        Predicted losses.
    k : int, default=10
        How many are chosen; all, where there are no more.

    Returns
    -------
    float
        Between 0 and 1; a mean over all choices where predictions or losses are tied. A
        random prediction of n motifs gets k / n.

    Raises
    ------
    ValueError
        If a loss is not finite, there are not as many of both, or k is not positive.

    See Also
    --------
    regret_score : How much worse than the best the best of those chosen is.
    precision_at_k_scorer : The same with k=10 for ``scoring=``; for another k, use
        ``make_scorer(precision_at_k_score, k=k)``.

    Examples
    --------
    >>> from sk_petridish.metrics import precision_at_k_score
    >>> precision_at_k_score([0.10, 0.25, 0.30, 0.20], [2.0, 1.0, 4.0, 3.0], k=2)
    0.5
    """
    measured, predicted = check_losses(y_true, y_pred)
    share = [
        choice.certain + choice.tied * choice.n_open / choice.tied.sum()
        for choice in (_choose(measured, k), _choose(predicted, k))
    ]
    return float(share[0] @ share[1] / min(k, len(measured)))


def _log_binomial(n: int, k: int) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
