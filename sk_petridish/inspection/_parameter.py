"""Predictions along a motif with one parameter: the paper's Figure 1."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from sk_petridish._compat._constraints import Implements, SequenceOf, integers, reals
from sk_petridish._compat._validation import validate_params
from sk_petridish.metrics import predict_with_spread

from ._axes import AXES, NUMBERS, OPTIONAL_NUMBERS, get_axes


class ParameterDisplay:
    """Predicted loss along a motif with one parameter, as in Figure 1 of the paper.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Values of the parameter, increasing.
    y_pred : ndarray of shape (n_points,)
        Predicted losses.
    y_std : ndarray of shape (n_points,), default=None
        Standard deviation of the predictions' errors.
    x_known, y_known : ndarray of shape (n_known,), default=None
        Parameters and measured losses that were learned from.
    x_true, y_true : ndarray of shape (n_motifs,), default=None
        Parameters and measured losses to compare with.
    y_stderr : ndarray of shape (n_motifs,), default=None
        Standard errors of ``y_true``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    line_ : matplotlib artist
        The predictions.
    best_ : float
        The parameter of lowest predicted loss.

    See Also
    --------
    SurrogateDisplay : Predictions against measurements, for any motif.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic Petri
       Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020, Figure 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.inspection import ParameterDisplay
    >>> slopes = np.linspace(0.4, 1.5, 8)[:, None]
    >>> dish = PetriDishRegressor(n_dishes=2, max_iter=5, random_state=0)
    >>> dish = dish.fit(slopes, 0.02 + 0.01 * slopes.ravel())
    >>> ParameterDisplay.from_estimator(dish, x_range=(0.01, 2.01)).line_.get_label()
    'PetriDishRegressor'
    """

    def __init__(
        self,
        *,
        x: NDArray[np.float64],
        y_pred: NDArray[np.float64],
        y_std: NDArray[np.float64] | None = None,
        x_known: NDArray[np.float64] | None = None,
        y_known: NDArray[np.float64] | None = None,
        x_true: NDArray[np.float64] | None = None,
        y_true: NDArray[np.float64] | None = None,
        y_stderr: NDArray[np.float64] | None = None,
    ) -> None:
        self.x = x
        self.y_pred = y_pred
        self.y_std = y_std
        self.x_known = x_known
        self.y_known = y_known
        self.x_true = x_true
        self.y_true = y_true
        self.y_stderr = y_stderr

    @classmethod
    @validate_params(
        estimator=[Implements("predict")],
        X=OPTIONAL_NUMBERS,
        y=OPTIONAL_NUMBERS,
        y_stderr=OPTIONAL_NUMBERS,
        x_range=[SequenceOf(reals(), length=2), None],
        n_points=[integers(1)],
        ax=AXES,
    )
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        y_stderr: ArrayLike | None = None,
        x_range: tuple[float, float] | None = None,
        n_points: int = 100,
        ax: Any = None,
        **kwargs: Any,
    ) -> ParameterDisplay:
        """Predict along the parameter and draw.

        Parameters
        ----------
        estimator : fitted regressor
            A surrogate of motifs with one column. What a
            :class:`~sk_petridish.PetriDishRegressor` learned from is shaded, and its
            predictions have a band of one standard deviation.
        X : array-like of shape (n_motifs, 1), default=None
            Motifs to compare with.
        y : array-like of shape (n_motifs,), default=None
            Their measured losses.
        y_stderr : array-like of shape (n_motifs,), default=None
            The standard errors of these.
        x_range : tuple of two floats, default=None
            From where to where to predict; ``None``: the range of what is known.
        n_points : int, default=100
            How many motifs to predict.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ParameterDisplay
            The display.

        Raises
        ------
        ValueError
            If motifs have more than one column, or nothing says how far to predict.
        """
        rows = None if X is None else check_array(X, dtype=np.float64)
        known = getattr(estimator, "X_train_", None)
        values = [motifs for motifs in (rows, known) if motifs is not None]
        if any(motifs.shape[1] != 1 for motifs in values):
            raise ValueError("ParameterDisplay draws motifs with one parameter, a column of X.")
        if x_range is None:
            if not values:
                raise ValueError("Give x_range, or X, to say how far to predict.")
            x_range = (
                min(motifs.min() for motifs in values),
                max(motifs.max() for motifs in values),
            )
        x = np.linspace(*x_range, n_points)
        with warnings.catch_warnings():
            # There is but one column, whatever its name was in fit.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            predicted, std = predict_with_spread(estimator, x[:, None])
        kwargs.setdefault("label", type(estimator).__name__)
        return cls.from_predictions(
            x,
            predicted,
            y_std=std,
            x_known=None if known is None else known.ravel(),
            y_known=None if known is None else estimator.y_train_,
            x_true=None if rows is None or y is None else rows.ravel(),
            y_true=y,
            y_stderr=y_stderr,
            ax=ax,
            **kwargs,
        )

    @classmethod
    @validate_params(
        x=NUMBERS,
        y_pred=NUMBERS,
        y_std=OPTIONAL_NUMBERS,
        x_known=OPTIONAL_NUMBERS,
        y_known=OPTIONAL_NUMBERS,
        x_true=OPTIONAL_NUMBERS,
        y_true=OPTIONAL_NUMBERS,
        y_stderr=OPTIONAL_NUMBERS,
        ax=AXES,
    )
    def from_predictions(
        cls,
        x: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_std: ArrayLike | None = None,
        x_known: ArrayLike | None = None,
        y_known: ArrayLike | None = None,
        x_true: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        y_stderr: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> ParameterDisplay:
        """Draw predictions.

        Parameters
        ----------
        x : array-like of shape (n_points,)
            Values of the parameter, increasing.
        y_pred : array-like of shape (n_points,)
            Predicted losses.
        y_std : array-like of shape (n_points,), default=None
            Standard deviation of the predictions' errors.
        x_known, y_known : array-like of shape (n_known,), default=None
            Parameters and measured losses that were learned from; their interval is shaded.
        x_true, y_true : array-like of shape (n_motifs,), default=None
            Parameters and measured losses to compare with.
        y_stderr : array-like of shape (n_motifs,), default=None
            Standard errors of ``y_true``.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ParameterDisplay
            The display.
        """
        data = {
            "x": x,
            "y_pred": y_pred,
            "y_std": y_std,
            "x_known": x_known,
            "y_known": y_known,
            "x_true": x_true,
            "y_true": y_true,
            "y_stderr": y_stderr,
        }
        arrays: dict[str, Any] = {
            name: None if values is None else np.asarray(values) for name, values in data.items()
        }
        return cls(**arrays).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> ParameterDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise. Displays of several surrogates may share
            them.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        ParameterDisplay
            The display.
        """
        ax = get_axes(type(self), ax)
        drawn = ax.get_legend_handles_labels()[1]  # by another display on the same axes
        if self.x_known is not None and "learned from" not in drawn:
            low, high = self.x_known.min(), self.x_known.max()
            ax.axvspan(low, high, color="tab:blue", alpha=0.12, linewidth=0)
        if self.x_true is not None and "measured" not in drawn:
            style = {"fmt": "D", "markersize": 3, "linewidth": 0.8, "color": "tab:blue"}
            ax.errorbar(
                self.x_true, self.y_true, yerr=self.y_stderr, label="measured", zorder=1, **style
            )
        if self.x_known is not None and "learned from" not in drawn:
            style = {"color": "none", "edgecolor": "k", "s": 30, "zorder": 3}
            ax.scatter(self.x_known, self.y_known, label="learned from", **style)
        (self.line_,) = ax.plot(self.x, self.y_pred, **({"linewidth": 2} | kwargs))
        if self.y_std is not None:
            low, high = self.y_pred - self.y_std, self.y_pred + self.y_std
            color = self.line_.get_color()
            ax.fill_between(self.x, low, high, color=color, alpha=0.15, linewidth=0)
        ax.set(xlabel="parameter of the motif", ylabel="loss")
        ax.legend(frameon=False)
        self.best_ = float(self.x[np.argmin(self.y_pred)])
        self.ax_, self.figure_ = ax, ax.figure
        return self
