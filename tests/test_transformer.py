"""PetriDishTransformer as its users meet it."""

import joblib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from small_regressors import fast

from sk_petridish import PetriDishRegressor, PetriDishTransformer
from sk_petridish.dish import ZERO_COST
from sk_petridish.motifs import SigmoidSlope

SLOPES = np.linspace(0.1, 2.0, 16)[:, None]
LOSSES = 0.02 + 0.004 * np.abs(np.log(SLOPES.ravel() / 0.5)) ** 1.5
SMALL = {"n_hidden": 2, "n_synthetic": 8, "n_batches": 2, "inner_steps": 12, "max_iter": 2}


def small(**changes):
    return PetriDishRegressor(**(SMALL | {"n_dishes": 2, "max_outer_loss": 4.0} | changes))


def bank(**options):
    return PetriDishTransformer(
        **({"dishes": [("a", small()), ("b", small(init_scale=4.0))], "random_state": 0} | options)
    )


def test_features_are_the_logarithms_of_what_dishes_measure():
    fitted = bank(curves=("mean_train", "train"), checkpoints=[12, 3]).fit(SLOPES)
    features = fitted.transform(SLOPES)
    assert features.shape == (16, 2 * 2 * 2 * 2)
    names = fitted.get_feature_names_out().tolist()
    assert names[:5] == [
        "a_0_mean_train_3",
        "a_0_mean_train_12",
        "a_0_train_3",
        "a_0_train_12",
        "a_1_mean_train_3",
    ]
    # The statistic of the recommended settings is the mean training loss after all steps.
    statistic = dict(fitted.dishes_)["b"].statistics(SigmoidSlope().blueprints(SLOPES))
    for dish in range(2):
        column = np.exp(features[:, names.index(f"b_{dish}_mean_train_12")])
        np.testing.assert_allclose(column, statistic[dish], rtol=1e-9)


def test_checkpoints_are_powers_of_two_and_the_last_step():
    fitted = bank(curves=["valid"]).fit(SLOPES)
    names = [name for name in fitted.get_feature_names_out() if name.startswith("a_0")]
    assert names == [f"a_0_valid_{step}" for step in (0, 1, 2, 4, 8, 12)]
    zero = bank(dishes=[("a", small(inner_steps=0))]).fit(SLOPES).get_feature_names_out()
    assert zero.tolist() == ["a_0_train_0", "a_0_valid_0", "a_1_train_0", "a_1_valid_0"]


def test_learned_dishes_are_those_of_a_regressor():
    learned = bank(learn=True).fit(SLOPES, LOSSES)
    name, ensemble = learned.dishes_[1]
    assert name == "b"
    seeds = check_random_state(0).randint(2**31 - 1, size=2)
    alone = small(init_scale=4.0, random_state=seeds[1]).fit(SLOPES, LOSSES)
    np.testing.assert_array_equal(ensemble.dishes[0].x_train, alone.dishes_[0].x_train)
    assert not np.array_equal(learned.transform(SLOPES), bank().fit(SLOPES).transform(SLOPES))


def test_unlearned_dishes_need_no_losses_and_learned_ones_do():
    np.testing.assert_array_equal(
        bank().fit(SLOPES).transform(SLOPES), bank().fit(SLOPES, LOSSES).transform(SLOPES)
    )
    with pytest.raises(ValueError, match="requires y"):
        bank(learn=True).fit(SLOPES)


def test_the_spaces_own_bank_is_the_default():
    fitted = PetriDishTransformer(random_state=0).fit(SLOPES)
    assert {name for name, _ in fitted.dishes_} == set(SigmoidSlope().recommended("bank"))
    assert fitted.transform(SLOPES[:2]).shape[1] == len(fitted.get_feature_names_out())
    scales = {ensemble.dishes[0].settings.initial_weights.scale for _, ensemble in fitted.dishes_}
    assert scales == {1.0, 2.0, 4.0}


def test_random_states():
    same = bank(dishes=[("a", small()), ("b", small())]).fit(SLOPES)
    first, second = (ensemble.dishes[0] for _, ensemble in same.dishes_)
    assert not np.array_equal(first.x_train, second.x_train)
    np.testing.assert_array_equal(
        bank().fit(SLOPES).transform(SLOPES), bank().fit(SLOPES).transform(SLOPES)
    )
    own = [
        bank(dishes=[("a", small(random_state=7))], random_state=seed).fit(SLOPES)
        for seed in range(2)
    ]
    np.testing.assert_array_equal(*(fitted.transform(SLOPES) for fitted in own))


def test_the_motif_space_is_the_banks_or_the_dishes():
    rows = np.ones((3, 2))
    for space, ours, theirs in ((SigmoidSlope(2), SigmoidSlope(2), None),
                                (SigmoidSlope(2), None, SigmoidSlope(2)),
                                (SigmoidSlope(2), None, None)):  # fmt: skip
        fitted = bank(motif_space=ours, dishes=[("a", small(motif_space=theirs))]).fit(rows)
        assert fitted.motif_space_.n_slopes == space.n_slopes
    with pytest.raises(ValueError, match="A row of X is one motif"):
        bank(motif_space=SigmoidSlope(3)).fit(rows)
    several = [("a", small(motif_space=SigmoidSlope(2))), ("b", small(motif_space=SigmoidSlope(3)))]
    with pytest.raises(ValueError, match="different motif spaces"):
        bank(dishes=several).fit(rows)


def test_one_dish_for_many_motifs_or_many_calls_is_the_same():
    fitted = bank().fit(SLOPES)
    single = np.vstack([fitted.transform(row[None]) for row in SLOPES])
    np.testing.assert_allclose(fitted.transform(SLOPES), single, rtol=1e-9)


def test_features_are_finite_when_an_inner_loop_diverges():
    wild = small(inner_optimizer="sgd", inner_lr=1e200, inner_loss="mse")
    features = bank(dishes=[("wild", wild)]).fit(SLOPES).transform(SLOPES)
    assert np.isfinite(features).all()
    assert features.max() == pytest.approx(np.log(1e6))


@pytest.mark.parametrize(
    "regressor",
    [
        GaussianProcessRegressor(normalize_y=True, alpha=1e-3),
        RandomForestRegressor(50, random_state=0),
        RidgeCV(np.logspace(-3, 3, 7)),
        LGBMRegressor(min_child_samples=2, n_estimators=50, verbose=-1, n_jobs=1),
    ],
    ids=lambda regressor: type(regressor).__name__,
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_feeds_any_regressor(regressor):
    surrogate = make_pipeline(bank(), StandardScaler(), regressor)
    predicted = cross_val_predict(surrogate, SLOPES, LOSSES, cv=8)
    assert np.corrcoef(predicted, LOSSES)[0, 1] > 0.5


def test_set_output_names_the_columns():
    frame = bank().set_output(transform="pandas").fit(SLOPES).transform(SLOPES)
    assert frame.columns.tolist() == bank().fit(SLOPES).get_feature_names_out().tolist()


def test_settings_of_named_dishes_can_be_searched():
    surrogate = make_pipeline(bank(), RidgeCV())
    search = GridSearchCV(surrogate, {"petridishtransformer__a__init_scale": [1.0, 2.0]}, cv=2).fit(
        SLOPES, LOSSES
    )
    chosen = search.best_estimator_[0].get_params()
    assert chosen["a__init_scale"] == search.best_params_["petridishtransformer__a__init_scale"]
    assert bank().set_params(a__n_hidden=7).dishes[0][1].n_hidden == 7


def test_the_page_shows_the_bank():
    page = bank()._repr_html_()
    assert page.count("PetriDishRegressor") >= 2
    assert "scale1" in PetriDishTransformer()._repr_html_()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"curves": ["test"]}, "'curves' parameter of PetriDishTransformer"),
        ({"curves": []}, "curves must name some of"),
        ({"checkpoints": [13]}, "from 0 to inner_steps=12"),
        ({"checkpoints": [0.5]}, "'checkpoints' parameter of PetriDishTransformer"),
        ({"checkpoints": []}, "'checkpoints' parameter of PetriDishTransformer"),
        ({"dishes": []}, "dishes is empty"),
        ({"dishes": [("a", small()), ("a", small())]}, "Names provided are not unique"),
        ({"dishes": [("a__b", small())]}, "must not contain __"),
    ],
)
def test_settings_that_make_no_sense_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        bank(**options).fit(SLOPES)


def test_dishes_are_described_by_regressors():
    with pytest.raises(TypeError, match=r"dishes\['a'\] is no PetriDishRegressor"):
        bank(dishes=[("a", RidgeCV())]).fit(SLOPES)


def test_features_may_be_means_over_the_dishes_of_a_sort():
    every, mean = bank().fit_transform(SLOPES), bank(average=True).fit(SLOPES)
    n = every.shape[1] // 4  # two sorts of two dishes
    for sort in range(2):
        of_sort = every[:, 2 * sort * n : 2 * (sort + 1) * n].reshape(16, 2, n)
        expected = of_sort.mean(axis=1)
        np.testing.assert_allclose(mean.transform(SLOPES)[:, sort * n : (sort + 1) * n], expected)
    assert mean.get_feature_names_out()[0] == "a_avg_train_0"


@settings(max_examples=30)
@given(
    names=st.lists(
        st.lists(st.sampled_from([*"a01", "_", "mean", "avg", "_train", "input", "_0"]), min_size=1)
        .map("".join)
        .filter(lambda name: "__" not in name),
        min_size=2,
        max_size=4,
        unique=True,
    ),
    average=st.booleans(),
)
@example(names=["a", "a1"], average=False)
@example(names=["a", "a_mean", "a_input"], average=True)
def test_no_two_features_have_the_same_name(names, average):
    dishes = [(name, small(n_dishes=11 if name == "a" else 2)) for name in names]
    curves = ("train", "valid", "mean_train")
    several = bank(dishes=dishes, average=average, curves=curves, zero_cost=True)
    features = several.fit(SLOPES[:2]).get_feature_names_out()
    assert len(set(features)) == len(features)


def test_zero_cost_measures_come_behind_the_losses():
    with_them = bank(zero_cost=True).fit(SLOPES)
    features, names = with_them.transform(SLOPES), with_them.get_feature_names_out().tolist()
    losses = bank().fit_transform(SLOPES)
    np.testing.assert_array_equal(features[:, : losses.shape[1]], losses)
    assert len(names) == features.shape[1] == losses.shape[1] + 4 * len(ZERO_COST)
    firsts = names[losses.shape[1] :: len(ZERO_COST)]
    assert firsts == ["a_0_grad_norm", "a_1_grad_norm", "b_0_grad_norm", "b_1_grad_norm"]
    alone = bank(zero_cost=True, curves=()).fit(SLOPES)
    np.testing.assert_array_equal(alone.transform(SLOPES), features[:, losses.shape[1] :])
    with pytest.raises(ValueError, match="curves must name some"):
        bank(curves=()).fit(SLOPES)


def test_a_memory_measures_a_motif_once_for_all_estimators_with_the_same_dishes(
    tmp_path, monkeypatch
):
    measured = []
    original = PetriDishTransformer._measure

    def spy(self, rows):
        measured.append(len(rows))
        return original(self, rows)

    expected = bank().fit(SLOPES).transform(SLOPES)
    monkeypatch.setattr(PetriDishTransformer, "_measure", spy)
    memory = str(tmp_path)
    np.testing.assert_array_equal(
        bank(memory=memory).fit(SLOPES).transform(SLOPES[:10]), expected[:10]
    )
    np.testing.assert_array_equal(bank(memory=memory).fit(SLOPES).transform(SLOPES), expected)
    again = bank(memory=joblib.Memory(memory, verbose=0)).fit(SLOPES)
    np.testing.assert_array_equal(again.transform(SLOPES[[3, 3, 12]]), expected[[3, 3, 12]])
    assert measured == [10, 6]
    # Whatever features depend on makes them others.
    for other in (
        bank(memory=memory, random_state=1),
        bank(memory=memory, curves=("train",)),
        bank(memory=memory, checkpoints=[12]),
        bank(memory=memory, average=True),
        bank(memory=memory, dishes=[("a", small(inner_lr=0.02)), ("b", small(init_scale=4.0))]),
    ):
        measured.clear()
        plain = clone(other).set_params(memory=None).fit(SLOPES)
        features = other.fit(SLOPES).transform(SLOPES)
        assert measured == [16]
        np.testing.assert_array_equal(features, plain.transform(SLOPES))


@pytest.mark.filterwarnings("ignore:Exception while loading results")
def test_a_damaged_memory_is_measured_again(tmp_path):
    fitted = bank(memory=str(tmp_path)).fit(SLOPES)
    expected = fitted.transform(SLOPES[:3])
    kept = list(tmp_path.rglob("output.pkl"))
    assert len(kept) == 3
    kept[0].write_bytes(b"half a fi")
    np.testing.assert_array_equal(fitted.transform(SLOPES[:3]), expected)


def test_a_memory_is_no_folder_of_another_machine(tmp_path):
    fitted = bank(memory=str(tmp_path / "memory")).fit(SLOPES)
    fitted.save(tmp_path / "bank.safetensors")
    loaded = PetriDishTransformer.load(tmp_path / "bank.safetensors")
    assert loaded.memory is None
    np.testing.assert_array_equal(loaded.transform(SLOPES), fitted.transform(SLOPES))


def test_a_bank_that_learns_has_the_dishes_of_its_regressors_alone():
    state = np.random.RandomState(3)
    dish = fast(random_state=state)
    bank = PetriDishTransformer(dishes=[("dish", dish)], learn=True).fit(SLOPES, LOSSES)
    alone = clone(dish).fit(SLOPES, LOSSES)
    ((_, ensemble),) = bank.dishes_
    for ours, theirs in zip(ensemble.dishes, alone.dishes_, strict=True):
        assert ours.seed == theirs.seed
        np.testing.assert_array_equal(ours.x_train, theirs.x_train)
