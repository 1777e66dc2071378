"""Where synthetic data comes from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish import PetriDishRegressor
from sk_petridish.motifs import ConvCell, RecurrentCell
from sk_petridish.tasks import (
    GaussianTask,
    MarkovTask,
    MemoryTask,
    SampleSpec,
    SampleTask,
    TeacherTask,
)

TASKS = [
    GaussianTask(),
    GaussianTask(dense=True),
    TeacherTask(),
    TeacherTask(n_hidden=3),
    TeacherTask(dense=True),
    MarkovTask(),
    MemoryTask(),
    MemoryTask(lags=[1, 3], xor=True),
]
LABELLED_EVERYWHERE = (MarkovTask, MemoryTask)


@pytest.mark.parametrize("task", TASKS, ids=repr)
@given(
    n_samples=st.integers(2, 12),
    n_inputs=st.integers(1, 6),
    n_outputs=st.integers(1, 6),
    positions=st.sampled_from([(), (1,), (5,), (3, 4)]),
)
def test_labels_are_what_the_inner_loss_needs(task, n_samples, n_inputs, n_outputs, positions):
    if isinstance(task, MarkovTask):
        n_outputs = n_inputs
    dense = isinstance(task, LABELLED_EVERYWHERE) or task.dense
    for kind in ("binary", "class", "real"):
        wanted = SampleSpec(n_samples, n_inputs, n_outputs, kind, positions)
        x, y = task.draw(wanted, np.random.default_rng(0))
        again, _ = task.draw(wanted, np.random.default_rng(0))
        np.testing.assert_array_equal(again, x)
        assert x.shape == (n_samples, *positions, n_inputs)
        assert y.shape == (n_samples, *(positions if dense else ()), n_outputs)
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        if kind != "real":
            assert set(np.unique(y)) <= {0.0, 1.0}
        if kind == "class":
            np.testing.assert_array_equal(y.sum(axis=-1), 1.0)


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_inputs_are_standard_normal_and_labels_balanced(task):
    if isinstance(task, MarkovTask):
        pytest.skip("its inputs are symbols")
    x, binary = task.draw(SampleSpec(5000, 10, 10, "binary"), np.random.default_rng(0))
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    assert abs(binary.mean() - 0.5) < 0.03
    _, real = task.draw(SampleSpec(5000, 10, 10, "real"), np.random.default_rng(0))
    np.testing.assert_allclose(real.std(axis=0), 1.0, atol=0.05)


def predictability(task):
    """Share of labels that a linear fit on one half predicts on the other."""
    x, y = task.draw(SampleSpec(2000, 10, 5, "binary"), np.random.default_rng(1))
    weights = np.linalg.lstsq(x[:1000], 2 * y[:1000] - 1)[0]
    return np.mean((x[1000:] @ weights > 0) == (y[1000:] > 0.5))


def test_a_teachers_labels_can_be_learned_and_random_ones_cannot():
    assert predictability(TeacherTask()) > 0.85
    assert abs(predictability(GaussianTask()) - 0.5) < 0.03


def test_teachers_of_sequences_remember_and_those_of_images_see_neighbours():
    generator = np.random.default_rng(0)
    task = TeacherTask(dense=True)
    x, y = task.draw(SampleSpec(4000, 4, 1, "real", (3,)), generator)
    # What explains the last label: the last input, and the one before it too.
    last = np.linalg.lstsq(x[:, 2], y[:, 2])[1]
    both = np.linalg.lstsq(np.hstack([x[:, 2], x[:, 1]]), y[:, 2])[1]
    assert both < 0.97 * last
    x, y = task.draw(SampleSpec(800, 4, 1, "real", (5, 5)), generator)
    own = np.linalg.lstsq(x[:, 2, 2], y[:, 2, 2])[1]
    around = np.linalg.lstsq(x[:, 1:4, 1:4].reshape(800, -1), y[:, 2, 2])[1]
    assert around < 0.8 * own


def test_one_label_a_sample_is_for_the_end_or_the_mean():
    for positions in ((4,), (4, 4)):
        x, dense = TeacherTask(dense=True).draw(
            SampleSpec(50, 3, 2, "real", positions), np.random.default_rng(0)
        )
        same, y = TeacherTask().draw(
            SampleSpec(50, 3, 2, "real", positions), np.random.default_rng(0)
        )
        np.testing.assert_array_equal(x, same)
        read = dense[:, -1] if len(positions) == 1 else dense.mean(axis=(1, 2))
        for output in range(2):
            assert np.corrcoef(read[:, output], y[:, output])[0, 1] > 0.999


def test_a_markov_text_depends_on_two_symbols_and_is_sparse():
    x, y = MarkovTask(n_successors=2).draw(
        SampleSpec(400, 6, 6, "class", (30,)), np.random.default_rng(0)
    )
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    here, following = x.argmax(-1), y.argmax(-1)
    after = {}
    for before, last, then in zip(
        here[:, :-1].ravel(), here[:, 1:].ravel(), following[:, 1:].ravel(), strict=True
    ):
        after.setdefault((before, last), []).append(then)
    assert all(len(set(symbols)) <= 2 for symbols in after.values())
    by_one = {}
    for (_, last), symbols in after.items():
        by_one.setdefault(last, set()).update(symbols)
    assert max(map(len, by_one.values())) > 2
    with pytest.raises(ValueError, match="as many outputs"):
        MarkovTask().draw(SampleSpec(5, 3, 4, "class"), np.random.default_rng(0))


def test_markov_images_continue_to_the_right():
    x, y = MarkovTask().draw(SampleSpec(50, 5, 5, "class", (6, 7)), np.random.default_rng(0))
    np.testing.assert_array_equal(x[:, :, 1:], y[:, :, :-1])


def test_memories_are_of_the_inputs_so_long_ago():
    x, y = MemoryTask(lags=[1, 3]).draw(
        SampleSpec(400, 2, 2, "real", (9,)), np.random.default_rng(0)
    )
    for output, lag in enumerate((1, 3)):
        remembered = np.corrcoef(x[:, :-lag, output].ravel(), y[:, lag:, output].ravel())[0, 1]
        assert remembered > 0.999
    x, y = MemoryTask(lags=[2], xor=True).draw(
        SampleSpec(400, 1, 1, "binary", (9,)), np.random.default_rng(0)
    )
    product = x[:, 2:] * x[:, :-2]
    assert ((product > 0) == (y[:, 2:] > 0.5)).mean() > 0.98
    assert abs(np.corrcoef(x[:, :-2].ravel(), y[:, 2:].ravel())[0, 1]) < 0.05
    for lags in ([], [-1]):
        with pytest.raises(ValueError, match="lags"):
            MemoryTask(lags=lags).draw(SampleSpec(5, 1, 1, "binary"), np.random.default_rng(0))


def test_samples_are_the_users():
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 3
    generator = np.random.default_rng(0)
    drawn, labels = SampleTask(X, y).draw(SampleSpec(10, 2, 3, "class"), generator)
    rows = (drawn[:, 0] / 2).astype(int)
    assert len(set(rows)) == 10
    np.testing.assert_array_equal(drawn, X[rows])
    np.testing.assert_array_equal(labels.argmax(axis=1), y[rows])
    _, outputs = SampleTask(X, X).draw(SampleSpec(10, 2, 2, "real"), generator)
    assert outputs.max() > 1
    for task, reason in (
        (SampleTask(X[:, :1], y), "samples of shape"),
        (SampleTask(X[:5], y[:5]), "has 5"),
        (SampleTask(X, y + 1), "whole numbers from 0 to 2"),
        (SampleTask(X, np.zeros((20, 5))), "3 outputs"),
    ):
        with pytest.raises(ValueError, match=reason):
            task.draw(SampleSpec(10, 2, 3, "class"), generator)


@pytest.mark.parametrize("space", [RecurrentCell(3), ConvCell(1)], ids=["sequences", "images"])
@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_tasks_suit_every_kind_of_motif(space, task):
    X = space.sample(4, random_state=0)
    few = {"n_dishes": 1, "n_inputs": 4, "n_outputs": 4, "n_synthetic": 4, "n_batches": 2}
    few |= {
        "inner_steps": 2,
        "max_iter": 0,
        "n_time_steps": 3,
        "image_size": 3,
        "oob_fraction": 0.0,
    }
    for loss in ("bce", "cross_entropy", "mse"):
        dish = PetriDishRegressor(space, task=task, inner_loss=loss, random_state=0, **few)
        dish.fit(X, np.arange(4))
        assert np.isfinite(dish.dishes_[0].slope)
