"""Weights, further motifs and warm starts: learning with more than one table of motifs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish.dish import DishEnsemble, draw_dish


def data_of(dish):
    return np.array([[one.x_train for one in dish.dishes_], [one.y_train for one in dish.dishes_]])


@settings(max_examples=15)
@given(
    repeats=st.lists(st.integers(0, 3), min_size=8, max_size=8).filter(
        lambda n: sum(count > 0 for count in n) > 3
    ),
    order=st.permutations(range(8)),
    options=st.sampled_from(
        [{}, {"outer_loss": "rank"}, {"early_stopping": True}, {"n_dishes": 10}, {"batch_size": 3}]
    ),
)
def test_a_weight_is_as_good_as_repetition_in_any_order(repeats, order, options):
    weighted = fast(**options).fit(SLOPES[order], LOSSES[order], np.array(repeats)[order])
    repeated = fast(**options).fit(SLOPES.repeat(repeats, axis=0), LOSSES.repeat(repeats))
    everywhere = np.linspace(0.1, 2, 9)[:, None]
    for ours, theirs in zip(
        weighted.predict(everywhere, return_std=True),
        repeated.predict(everywhere, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(8)
    options = {"n_dishes": 10, "early_stopping": True}
    np.testing.assert_array_equal(
        data_of(fast(**options).fit(SLOPES, LOSSES)),
        data_of(fast(**options).fit(SLOPES[order], LOSSES[order])),
    )


def test_weights_matter():
    heavy = fast().fit(SLOPES, LOSSES, sample_weight=np.r_[50.0, np.ones(7)])
    assert not np.allclose(data_of(heavy), data_of(fast().fit(SLOPES, LOSSES)))
    np.testing.assert_array_equal(np.sort(heavy.sample_weight_train_), [1] * 7 + [50])


def test_partial_fit_starts_as_fit_does():
    np.testing.assert_array_equal(
        data_of(fast().partial_fit(SLOPES, LOSSES)), data_of(fast().fit(SLOPES, LOSSES))
    )


def test_partial_fit_adds_motifs_and_goes_on(monkeypatch):
    starts = []
    learn = DishEnsemble.learn

    def spy(dishes, *arguments, **options):
        starts.append(dishes)
        return learn(dishes, *arguments, **options)

    monkeypatch.setattr(DishEnsemble, "learn", spy)
    dish = fast().fit(SLOPES[:5], LOSSES[:5])
    before, curve = data_of(dish), dish.loss_curve_
    dish.partial_fit(SLOPES[5:], LOSSES[5:])
    np.testing.assert_array_equal([one.x_train for one in starts[1].dishes], before[0])
    np.testing.assert_array_equal(np.sort(dish.X_train_.ravel()), np.sort(SLOPES.ravel()))
    np.testing.assert_array_equal(np.sort(dish.y_train_), np.sort(LOSSES))
    assert dish.n_iter_ == len(dish.loss_curve_) == len(dish.history_) == 8
    np.testing.assert_array_equal(dish.loss_curve_[:4], curve)
    # It has learned from the new ones: what it learns depends on their losses.
    other = fast().fit(SLOPES[:5], LOSSES[:5]).partial_fit(SLOPES[5:], LOSSES[5:][::-1])
    assert not np.allclose(data_of(other), data_of(dish))


def test_a_motif_that_comes_again_gets_the_mean_of_all_its_losses():
    dish = fast().fit(SLOPES, LOSSES, sample_weight=np.full(8, 3.0))
    dish.partial_fit(SLOPES[:1], LOSSES[:1] + 0.4)
    column = dish.X_train_.ravel() == SLOPES[0]
    assert dish.y_train_[column] == pytest.approx(LOSSES[0] + 0.1)
    assert dish.sample_weight_train_[column] == 4.0
    assert len(dish.y_train_) == 8


@pytest.mark.parametrize("verb", ["partial_fit", "fit"])
def test_going_on_that_fails_changes_nothing(verb):
    dish = fast(warm_start=True).fit(SLOPES, LOSSES)
    before, predictions = data_of(dish), dish.predict(SLOPES)
    state = dict(vars(dish))
    for X, y in ((SLOPES, LOSSES[:3]), ([[np.nan]], [1.0]), ([[1.0, 2.0]], [1.0])):
        with pytest.raises(ValueError, match=r"losses|NaN|features"):
            getattr(dish, verb)(X, y)
        assert vars(dish) == state
    np.testing.assert_array_equal(data_of(dish), before)
    np.testing.assert_array_equal(dish.predict(SLOPES), predictions)


def test_ctrl_c_while_going_on_loses_nothing(monkeypatch):
    dish = fast().fit(SLOPES, LOSSES)
    state = dict(vars(dish))

    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(DishEnsemble, "learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        dish.partial_fit([[0.2]], [0.02])
    assert vars(dish) == state
    with pytest.raises(KeyboardInterrupt):
        dish.fit(SLOPES, LOSSES)
    with pytest.raises(NotFittedError):
        dish.predict(SLOPES)


def test_warm_start_goes_on_with_the_motifs_it_is_given():
    warm = fast(warm_start=True).fit(SLOPES, LOSSES)
    first = data_of(warm)
    warm.fit(SLOPES[:5], LOSSES[:5])
    assert len(warm.X_train_) == 5
    assert warm.n_iter_ == 8
    cold = fast().fit(SLOPES, LOSSES).fit(SLOPES[:5], LOSSES[:5])
    assert cold.n_iter_ == 4
    np.testing.assert_array_equal(data_of(cold), data_of(fast().fit(SLOPES[:5], LOSSES[:5])))
    still = clone(warm).set_params(outer_lr=1e-300, outer_l2=0.0).fit(SLOPES, LOSSES)
    np.testing.assert_allclose(
        data_of(still.fit(SLOPES[:5], LOSSES[:5])), data_of(still), rtol=1e-9
    )
    assert not np.allclose(first, data_of(warm))


def test_warm_start_with_more_dishes_draws_the_further_ones():
    grown = fast(warm_start=True, max_iter=0).fit(SLOPES, LOSSES)
    grown.set_params(n_dishes=4).fit(SLOPES, LOSSES)
    at_once = fast(n_dishes=4, max_iter=0).fit(SLOPES, LOSSES)
    assert [one.seed for one in grown.dishes_] == [one.seed for one in at_once.dishes_]
    np.testing.assert_array_equal(data_of(grown), data_of(at_once))


@pytest.mark.parametrize("change", [{"n_dishes": 1}, {"n_synthetic": 16}, {"n_inputs": 3}])
def test_dishes_of_another_shape_cannot_go_on(change):
    dish = fast(warm_start=True).fit(SLOPES, LOSSES).set_params(**change)
    with pytest.raises(ValueError, match="Learning cannot go on: there are 2 dishes"):
        dish.fit(SLOPES, LOSSES)
    dish.set_params(warm_start=False).fit(SLOPES, LOSSES)


def test_the_inner_loop_may_change_between_warm_starts():
    dish = fast(warm_start=True).fit(SLOPES, LOSSES).set_params(inner_steps=20)
    assert dish.fit(SLOPES, LOSSES).dishes_[0].settings.inner.steps == 20


@pytest.mark.parametrize("early_stopping", [False, True])
def test_what_a_dish_has_seen_stays_seen_and_what_it_left_out_stays_left_out(early_stopping):
    dish = fast(n_dishes=10, early_stopping=early_stopping).fit(SLOPES, LOSSES)
    slopes, before = dish.X_train_.ravel(), dish.left_out_
    dish.partial_fit([[0.2], [0.6], [1.8], [1.9], [2.0]], [0.2, 0.3, 0.4, 0.5, 0.6])
    known = [dish.X_train_.ravel().tolist().index(slope) for slope in slopes]
    np.testing.assert_array_equal(dish.left_out_[:, known], before)
    fresh = np.setdiff1d(np.arange(len(dish.X_train_)), known)
    assert dish.left_out_[:, fresh].any()
    assert dish.left_out_.all(axis=0).any() == early_stopping


def test_motifs_that_were_held_out_are_learned_from_without_early_stopping():
    dish = fast(early_stopping=True).fit(SLOPES, LOSSES)
    assert dish.left_out_.all(axis=0).sum() == 2
    dish.set_params(early_stopping=False).partial_fit([[0.2]], [0.02])
    assert not dish.left_out_.any()
    assert dish.validation_scores_ is None


def test_the_seeds_of_dishes_do_not_depend_on_the_motifs():
    few, many = fast().fit(SLOPES[:4], LOSSES[:4]), fast(n_dishes=3).fit(SLOPES, LOSSES)
    assert [one.seed for one in few.dishes_] == [one.seed for one in many.dishes_[:2]]
    drawn = draw_dish(few.dishes_[0].settings, few.dishes_[0].seed)
    assert drawn.x_train.shape == few.dishes_[0].x_train.shape
