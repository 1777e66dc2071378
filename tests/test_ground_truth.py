"""The ground truth that trains a motif's full network."""

import pickle

import numpy as np
import optuna
import pytest
import torch

from sk_petridish.motifs import ConvCell
from sk_petridish.search.ground_truth import MLPGroundTruth, TabularGroundTruth


@pytest.fixture
def digits(monkeypatch):
    """scikit-learn's digits in the place of MNIST: small, and learned in a second."""
    from sklearn.datasets import load_digits

    from sk_petridish.search.ground_truth import _mlp

    digits = load_digits()
    digits.data = (digits.data * 255 / 16).astype(np.uint8)
    monkeypatch.setattr(_mlp, "_N_TRAIN", 1200)
    monkeypatch.setattr(_mlp, "_N_VALID", 500)
    monkeypatch.setattr(_mlp, "load_mnist", lambda data_home: digits)


def test_it_trains_to_a_good_network(digits):
    assert MLPGroundTruth(n_epochs=8)([0.5]) < 0.15


def test_runs_side_by_side_are_runs_alone(digits):
    options = {"n_epochs": 2, "n_hidden": 8}
    together = list(MLPGroundTruth(n_runs=3, random_state=4, **options).train([0.3]))
    for run in range(3):
        alone = list(MLPGroundTruth(random_state=4 + run, **options).train([0.3]))
        for epoch in range(2):
            np.testing.assert_allclose(together[epoch][run], alone[epoch][0], rtol=1e-3)


def test_it_is_the_network_that_torch_would_train(digits):
    """Known answer: nn.Sequential with the same start, trained the ordinary way."""
    ground_truth = MLPGroundTruth(n_epochs=1, n_hidden=8, random_state=3)
    (evaluations,) = ground_truth.train([0.7])
    start = ground_truth._resume([0.7]).training
    x, y, x_valid, y_valid = start.images
    (generator,) = start.generators
    w = [weight.detach()[0] for weight in start.weights.values()]
    assert torch.cat([weight.ravel() for weight in w]).std().item() == pytest.approx(1.0, abs=0.1)
    layers = [torch.nn.Linear(64, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 10)]
    for layer, weight, bias in zip(layers, w[::2], w[1::2], strict=True):
        layer.weight.data, layer.bias.data = weight.T.clone(), bias[0].clone()

    def network(inputs):
        hidden = torch.sigmoid(0.7 * layers[0](inputs))
        return layers[2](torch.sigmoid(0.7 * layers[1](hidden)))

    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-5)
    for batch in torch.randperm(1200, generator=generator).split(50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
    loss = torch.nn.functional.cross_entropy(network(x_valid), y_valid).item()
    assert evaluations[0].loss == pytest.approx(loss, rel=1e-4)


def test_a_trial_is_told_every_epoch_and_can_be_pruned(digits):
    seen = []

    class Pruner(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            seen.append(trial.last_step)
            return trial.last_step == 1

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(pruner=Pruner())
    ground_truth = MLPGroundTruth(n_epochs=5, n_hidden=4)
    study.optimize(lambda trial: ground_truth([0.3], trial), n_trials=1)
    assert seen == [0, 1]
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED
    assert 0 < study.trials[0].intermediate_values[1] < 1


def test_it_travels_without_its_images(digits):
    ground_truth = MLPGroundTruth(n_epochs=1, n_hidden=4)
    expected = ground_truth([0.5])
    pickled = pickle.dumps(ground_truth)
    assert len(pickled) < 2000
    assert pickle.loads(pickled)([0.5]) == expected


def test_training_nothing_is_an_error_and_no_nan(digits):
    for name in ("n_epochs", "n_runs", "n_hidden", "batch_size"):
        with pytest.raises(ValueError, match=f"'{name}' parameter of MLPGroundTruth must be"):
            MLPGroundTruth(**{name: 0})


def test_the_global_generator_is_left_alone(digits):
    before = torch.get_rng_state()
    MLPGroundTruth(n_epochs=1, n_hidden=4)([0.5])
    assert torch.equal(torch.get_rng_state(), before)


def test_one_epoch_on_the_real_mnist(data_home):
    (evaluations,) = MLPGroundTruth(n_epochs=1, data_home=data_home).train([0.2])
    assert evaluations[0].accuracy > 0.93


# Tables


def test_a_table_knows_a_network_by_whatever_row():
    space = ConvCell()
    # Two rows that are the same cell, and another.
    X = [[0, 0, 0, 1, 0, 0], [3, 0, 0, 1, 0, 0], [0, 0, 0, 3, 0, 0]]
    table = TabularGroundTruth(space, X, [1.0, 2.0, 5.0])
    assert [table(row) for row in X] == [1.5, 1.5, 5.0]
    np.testing.assert_array_equal(table.X, [X[0], X[2]])
    np.testing.assert_array_equal(table.y, [1.5, 5.0])
    np.testing.assert_array_equal(table.entry(X[1]), X[0])
    assert X[1] in table
    assert [1, 1, 1, 1, 1, 1] not in table
    with pytest.raises(LookupError, match="no network of the motif"):
        table([1, 1, 1, 1, 1, 1])


def test_a_table_of_learning_curves_can_be_pruned():
    space = ConvCell()
    X = [[0, 0, 0, 1, 0, 0], [0, 0, 0, 3, 0, 0]]
    table = TabularGroundTruth(space, X, [[9.0, 5.0, 2.0], [9.0, 8.0, 7.0]])
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=8.5, n_warmup_steps=1))
    study.optimize(lambda trial: table(X[trial.number], trial), n_trials=2)
    assert [trial.value for trial in study.trials] == [2.0, 7.0]
    assert study.trials[0].intermediate_values == {0: 9.0, 1: 5.0, 2: 2.0}
    strict = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=6.0, n_warmup_steps=1))
    strict.optimize(lambda trial: table(X[trial.number], trial), n_trials=2)
    assert [trial.state.name for trial in strict.trials] == ["COMPLETE", "PRUNED"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0], "a loss, or a row of losses"),
        ([1.0, np.nan], "not finite"),
        ([[], []], "'y' parameter of Tabular"),
    ],
)
def test_a_table_without_losses_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        TabularGroundTruth(ConvCell(), [[0] * 6, [1] * 6], y)
