"""The paper's control: a network that sees a motif's description only (Table 3)."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNetRegressor
from skorch.callbacks import LRScheduler
from torch import Tensor, nn
from torch.utils.data import RandomSampler

from sk_petridish._compat._constraints import integers, random_states, reals
from sk_petridish._compat._losses import (
    canonical_order,
    limit_outliers,
    mean_and_std,
    validate_losses,
)
from sk_petridish._compat._sklearn import fit_context
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish._compat._validation import Constraints


class NeuralSurrogate(RegressorMixin, BaseEstimator):
    """Predict losses of motifs by a small perceptron on their rows.

    It learns from the same losses as a dish but never runs a motif, so it knows
    nothing of motifs unlike those that it was trained on. Defaults are those of
    the paper's Table 3.

    Parameters
    ----------
    n_hidden : int, default=10
        Units in each of the two hidden layers (tanh).
    max_iter : int, default=150
        Training steps.
    batch_size : int, default=15
        Motifs in a step, drawn without replacement where there are more.
    lr : float, default=0.01
        Adam's learning rate.
    lr_decay, lr_step : float and int, default=0.97 and 100
        The learning rate is multiplied by ``lr_decay`` every ``lr_step`` steps.
    l2 : float, default=1e-4
        L2 penalty on weights and biases.
    init_scale : float, default=0.1
        Standard deviation of the initial weights and biases.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights and batches.

    Attributes
    ----------
    net_ : skorch.NeuralNetRegressor
        The trained network; its outputs are normalised losses.
    loss_curve_ : ndarray of shape (max_iter,)
        Mean squared error on normalised losses at each step.
    n_iter_ : int
        Training steps made.
    n_features_in_ : int
        Columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where ``X`` had names that are all strings.

    See Also
    --------
    sk_petridish.PetriDishRegressor : Runs the motifs.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 4.1 and Table 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.baselines import NeuralSurrogate
    >>> slopes = np.linspace(0.4, 1.5, 15)[:, None]
    >>> losses = 0.02 + 0.01 * slopes.ravel()
    >>> control = NeuralSurrogate(random_state=0).fit(slopes, losses)
    >>> control.predict([[0.5], [1.4]]).round(3)
    array([0.025, 0.034])
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "n_hidden": [integers(1)],
        "max_iter": [integers(1)],
        "batch_size": [integers(1)],
        "lr": [reals(0)],
        "lr_decay": [reals(0)],
        "lr_step": [integers(1)],
        "l2": [reals(0, closed="left")],
        "init_scale": [reals(0)],
        "random_state": random_states(),
    }

    def __init__(
        self,
        *,
        n_hidden: int = 10,
        max_iter: int = 150,
        batch_size: int = 15,
        lr: float = 0.01,
        lr_decay: float = 0.97,
        lr_step: int = 100,
        l2: float = 1e-4,
        init_scale: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_hidden = n_hidden
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr
        self.lr_decay = lr_decay
        self.lr_step = lr_step
        self.l2 = l2
        self.init_scale = init_scale
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike) -> NeuralSurrogate:
        """Learn normalised losses from rows.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.
        y : array-like of shape (n_motifs,)
            Their ground-truth losses.

        Returns
        -------
        NeuralSurrogate
            The fitted estimator.

        Raises
        ------
        ValueError
            If something is not finite, the shapes do not match, or training diverges.

        Warns
        -----
        RuntimeWarning
            If losses are so far off that floats cannot tell the others apart.
        """
        rows = validate_data(self, X, dtype=np.float64)
        losses = validate_losses(y, len(rows), self)
        # Batches are drawn by places: sorted, so that the order of rows does not matter.
        order = canonical_order(rows, losses)
        rows, losses = rows[order], limit_outliers(losses[order])
        self._loss_mean, std = mean_and_std(losses)
        self._loss_std = std or 1.0
        normalised = (losses - self._loss_mean) / self._loss_std
        with one_torch_thread():
            net = self._net(*rows.shape).fit(rows, normalised[:, None])
        curve = np.array(net.history[:, "train_loss"])
        if not np.isfinite(curve).all():
            raise ValueError(
                f"Training diverged: X has values of {np.abs(rows).max():.3g}, or lr={self.lr} is "
                "too large. Scale the columns of X, or give a smaller lr."
            )
        self.net_ = net
        self.loss_curve_ = curve
        self.n_iter_ = len(self.loss_curve_)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict losses from rows.

        Parameters
        ----------
        X : array-like of shape (n_motifs, n_features)
            Motifs, one a row.

        Returns
        -------
        ndarray of shape (n_motifs,)
            Predicted losses in the units of ``y``.

        Raises
        ------
        ValueError
            If something is not finite or has another width than in ``fit``.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False, copy=True)
        with one_torch_thread():
            normalised = self.net_.predict(rows).ravel()
        losses: NDArray[np.float64] = normalised * self._loss_std + self._loss_mean
        return losses

    def _net(self, n_motifs: int, n_features: int) -> NeuralNetRegressor:
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        # Generators of our own: the user's global random state is not ours.
        generator = torch.Generator().manual_seed(seed)
        batch_size = min(self.batch_size, n_motifs)
        return NeuralNetRegressor(
            _Perceptron(n_features, self.n_hidden, self.init_scale, generator),
            optimizer=torch.optim.Adam,
            lr=self.lr,
            optimizer__weight_decay=self.l2,
            max_epochs=self.max_iter,
            batch_size=batch_size,
            iterator_train__sampler=RandomSampler(
                range(n_motifs), num_samples=batch_size, generator=generator
            ),
            iterator_train__generator=generator,
            iterator_valid__generator=generator,
            train_split=None,
            callbacks=[LRScheduler("StepLR", step_size=self.lr_step, gamma=self.lr_decay)],
            verbose=0,
        )


class _Perceptron(nn.Module):
    """Two hidden tanh layers on a motif's row."""

    def __init__(
        self, n_features: int, n_hidden: int, scale: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        widths = (n_features, n_hidden, n_hidden, 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            for parameters, shape in ((self.weights, (n_in, n_out)), (self.biases, (n_out,))):
                start = torch.empty(shape, dtype=torch.float64)
                parameters.append(nn.Parameter(start.normal_(0.0, scale, generator=generator)))

    def forward(self, rows: Tensor) -> Tensor:
        values = rows
        for weight, bias in zip(self.weights, self.biases, strict=True):
            # The first layer reads the row as it is.
            values = values @ weight + bias if values is rows else values.tanh() @ weight + bias
        return values
