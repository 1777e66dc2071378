"""scikit-learn's own checks on everything that fits, with no expected failures."""

import importlib
import inspect

import pytest
from numpydoc.validate import validate
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    check_set_output_transform,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    estimator_checks_generator,
    parametrize_with_checks,
)
from test_package import public_modules

from sk_petridish import (
    NormalScores,
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
)
from sk_petridish.baselines import NeuralSurrogate


def small_dish(engine):
    return PetriDishRegressor(
        n_dishes=1,
        n_inputs=3,
        n_hidden=2,
        n_outputs=3,
        n_synthetic=4,
        n_batches=2,
        inner_steps=4,
        max_iter=2,
        max_outer_loss=4.0,
        engine=engine,
    )


def ten_dishes(engine):
    """Return as many as it takes to leave motifs out."""
    return small_dish(engine).set_params(n_dishes=10)


ESTIMATORS = [
    small_dish("numba"),
    small_dish("torch"),
    ten_dishes("numba"),
    *(
        PetriDishTransformer(dishes=[("small", small_dish(engine))], learn=learn)
        for engine in ("numba", "torch")
        for learn in (False, True)
    ),
    PetriDishBankRegressor(
        banks=[
            ("one", PetriDishTransformer(dishes=[("small", small_dish("numba"))])),
            ("other", PetriDishTransformer(dishes=[("small", small_dish("numba"))], learn=True)),
        ]
    ),
    NeuralSurrogate(max_iter=50),
    NormalScores(),
]


def discovered():
    """Find public classes with ``fit``; motif spaces and tasks have none."""
    found = set()
    for name in public_modules():
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                found |= {thing} if hasattr(thing, "fit") else set()
    return found


def name_of(estimator):
    return type(estimator).__name__


def test_everything_that_fits_is_checked():
    assert {type(estimator) for estimator in ESTIMATORS} == discovered()


# Some checks pass y as a column, to see that the estimator warns.
@pytest.mark.filterwarnings("default::sklearn.exceptions.DataConversionWarning")
# Many columns are many layers, behind which a tiny dish cannot tell motifs apart.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_no_check_is_lost_through_a_tag(estimator):
    weighs = "sample_weight" in inspect.signature(estimator.fit).parameters
    least = (59 if weighs else 52) if is_regressor(estimator) else 47
    assert len(list(estimator_checks_generator(estimator))) >= least


LEFT_OUT = [
    check_param_validation,
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
]
FOR_TRANSFORMERS = [
    check_set_output_transform,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_checks_that_the_decorator_leaves_out(estimator):
    for check in LEFT_OUT + FOR_TRANSFORMERS * hasattr(estimator, "transform"):
        check(name_of(estimator), estimator)


# What numpydoc asks for beyond scikit-learn's own habits.
NOT_ASKED = {"SA01", "EX01", "ES01", "GL08", "RT02", "YD01"}
# Protocols are never called, but have a signature.
PROTOCOLS = {"sk_petridish.search.ground_truth.Training"}
# What engines do is described once, in their protocol.
ENGINES = {"Engine", "NumbaEngine", "TorchEngine"}


def documented():
    """Name all public classes, functions and methods of ours."""
    for name in public_modules():
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            ours = getattr(thing, "__module__", "").startswith("sk_petridish")
            if not ours or public in ENGINES:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{name}.{public}"
            if inspect.isclass(thing):
                for member, value in vars(thing).items():
                    if inspect.isfunction(value) and not member.startswith("_"):
                        yield f"{name}.{public}.{member}"


@pytest.mark.parametrize("name", sorted(set(documented())))
def test_docstrings_are_complete(name):
    not_asked = NOT_ASKED | {"PR01"} if name in PROTOCOLS else NOT_ASKED
    errors = [error for error in validate(name)["errors"] if error[0] not in not_asked]
    assert not errors
