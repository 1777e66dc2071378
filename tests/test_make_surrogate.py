"""The best-known surrogates, as estimators of scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sk_petridish import NormalScores, PetriDishRegressor, PetriDishTransformer, make_surrogate
from sk_petridish.motifs import ConvCell, RecurrentGraph, SigmoidSlope


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
