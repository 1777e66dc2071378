"""Learning curves of the outer loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish._compat._constraints import reals
from sk_petridish._compat._validation import validate_params

from ._axes import AXES, NUMBERS, OPTIONAL_NUMBERS, get_axes
from ._dish import check_dish


class OuterLoopDisplay:
    """How the outer loss fell while dishes were learned.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    dish_losses : ndarray of shape (n_iter, n_dishes)
        Outer loss of every dish before each update.
    validation_scores : ndarray of shape (n_iter,), default=None
        Negative outer loss on held-out motifs after each update.
    limit : float, default=None
        Outer loss above which a dish has not converged.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib artists
        A line a dish, and their median.

    See Also
    --------
    SyntheticDataDisplay : What has been learned.

    Examples
    --------
    >>> from sk_petridish.inspection import OuterLoopDisplay
    >>> display = OuterLoopDisplay.from_predictions([[1.2, 1.5], [0.4, 0.6]], limit=0.5)
    >>> len(display.lines_)
    3
    """

    def __init__(
        self,
        *,
        dish_losses: NDArray[np.float64],
        validation_scores: NDArray[np.float64] | None = None,
        limit: float | None = None,
    ) -> None:
        self.dish_losses = dish_losses
        self.validation_scores = validation_scores
        self.limit = limit

    @classmethod
    @validate_params(ax=AXES)
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> OuterLoopDisplay:
        """Draw how a regressor learned.

        Parameters
        ----------
        estimator : PetriDishRegressor
            A fitted one, that made at least one outer step.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`, of the single dishes.

        Returns
        -------
        OuterLoopDisplay
            The display.

        Raises
        ------
        TypeError
            If the estimator is none.
        ValueError
            If nothing was learned, or how is not known since the regressor was loaded from
            a file.
        """
        dish = check_dish(cls, estimator)
        losses = [step["dish_losses"] for step in dish.history_]
        if not losses:
            raise ValueError("The estimator made no outer step, or was loaded from a file.")
        # Steps before n_dishes grew have fewer dishes.
        dish_losses = np.full((len(losses), max(map(len, losses))), np.nan)
        for step, values in enumerate(losses):
            dish_losses[step, : len(values)] = values
        return cls.from_predictions(
            dish_losses,
            validation_scores=dish.validation_scores_,
            limit=dish.max_outer_loss,
            ax=ax,
            **kwargs,
        )

    @classmethod
    @validate_params(
        dish_losses=NUMBERS,
        validation_scores=OPTIONAL_NUMBERS,
        limit=[reals(), None],
        ax=AXES,
    )
    def from_predictions(
        cls,
        dish_losses: ArrayLike,
        *,
        validation_scores: ArrayLike | None = None,
        limit: float | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> OuterLoopDisplay:
        """Draw outer losses.

        Parameters
        ----------
        dish_losses : array-like of shape (n_iter, n_dishes)
            Outer loss of every dish before each update.
        validation_scores : array-like of shape (at most n_iter,), default=None
            Negative outer loss on held-out motifs after each of the last updates.
        limit : float, default=None
            Outer loss above which a dish has not converged.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`, of the single dishes.

        Returns
        -------
        OuterLoopDisplay
            The display.
        """
        scores = None if validation_scores is None else np.asarray(validation_scores)
        display = cls(dish_losses=np.asarray(dish_losses), validation_scores=scores, limit=limit)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> OuterLoopDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`, of the single dishes.

        Returns
        -------
        OuterLoopDisplay
            The display.
        """
        ax = get_axes(type(self), ax)
        style = {"color": "tab:green", "linewidth": 0.8, "alpha": 0.35}
        self.lines_ = ax.plot(self.dish_losses, **(style | kwargs))
        self.lines_[0].set_label("single dishes")
        median = np.nanmedian(self.dish_losses, axis=1)
        self.lines_ += ax.plot(median, color="tab:green", linewidth=2, label="median")
        if self.validation_scores is not None:
            n_iter = len(self.dish_losses)
            after = np.arange(n_iter - len(self.validation_scores), n_iter) + 1
            ax.plot(after, -self.validation_scores, color="tab:orange", label="held-out motifs")
        if self.limit is not None:
            ax.axhline(self.limit, color="0.6", linestyle="--", linewidth=1, label="limit")
        ax.set(xlabel="outer step", ylabel="outer loss", yscale="log")
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
