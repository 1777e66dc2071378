"""Where synthetic data comes from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_petridish.tasks import GaussianTask, TeacherTask

TASKS = [GaussianTask(), TeacherTask(), TeacherTask(n_hidden=3)]


@pytest.mark.parametrize("task", TASKS, ids=repr)
@given(n_samples=st.integers(2, 30), n_inputs=st.integers(1, 8), n_outputs=st.integers(1, 8))
def test_labels_are_what_the_inner_loss_needs(task, n_samples, n_inputs, n_outputs):
    for kind in ("binary", "class", "real"):
        generator = np.random.default_rng(0)
        x, y = task.draw(n_samples, n_inputs, n_outputs, kind, generator)
        assert x.shape == (n_samples, n_inputs)
        assert y.shape == (n_samples, n_outputs)
        assert np.isfinite(x).all()
        if kind != "real":
            assert set(np.unique(y)) <= {0.0, 1.0}
        if kind == "class":
            np.testing.assert_array_equal(y.sum(axis=1), 1.0)


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_inputs_are_standard_normal_and_labels_balanced(task):
    x, binary = task.draw(5000, 10, 10, "binary", np.random.default_rng(0))
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    assert abs(binary.mean() - 0.5) < 0.02
    _, real = task.draw(5000, 10, 10, "real", np.random.default_rng(0))
    np.testing.assert_allclose(real.std(axis=0), 1.0, atol=0.05)


def predictability(task):
    """Share of labels that a linear fit on one half predicts on the other."""
    x, y = task.draw(2000, 10, 5, "binary", np.random.default_rng(1))
    weights = np.linalg.lstsq(x[:1000], 2 * y[:1000] - 1)[0]
    return np.mean((x[1000:] @ weights > 0) == (y[1000:] > 0.5))


def test_a_teachers_labels_can_be_learned_and_random_ones_cannot():
    assert predictability(TeacherTask()) > 0.85
    assert abs(predictability(GaussianTask()) - 0.5) < 0.03
