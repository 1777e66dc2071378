"""The outer loss as a metric: the paper's criterion for hyperparameters."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from sk_petridish._compat._losses import validate_weights
from sk_petridish._compat._validation import validate_params
from sk_petridish.dish import OUTER_LOSSES

from ._validation import LOSSES, Losses, check_losses, without_order

# Ranges of losses whose squares are neither lost nor beyond those of floats.
_ORDINARY = (1e-6, 1e100)


@validate_params(
    y_true=LOSSES,
    y_pred=LOSSES,
    sample_weight=[*LOSSES, None],
)
def outer_mse(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Outer loss of predictions (eq. 2).

    Measured and predicted losses are each normalised to zero mean and unit variance, and
    compared by their mean squared difference; appendix A.1 chooses the settings for which
    that is smallest on motifs not learned from.

    Parameters
    ----------
    y_true : array-like of shape (n_motifs,)
        Measured losses.
    y_pred : array-like of shape (n_motifs,)
        Predicted losses.
    sample_weight : array-like of shape (n_motifs,), default=None
        How often each motif counts.

    Returns
    -------
    float
        ``2 - 2 r`` with Pearson's correlation r: 0 for a perfect linear relation, 2 for
        none or constant predictions, 4 for the opposite; NaN where losses are constant.

    Raises
    ------
    ValueError
        If a loss is not finite, a weight cannot be, or there are not as many of both.

    Warns
    -----
    UndefinedMetricWarning
        If losses are constant or there are fewer than two.

    See Also
    --------
    sk_petridish.model_selection.outer_mse_scorer : The same for ``scoring=``.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic Petri
       Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020, eq. 2 and
       appendix A.1.

    Examples
    --------
    >>> from sk_petridish.metrics import outer_mse
    >>> round(outer_mse([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0]), 3)
    0.4
    """
    measured, predicted = check_losses(y_true, y_pred)
    weights = np.ones_like(measured)
    if sample_weight is not None:
        weights = validate_weights(sample_weight, measured[:, None], all_zero=True)
    counts = weights > 0
    measured, predicted, weights = measured[counts], predicted[counts], weights[counts]
    correlation = without_order(measured, predicted)
    if correlation is not None:
        return 2 - 2 * correlation
    statistic, losses = torch.tensor(_ordinary(predicted)[None]), torch.tensor(_ordinary(measured))
    return OUTER_LOSSES["mse"](statistic, losses, torch.tensor(weights[None])).item()


def _ordinary(losses: Losses) -> Losses:
    """Return losses in a unit in which they can be squared; the metric does not depend on it."""
    quarters = losses / 4  # whose range is that of floats at most
    spread = np.ptp(quarters)
    if _ORDINARY[0] <= 4 * min(spread, 1e300) <= _ORDINARY[1]:
        return losses
    scaled: Losses = (quarters - quarters.min()) / spread
    return scaled
