"""What the base of motif spaces does for one that writes hooks."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.base import clone

from sk_petridish import PetriDishRegressor, PetriDishTransformer, make_surrogate
from sk_petridish.blueprints import BlueprintBuilder
from sk_petridish.motifs import ConvCell, ModuleMotif, MotifSpace, RecurrentCell, SigmoidSlope
from sk_petridish.motifs._memo import frozen, remembered
from sk_petridish.search import PetriDishSampler
from sk_petridish.tasks import GaussianTask

MADE = []


@pytest.fixture(autouse=True)
def forget():
    """Begin with nothing remembered, so that what is made can be counted."""
    remembered.cache_clear()
    MADE.clear()


class Steep(MotifSpace):
    """A layer whose sigmoid has a slope, of a kind, as often as a row says."""

    row_description = "A row of X is one motif: a slope, a number of layers, and a kind."

    def __init__(self, factor=1.0, kinds=("tanh", "relu"), inner=None):
        self.factor = factor
        self.kinds = kinds
        self.inner = inner

    def _search_space(self):
        return {
            "slope": FloatDistribution(0.1, 2.1, step=0.2),
            "n_layers": IntDistribution(1, 4),
            "kind": CategoricalDistribution((0, 1)),
        }

    def _blueprint(self, row):
        MADE.append(row)
        slope, n_layers, kind = row
        if self.inner is not None:
            slope *= self.inner.low
        network = BlueprintBuilder()
        last = network.input
        for _ in range(int(n_layers)):
            last = network.add("linear", last, units="n_hidden")
            last = network.add("sigmoid", last, parameters=(self.factor * slope,))
            last = network.add(self.kinds[int(kind)], last)
        network.add("linear", last, units="n_outputs")
        return network.build()


ROWS = [[0.1, 1, 0], [0.3, 2, 1]]


def slope(blueprint):
    return next(node.parameters[0] for node in blueprint.nodes if node.operation == "sigmoid")


def test_two_hooks_are_a_space():
    space = Steep()
    X = space.sample(50, random_state=0)
    np.testing.assert_array_equal(space.validate(X), X)
    np.testing.assert_array_equal(space.encode(space.decode(X)), X)
    assert {len(blueprint.nodes) for blueprint in space.blueprints(X)} == {5, 8, 11, 14}
    wild = np.random.default_rng(0).normal(scale=3, size=X.shape)
    space.validate(space.repair(wild))
    np.testing.assert_array_equal(space.repair([[9, 2.6, 0.4]]), [[2.1, 3, 0]])


@pytest.mark.parametrize(
    ("row", "reason"),
    [([0.2, 1, 0], "slope=0.2"), ([0.1, 5, 0], "n_layers=5"), ([0.1, 1, 0.5], "kind=0.5")],
)
def test_rows_that_the_distributions_do_not_have_are_refused(row, reason):
    with pytest.raises(ValueError, match=f"Row 1 has {reason}(.|\n)*A row of X is one motif"):
        Steep().validate([ROWS[0], row])


def test_errors_of_the_notation_say_which_motif():
    with pytest.raises(ValueError, match="Motif 1: 'no' is no cell"):
        ConvCell().encode(["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "no"])


def test_a_row_is_checked_once_a_call():
    class Counted(Steep):
        def _check(self, rows):
            checked.append(len(rows))
            super()._check(rows)

    for call, expected in (
        (lambda space: space.blueprint(ROWS[0]), [1]),
        (lambda space: space.blueprints(ROWS), [2]),
        (lambda space: space.canonical_keys(ROWS), [2]),
        (lambda space: space.decode(ROWS), [2]),
        (lambda space: space.graph(ROWS[0]), [1]),
        (lambda space: space.mutate(ROWS, 0.5, 0), [2]),
        (lambda space: space.crossover(ROWS, ROWS, 0), [2, 2]),
    ):
        checked = []
        call(Counted())
        assert checked == expected


# What is remembered


def test_equal_rows_of_equal_spaces_become_blueprints_once():
    space = Steep()
    first = space.blueprints(ROWS)
    for same in (space, Steep(), clone(space), copy.deepcopy(space)):
        for one, other in zip(first, same.blueprints(ROWS), strict=True):
            assert one is other
    again = pickle.loads(pickle.dumps(space))
    assert again.canonical_keys(ROWS) == first
    assert again.blueprint(ROWS[0]) is first[0]
    assert len(MADE) == 2


def test_other_parameters_are_another_space():
    space = Steep()
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.1)
    assert slope(clone(space).set_params(factor=3.0).blueprint(ROWS[0])) == pytest.approx(0.3)
    space.factor = 2.0
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.2)
    space.set_params(factor=1.0)
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.1)
    # Lists that change, and spaces within spaces.
    space.kinds = ["tanh", "relu"]
    assert space.blueprint(ROWS[0]).nodes[3].operation == "tanh"
    space.kinds[0] = "elu"
    assert space.blueprint(ROWS[0]).nodes[3].operation == "elu"
    space.set_params(inner=SigmoidSlope(low=0.5))
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.05)
    space.set_params(inner__low=0.1)
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.01)


def test_what_changes_within_a_parameter_is_seen():
    space = Steep(factor=np.array(1.0))
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.1)
    space.factor[...] = 4.0
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.4)

    class Held:  # changes without a trace
        __hash__ = None
        low = 1.0

    space = Steep(inner=Held())
    space.blueprint(ROWS[0])
    space.inner.low = 2.0
    assert slope(space.blueprint(ROWS[0])) == pytest.approx(0.2)
    space = Steep(kinds=[SigmoidSlope(low=0.1), "relu"])
    first = frozen(space.get_params(deep=False))
    space.kinds[0].set_params(low=0.2)
    assert frozen(space.get_params(deep=False)) != first


def test_classes_of_the_same_parameters_are_different_spaces():
    class Other(Steep):
        def _blueprint(self, row):
            return super()._blueprint([2 * row[0], *row[1:]])

    assert Steep().blueprint(ROWS[0]) != Other().blueprint(ROWS[0])


def test_arrays_are_told_apart_by_what_they_are_not_by_their_place():
    class Table(SigmoidSlope):
        def __init__(self, table=None):
            super().__init__()
            self.table = table

        def _blueprint(self, row):
            return super()._blueprint(self.table * row)

    space = Table()
    for number in (1.0, 2.0, 3.0, 4.0):  # an array may get the memory of one before
        space.table = np.array([number])
        assert slope(space.blueprint([1.0])) == number


def test_a_row_that_changes_later_changes_nothing():
    X = np.array(ROWS)
    space = Steep()
    first = space.blueprints(X)
    X[0] = [0.7, 3, 1]
    assert slope(space.blueprint(ROWS[0])) == slope(first[0]) == pytest.approx(0.1)
    assert slope(space.blueprint(X[0])) == pytest.approx(0.7)
    with pytest.raises(ValueError, match="read-only"):
        MADE[0][0] = 1.0


def make_nothing(row, n_inputs, n_hidden, n_outputs):
    """A factory that is never called."""


def test_what_is_remembered_is_bounded_and_the_latest():
    space = ModuleMotif(make_nothing, {"a": FloatDistribution(0, 1)})
    size = remembered.cache_info().maxsize
    first = space.blueprint([0.0])
    space.blueprints(np.linspace(0, 1, size - 1)[:, None])
    assert space.blueprint([0.0]) is first
    space.blueprints(np.linspace(2, 3, size)[:, None])
    assert remembered.cache_info().currsize == size
    assert space.blueprint([0.0]) is not first


def test_threads_may_ask_at_the_same_time():
    spaces = [Steep(float(factor)) for factor in range(1, 5)]
    X = Steep().sample(100, random_state=0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda space: space.blueprints(X), spaces * 4))
    for number, blueprints in enumerate(found):
        factor = number % 4 + 1
        np.testing.assert_allclose([slope(one) for one in blueprints], factor * X[:, 0])


def test_a_search_makes_one_blueprint_of_a_row(monkeypatch):
    """Proposer, four sorts of dishes and sampler all ask for the candidates' networks."""
    made = []
    make = RecurrentCell._blueprint
    monkeypatch.setattr(
        RecurrentCell,
        "_blueprint",
        lambda self, row: (made.append(row.tobytes()), make(self, row))[1],
    )
    space = RecurrentCell(n_nodes=4)
    surrogate = make_surrogate(space, random_state=0)
    few = {"n_dishes": 1, "inner_steps": 3}
    names = [name for name in surrogate.get_params() if name.rpartition("__")[2] in few]
    surrogate.set_params(**{name: few[name.rpartition("__")[2]] for name in names})
    study = optuna.create_study(
        sampler=PetriDishSampler(
            space, surrogate=surrogate, n_startup_trials=6, n_candidates=20, seed=0
        )
    )
    study.optimize(lambda trial: 0.01 * space.suggest(trial).sum(), n_trials=8)
    assert len(made) >= 20
    assert len(set(made)) == len(made)


class Reducing(MotifSpace):
    """A convolution of some stride, behind which channels are twice as many."""

    row_description = "A row of X is one motif: the size of a convolution's kernel."
    data_kind = "images"

    def _search_space(self):
        return {"kernel_size": CategoricalDistribution((1, 3, 5))}

    def _blueprint(self, row):
        network = BlueprintBuilder()
        stem = network.add("conv_3x3", network.input, units="n_hidden")
        size = int(row[0])
        half = network.add("conv", stem, units="n_hidden", factor=2, attributes=(size, 2))
        network.add("linear", network.add("relu", half), units="n_outputs")
        return network.build()


@pytest.mark.parametrize("dense", [False, True])
def test_dishes_have_labels_for_the_positions_behind_a_reduction(dense):
    dish = PetriDishRegressor(
        Reducing(), task=GaussianTask(dense=dense), n_hidden=2, n_dishes=1, image_size=6,
        inner_steps=4, max_iter=1, max_outer_loss=4.0, random_state=0,
    )  # fmt: skip
    X = [[1], [3], [5]]
    assert np.isfinite(dish.fit(X, [0.3, 0.1, 0.2]).predict(X)).all()
    assert dish.dishes_[0].y_train.shape[1:-1] == ((3, 3) if dense else ())
    measured = PetriDishTransformer(Reducing(), dishes=[("small", dish)]).fit_transform(X)
    assert len(np.unique(measured, axis=0)) == 3
