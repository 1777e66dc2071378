"""scikit-learn's callbacks, told of the outer loop's steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext
from skorch import NeuralNet
from skorch.callbacks import Callback

from sk_petridish.dish import Dish, StopLearning


class FitHooks:
    """Reports to scikit-learn's callbacks at the begin and the end of a task.

    Parameters
    ----------
    estimator : estimator
        The one that is being fitted.
    **data : dict
        ``X``, ``y`` and ``metadata`` of the fit.
    """

    def __init__(self, estimator: BaseEstimator, **data: Any) -> None:
        self._told = {"estimator": estimator, **data}

    def begin(
        self, context: CallbackContext, fitted: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        """Report a task's begin; ``fitted()`` returns what makes the estimator predict."""
        context.call_on_fit_task_begin(**self._told, reconstruction_attributes=fitted)

    def end(
        self, context: CallbackContext, fitted: Callable[[], dict[str, Any]] | None = None
    ) -> bool:
        """Report its end; True where a callback wants the fit to stop."""
        return bool(context.call_on_fit_task_end(**self._told, reconstruction_attributes=fitted))


class OuterSteps(Callback):
    """A skorch callback that tells scikit-learn's of every outer step.

    Parameters
    ----------
    context : CallbackContext
        The fit's.
    hooks : FitHooks
        What is told.
    fitted : callable
        ``fitted(dishes)``: attributes that make the estimator predict with them. Asked
        only where a callback wants to see a fitted estimator.
    """

    def __init__(
        self,
        context: CallbackContext,
        hooks: FitHooks,
        fitted: Callable[[Sequence[Dish]], dict[str, Any]],
    ) -> None:
        self.context = context
        self.hooks = hooks
        self.fitted = fitted

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Begin a task."""
        self.step_ = self.context.subcontext(task_name="outer step")
        self.hooks.begin(self.step_, partial(self._fitted, net))

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """End it, and learning where a callback wants that."""
        if self.hooks.end(self.step_, partial(self._fitted, net)):
            raise StopLearning

    def _fitted(self, net: NeuralNet) -> dict[str, Any]:
        return self.fitted(net.module_.dishes())
