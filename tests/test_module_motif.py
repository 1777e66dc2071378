"""A motif family of one's own, in twenty lines."""

import pickle

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from torch import nn

from sk_petridish import PetriDishRegressor, PetriDishTransformer
from sk_petridish.blueprints import ModuleNetwork, Widths
from sk_petridish.motifs import ModuleMotif

# --- The twenty lines: how many layers, how wide a skip, normalised or not ---


class Residual(nn.Module):
    def __init__(self, n_layers, share, normalised, n_inputs, n_hidden, n_outputs):
        super().__init__()
        self.share = share
        self.first = nn.Linear(n_inputs, n_hidden)
        self.layers = nn.ModuleList(nn.Linear(n_hidden, n_hidden) for _ in range(int(n_layers)))
        self.norm = nn.LayerNorm(n_hidden) if normalised else nn.Identity()
        self.readout = nn.Linear(n_hidden, n_outputs)

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = self.share * x + torch.tanh(layer(self.norm(x)))
        return self.readout(x)


def make_residual(row, n_inputs, n_hidden, n_outputs):
    return Residual(*row, n_inputs, n_hidden, n_outputs)


SPACE = ModuleMotif(
    make_residual,
    {
        "n_layers": IntDistribution(1, 3),
        "share": FloatDistribution(0.0, 1.0),
        "normalised": CategoricalDistribution((0, 1)),
    },
)
X = SPACE.sample(8, random_state=0)
Y = 0.1 * X[:, 0] + (X[:, 1] - 0.5) ** 2
SMALL = {"n_hidden": 4, "n_synthetic": 8, "inner_steps": 6, "max_iter": 2, "max_outer_loss": 4.0}


def small(space=SPACE, **changes):
    return PetriDishRegressor(space, **(SMALL | {"n_dishes": 2, "random_state": 0} | changes))


def test_it_is_learned_from_and_predicted_like_any_other():
    dish = small().fit(X, Y)
    assert dish.engine_ == "torch"
    assert np.isfinite(dish.predict(X)).all()
    alone = np.concatenate([dish.predict(row[None]) for row in X])
    np.testing.assert_allclose(dish.predict(X), alone, rtol=1e-9)
    before = small(max_iter=0).fit(X, Y)
    assert not np.array_equal(before.dishes_[0].x_train, dish.dishes_[0].x_train)
    assert cross_val_predict(small(), X, Y, cv=2).shape == (8,)


def test_banks_measure_it_and_zero_cost_too():
    bank = PetriDishTransformer(SPACE, dishes=[("a", small())], zero_cost=True, random_state=0)
    assert np.isfinite(bank.fit_transform(X)).all()


def test_it_trains_as_a_module_does_alone():
    dish = small(n_dishes=1, max_iter=0).fit(X, Y).dishes_[0]
    settings = dish.settings
    module = SPACE.blueprint(X[0]).build(
        *settings.widths, generator=torch.Generator().manual_seed(0)
    )
    module = module.double()
    network = ModuleNetwork([SPACE.blueprint(X[0])], settings.widths)
    theta = network.initial_weights(
        lambda *key: torch.from_numpy(settings.initial_weights.draw(dish.seed, *key))[None]
    )[0]
    nn.utils.vector_to_parameters(theta, module.parameters())
    optimizer = torch.optim.Adam(
        module.parameters(), lr=settings.inner.lr, weight_decay=settings.inner.l2
    )
    loss = nn.BCEWithLogitsLoss()
    x, y = torch.from_numpy(dish.x_train), torch.from_numpy(dish.y_train)
    for _ in range(settings.inner.steps):
        optimizer.zero_grad()
        loss(module(x), y).backward()
        optimizer.step()
    x, y = torch.from_numpy(dish.x_valid), torch.from_numpy(dish.y_valid)
    expected = np.log(loss(module(x), y).item())
    member = small(n_dishes=1, random_state=0)
    bank = PetriDishTransformer(
        SPACE, dishes=[("a", member)], curves=("valid",), checkpoints=[settings.inner.steps]
    )
    np.testing.assert_allclose(bank.fit_transform(X[:1]), expected, rtol=1e-9)


def test_motif_networks_share_what_has_the_same_name_and_shape():
    draw = lambda key, role, shape, fan_in: torch.full((1, *shape), float(key))  # noqa: E731
    network = ModuleNetwork([SPACE.blueprint([n, 0.5, 1]) for n in (1, 2)], Widths(3, 4, 2))
    theta = network.initial_weights(draw)[0]
    first, second = (theta[network.motif_of_weight == motif] for motif in range(2))
    assert torch.equal(first[:12], second[:12])
    # The gains of the normalisation start at one, whatever the dish draws.
    assert (first == 1.0).sum() == 4


def test_buffers_stay_as_they_are():
    batch_norm = ModuleMotif(make_with_batch_norm, {"n": IntDistribution(1, 2)})
    dish = small(batch_norm).fit([[1], [2], [1]], [0.1, 0.2, 0.1])
    np.testing.assert_array_equal(dish.predict([[1]]), dish.predict([[1]]))


def make_with_batch_norm(row, n_inputs, n_hidden, n_outputs):
    layers = [nn.Linear(n_inputs, n_hidden), nn.BatchNorm1d(n_hidden)]
    for _ in range(int(row[0])):
        layers += [nn.Linear(n_hidden, n_hidden), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(n_hidden, n_outputs))


class LastState(nn.Module):
    def __init__(self, n_layers, n_inputs, n_hidden, n_outputs):
        super().__init__()
        self.rnn = nn.RNN(n_inputs, n_hidden, num_layers=n_layers, batch_first=True)
        self.readout = nn.Linear(n_hidden, n_outputs)

    def forward(self, x):
        return self.readout(self.rnn(x)[0])


def make_recurrent(row, *widths):
    return LastState(int(row[0]), *widths)


def test_modules_may_read_sequences():
    space = ModuleMotif(make_recurrent, {"n": IntDistribution(1, 2)}, data_kind="sequences")
    dish = small(space, n_time_steps=3, max_iter=0).fit([[1], [2]], [0.1, 0.2])
    assert dish.dishes_[0].x_train.shape == (8, 3, 10)
    with pytest.raises(ValueError, match="'data_kind' parameter of ModuleMotif must be"):
        ModuleMotif(make_recurrent, space.search_space(), data_kind="sounds")


def test_the_space_is_a_space():
    again = pickle.loads(pickle.dumps(clone(SPACE)))
    assert again.search_space() == SPACE.search_space()
    assert again.set_params(distributions={"a": FloatDistribution(0, 1)}).search_space().keys() == {
        "a"
    }
    np.testing.assert_allclose(SPACE.repair([[9, -1, 0.7]]), [[3, 0, 1]])
    stepped = ModuleMotif(make_residual, {"a": FloatDistribution(0.1, 1.0, step=0.3)})
    np.testing.assert_allclose(stepped.repair([[0.5]]), [[0.4]])
    logarithmic = ModuleMotif(make_residual, {"a": FloatDistribution(1e-4, 1.0, log=True)})
    assert 0.3 < (logarithmic.sample(500, 0) < 0.01).mean() < 0.7
    with pytest.raises(ValueError, match="A row of X is one motif: n_layers, share, normalised"):
        SPACE.validate([[1.0]])
    with pytest.raises(ValueError, match="is a module"):
        SPACE.graph(X[0])


def test_bad_modules_get_a_clear_error():
    one = {"a": FloatDistribution(0, 1)}
    cases = [
        (lambda row, n, h, m: None, TypeError, "must return a torch module"),
        (lambda row, n, h, m: nn.Linear(n, m + 1), ValueError, "must give outputs of shape"),
        (lambda row, n, h, m: nn.Identity(), ValueError, "no matrix to train"),
    ]
    for factory, error, reason in cases:
        with pytest.raises(error, match=reason):
            small(ModuleMotif(factory, one)).fit([[0.0], [1.0]], [0.1, 0.2])
    with pytest.raises(ValueError, match="no kernels for modules"):
        small(engine="numba").fit(X, Y)


def test_optuna_suggests_it():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    row = SPACE.suggest(study.ask())
    np.testing.assert_array_equal(SPACE.validate([row]), [row])


def test_it_can_be_saved_and_loaded_with_the_space(tmp_path):
    dish = small().fit(X, Y)
    dish.save(tmp_path / "dish.safetensors")
    with pytest.raises(ValueError, match="give the same with load"):
        PetriDishRegressor.load(tmp_path / "dish.safetensors")
    again = PetriDishRegressor.load(tmp_path / "dish.safetensors", motif_space=SPACE)
    np.testing.assert_array_equal(again.predict(X), dish.predict(X))
