"""The outer loop: what it learns, what it leaves alone, when it stops."""

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skorch.callbacks import Callback, EarlyStopping
from small_dishes import make_settings

from sk_petridish.dish import (
    OUTER_LOSSES,
    OuterLoop,
    OuterLoopData,
    StopLearning,
    _synthetic_data,
    choose_engine,
    draw_dish,
    fit_readout,
    judge_dishes,
    learn,
)
from sk_petridish.motifs import SigmoidSlope

SLOPES = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7])


def known(slopes=SLOPES):
    space = SigmoidSlope()
    blueprints = [space.blueprint([slope]) for slope in slopes]
    return OuterLoopData(blueprints, np.log(slopes / 0.2) ** 2, np.ones((1, len(slopes))))


def learn_dishes(
    settings, *, n_dishes=2, motifs=None, held_out=None, start=None, callbacks=(), **changes
):
    loop = {
        "max_iter": 3,
        "lr": 0.1,
        "lr_decay": 0.5,
        "lr_steps": (2,),
        "l2": 1e-5,
        "loss": "mse",
        "batch_size": 40,
        "tol": 0.0,
        "n_iter_no_change": 100,
        "verbose": False,
    }
    start = start or [draw_dish(settings, seed) for seed in range(n_dishes)]
    motifs = motifs or known()
    learned = learn(
        start,
        motifs,
        OuterLoop(**(loop | changes)),
        held_out=held_out,
        seed=0,
        engine=choose_engine(
            "auto", motifs.blueprints, dtype=torch.float64, device="cpu", n_jobs=1
        ),
        callbacks=callbacks,
    )
    return start, learned


def test_in_the_papers_setting_validation_data_starts_as_a_copy_and_diverges():
    start, learned = learn_dishes(make_settings(validation_data="copy"))
    for before, after in zip(start, learned.dishes, strict=True):
        np.testing.assert_array_equal(before.x_train, before.x_valid)
        np.testing.assert_array_equal(before.y_train, before.y_valid)
        assert np.abs(after.x_train - after.x_valid).max() > 1e-3
        assert np.abs(after.x_train - before.x_train).max() > 1e-3


def test_separate_validation_data_follows_the_same_teacher_but_is_not_the_same():
    dish = draw_dish(make_settings(validation_data="separate", n_synthetic=300), 0)
    assert not np.array_equal(dish.x_train, dish.x_valid)
    # Least squares on the training samples predicts the labels of the others.
    weights = np.linalg.lstsq(dish.x_train, 2 * dish.y_train - 1)[0]
    agreement = np.mean((dish.x_valid @ weights > 0) == (dish.y_valid > 0.5))
    assert agreement > 0.8


def test_labels_never_change_unless_they_are_learned():
    start, learned = learn_dishes(make_settings())
    for before, after in zip(start, learned.dishes, strict=True):
        np.testing.assert_array_equal(before.y_train, after.y_train)
        np.testing.assert_array_equal(before.y_valid, after.y_valid)
    start, learned = learn_dishes(make_settings(learn_labels=True))
    for before, after in zip(start, learned.dishes, strict=True):
        assert set(np.unique(before.y_train)) <= {0.0, 1.0}
        assert ((after.y_train > 0) & (after.y_train < 1)).all()
        np.testing.assert_array_equal(after.y_train > 0.5, before.y_train > 0.5)


def test_validation_data_that_the_statistic_does_not_read_stays():
    """An optimiser's L2 penalty alone would shrink it to nothing."""
    start, learned = learn_dishes(make_settings(statistic="mean_train"), l2=0.1)
    for before, after in zip(start, learned.dishes, strict=True):
        np.testing.assert_array_equal(before.x_valid, after.x_valid)
        assert not np.array_equal(before.x_train, after.x_train)


def test_learning_lowers_the_outer_loss():
    settings = make_settings(statistic="mean_train", steps=20, n_synthetic=10)
    for loss in OUTER_LOSSES:
        _, learned = learn_dishes(settings, n_dishes=8, max_iter=15, loss=loss, lr_steps=())
        # The median: a dish that starts in the opposite order is near a saddle point.
        first, last = np.median(learned.loss_curve[[0, -1]], axis=1)
        assert last < 0.7 * first


def test_dishes_learn_as_if_they_were_alone():
    settings = make_settings()
    _, together = learn_dishes(settings, n_dishes=3)
    _, alone = learn_dishes(settings, n_dishes=1)
    np.testing.assert_allclose(
        together.dishes[0].x_train, alone.dishes[0].x_train, rtol=1e-9, atol=1e-12
    )


def test_theta_is_reset_before_every_outer_step():
    """With a vanishing outer rate nothing moves, so every step must see the same loss."""
    _, learned = learn_dishes(make_settings(), lr=1e-300, l2=0.0)
    np.testing.assert_array_equal(learned.loss_curve[0], learned.loss_curve[-1])


def test_a_step_sees_a_fresh_batch_of_motifs_without_repeats(monkeypatch):
    seen = []
    forward = _synthetic_data.SyntheticData.forward

    def spy(self, motifs):
        seen.append(motifs.tolist())
        return forward(self, motifs)

    monkeypatch.setattr(_synthetic_data.SyntheticData, "forward", spy)
    learn_dishes(make_settings(), batch_size=4)
    assert [len(set(batch)) for batch in seen] == [4, 4, 4]
    assert len({tuple(sorted(batch)) for batch in seen}) > 1
    seen.clear()
    learn_dishes(make_settings(), batch_size=40)
    assert [sorted(batch) for batch in seen] == [list(range(6))] * 3


def test_the_learning_rate_decays_after_the_given_steps():
    settings = make_settings()
    _, constant = learn_dishes(settings, max_iter=2, lr_steps=())
    _, later = learn_dishes(settings, max_iter=2, lr_steps=(2,))
    _, sooner = learn_dishes(settings, max_iter=2, lr_steps=(1,), lr_decay=1e-9)
    _, one_step = learn_dishes(settings, max_iter=1, lr_steps=())
    np.testing.assert_array_equal(constant.dishes[0].x_train, later.dishes[0].x_train)
    np.testing.assert_allclose(
        sooner.dishes[0].x_train, one_step.dishes[0].x_train, rtol=0, atol=1e-9
    )
    assert not np.allclose(constant.dishes[0].x_train, one_step.dishes[0].x_train)


def test_it_stops_when_nothing_improves_any_more():
    _, learned = learn_dishes(make_settings(), max_iter=50, tol=10.0, n_iter_no_change=4)
    assert len(learned.loss_curve) == 5  # the first step, and four that were no better


def test_held_out_motifs_decide_which_state_is_kept():
    settings = make_settings(statistic="mean_train")
    held_out = known(np.array([0.5, 1.0, 1.2]))
    # A huge rate: learning soon makes things worse.
    run = {"held_out": held_out, "lr": 1.0, "lr_steps": (), "max_iter": 12}
    _, learned = learn_dishes(settings, **run)
    best = int(np.argmin(learned.held_out_curve))
    assert best < 11
    _, until_then = learn_dishes(settings, **(run | {"max_iter": best + 1}))
    np.testing.assert_array_equal(learned.dishes[0].x_train, until_then.dishes[0].x_train)


def test_a_dish_learns_nothing_from_motifs_of_weight_zero():
    settings = make_settings()
    motifs = known()
    weights = np.array([[1.0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1]])
    _, masked = learn_dishes(settings, motifs=motifs._replace(weights=weights))
    fewer = OuterLoopData(motifs.blueprints[:4], motifs.losses[:4], np.ones((1, 4)))
    _, alone = learn_dishes(settings, n_dishes=1, motifs=fewer)
    np.testing.assert_allclose(masked.dishes[0].x_train, alone.dishes[0].x_train, rtol=1e-9)
    np.testing.assert_allclose(masked.loss_curve[:, 0], alone.loss_curve[:, 0], rtol=1e-9)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy", "mse"])
def test_learning_goes_on_where_it_stopped(loss):
    settings = make_settings(learn_labels=True, loss=loss)
    _, first = learn_dishes(settings, lr_steps=())
    again = learn_dishes(settings, start=first.dishes, lr=1e-300, l2=0.0)[1].dishes
    for name in ("x_train", "y_train", "x_valid", "y_valid"):
        np.testing.assert_allclose(
            getattr(again[0], name), getattr(first.dishes[0], name), rtol=1e-9
        )


class AtEpoch(Callback):
    """Do something at the end of the second step."""

    def __init__(self, action):
        self.action = action

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            self.action()


def stop():
    raise StopLearning


@pytest.fixture(autouse=True)
def hear_ctrl_c():
    """Set the handler that Python has: processes of pytest-xdist ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def like_other_callbacks_of_skorch():
    raise KeyboardInterrupt


def test_a_callback_stops_learning():
    _, learned = learn_dishes(make_settings(), callbacks=[AtEpoch(stop)], max_iter=5)
    assert len(learned.history) == len(learned.loss_curve) == 2


@pytest.mark.parametrize("action", [press_ctrl_c, like_other_callbacks_of_skorch])
def test_every_keyboard_interrupt_is_the_users(monkeypatch, action):
    def refuse(*arguments):
        raise AssertionError("a signal handler was set")

    monkeypatch.setattr(signal, "signal", refuse)
    with pytest.raises(KeyboardInterrupt):
        learn_dishes(make_settings(), callbacks=[AtEpoch(action)], max_iter=5)
    monkeypatch.setattr(_synthetic_data.SyntheticData, "forward", lambda self, motifs: action())
    with pytest.raises(KeyboardInterrupt):
        learn_dishes(make_settings())


def test_the_early_stopping_of_skorch_stops_learning_and_ctrl_c_beside_it_is_an_error():
    def patient(patience):
        return EarlyStopping(monitor="outer_loss", patience=patience, threshold=10.0,
                             threshold_mode="abs", sink=lambda message: None)  # fmt: skip

    _, learned = learn_dishes(make_settings(), callbacks=[patient(2)], max_iter=9)
    assert len(learned.history) == 3
    with pytest.raises(KeyboardInterrupt):
        learn_dishes(make_settings(), callbacks=[patient(5), AtEpoch(press_ctrl_c)], max_iter=9)


def test_a_callback_stops_learning_in_a_thread_too():
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(learn_dishes, make_settings(), callbacks=[AtEpoch(stop)], max_iter=5)
        assert len(run.result()[1].history) == 2


def outer_loss(name, statistic, losses, weights=None):
    """Call an outer loss with arrays; every motif counts once unless said otherwise."""
    weights = np.ones_like(statistic) if weights is None else weights.astype(np.float64)
    tensors = (torch.from_numpy(values) for values in (statistic, losses, weights))
    return OUTER_LOSSES[name](*tensors)


losses = arrays(np.float64, 7, elements=st.floats(-10, 10), unique=True).filter(
    lambda values: np.diff(np.sort(values)).min() > 1e-3
)


@given(
    statistic=losses,
    true=losses,
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(1e-3, 1e3),
    name=st.sampled_from(sorted(OUTER_LOSSES)),
)
def test_the_outer_loss_is_invariant_to_affine_changes(statistic, true, shift, scale, name):
    def value(first, second):
        return outer_loss(name, first[None], second).item()

    expected = value(statistic, true)
    assert value(statistic, scale * true + shift) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert value(scale * statistic + shift, true) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(true=losses)
def test_known_values_of_the_outer_losses(true):
    same, opposite, other = true[None], -true[None], np.sort(true)[None]
    assert outer_loss("mse", same, true).item() == pytest.approx(0.0, abs=1e-12)
    assert outer_loss("mse", opposite, true).item() == pytest.approx(4.0)
    assert outer_loss("rank", same, true) < np.log(2) < outer_loss("rank", opposite, true)
    correlation = np.corrcoef(other[0], true)[0, 1]
    assert outer_loss("mse", other, true).item() == pytest.approx(2 - 2 * correlation, abs=1e-9)


@given(
    statistic=losses,
    true=losses,
    repeats=arrays(np.int64, 7, elements=st.integers(0, 3)).filter(lambda n: (n > 0).sum() > 2),
    name=st.sampled_from(sorted(OUTER_LOSSES)),
)
def test_a_weight_counts_as_repetition(statistic, true, repeats, name):
    weighted = outer_loss(name, statistic[None], true, repeats[None])
    repeated = outer_loss(name, statistic.repeat(repeats)[None], true.repeat(repeats))
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-9)


def test_diverged_motifs_are_left_out_of_the_outer_loss():
    y = np.array([1.0, 2.0, 3.0, 9.0])
    statistic = np.array([[1.0, 3.0, 2.0, np.nan], [1.0, 3.0, 2.0, np.inf]])
    for name in OUTER_LOSSES:
        expected = outer_loss(name, statistic[:1, :3], y[:3])
        torch.testing.assert_close(outer_loss(name, statistic, y), expected.expand(2))


def test_a_dish_in_which_most_motifs_diverged_did_not_converge():
    dishes = [draw_dish(make_settings(), seed) for seed in range(3)]
    nan = np.nan
    truth = np.array([1.0, 2.0, 3.0])
    statistic = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, nan], [1.0, nan, nan]])
    calibrated = judge_dishes(dishes, fit_readout(statistic, truth, np.ones((3, 3))), 0.5)
    assert [dish.converged for dish in calibrated] == [True, True, False]
    # A line through the means, as steep as the standard deviations are apart.
    assert [dish.slope for dish in calibrated[:2]] == [1.0, 1.0]
    assert [dish.intercept for dish in calibrated[:2]] == [0.0, 0.0]
    assert [dish.outer_loss for dish in calibrated[::2]] == [0.0, np.inf]
    assert np.isnan(calibrated[2].slope)


def test_a_dish_that_measures_the_same_everywhere_has_no_scale():
    dishes = [draw_dish(make_settings(), 0)]
    truth = np.array([1.0, 2.0, 3.0])
    readout = fit_readout(np.array([[0.7, 0.7, 0.7]]), truth, np.ones((1, 3)))
    (dish,) = judge_dishes(dishes, readout, 4.0)
    assert not dish.converged
    assert np.isnan(dish.slope)


def test_a_dish_in_which_everything_diverged_is_no_perfect_one():
    y = np.array([1.0, 2.0, 3.0])
    nothing = np.full((1, 3), np.nan)
    assert outer_loss("mse", nothing, y).item() == 2.0
    assert outer_loss("rank", nothing, y).item() == pytest.approx(np.log(2))
