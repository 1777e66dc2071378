"""What is given to the package is checked where it is given: everything, by its declaration."""

import importlib
import inspect
import math
import pkgutil
import warnings
from typing import ClassVar

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge
from sklearn.utils._param_validation import InvalidParameterError, make_constraint

import sk_petridish
from sk_petridish import PetriDishBankRegressor, PetriDishRegressor, PetriDishTransformer
from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._validation import Constraints, validate_params, validated
from sk_petridish.baselines import NeuralSurrogate
from sk_petridish.estimators import NormalScores
from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    ModuleMotif,
    MotifSpace,
    ProductSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSampler, PetriDishSearch
from sk_petridish.search.ground_truth import TabularGroundTruth
from sk_petridish.search.proposers import (
    NAO,
    GeneticAlgorithm,
    History,
    Proposer,
    RandomSearch,
    ReinforceController,
    SamplerProposer,
)
from sk_petridish.tasks import MarkovTask, MemoryTask, SampleSpec, SampleTask, Task, TeacherTask

SPACE = SigmoidSlope()
X = SPACE.sample(8, random_state=0)
Y = X.ravel() + 1

# Neither NaN nor infinity, nothing of the wrong type, and nothing that no machine holds.
POOL = [
    *(math.nan, math.inf, -math.inf, -1, 0, 0.0, 2.5, 10**30, 10**400, True, None),
    *("x", "", [], {}, [None], {"a": 5}, {1: 2}, object(), b"x", 1j, np.nan, SigmoidSlope),
    *(np.array(1.0), np.array([np.nan]), np.array([[1.0], [2.0]])),
]

# Classes that are no settings.
MADE_BY_THE_PACKAGE = {
    *("Evaluation", "SearchResult", "History", "MotifEdge", "MotifGraph", "ProductSpace.spaces"),
    # Displays are made by their class methods, which are checked as functions are.
    *("MotifDisplay", "OuterLoopDisplay", "ParameterDisplay", "SearchDisplay"),
    *("SurrogateDisplay", "SyntheticDataDisplay"),
}
# Rooms of networks and dishes, whose classes have checks of their own: nodes are made by the
# thousand, and arrays are checked against the settings of their dish.
ROOMS_WITH_CHECKS = ("blueprints", "dish")

# Parameters of functions whose content only what they are handed to can judge.
LEFT_TO_OTHERS = {
    "select_hyperparameters": {"X", "y"},
    **{f"MotifSpace.{method}": {"X", "partners"} for method in ("mutate", "crossover")},
    "RecurrentCell.to_tokens": {"X"},
    "has_spread": {"estimator"},
    "predict_with_spread": {"X"},
    "OuterLoopDisplay.from_estimator": {"estimator"},
    "SyntheticDataDisplay.from_estimator": {"estimator"},
    "SearchDisplay.from_results": {"results"},
}

QUICK_DISH = {
    **{"n_dishes": 1, "n_synthetic": 4, "n_batches": 1, "inner_steps": 2, "max_iter": 1},
    **{"max_outer_loss": 100.0, "random_state": 0},
}
# What must be given, and makes the class cheap to use.
GIVEN = {
    ModuleMotif: {
        "factory": lambda row, *widths: None,
        "distributions": {"a": FloatDistribution(0, 1)},
    },
    ProductSpace: {"spaces": {"one": SigmoidSlope()}},
    RecurrentCell: {"n_nodes": 2},
    RecurrentGraph: {"max_nodes": 4},
    ActivationFunction: {"max_nodes": 5},
    SampleSpec: {"n_samples": 4, "n_inputs": 3, "n_outputs": 3, "labels": "real"},
    SampleTask: {"X": np.eye(4, 3), "y": [0, 1, 2, 0]},
    GeneticAlgorithm: {"motif_space": SPACE},
    RandomSearch: {"motif_space": SPACE},
    SamplerProposer: {"motif_space": SPACE},
    NAO: {"motif_space": SPACE, "max_iter": 1, "n_hidden": 4, "n_predictor": 4},
    ReinforceController: {"motif_space": SPACE, "n_hidden": 4},
    TabularGroundTruth: {"motif_space": SPACE, "X": X, "y": Y},
    PetriDishSampler: {
        **{"motif_space": SPACE, "surrogate": Ridge(), "n_startup_trials": 1},
        **{"n_candidates": 3, "seed": 0},
    },
    PetriDishSearch: {
        **{"motif_space": SPACE, "ground_truth": lambda row: float(row[0]), "surrogate": Ridge()},
        **{"n_init": 2, "n_candidates": 3, "n_select": 1, "n_iterations": 1, "random_state": 0},
    },
    PetriDishRegressor: QUICK_DISH,
    PetriDishTransformer: {"dishes": [("dish", PetriDishRegressor(**QUICK_DISH))]},
    PetriDishBankRegressor: {
        "banks": [("b", PetriDishTransformer(dishes=[("dish", PetriDishRegressor(**QUICK_DISH))]))],
        "readers": [("ridge", Ridge())],
    },
    NeuralSurrogate: {"max_iter": 2},
}


def public():
    """Yield what rooms offer: room, name, thing."""
    for info in pkgutil.walk_packages(sk_petridish.__path__, "sk_petridish."):
        if info.ispkg:
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", []):
                yield info.name.split(".")[1], name, getattr(module, name)


def public_classes():
    for room, name, thing in public():
        if not inspect.isclass(thing) or room in ROOMS_WITH_CHECKS:
            continue
        if name in MADE_BY_THE_PACKAGE or parameters_of(thing) == {}:
            continue
        yield thing


def public_functions():
    for room, name, thing in public():
        if inspect.isfunction(thing) and room not in ROOMS_WITH_CHECKS:
            yield name, thing
        if inspect.isclass(thing):
            for method, function in inspect.getmembers(thing, callable):
                if hasattr(function, "_skl_parameter_constraints") or (
                    room == "inspection" and method.startswith("from_")
                ):
                    yield f"{function.__qualname__}", function


def parameters_of(thing):
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(thing).parameters
    return {name: one for name, one in found.items() if one.kind not in kinds}


CLASSES = list(dict.fromkeys(public_classes()))
CONCRETE = [kind for kind in CLASSES if not inspect.isabstract(kind)]
FUNCTIONS = dict(public_functions())


def allows(constraints, value):
    return any(make_constraint(one).is_satisfied_by(value) for one in constraints)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_parameter_of_a_class_is_declared(kind):
    declared = kind._parameter_constraints
    assert declared.keys() == parameters_of(kind).keys()
    for name, parameter in parameters_of(kind).items():
        if parameter.default is not inspect.Parameter.empty:
            assert allows(declared[name], parameter.default), f"the default of {name}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_of_a_function_is_declared(name):
    function = FUNCTIONS[name]
    declared = getattr(function, "_skl_parameter_constraints", {})
    named = parameters_of(function).keys() - {"self"} - LEFT_TO_OTHERS.get(name, set())
    assert declared.keys() == named
    for parameter in declared:
        default = parameters_of(function)[parameter].default
        if default is not inspect.Parameter.empty:
            assert allows(declared[parameter], default), f"the default of {parameter}"


def cases(kind):
    return [(name, value) for name in kind._parameter_constraints for value in POOL]


def fit(made):
    made.fit(X, Y)


def make(kind, changes):
    return kind(**(GIVEN.get(kind, {}) | changes))


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
def test_what_a_declaration_does_not_allow_is_refused(kind):
    """At once, or in ``fit`` where scikit-learn checks; by name, with the value."""
    for name, value in cases(kind):
        if allows(kind._parameter_constraints[name], value):
            continue
        with pytest.raises(InvalidParameterError) as caught:
            fit(make(kind, {name: value}))
        message = str(caught.value)
        assert message.startswith(f"The {name!r} parameter of {kind.__name__} must be "), message
        assert message.endswith(f" Got {value!r} instead."), message


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_declaration_of_a_function_does_not_allow_is_refused(name):
    function = FUNCTIONS[name]
    for parameter, constraints in getattr(function, "_skl_parameter_constraints", {}).items():
        for value in POOL:
            if not allows(constraints, value):
                with pytest.raises(InvalidParameterError, match=f"The '{parameter}' parameter of"):
                    function(**{parameter: value})


# What is allowed works


def use(made):
    """Use what was made as its users do, a little."""
    match made:
        case ModuleMotif():
            made.sample(2, random_state=0)
        case MotifSpace():
            made.blueprints(made.sample(2, random_state=0))
            made.mutate(made.sample(2, random_state=0), 0.5, random_state=0)
        case Task():
            for shape in ((), (5,), (3, 3)):
                if not isinstance(made, SampleTask) or shape == ():
                    spec = SampleSpec(4, 3, 3, "class", shape)
                    x, y = made.draw(spec, np.random.default_rng(0))
                    assert np.isfinite(np.r_[x.ravel(), y.ravel()]).all()
        case Proposer():
            assert made.ask(2, History.of(X, Y), random_state=0).shape == (2, 1)
        case PetriDishSearch():
            # A process takes seconds to start.
            if made.evaluation_timeout is None and made.n_jobs is None:
                made.run()
        case PetriDishSampler():
            study = optuna.create_study(sampler=made)
            study.optimize(lambda trial: float(SPACE.suggest(trial)[0]), n_trials=3)
        case NormalScores():
            made.fit(X).transform(X)
        case BaseEstimator() if hasattr(made, "fit"):
            made.fit(X, Y)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
def test_what_a_declaration_allows_works_or_is_refused_by_name(kind, tmp_path, monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.chdir(tmp_path)
    use(make(kind, {}))
    for name, value in cases(kind):
        if not allows(kind._parameter_constraints[name], value):
            continue
        error = failure(kind, {name: value})
        assert error is None or name in error or "diverged" in error, (name, value, error)


def failure(kind, changes):
    """Return of what using it fails as bad input does, if it fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use(make(kind, changes))
    except (ValueError, TypeError) as error:
        return str(error)
    return None


# How it is declared


@pytest.mark.parametrize("value", [1, 2, np.int64(7), np.uint8(1)])
def test_numpys_integers_are_integers(value):
    assert ConvCell(value).n_cells == value


@given(st.one_of(st.integers(), st.floats(allow_nan=True), st.booleans()))
def test_numbers_are_those_of_the_interval(value):
    whole = type(value) is int
    assert integers(1, 9).is_satisfied_by(value) == (whole and 1 <= value <= 9)
    number = not isinstance(value, bool) and not (whole and abs(value) >= 2**63)
    assert reals(0, closed="left").is_satisfied_by(value) == (number and 0 <= value < math.inf)
    assert reals(0, 1).is_satisfied_by(value) == (number and 0 < value < 1)


@pytest.mark.parametrize("kind", [kind for kind in CONCRETE if issubclass(kind, BaseEstimator)])
def test_clones_are_made_of_what_was_given(kind):
    made = make(kind, {})
    if kind is not TabularGroundTruth:  # keeps the mean of equal rows
        copy = clone(made)
        assert copy.get_params(deep=False).keys() == made.get_params(deep=False).keys()


class Undeclared(SigmoidSlope):
    """A space of a user's, in whose words ``low`` is something else."""

    def __init__(self, low="low", names=()):
        super().__init__(2)
        self.low_name, self.names = low, names
        self.low = low

    def _check_space(self):
        pass

    def _search_space(self):
        return {"slope_0": FloatDistribution(0, 1), "slope_1": FloatDistribution(0, 1)}

    def _sample(self, n, generator):
        return generator.random_sample((n, 2))


def test_classes_of_users_without_declarations_are_left_alone():
    space = Undeclared("deep", names=["x"])
    assert space.sample(3, random_state=0).shape == (3, 2)
    assert space.set_params(low="high").blueprints([[0.5, 0.5]])


class Declared(SigmoidSlope):
    """A space of a user's, with a parameter more."""

    _parameter_constraints: ClassVar[Constraints] = {
        **SigmoidSlope._parameter_constraints,
        "n_gates": [integers(1, 4)],
    }

    @validated
    def __init__(self, n_slopes=1, low=0.01, high=2.01, n_gates=1):
        super().__init__(n_slopes, low, high)
        self.n_gates = n_gates

    def _check_space(self):
        super()._check_space()
        if self.n_gates > self.n_slopes:
            raise ValueError(f"n_gates={self.n_gates} is more than n_slopes.")


def test_classes_of_users_may_declare():
    assert Declared(2, n_gates=2).n_gates == 2
    with pytest.raises(InvalidParameterError, match=r"'n_gates' parameter of Declared .* Got 5"):
        Declared(n_gates=5)
    with pytest.raises(InvalidParameterError, match=r"'low' parameter of Declared .* Got nan"):
        Declared(low=math.nan)
    with pytest.raises(ValueError, match="n_gates=2 is more"):
        Declared(n_gates=2)


def test_what_is_set_later_is_refused_at_use():
    space = SigmoidSlope().set_params(low=math.nan)
    for call in (space.search_space, lambda: space.sample(1), lambda: space.validate([[1.0]])):
        with pytest.raises(InvalidParameterError, match="'low' parameter of SigmoidSlope"):
            call()
    task, spec = TeacherTask().set_params(n_hidden=0), SampleSpec(2, 2, 2, "real")
    with pytest.raises(InvalidParameterError, match="'n_hidden' parameter of TeacherTask"):
        task.draw(spec, np.random.default_rng(0))
    with pytest.raises(InvalidParameterError, match="'mutation' parameter of GeneticAlgorithm"):
        GeneticAlgorithm(SPACE).set_params(mutation=math.nan).ask(1, History.of(X, Y))
    dish = PetriDishRegressor(SigmoidSlope(), **QUICK_DISH).set_params(motif_space__low=-1.0)
    with pytest.raises(InvalidParameterError, match="'low' parameter of SigmoidSlope"):
        dish.fit(X, Y)


def test_checks_can_be_skipped_as_scikit_learns():
    with config_context(skip_parameter_validation=True):
        assert ConvCell(2.0).n_cells == 2.0


def test_functions_keep_their_names_and_signatures():
    declared: Constraints = {"n": [integers(1)]}

    @validate_params(**declared)
    def count(n, *, start=0):
        """Return a sum."""
        return n + start

    assert count(2, start=1) == 3
    assert count.__doc__ == "Return a sum."
    assert list(inspect.signature(count).parameters) == ["n", "start"]
    with pytest.raises(InvalidParameterError, match=r"'n' parameter of .*count must be an int"):
        count(True)


# What no parameter alone can say


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SigmoidSlope(low=2.0, high=1.0), "low < high"),
        (lambda: SigmoidSlope(high=0.005), "low < high"),
        (lambda: ActivationFunction(low=1.0, high=1.0), "low < high"),
        (lambda: RecurrentCell(activations=("tanh", "banana")), "banana"),
        (lambda: ProductSpace({"a": ConvCell(), "b": SigmoidSlope()}), "one kind"),
        (lambda: SampleTask([[1.0]], [0, 1]), "1 rows in X, but 2 labels"),
        (lambda: NAO(SPACE, step=2.0, max_step=1.0), "max_step=1.0"),
        (lambda: NAO(SPACE, step=1e-9), "max_step"),
        (lambda: search(n_select=9, n_candidates=8), "n_select must be at most n_candidates"),
        (lambda: search(X_init=X), "X_init and y_init"),
        (lambda: search(X_init=X, y_init=Y[:3]), "y_init"),
        (lambda: search(storage="x"), "storage must be an address .* got 'x'"),
        (lambda: search(storage="nodialect://x"), "storage"),
        (lambda: search(proposer=GeneticAlgorithm(ConvCell())), "another motif space"),
        (lambda: PetriDishSampler(SPACE, proposer={"a": None}), "proposer has"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_when_made(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def search(**settings):
    return PetriDishSearch(SPACE, lambda row: float(row[0]), **settings)


@pytest.mark.parametrize("lags", [(100,), (4, 100), [4]])
def test_lags_of_which_none_is_within_a_sample_are_refused(lags):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="all of them as long as the 4 steps"):
        MemoryTask(lags).draw(SampleSpec(3, 2, 2, "real", (4,)), rng)
    MemoryTask(lags).draw(SampleSpec(3, 2, 2, "real"), rng)  # a vector is about itself
    MemoryTask([*lags, 3]).draw(SampleSpec(3, 2, 2, "real", (4,)), rng)


def test_all_symbols_can_follow_where_there_are_no_more_successors():
    spec = SampleSpec(3, 4, 4, "class", (6,))
    few, many = (MarkovTask(n).draw(spec, np.random.default_rng(0)) for n in (4, 100))
    np.testing.assert_array_equal(few[0], many[0])


def test_a_large_number_in_data_is_an_error_of_the_data():
    dish = PetriDishRegressor(**QUICK_DISH)
    with pytest.raises(ValueError, match="y holds one finite"):
        dish.fit(X, [10**400, *Y[1:]])
    with pytest.raises(ValueError, match="A row of X is one motif"):
        dish.fit([[10**400], *X[1:]], Y)
    with pytest.raises(ValueError, match="A row of X is one motif"):
        SPACE.validate([[10**400]])


def test_a_device_that_is_not_there_is_refused():
    for device in ("x", "cuda:99", "meta:x"):
        with pytest.raises(ValueError, match=f"device must be .* got '{device}'"):
            PetriDishRegressor(device=device, **QUICK_DISH).fit(X, Y)
        bank = [("dish", PetriDishRegressor(device=device, **QUICK_DISH))]
        with pytest.raises(ValueError, match=f"device must be .* got '{device}'"):
            PetriDishTransformer(dishes=bank).fit(X)


def test_leases_that_no_thread_can_wait_for_are_as_long_as_one_can():
    assert math.isfinite(search(lease=1e300).lease)
    result = search(
        **{"lease": 1e300, "surrogate": Ridge(), "n_init": 2, "n_iterations": 1},
        **{"n_select": 1, "n_candidates": 2, "random_state": 0, "storage": "sqlite://"},
    ).run()
    assert len(result.history) == 3
