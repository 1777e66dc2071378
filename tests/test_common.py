"""scikit-learn's own checks, with no expected failures."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sk_petridish import PetriDishRegressor
from sk_petridish.baselines import NeuralSurrogate

ESTIMATORS = [
    *(
        PetriDishRegressor(
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
        for engine in ("numba", "torch")
    ),
    NeuralSurrogate(max_iter=50),
]


# Some checks pass y as a column, to see that the estimator warns.
@pytest.mark.filterwarnings("default::sklearn.exceptions.DataConversionWarning")
# Many columns are many layers, behind which a tiny dish cannot tell motifs apart.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_no_check_is_lost_through_a_tag(estimator):
    assert len(list(estimator_checks_generator(estimator))) >= 52
