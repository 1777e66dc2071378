"""Rank correlation of predicted and measured losses."""

from __future__ import annotations

from numpy.typing import ArrayLike
from scipy.stats import kendalltau, spearmanr

from sk_petridish._compat._validation import validate_params

from ._validation import LOSSES, check_losses, without_order


@validate_params(y_true=LOSSES, y_pred=LOSSES)
def kendall_tau_score(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Compare the order of pairs: Kendall's tau-b.

    Parameters
    ----------
    y_true : array-like of shape (n_motifs,)
        Measured losses.
    y_pred : array-like of shape (n_motifs,)
        Predicted losses.

    Returns
    -------
    float
        Between -1, the opposite order, and 1, the same; 0 where predictions are
        constant, NaN where losses are.

    Raises
    ------
    ValueError
        If a loss is not finite, or there are not as many of both.

    Warns
    -----
    UndefinedMetricWarning
        If losses are constant or there are fewer than two.

    See Also
    --------
    spearman_score : The correlation of ranks, which counts large misplacements more.
    kendall_tau_scorer : The same for ``scoring=``.

    References
    ----------
    .. [1] M. G. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945.

    Examples
    --------
    >>> from sk_petridish.metrics import kendall_tau_score
    >>> round(kendall_tau_score([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0]), 3)
    0.667
    """
    measured, predicted = check_losses(y_true, y_pred)
    score = without_order(measured, predicted)
    return float(kendalltau(measured, predicted).statistic) if score is None else score


@validate_params(y_true=LOSSES, y_pred=LOSSES)
def spearman_score(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Correlate the ranks of measured and predicted losses: Spearman's rho.

    Parameters
    ----------
    y_true : array-like of shape (n_motifs,)
        Measured losses.
    y_pred : array-like of shape (n_motifs,)
        Predicted losses.

    Returns
    -------
    float
        Between -1, the opposite order, and 1, the same; 0 where predictions are
        constant, NaN where losses are.

    Raises
    ------
    ValueError
        If a loss is not finite, or there are not as many of both.

    Warns
    -----
    UndefinedMetricWarning
        If losses are constant or there are fewer than two.

    See Also
    --------
    kendall_tau_score : The same question of pairs, each of which counts the same.
    spearman_scorer : The same for ``scoring=``.

    References
    ----------
    .. [1] C. Spearman, "The proof and measurement of association between two things",
       The American Journal of Psychology 15, 1904.

    Examples
    --------
    >>> from sk_petridish.metrics import spearman_score
    >>> round(spearman_score([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0]), 3)
    0.8
    """
    measured, predicted = check_losses(y_true, y_pred)
    score = without_order(measured, predicted)
    return float(spearmanr(measured, predicted).statistic) if score is None else score
