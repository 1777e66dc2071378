"""Predicted against measured losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from sk_petridish._compat._constraints import Implements
from sk_petridish._compat._validation import validate_params
from sk_petridish.metrics import (
    kendall_tau_score,
    predict_with_spread,
    regret_score,
    spearman_score,
)

from ._axes import AXES, NUMBERS, OPTIONAL_NUMBERS, get_axes


class SurrogateDisplay:
    """Predicted against measured losses, with how well the one orders the other.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    y_true : ndarray of shape (n_motifs,)
        Measured losses.
    y_pred : ndarray of shape (n_motifs,)
        Predicted losses.
    y_std : ndarray of shape (n_motifs,), default=None
        Standard deviation of the predictions' errors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    points_ : matplotlib artist
        The motifs.
    statistics_ : dict of str to float
        ``"kendall_tau"``, ``"spearman"`` and ``"regret"`` at 1.

    See Also
    --------
    ParameterDisplay : Predictions along a motif with one parameter.

    Examples
    --------
    >>> from sk_petridish.inspection import SurrogateDisplay
    >>> display = SurrogateDisplay.from_predictions([0.1, 0.2, 0.3], [0.15, 0.1, 0.4])
    >>> round(display.statistics_["spearman"], 3)
    0.5
    """

    def __init__(
        self,
        *,
        y_true: NDArray[np.float64],
        y_pred: NDArray[np.float64],
        y_std: NDArray[np.float64] | None = None,
    ) -> None:
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_std = y_std

    @classmethod
    @validate_params(
        estimator=[Implements("predict")],
        X=NUMBERS,
        y=NUMBERS,
        ax=AXES,
    )
    def from_estimator(
        cls, estimator: Any, X: ArrayLike, y: ArrayLike, *, ax: Any = None, **kwargs: Any
    ) -> SurrogateDisplay:
        """Predict motifs and draw.

        Parameters
        ----------
        estimator : fitted regressor
            A surrogate, a pipeline too. A :class:`~sk_petridish.PetriDishRegressor` draws
            error bars.
        X : array-like of shape (n_motifs, n_features)
            Motifs, best those that it has not seen.
        y : array-like of shape (n_motifs,)
            Their measured losses.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        SurrogateDisplay
            The display.
        """
        predicted, std = predict_with_spread(estimator, X)
        return cls.from_predictions(y, predicted, y_std=std, ax=ax, **kwargs)

    @classmethod
    @validate_params(
        y_true=NUMBERS,
        y_pred=NUMBERS,
        y_std=OPTIONAL_NUMBERS,
        ax=AXES,
    )
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_std: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> SurrogateDisplay:
        """Draw predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_motifs,)
            Measured losses.
        y_pred : array-like of shape (n_motifs,)
            Predicted losses.
        y_std : array-like of shape (n_motifs,), default=None
            Standard deviation of the predictions' errors, drawn as bars.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        SurrogateDisplay
            The display.
        """
        check_consistent_length(y_true, y_pred, y_std)
        std = None if y_std is None else np.asarray(y_std)
        display = cls(y_true=np.asarray(y_true), y_pred=np.asarray(y_pred), y_std=std)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> SurrogateDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        SurrogateDisplay
            The display.
        """
        ax = get_axes(type(self), ax)
        self.statistics_ = {
            "kendall_tau": kendall_tau_score(self.y_true, self.y_pred),
            "spearman": spearman_score(self.y_true, self.y_pred),
            "regret": regret_score(self.y_true, self.y_pred),
        }
        ends = [
            min(self.y_true.min(), self.y_pred.min()),
            max(self.y_true.max(), self.y_pred.max()),
        ]
        ax.plot(ends, ends, color="0.6", linewidth=1, linestyle="--", zorder=0)
        style = {"fmt": "o", "markersize": 4, "elinewidth": 0.8, "alpha": 0.8}
        self.points_ = ax.errorbar(self.y_true, self.y_pred, yerr=self.y_std, **(style | kwargs))
        values = self.statistics_
        ax.set(
            xlabel="measured loss",
            ylabel="predicted loss",
            title=f"Kendall's $\\tau$ {values['kendall_tau']:.2f}, Spearman's $\\rho$ "
            f"{values['spearman']:.2f}, regret at 1 {values['regret']:.2g}",
        )
        ax.title.set_fontsize("medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
