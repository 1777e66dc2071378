"""The best-known surrogates, as estimators of scikit-learn."""

import pickle
from functools import cache

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsRegressor

from sk_petridish import (
    NormalScores,
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
    make_surrogate,
)
from sk_petridish.metrics import predict_with_spread
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)


def test_motifs_with_one_parameter_get_a_dish():
    surrogate = make_surrogate(SigmoidSlope(), random_state=3)
    assert isinstance(surrogate, PetriDishRegressor)
    assert surrogate.random_state == 3


def small(space):
    """Return the family's surrogate, with smaller dishes."""
    surrogate = make_surrogate(space, random_state=0)
    few = {"n_dishes": 1, "inner_steps": 10, "n_synthetic": 8, "n_batches": 1}
    if space.data_kind == "images":
        few |= {"image_size": 4, "n_hidden": 3}
    changes = {}
    for name, value in surrogate.get_params().items():
        if isinstance(value, PetriDishRegressor):
            changes |= {f"{name}__{setting}": number for setting, number in few.items()}
    return surrogate.set_params(**changes)


SPACES = [
    SigmoidSlope(),
    SigmoidSlope(2),
    ActivationFunction(),
    RecurrentCell(n_nodes=3),
    RecurrentGraph(),
    ConvCell(1),
]
over_spaces = pytest.mark.parametrize("space", SPACES, ids=repr)
over_banks = pytest.mark.parametrize("space", SPACES[1:], ids=repr)


def quick(space):
    """Return the family's surrogate, as small as can be; a learned dish has few steps."""
    surrogate = small(space)
    if isinstance(surrogate, PetriDishRegressor):
        few = {"n_synthetic": 8, "n_batches": 1, "inner_steps": 10, "max_iter": 3}
        return surrogate.set_params(n_dishes=10, max_outer_loss=4.0, **few)
    return surrogate.set_params(trees__n_estimators=10, n_folds=3)


@cache
def motifs(space, n=12):
    """Return different motifs with losses."""
    X = np.unique(space.sample(4 * n, random_state=0), axis=0)[:n]
    return X, np.exp(np.sin(X @ np.arange(1.0, X.shape[1] + 1)))


def close(one, other, rtol=1e-7):
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol)


@over_spaces
@pytest.mark.parametrize("routed", [False, True])
def test_a_weight_is_a_number_of_repetitions(space, routed):
    X, y = motifs(space)
    weights = np.random.RandomState(0).randint(0, 4, len(y))
    rows = np.random.RandomState(1).permutation(np.repeat(np.arange(len(y)), weights))
    with sklearn.config_context(enable_metadata_routing=routed):
        weighted = quick(space).fit(X, y, sample_weight=weights)
    repeated = quick(space).fit(X[rows], y[rows])
    predicted = weighted.predict(X, return_std=True)
    close(predicted, repeated.predict(X, return_std=True))
    plain = quick(space).fit(X, y)
    assert not np.allclose(predicted[0], plain.predict(X))


@over_banks
def test_only_ratios_of_weights_matter_and_zero_is_none(space):
    X, y = motifs(space)
    plain = quick(space).fit(X[1:], y[1:])
    weights = np.r_[0.0, np.full(len(y) - 1, 1e-6)]
    weighted = quick(space).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(weighted.predict(X), plain.predict(X))
    close(weighted.predict(X, return_std=True), plain.predict(X, return_std=True), rtol=1e-5)


@over_spaces
def test_repeats_with_different_losses_are_averaged(space):
    X, y = motifs(space)
    repeated = quick(space).fit(np.r_[X, X[:2]], np.r_[y, 3 * y[:2]])
    weights = np.r_[2, 2, np.ones(len(y) - 2)]
    averaged = quick(space).fit(X, np.r_[2 * y[:2], y[2:]], sample_weight=weights)
    close(repeated.predict(X, return_std=True), averaged.predict(X, return_std=True), rtol=1e-5)


@over_spaces
def test_the_spread_is_positive_and_larger_where_losses_are_noisier(space):
    X, y = motifs(space)
    noise = np.random.RandomState(0).normal(size=len(y))
    spreads = []
    for size in (0.0, 20.0):
        surrogate = quick(space).fit(X, y + size * noise)
        predicted, std = predict_with_spread(surrogate, X)
        np.testing.assert_array_equal(predicted, surrogate.predict(X))
        assert np.isfinite(std).all()
        assert (std > 0).all()
        spreads.append(std.mean())
    assert spreads[1] > 3 * spreads[0]


@over_spaces
def test_copies_know_the_same(space):
    X, y = motifs(space)
    surrogate = quick(space).fit(X, y)
    before = pickle.loads(pickle.dumps(surrogate))
    predicted = surrogate.predict(X, return_std=True)
    for copy in (before, pickle.loads(pickle.dumps(surrogate)), clone(surrogate).fit(X, y)):
        for ours, theirs in zip(copy.predict(X, return_std=True), predicted, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(NotFittedError):
        clone(surrogate).predict(X, return_std=True)
    # Parameters that are set later do not change what was fitted, nor does another fit stay.
    before.set_params(random_state=7).predict(X[:2], return_std=True)
    before.set_params(random_state=0).fit(X, y[::-1]).predict(X, return_std=True)
    close(before.fit(X, y).predict(X, return_std=True), predicted, rtol=1e-12)


@over_spaces
def test_weights_go_through_cross_validation(space):
    X, y = motifs(space)
    weights = np.r_[0.0, np.ones(len(y) - 1)]
    results = cross_validate(quick(space), X, y, cv=2, params={"sample_weight": weights})
    with sklearn.config_context(enable_metadata_routing=True):
        asked = (
            quick(space).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        )
        routed = cross_validate(asked, X, y, cv=2, params={"sample_weight": weights})
    np.testing.assert_allclose(results["test_score"], routed["test_score"])
    plain = cross_validate(quick(space), X, y, cv=2)
    assert not np.allclose(results["test_score"], plain["test_score"])


@over_spaces
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_losses_and_weights_are_refused_with_what_they_should_be(space, bad):
    X, y = motifs(space)
    wrong = np.where(np.arange(len(y)) == 3, bad, y)
    surrogate = quick(space)
    with pytest.raises(ValueError, match=r"Input y contains(?s:.*)one finite ground-truth loss"):
        surrogate.fit(X, wrong)
    with pytest.raises(ValueError, match=r"sample_weight|[Ww]eights"):
        surrogate.fit(X, y, sample_weight=wrong)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        surrogate.fit(X, y, sample_weight=-y)


@over_spaces
def test_losses_of_another_number_and_too_few_motifs_are_refused(space):
    X, y = motifs(space)
    surrogate = quick(space)
    with pytest.raises(ValueError, match="X has 12 motifs, but y has 11 losses"):
        surrogate.fit(X, y[:-1])
    with pytest.raises(ValueError, match="at least 2 different ones, got n_samples=1"):
        surrogate.fit(X[[0, 0, 0]], y[:3])
    with pytest.raises(ValueError, match="n_samples=1 after"):
        surrogate.fit(X, y, sample_weight=np.eye(len(y))[0])
    with pytest.raises(ValueError, match="requires y to be passed"):
        surrogate.fit(X, None)
    with pytest.raises(NotFittedError):
        surrogate.predict(X)


@over_banks
def test_equal_losses_are_predicted_as_they_are(space):
    X, y = motifs(space)
    predicted, std = quick(space).fit(X, np.full(len(y), 0.3)).predict(X, return_std=True)
    np.testing.assert_array_equal(predicted, 0.3)
    np.testing.assert_array_equal(std, 0.0)


@over_banks
@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_handful_of_motifs_has_a_spread(space, n):
    X, y = motifs(space)
    surrogate = quick(space).fit(X[:n], y[:n])
    predicted, std = surrogate.predict(X, return_std=True)
    assert ((predicted >= y[:n].min()) & (predicted <= y[:n].max())).all()
    assert (std > 0).all()
    assert np.isnan(surrogate.oob_prediction_).all() == (n == 2)


@over_banks
def test_a_grid_over_its_parts(space):
    X, y = motifs(space)
    search = GridSearchCV(quick(space), {"ridge__regressor": [RidgeCV(), RidgeCV([10.0])]}, cv=2)
    search.fit(X, y, sample_weight=np.arange(1.0, len(y) + 1))
    assert isinstance(search.best_estimator_, PetriDishBankRegressor)
    assert search.predict(X[:2]).shape == (2,)


@pytest.mark.parametrize("learn", [False, True])
def test_out_of_fold_predictions_have_not_seen_the_motif(learn):
    space = RecurrentCell(n_nodes=3)
    X, y = motifs(space)
    dish = PetriDishRegressor(n_dishes=1, inner_steps=5, max_iter=1, max_outer_loss=4.0)
    surrogate = PetriDishBankRegressor(
        space,
        banks=[("bank", PetriDishTransformer(dishes=[("dish", dish)], learn=learn))],
        readers=[("ridge", RidgeCV())],
        n_folds=len(y),
        random_state=0,
    ).fit(X, y)
    other = clone(surrogate).fit(X, np.where(np.arange(len(y)) == 5, 100.0, y))
    assert other.oob_prediction_[5] == pytest.approx(surrogate.oob_prediction_[5])
    assert not np.allclose(other.oob_prediction_, surrogate.oob_prediction_)
    assert other.predict(X[:5], return_std=True)[1].mean() > 10


def test_nothing_is_fitted_again_unless_the_spread_is_asked_for(monkeypatch):
    from sk_petridish.estimators import _bank_regressor

    X, y = motifs(RecurrentCell(n_nodes=3))
    fits = []
    fit = _bank_regressor.Reading.fit
    monkeypatch.setattr(
        _bank_regressor.Reading, "fit", lambda *given: fits.append(1) or fit(*given)
    )
    surrogate = quick(RecurrentCell(n_nodes=3)).fit(X, y)
    surrogate.predict(X)
    assert len(fits) == 1
    for _ in range(2):
        surrogate.predict(X, return_std=True)
        assert len(fits) == 4


def test_readers_without_weights_are_named_where_there_are_weights():
    space = RecurrentCell(n_nodes=3)
    X, y = motifs(space)
    surrogate = quick(space).set_params(trees=KNeighborsRegressor(3)).fit(X, y)
    assert [name for name, _ in surrogate.readers_["dishes"]] == ["ridge", "trees", "process"]
    with pytest.raises(ValueError, match=r"readers\['trees'\] takes no sample_weight"):
        surrogate.fit(X, y, sample_weight=np.arange(len(y)))
    with pytest.raises(TypeError, match=r"banks\['a'\] is no PetriDishTransformer"):
        PetriDishBankRegressor(banks=[("a", RidgeCV())]).fit(X, y)
    with pytest.raises(ValueError, match="not unique"):
        surrogate.set_params(readers=[("dishes", RidgeCV())]).fit(X, y)
    with pytest.raises(ValueError, match="must not be empty"):
        PetriDishBankRegressor(banks=[]).fit(X, y)


def test_left_to_itself_it_is_the_recommended_surrogate():
    space = SigmoidSlope(2)
    X, y = motifs(space)
    surrogate = PetriDishBankRegressor(space, random_state=0).fit(X, y)
    recommended = make_surrogate(space, random_state=0).fit(X, y)
    np.testing.assert_array_equal(surrogate.predict(X), recommended.predict(X))
    of_banks = clone(recommended).set_params(motif_space=None).fit(X, y)
    assert of_banks.motif_space_.n_slopes == 2


@pytest.mark.parametrize("space", [RecurrentGraph(), ConvCell(1)], ids=["recurrent", "images"])
def test_it_learns_what_depends_on_what_motifs_do(space):
    X = space.sample(40, random_state=0)
    # A loss that dishes can know: how well a motif does in one of another kind.
    judge = PetriDishTransformer(
        space,
        dishes=[("judge", PetriDishRegressor(n_dishes=1, inner_steps=10, image_size=4))],
        curves=("mean_train",),
        checkpoints=[10],
        random_state=7,
    )
    y = np.exp(judge.fit_transform(X).ravel())
    surrogate = small(space).fit(X[:25], y[:25])
    predicted = surrogate.predict(X[25:])
    assert spearmanr(predicted, y[25:])[0] > 0.5
    assert (predicted >= y[:25].min()).all()
    assert (predicted <= y[:25].max()).all()
    np.testing.assert_allclose(surrogate.predict(X[25:26]), predicted[:1], rtol=1e-6)


def test_it_lives_where_estimators_do():
    space = RecurrentGraph()
    X = space.sample(12, random_state=0)
    surrogate = small(space)
    assert clone(surrogate).get_params().keys() == surrogate.get_params().keys()
    scores = cross_val_score(surrogate, X, np.arange(12.0), cv=2)
    assert scores.shape == (2,)


def test_normal_scores_are_of_ranks_and_can_be_undone():
    y = np.array([[5.0], [1e9], [-3.0], [5.0]])
    scores = NormalScores().fit(y)
    values = scores.transform(y).ravel()
    assert values[0] == values[3]
    assert values[2] < values[0] < values[1]
    assert values[1] == pytest.approx(1.1503, abs=1e-4)
    np.testing.assert_allclose(scores.inverse_transform(values[:, None]), y)
    np.testing.assert_allclose(scores.transform([[1e12]]), values[1])


columns = st.lists(st.integers(-3, 3), min_size=2, max_size=12).filter(lambda y: len(set(y)) > 1)


@given(columns, st.data())
def test_normal_scores_count_weights_as_repetitions(y, data):
    size = len(y)
    weights = data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size).filter(any))
    y = np.array(y, dtype=float)[:, None]
    weighted = NormalScores().fit(y, sample_weight=weights)
    repeated = NormalScores().fit(y.repeat(weights, axis=0))
    np.testing.assert_array_equal(weighted.values_[0], repeated.values_[0])
    np.testing.assert_allclose(weighted.scores_[0], repeated.scores_[0], atol=1e-12)
    scores = norm.ppf((rankdata(y) - 0.5) / size)
    np.testing.assert_array_equal(NormalScores().fit_transform(y).ravel(), scores)


def test_normal_scores_of_no_weight_are_refused():
    with pytest.raises(ValueError, match="at least one non-zero"):
        NormalScores().fit([[1.0], [2.0]], sample_weight=[0, 0])
