"""Losses that searches have found, and what a surrogate had predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish._compat._constraints import MappingOf
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import validate_params
from sk_petridish.metrics import kendall_tau_score

from ._axes import AXES, get_axes

Floats = NDArray[np.float64]


class EvaluationLike(Protocol):
    """What is drawn of an evaluation; :class:`~sk_petridish.search.Evaluation` has it."""

    @property
    def iteration(self) -> int:
        """Number of the iteration that chose the motif."""

    @property
    def loss(self) -> float:
        """Measured loss; NaN where there is none."""

    @property
    def predicted(self) -> float:
        """Predicted loss; NaN where there is none."""


@runtime_checkable
class ResultLike(Protocol):
    """What is drawn of a search; :class:`~sk_petridish.search.SearchResult` has it.

    Searches may import what draws them, so that it must not import searches.
    """

    @property
    def history(self) -> Sequence[EvaluationLike]:
        """Evaluations, in order."""


class SearchDisplay:
    """How a search went: best so far against evaluations, or predicted against true.

    Make one with :meth:`from_results` or :meth:`from_losses`. The first kind is that of
    Figure 3 of the paper: the smallest loss after so many evaluations, for each method the
    median over its runs, and a band between the quartiles. The second shows, for each
    iteration of one search, what the surrogate predicted of the motifs that were then
    evaluated.

    Parameters
    ----------
    losses : dict of str to list of ndarray of shape (n_evaluations,)
        The losses of each method's runs, in order; NaN where an evaluation gave none.
    predicted : ndarray of shape (n_evaluations,), default=None
        Predicted losses of the only run; NaN where nothing was predicted.
    iteration : ndarray of shape (n_evaluations,), default=None
        Iterations of its evaluations.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : dict of str to matplotlib artist
        The line of each method, or the points of each iteration.

    See Also
    --------
    SurrogateDisplay : Predicted against measured losses of any motifs.

    Examples
    --------
    >>> from sk_petridish.inspection import SearchDisplay
    >>> losses = {"dish": [[3.0, 1.0, 2.0], [2.0, 2.0, 1.5]], "random": [[3.0, 2.5, 4.0]]}
    >>> display = SearchDisplay.from_losses(losses)
    >>> display.lines_["dish"].get_ydata()
    array([2.5 , 1.5 , 1.25])
    """

    def __init__(
        self,
        *,
        losses: dict[str, list[Floats]],
        predicted: Floats | None = None,
        iteration: NDArray[np.int64] | None = None,
    ) -> None:
        self.losses = losses
        self.predicted = predicted
        self.iteration = iteration

    @classmethod
    @validate_params(kind=[StrOptions({"best_so_far", "predictions"})], ax=AXES)
    def from_results(
        cls,
        results: ResultLike | Mapping[str, ResultLike | Sequence[ResultLike]],
        *,
        kind: Literal["best_so_far", "predictions"] = "best_so_far",
        ax: Any = None,
        **kwargs: Any,
    ) -> SearchDisplay:
        """Draw results of searches.

        Parameters
        ----------
        results : SearchResult, or dict of str to SearchResult or to a list of them
            One result, or those of several methods by name.
        kind : {"best_so_far", "predictions"}, default="best_so_far"
            What to draw; predictions of one result only.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        SearchDisplay
            The display.

        Raises
        ------
        ValueError
            If there is no such kind, or predictions of several results or of none are to be
            drawn.
        """
        named = results if isinstance(results, Mapping) else {"search": results}
        runs = {
            name: list(ours) if isinstance(ours, Sequence) else [ours]
            for name, ours in named.items()
        }
        losses = {
            name: [np.array([one.loss for one in run.history]) for run in ours]
            for name, ours in runs.items()
        }
        if kind == "best_so_far":
            return cls(losses=losses).plot(ax=ax, **kwargs)
        if sum(map(len, runs.values())) != 1:
            raise ValueError("Predictions are drawn of one result.")
        ((run,),) = runs.values()
        display = cls(
            losses=losses,
            predicted=np.array([one.predicted for one in run.history]),
            iteration=np.array([one.iteration for one in run.history]),
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    @validate_params(losses=[MappingOf(list, tuple)], ax=AXES)
    def from_losses(
        cls, losses: Mapping[str, Sequence[ArrayLike]], *, ax: Any = None, **kwargs: Any
    ) -> SearchDisplay:
        """Draw best so far against evaluations.

        Parameters
        ----------
        losses : dict of str to sequence of array-like of shape (n_evaluations,)
            The losses of each method's runs, in order.
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        SearchDisplay
            The display.
        """
        arrays = {
            name: [np.asarray(run, dtype=np.float64) for run in runs]
            for name, runs in losses.items()
        }
        return cls(losses=arrays).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> SearchDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw on; new ones otherwise.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        SearchDisplay
            The display.
        """
        ax = get_axes(type(self), ax)
        if self.predicted is None or self.iteration is None:
            self._plot_best_so_far(ax, kwargs)
        else:
            self._plot_predictions(ax, self.predicted, self.iteration, kwargs)
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_best_so_far(self, ax: Any, kwargs: dict[str, Any]) -> None:
        self.lines_ = {}
        for name, runs in self.losses.items():
            length = min(map(len, runs))
            best = np.array([np.fmin.accumulate(run)[:length] for run in runs])
            low, middle, high = np.quantile(best, [0.25, 0.5, 0.75], axis=0)
            x = np.arange(1, length + 1)
            (self.lines_[name],) = ax.plot(x, middle, label=name, **kwargs)
            if len(runs) > 1:
                color = self.lines_[name].get_color()
                ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        ax.set(xlabel="ground-truth evaluations", ylabel="smallest loss so far")

    def _plot_predictions(
        self, ax: Any, predicted: Floats, iteration: NDArray[np.int64], kwargs: dict[str, Any]
    ) -> None:
        ((losses,),) = self.losses.values()
        both = np.isfinite(losses) & np.isfinite(predicted)
        if not both.any():
            raise ValueError("The search has predicted nothing that was evaluated.")
        ends = [
            min(losses[both].min(), predicted[both].min()),
            max(losses[both].max(), predicted[both].max()),
        ]
        ax.plot(ends, ends, color="0.6", linewidth=1, linestyle="--", zorder=0)
        style = {"linestyle": "", "marker": "o", "markersize": 4, "alpha": 0.8}
        self.lines_ = {}
        for number in np.unique(iteration[both]):
            ours = both & (iteration == number)
            label = f"iteration {number}"
            if len(np.unique(losses[ours])) > 1:
                tau = kendall_tau_score(losses[ours], predicted[ours])
                label += f", Kendall's $\\tau$ {tau:.2f}"
            (self.lines_[f"iteration {number}"],) = ax.plot(
                losses[ours], predicted[ours], label=label, **(style | kwargs)
            )
        ax.set(xlabel="measured loss", ylabel="predicted loss")
