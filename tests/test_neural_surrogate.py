"""The paper's control."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.baselines._neural_surrogate import _Perceptron

SLOPES = np.linspace(0.37, 1.5, 15)[:, None]
LOSSES = 0.02 + 0.01 * SLOPES.ravel()


def test_it_fits_what_it_sees_and_knows_nothing_of_the_rest():
    """Figure 1: no peak and no fall-off left of the training interval."""
    control = NeuralSurrogate(random_state=0).fit(SLOPES, LOSSES)
    assert np.corrcoef(control.predict(SLOPES), LOSSES)[0, 1] > 0.99
    left = control.predict(np.linspace(0.01, 0.36, 20)[:, None])
    assert left.argmin() == 0


def test_predictions_follow_the_units_of_y():
    plain = NeuralSurrogate(random_state=0).fit(SLOPES, LOSSES).predict(SLOPES)
    scaled = NeuralSurrogate(random_state=0).fit(SLOPES, 100 * LOSSES - 7).predict(SLOPES)
    np.testing.assert_allclose(scaled, 100 * plain - 7, rtol=1e-9)


def test_a_step_takes_a_batch_and_is_reproducible(monkeypatch):
    X, y = np.vstack([SLOPES, SLOPES + 0.01]), np.concatenate([LOSSES, LOSSES])
    batches = []
    forward = _Perceptron.forward

    def spy(self, rows):
        batches.append({round(row, 4) for row in rows.ravel().tolist()})
        return forward(self, rows)

    monkeypatch.setattr(_Perceptron, "forward", spy)
    first = NeuralSurrogate(random_state=3).fit(X, y)
    assert [len(batch) for batch in batches] == [15] * 150
    assert batches[0] != batches[1]
    state = torch.get_rng_state()
    again = NeuralSurrogate(random_state=3).fit(X, y)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(first.predict(X), again.predict(X))


def test_pickle_and_clone():
    control = NeuralSurrogate(random_state=0).fit(SLOPES, LOSSES)
    copy = pickle.loads(pickle.dumps(control))
    np.testing.assert_array_equal(copy.predict(SLOPES), control.predict(SLOPES))
    assert clone(control).get_params() == control.get_params()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_losses_must_be_finite(bad):
    with pytest.raises(ValueError, match="Input y contains"):
        NeuralSurrogate().fit(SLOPES, np.where(np.arange(15) == 2, bad, LOSSES))
