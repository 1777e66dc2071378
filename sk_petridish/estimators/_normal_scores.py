"""Losses as normal scores of their ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_petridish._compat._losses import validate_weights


class NormalScores(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map each column to the normal scores of its ranks.

    A value of rank ``r`` among ``n`` becomes the normal distribution's quantile of
    ``(r - 0.5) / n``; with sample weights, of the share of the weight that lies below it,
    half of its own included, which is the same for rows that are repeated. Losses of
    architectures have long tails, of those that do not learn at all; on this scale a
    regressor attends to the order of the good ones as much. Values between those seen are
    interpolated, and those beyond become the outermost, so that predictions stay among the
    losses seen.

    Attributes
    ----------
    values_ : list of ndarray
        Different values of each column, increasing.
    scores_ : list of ndarray
        Their scores.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where ``X`` had names that are all strings.

    See Also
    --------
    sk_petridish.make_surrogate : Regressors on these scores.
    sklearn.preprocessing.QuantileTransformer : Maps the outermost values to 5.2 standard
        deviations, however few there are.

    Examples
    --------
    >>> from sk_petridish import NormalScores
    >>> NormalScores().fit_transform([[3.0], [100.0], [1.0]]).round(2)
    array([[ 0.  ],
           [ 0.97],
           [-0.97]])
    """

    def fit(
        self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None
    ) -> NormalScores:
        """Remember values and their scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Values.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts; 2 is as good as giving it twice, 0 as leaving it
            out.

        Returns
        -------
        NormalScores
            The fitted transformer.

        Raises
        ------
        ValueError
            If a value or a weight is not finite, a weight is negative, or all are zero.
        """
        rows: NDArray[np.float64] = validate_data(self, X, dtype=np.float64)
        weights = validate_weights(sample_weight, rows)
        columns, weights = rows[weights > 0].T, weights[weights > 0]
        self.values_, self.scores_ = [], []
        for column in columns:
            values, group = np.unique(column, return_inverse=True)
            weight = np.bincount(group, weights)
            # Of integer weights w: (r - 0.5) / n with r the mean rank of w equal values.
            below = np.cumsum(weight) - weight / 2
            self.values_.append(values)
            self.scores_.append(norm.ppf(below / weights.sum()))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Map values to scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Values.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Scores.
        """
        check_is_fitted(self)
        columns = validate_data(self, X, dtype=np.float64, reset=False).T
        return self._interpolate(columns, self.values_, self.scores_)

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Map scores to values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Scores.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Values.
        """
        check_is_fitted(self)
        return self._interpolate(np.asarray(X, np.float64).T, self.scores_, self.values_)

    @staticmethod
    def _interpolate(columns: Any, before: Any, after: Any) -> NDArray[np.float64]:
        return np.stack(
            [np.interp(*column) for column in zip(columns, before, after, strict=True)], axis=1
        )
