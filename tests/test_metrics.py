"""Ranking metrics: known answers, and properties of all."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_validate

from sk_petridish import metrics
from sk_petridish.metrics import (
    kendall_tau_score,
    outer_mse,
    precision_at_k_score,
    regret_score,
    spearman_score,
)
from sk_petridish.model_selection import outer_mse_scorer

SCORES = [kendall_tau_score, spearman_score, outer_mse, regret_score, precision_at_k_score]
# Few different values: ties are the rule.
tied = arrays(np.float64, 6, elements=st.integers(0, 3).map(float))
different = st.permutations(range(6)).map(lambda values: np.array(values, dtype=float))


@given(losses=different, predicted=different)
def test_without_ties_they_are_their_definitions(losses, predicted):
    pairs = list(itertools.combinations(range(6), 2))
    agree = [(losses[i] - losses[j]) * (predicted[i] - predicted[j]) > 0 for i, j in pairs]
    assert kendall_tau_score(losses, predicted) == pytest.approx(2 * np.mean(agree) - 1)
    squares = np.sum((losses - predicted) ** 2)  # both are their own ranks
    assert spearman_score(losses, predicted) == pytest.approx(1 - 6 * squares / (6 * 35))
    correlation = np.corrcoef(losses, predicted)[0, 1]
    assert outer_mse(losses, predicted) == pytest.approx(2 - 2 * correlation)
    for k in (1, 3, 6):
        chosen, best = np.argsort(predicted)[:k], np.argsort(losses)[:k]
        assert regret_score(losses, predicted, k=k) == pytest.approx(losses[chosen].min())
        assert precision_at_k_score(losses, predicted, k=k) == pytest.approx(
            len(set(chosen) & set(best)) / k
        )


@given(losses=tied, predicted=tied, k=st.integers(1, 8))
def test_with_ties_choices_are_means_over_all_orders(losses, predicted, k):
    def first(values):
        """Return every set of k that is first in some order of the tied."""
        orders = (
            order
            for order in itertools.permutations(range(6))
            if all(values[i] <= values[j] for i, j in itertools.pairwise(order))
        )
        return [order[:k] for order in orders]

    chosen, best = first(predicted), first(losses)
    regrets = [losses[list(some)].min() - losses.min() for some in chosen]
    assert regret_score(losses, predicted, k=k) == pytest.approx(np.mean(regrets), abs=1e-12)
    shares = np.array([[i in some for i in range(6)] for some in chosen]).mean(axis=0)
    truth = np.array([[i in some for i in range(6)] for some in best]).mean(axis=0)
    expected = shares @ truth / min(k, 6)
    assert precision_at_k_score(losses, predicted, k=k) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(losses=tied, predicted=tied, scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_only_the_order_of_predictions_matters(losses, predicted, scale, shift):
    for score in SCORES:
        expected = score(losses, predicted)
        np.testing.assert_allclose(score(losses, scale * predicted + shift), expected, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(losses=tied, predicted=tied, repeats=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_weight_of_the_outer_mse_counts_as_repetition(losses, predicted, repeats):
    weighted = outer_mse(losses, predicted, sample_weight=repeats)
    if sum(repeats):
        repeated = outer_mse(losses.repeat(repeats), predicted.repeat(repeats))
        np.testing.assert_allclose(weighted, repeated, atol=1e-9)


def test_constant_predictions_order_nothing():
    losses = [0.1, 0.2, 0.3, 0.4]
    assert kendall_tau_score(losses, np.ones(4)) == spearman_score(losses, np.ones(4)) == 0.0
    assert outer_mse(losses, np.ones(4)) == 2.0
    assert regret_score(losses, np.ones(4)) == pytest.approx(np.mean(losses) - 0.1)
    assert precision_at_k_score(losses, np.ones(4), k=2) == 0.5


@pytest.mark.parametrize("score", [kendall_tau_score, spearman_score, outer_mse])
def test_constant_losses_have_no_order(score):
    for losses, predicted in (([1.0, 1.0], [1.0, 2.0]), ([1.0], [1.0])):
        with pytest.warns(UndefinedMetricWarning, match="two motifs of different loss"):
            assert np.isnan(score(losses, predicted))


@pytest.mark.parametrize("score", SCORES)
def test_bad_losses_are_errors(score):
    with pytest.raises(ValueError, match="inconsistent numbers"):
        score([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="y_pred contains NaN"):
        score([1.0, 2.0], [1.0, np.nan])


@pytest.mark.parametrize("score", [regret_score, precision_at_k_score])
def test_k_is_positive(score):
    with pytest.raises(ValueError, match="'k' parameter of"):
        score([1.0, 2.0], [1.0, 2.0], k=0)


def test_scorers_take_part_in_cross_validation():
    X = np.linspace(0, 1, 40)[:, None]
    scorers = {
        name: scorer for name, scorer in vars(metrics).items() if name.endswith("_scorer")
    } | {"outer_mse_scorer": outer_mse_scorer}
    assert len(scorers) == 5
    results = cross_validate(LinearRegression(), X, X.ravel(), scoring=scorers, cv=2)
    for name in scorers:
        best = 0.0 if name in ("regret_scorer", "outer_mse_scorer") else 1.0
        np.testing.assert_allclose(results[f"test_{name}"], best, atol=1e-9)
