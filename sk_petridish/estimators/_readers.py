"""Regressors that read what dishes measure, with sample weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Kernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

Reader = tuple[str, RegressorMixin]
_STATE = "random_state"


def make_readers(random_state: int | np.random.RandomState | None) -> list[Reader]:
    """Make the regressors that read what dishes measure.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Determines the trees.

    Returns
    -------
    list of (str, regressor) tuples
        Ridge regression, extremely randomised trees and a Gaussian process; their ``fit``
        takes ``sample_weight``.
    """
    # The process starts from neighbours as far apart as standardised features are.
    kernel = RBF(10.0, (1e-1, 1e4)) + WhiteKernel(0.1, (1e-3, 1e1))
    process = WeightedProcess(kernel, normalize_y=True, random_state=random_state)
    trees = ExtraTreesRegressor(
        200, min_samples_leaf=2, max_features=0.33, random_state=random_state
    )
    return [
        ("ridge", OnStandardised(RidgeCV(np.logspace(0, 5, 16)))),
        ("trees", trees),
        ("process", OnStandardised(process)),
    ]


class ReaderSeeds(NamedTuple):
    """The readers of :func:`make_readers`, each with its own random state.

    Parameters
    ----------
    trees, process : int or None
        Random states of the trees and of the Gaussian process.
    """

    trees: int | None = None
    process: int | None = None

    @classmethod
    def of(cls, readers: Sequence[Reader]) -> ReaderSeeds:
        """Return the seeds with which :meth:`make` makes readers.

        Parameters
        ----------
        readers : sequence of (str, regressor) tuples
            Any readers, fitted or not.

        Returns
        -------
        ReaderSeeds
            A random state that is no integer becomes None.

        Raises
        ------
        TypeError
            If they are others than those of :func:`make_readers`.
        """
        states = [_random_state(reader) for _, reader in readers]
        ours = [(name, clone(reader)) for name, reader in readers]
        for _, reader in ours:
            _set_random_state(reader, None)
        # Parameters are compared as scikit-learn shows them: kernels do not compare otherwise.
        if repr(ours) != repr(make_readers(None)):
            raise TypeError(f"Readers other than those recommended cannot be saved: {readers!r}.")
        _, trees, process = (state if isinstance(state, int) else None for state in states)
        return cls(trees, process)

    def make(self) -> list[Reader]:
        """Return the readers, unfitted.

        Returns
        -------
        list of (str, regressor) tuples
            As :func:`make_readers` returns them.
        """
        readers = make_readers(None)
        for (_, reader), seed in zip(readers, (None, *self), strict=True):
            _set_random_state(reader, seed)
        return readers


def _random_state(reader: RegressorMixin) -> int | np.random.RandomState | None:
    """Return the one random state of a reader, if it has any."""
    states = [value for name, value in reader.get_params().items() if name.endswith(_STATE)]
    return states[0] if states else None


def _set_random_state(reader: RegressorMixin, seed: int | None) -> None:
    names = [name for name in reader.get_params() if name.endswith(_STATE)]
    reader.set_params(**dict.fromkeys(names, seed))


class OnStandardised(RegressorMixin, BaseEstimator):
    """A regressor on features of zero mean and unit variance.

    A pipeline hands weights to its steps only where metadata routing is switched on.

    Parameters
    ----------
    regressor : regressor
        Its ``fit`` takes ``sample_weight``.

    Attributes
    ----------
    scaler_ : StandardScaler
        Moments of the features.
    regressor_ : regressor
        The fitted regressor.
    """

    def __init__(self, regressor: RegressorMixin) -> None:
        self.regressor = regressor

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> OnStandardised:
        """Fit moments and the regressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts.

        Returns
        -------
        OnStandardised
            The fitted regressor.
        """
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.scaler_ = StandardScaler().fit(X, **weights)
        self.regressor_ = clone(self.regressor).fit(self.scaler_.transform(X), y, **weights)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted targets.
        """
        predicted: NDArray[np.float64] = self.regressor_.predict(self.scaler_.transform(X))
        return predicted


class WeightedProcess(GaussianProcessRegressor):
    """A Gaussian process that takes weights, and may end at the bounds of its kernel.

    There it says that features tell nothing, or that losses have no noise: answers, and
    no reason to warn.
    """

    kernel: Kernel
    kernel_: Kernel

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> WeightedProcess:
        """Fit quietly.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            How many measurements each target is the mean of; its white noise is divided
            by that.

        Returns
        -------
        WeightedProcess
            The fitted process.
        """
        given = self.kernel
        if sample_weight is not None:
            self.kernel = _weighted(given, np.asarray(sample_weight, dtype=np.float64))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                super().fit(X, y)
        finally:
            self.kernel = given
        if sample_weight is not None:
            # Weights are those of the training rows; a new row is measured once.
            self.kernel_ = given.clone_with_theta(self.kernel_.theta)
        return self


def _weighted(kernel: Kernel, weights: NDArray[np.float64]) -> Kernel:
    """Return a kernel in whose place all white noise is divided by weights."""
    weighted = clone(kernel)
    for name, part in kernel.get_params().items():
        if isinstance(part, WhiteKernel):
            noise = _WeightedNoise(part.noise_level, part.noise_level_bounds, weights)
            weighted.set_params(**{name: noise})
    return weighted


class _WeightedNoise(WhiteKernel):
    """White noise of means: that of row ``i`` is divided by ``weights[i]``.

    Parameters
    ----------
    noise_level : float
        Variance of a single measurement.
    noise_level_bounds : pair of float or "fixed"
        Its bounds.
    weights : ndarray of shape (n_samples,)
        How many measurements a target is the mean of.
    """

    def __init__(
        self,
        noise_level: float,
        noise_level_bounds: tuple[float, float],
        weights: NDArray[np.float64],
    ) -> None:
        super().__init__(noise_level, noise_level_bounds)
        self.weights = weights

    def __call__(
        self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the covariance of training rows, and its gradient."""
        if Y is not None:
            between: NDArray[np.float64] = super().__call__(X, Y, eval_gradient)
            return between
        # Both are diagonal: sigma**2 / w_i.
        covariance, gradient = super().__call__(X, eval_gradient=True)
        weighted, its_gradient = covariance / self.weights, gradient / self.weights[:, None]
        return (weighted, its_gradient) if eval_gradient else weighted
