"""Losses and weights at the ends of the range of floats, and rows in any order."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sk_petridish import (
    NormalScores,
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
)
from sk_petridish._compat._losses import limit_outliers, mean_and_std, validate_weights
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.estimators._readers import make_readers
from sk_petridish.metrics import (
    kendall_tau_score,
    outer_mse,
    precision_at_k_score,
    regret_score,
    spearman_score,
)
from sk_petridish.motifs import SigmoidSlope

SPACE = SigmoidSlope()
X = np.linspace(0.2, 1.6, 10)[:, None]
Y = 0.02 + 0.01 * X.ravel()
SMALL = {"n_dishes": 4, "inner_steps": 6, "max_iter": 2, "max_outer_loss": 4.0}


def dish():
    return PetriDishRegressor(SPACE, **SMALL, random_state=0)


def bank():
    dishes = [("dish", PetriDishRegressor(n_dishes=2, inner_steps=6))]
    return PetriDishBankRegressor(
        SPACE,
        banks=[("bank", PetriDishTransformer(dishes=dishes))],
        readers=[*make_readers(0)[::2], ("plain", Ridge())],
        random_state=0,
    )


def learned_bank():
    dishes = [("dish", PetriDishRegressor(**SMALL))]
    banks = [("bank", PetriDishTransformer(dishes=dishes, learn=True))]
    return PetriDishBankRegressor(SPACE, banks=banks, readers=[("ridge", Ridge())], random_state=0)


def control():
    return NeuralSurrogate(random_state=0, max_iter=60)


SURROGATES = pytest.mark.parametrize("make", [dish, bank, learned_bank, control])
WEIGHTED = pytest.mark.parametrize("make", [dish, bank, learned_bank])


@pytest.fixture(autouse=True)
def no_warning():
    """numpy's warnings are no way to say that a fit is worth nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def predict(make, y, rows=X, **options):
    model = make().fit(rows, y, **options)
    if isinstance(model, NeuralSurrogate):
        return model.predict(X), np.zeros(len(X))
    return model.predict(X, return_std=True)


# Scales


@SURROGATES
@pytest.mark.parametrize("scale", [1e300, 1e200, 2.0**600, 1e-200, 1e-295, -1e300])
def test_losses_of_any_scale_are_learned_as_ordinary_ones(make, scale):
    expected, spread = predict(make, np.sign(scale) * Y)
    found, its_spread = predict(make, scale * Y)
    np.testing.assert_allclose(found / abs(scale), expected, rtol=1e-6)
    np.testing.assert_allclose(its_spread / abs(scale), spread, rtol=1e-4, atol=1e-7)


@SURROGATES
def test_losses_of_both_signs_may_be_large(make):
    y = (Y - Y.mean()) * 1e302
    expected, _ = predict(make, y / 1e302)
    np.testing.assert_allclose(predict(make, y)[0] / 1e302, expected, rtol=1e-6, atol=1e-9)


@SURROGATES
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (1.7e308 * np.sign(Y - Y.mean()), "divide losses by 2e\\+308, or leave the motif out"),
        (np.r_[Y[:-1], -1e306], "y holds a loss of -1e\\+306"),
        (Y * 1e-306, "The losses in y differ by .* divide losses by 1e-300"),
        (np.arange(10) * 5e-324, "where floats have no digits left"),
        (np.r_[Y[:-1], np.inf], "infinity"),
        (np.r_[Y[:-1], np.nan], "NaN"),
        ([*Y[:-1], None], "NaN"),
        ([*Y[:-1], object()], "float"),
        ([*Y[:-1], 10**400], "too large"),
        ([*Y[:-1], "bad"], "could not convert"),
        (Y + 1j, "[Cc]omplex"),
        (Y[:-1], "X has 10 motifs, but y has 9 losses"),
        (np.c_[Y, Y], "1d array"),
        (None, "requires y to be passed"),
    ],
)
def test_other_losses_are_refused_with_a_sentence(make, y, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X, y)


@pytest.mark.parametrize("make", [dish, learned_bank, control])
@pytest.mark.parametrize("outlier", [1e200, 1e20, -1e200, 1e300])
def test_an_outlier_leaves_the_others_their_order(make, outlier):
    y = np.r_[Y[:-1], outlier]
    with pytest.warns(RuntimeWarning, match="y holds losses like"):
        found, _ = predict(make, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limited, _ = predict(make, limit_outliers(y))
    if make is not learned_bank:  # which learns from what it is given, and reads ranks
        np.testing.assert_array_equal(found, limited)
    assert len(np.unique(found)) > 5


def test_a_bank_ranks_outliers_as_any_others():
    y = np.r_[Y[:-1], 1e200]
    found, spread = predict(bank, y)
    assert np.isfinite(spread).all()
    assert kendall_tau_score(y, found) > 0.5


def test_more_losses_do_not_bring_an_outlier_back():
    model = dish()
    with pytest.warns(RuntimeWarning, match="beside which floats"):
        model.partial_fit(X[:9], np.r_[Y[:8], 1e200])
    model.partial_fit(X[9:], Y[9:])
    assert model.y_train_.max() < 1
    assert model.y_train_.argmax() == 8


@given(
    st.lists(st.integers(-1000, 1000).map(float), min_size=3, max_size=20),
    st.lists(st.floats(1e30, 1e300), max_size=4),
    st.lists(st.floats(-1e300, -1e30), max_size=4),
)
@settings(max_examples=60)
def test_limited_losses_keep_their_order(near, above, below):
    y = np.array([*near, *above, *below])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        limited = limit_outliers(y)
    np.testing.assert_array_equal(
        np.unique(y, return_inverse=True)[1], np.unique(limited, return_inverse=True)[1]
    )
    assert np.isin(near, limited).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.integers(-900, 900))
@settings(max_examples=60)
def test_moments_are_those_of_numpy_in_any_unit(values, exponent):
    y = np.array(values)
    weights = np.arange(1.0, 1 + len(y))
    mean = np.average(y, weights=weights)
    expected = mean, np.sqrt(np.average((y - mean) ** 2, weights=weights))
    found = np.ldexp(mean_and_std(np.ldexp(y, exponent), weights), -exponent)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_network_that_diverges_says_so():
    rows = X.copy()
    rows[0] = 1e200
    assert np.isfinite(control().fit(rows, Y).predict(rows)).all()
    with pytest.raises(ValueError, match=r"Training diverged: .* or lr=1e\+200 is too large"):
        control().set_params(lr=1e200).fit(X, Y)


# Weights


@WEIGHTED
@pytest.mark.parametrize("weight", [1e-320, 1e-300, 1e300, 1e308])
def test_equal_weights_of_any_scale_are_weights_of_one(make, weight):
    if make is bank:
        pytest.skip("its plain reader takes no weights")
    expected, spread = predict(make, Y)
    found, its_spread = predict(make, Y, sample_weight=np.full(10, weight))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(its_spread, spread, rtol=1e-6)


@WEIGHTED
@pytest.mark.parametrize("scale", [1e-310, 1e307])
def test_ratios_of_extreme_weights_are_repetitions(make, scale):
    counts = np.array([4.0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    twice = predict(
        make, np.repeat(Y, counts.astype(int)), np.repeat(X, counts.astype(int), axis=0)
    )
    found = predict(make, Y, sample_weight=counts * scale)
    np.testing.assert_allclose(found[0], twice[0], rtol=1e-6)


@WEIGHTED
def test_beside_a_weight_of_1e308_one_of_1_is_none(make):
    weights = np.r_[np.full(8, 1e308), 1.0, 1.0]
    found = predict(make, Y, sample_weight=weights)
    expected = predict(make, Y[:8], X[:8])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)


@WEIGHTED
@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, "x", None])
def test_weights_that_cannot_be_are_refused(make, weight):
    with pytest.raises(ValueError, match=r"[Ww]eight|convert|NaN"):
        make().fit(X, Y, sample_weight=np.array([weight] + [1.0] * 9, dtype=object))


@WEIGHTED
def test_weights_that_are_all_zero_are_refused(make):
    with pytest.raises(ValueError, match=r"[Ww]eight"):
        make().fit(X, Y, sample_weight=np.zeros(10))


def test_ordinary_weights_stay_as_they_are():
    weights = np.array([1.0, 2.0, 0.0, 1e-15, 1e5])
    np.testing.assert_array_equal(validate_weights(weights, np.zeros((5, 1))), weights)


def test_scores_of_extreme_weights():
    scores = NormalScores().fit([[1.0], [2.0], [3.0]], sample_weight=[1e308, 1e308, 1e308])
    np.testing.assert_array_equal(
        scores.scores_[0], NormalScores().fit([[1.0], [2.0], [3.0]]).scores_[0]
    )


# The order of rows


@SURROGATES
@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_does_not_matter(make, seed):
    rows, y = np.r_[X, X[:2]], np.r_[Y, Y[:2] + 0.001]
    order = np.random.default_rng(seed).permutation(len(y))
    expected, spread = predict(make, y[:10], rows[:10])
    ten = order[order < 10]
    found, its_spread = predict(make, y[ten], rows[ten])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(its_spread, spread, rtol=1e-9)
    if make is not bank:  # whose plain reader takes no repeats
        repeated, _ = predict(make, y, rows)
        np.testing.assert_allclose(predict(make, y[order], rows[order])[0], repeated, rtol=1e-12)


def test_batches_do_not_depend_on_the_order_of_rows():
    order = np.random.default_rng(0).permutation(10)
    models = [
        NeuralSurrogate(batch_size=3, max_iter=20, random_state=0).fit(X[rows], Y[rows])
        for rows in (np.arange(10), order)
    ]
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(X))


# Metrics


@pytest.mark.parametrize("scale", [1e-13, 1e-100, 1e-300, 1e100, 1e200, 1e307])
def test_metrics_do_not_depend_on_the_unit(scale):
    rng = np.random.default_rng(0)
    y, predicted = rng.random(12), rng.random(12)
    for score in (kendall_tau_score, spearman_score, precision_at_k_score, outer_mse):
        expected = score(y, predicted)
        assert score(y * scale, predicted) == pytest.approx(expected, rel=1e-6)
        assert score(y, predicted * scale) == pytest.approx(expected, rel=1e-6)
    regret = regret_score(y * scale, predicted)
    assert regret == pytest.approx(regret_score(y, predicted) * scale)


def test_metrics_at_both_ends_of_floats():
    y = np.array([-1.7e308, -1.6e308, 0.0, 1.6e308, 1.7e308])
    assert kendall_tau_score(y, y) == pytest.approx(1)
    assert spearman_score(y, y) == pytest.approx(1)
    assert outer_mse(y, y / 1e300) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="further apart than floats reach"):
        regret_score(y, y)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_metric_refuses_weights_that_cannot_be(weight):
    with pytest.raises(ValueError, match=r"[Ww]eight|NaN|infinity"):
        outer_mse([1.0, 2.0, 3.0], [1.0, 3.0, 2.0], sample_weight=[1.0, 1.0, weight])
