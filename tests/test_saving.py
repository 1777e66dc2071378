"""Fitted estimators in files and pickles."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish import PetriDishRegressor, PetriDishTransformer
from sk_petridish.estimators import _migrations, _persistence
from sk_petridish.motifs import SigmoidSlope
from sk_petridish.tasks import GaussianTask, SampleTask, TeacherTask

FIXTURES = Path(__file__).parent / "fixtures"


def fitted(**changes):
    return fast(**({"n_dishes": 10} | changes)).fit(SLOPES, LOSSES)


@pytest.fixture(scope="module")
def dish():
    return fitted()


@pytest.fixture
def path(tmp_path, dish):
    dish.save(tmp_path / "dish.safetensors")
    return tmp_path / "dish.safetensors"


def test_a_loaded_dish_is_the_one_that_was_saved(dish, path):
    loaded = PetriDishRegressor.load(path)
    for ours, theirs in zip(
        dish.predict(SLOPES, return_std=True), loaded.predict(SLOPES, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.get_params(deep=False).keys() == dish.get_params(deep=False).keys()
    assert repr(loaded) == repr(dish)
    saved = {name for name in vars(dish) if name.endswith("_")}
    assert {name for name in vars(loaded) if name.endswith("_")} == saved
    np.testing.assert_array_equal(loaded.loss_curve_, dish.loss_curve_)
    np.testing.assert_array_equal(loaded.oob_prediction_, dish.oob_prediction_)
    assert loaded.dishes_[3].settings.inner == dish.dishes_[3].settings.inner


def test_learning_goes_on_after_loading(dish, path):
    alone = pickle.loads(pickle.dumps(dish)).partial_fit([[0.2]], [0.02])
    loaded = PetriDishRegressor.load(path).partial_fit([[0.2]], [0.02])
    np.testing.assert_array_equal(loaded.predict(SLOPES), alone.predict(SLOPES))
    assert loaded.n_iter_ == alone.n_iter_


def test_settings_of_every_kind_come_back(tmp_path):
    options = {
        "motif_space": SigmoidSlope(low=0.1),
        "task": TeacherTask(n_hidden=4),
        "outer_lr_steps": (1, 2),
        "random_state": np.random.RandomState(0),
        "early_stopping": True,
        "validation_fraction": 0.25,
    }
    dish = fitted(**options)
    dish.save(tmp_path / "dish.safetensors")
    loaded = PetriDishRegressor.load(tmp_path / "dish.safetensors")
    assert loaded.motif_space.low == loaded.motif_space_.low == 0.1
    assert loaded.task.n_hidden == loaded.dishes_[0].settings.task.n_hidden == 4
    assert loaded.outer_lr_steps == (1, 2)
    assert loaded.random_state is None
    np.testing.assert_array_equal(loaded.predict(SLOPES), dish.predict(SLOPES))


def test_dishes_without_a_scale_come_back(tmp_path):
    dish = fitted(n_dishes=1)
    blind = dish.dishes_[0]
    vars(blind)["slope"], vars(blind)["outer_loss"] = np.nan, np.inf
    dish.save(tmp_path / "dish.safetensors")
    loaded = PetriDishRegressor.load(tmp_path / "dish.safetensors").dishes_[0]
    assert np.isnan(loaded.slope)
    assert loaded.outer_loss == np.inf


def test_names_of_columns_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    dish = fast(n_dishes=1)
    dish.fit(pandas.DataFrame({"slope": SLOPES.ravel()}), LOSSES)
    dish.save(tmp_path / "dish.safetensors")
    loaded = PetriDishRegressor.load(tmp_path / "dish.safetensors")
    assert loaded.feature_names_in_.tolist() == ["slope"]
    loaded.predict(pandas.DataFrame({"slope": [0.5]}))


@pytest.mark.parametrize("learn", [False, True])
def test_a_bank_comes_back(tmp_path, learn):
    member = fast(n_dishes=2)
    bank = PetriDishTransformer(dishes=[("small", member)], learn=learn).fit(SLOPES, LOSSES)
    bank.save(tmp_path / "bank.safetensors")
    loaded = PetriDishTransformer.load(tmp_path / "bank.safetensors")
    np.testing.assert_array_equal(loaded.transform(SLOPES), bank.transform(SLOPES))
    assert loaded.get_params()["small__inner_steps"] == 15
    with pytest.raises(ValueError, match="holds a PetriDishTransformer"):
        PetriDishRegressor.load(tmp_path / "bank.safetensors")


class Mine(SigmoidSlope):
    """A motif space that only this module knows."""


class MyTask(GaussianTask):
    """A task that only this module knows."""


def test_a_space_of_the_users_own_must_be_given(tmp_path):
    dish = fitted(motif_space=Mine(), task=MyTask(), n_dishes=2)
    dish.save(tmp_path / "dish.safetensors")
    with pytest.raises(ValueError, match=r"test_saving\.Mine as its motif_space.*motif_space="):
        PetriDishRegressor.load(tmp_path / "dish.safetensors")
    with pytest.raises(ValueError, match=r"test_saving\.MyTask as its task"):
        PetriDishRegressor.load(tmp_path / "dish.safetensors", motif_space=Mine())
    loaded = PetriDishRegressor.load(
        tmp_path / "dish.safetensors", motif_space=Mine(), task=MyTask()
    )
    np.testing.assert_array_equal(loaded.predict(SLOPES), dish.predict(SLOPES))


def test_a_space_with_a_function_must_be_given(tmp_path, monkeypatch):
    """The package's own class, but with a parameter that is code."""
    dish = fitted(n_dishes=1)
    dish.motif_space_.low = print
    dish.save(tmp_path / "dish.safetensors")
    with pytest.raises(ValueError, match="SigmoidSlope as its motif_space"):
        PetriDishRegressor.load(tmp_path / "dish.safetensors")
    loaded = PetriDishRegressor.load(tmp_path / "dish.safetensors", motif_space=SigmoidSlope())
    np.testing.assert_array_equal(loaded.predict(SLOPES), fitted(n_dishes=1).predict(SLOPES))


def test_a_dish_from_a_device_that_is_not_here_loads_on_the_cpu(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device that must be missing")
    dish = fitted(n_dishes=1)
    expected = dish.predict(SLOPES)
    dish.set_params(device="cuda").save(tmp_path / "dish.safetensors")
    loaded = PetriDishRegressor.load(tmp_path / "dish.safetensors")
    assert loaded.device == "cpu"
    np.testing.assert_array_equal(loaded.predict(SLOPES), expected)


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_an_error(tmp_path_factory, dish, share):
    path = tmp_path_factory.mktemp("truncated") / "dish.safetensors"
    dish.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="damaged"):
        PetriDishRegressor.load(path)


@settings(max_examples=200)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_an_error(tmp_path_factory, dish, place, bit):
    path = tmp_path_factory.mktemp("flipped") / "dish.safetensors"
    dish.save(path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        loaded = PetriDishRegressor.load(path)
    except ValueError:
        return
    # Spaces between the JSON and the arrays, and the version, say nothing of the dish.
    np.testing.assert_array_equal(loaded.predict(SLOPES), dish.predict(SLOPES))


def rewrite(path, **metadata):
    """Write a file's arrays again with other metadata."""
    with _persistence.safe_open(path, framework="np") as file:
        before = file.metadata()
    save_file(load_file(path), path, {**before, **metadata})


def test_a_newer_file_says_what_to_do(path):
    rewrite(path, format="4", version="7.0")
    with pytest.raises(ValueError, match=r"sk-petridish 7\.0, in format 4.*Upgrade it"):
        PetriDishRegressor.load(path)


def change(path, kind, **fields):
    """Add fields to what a file says of an object of a class."""
    with _persistence.safe_open(path, framework="np") as file:
        text = file.metadata()["sk_petridish"]
    start = f'"class": "{kind}", "fields": {{'
    assert start in text
    text = text.replace(start, start + json.dumps(fields)[1:-1] + ", ")
    rewrite(path, sk_petridish=text, sha256=_persistence._digest(text, load_file(path)))


@pytest.mark.parametrize("name", ["leave_out", "gone_", "_gone"])
def test_what_an_estimator_no_longer_has_is_an_error(path, name):
    change(path, "PetriDishRegressor", **{name: 0.3})
    with pytest.raises(ValueError, match=rf"gives PetriDishRegressor \['{name}'\]"):
        PetriDishRegressor.load(path)


def test_what_a_dish_no_longer_has_is_an_error(path):
    change(path, "Dish", statistic_mean=0.3)
    with pytest.raises(ValueError, match="statistic_mean"):
        PetriDishRegressor.load(path)


def test_all_that_a_fit_leaves_is_saved():
    for estimator in (
        fitted(early_stopping=True),
        PetriDishTransformer(dishes=[("small", fast())], learn=True).fit(SLOPES, LOSSES),
    ):
        left = vars(estimator).keys() - estimator.get_params(deep=False).keys()
        assert left <= set(estimator._fitted)


def test_a_dish_of_the_first_format_without_a_scale_has_none_today(path):
    moments = {"statistic_mean": 0.5, "statistic_std": {"float": "nan"}, "loss_mean": 0.0,
               "loss_std": 1.0}  # fmt: skip
    dish = _migrations.migrate({"class": "Dish", "fields": {"seed": 1, **moments}}, 1)
    nan = {"float": "nan"}
    assert dish == {"class": "Dish", "fields": {"seed": 1, "slope": nan, "intercept": nan}}


def test_foreign_files_are_errors(path, tmp_path):
    save_file({"weights": np.ones(3)}, path)
    with pytest.raises(ValueError, match="was not written by sk_petridish"):
        PetriDishRegressor.load(path)
    path.write_bytes(pickle.dumps(SLOPES))
    with pytest.raises(ValueError, match="damaged, or no file of sk_petridish"):
        PetriDishRegressor.load(path)
    with pytest.raises(FileNotFoundError):
        PetriDishRegressor.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "text", ['{"class": "Popen", "fields": {}}', '{"class": "Dish"}', '{"array": "99"}', "3"]
)
def test_a_file_cannot_name_what_is_not_ours(path, text):
    rewrite(path, sk_petridish=text, sha256=_persistence._digest(text, load_file(path)))
    with pytest.raises(ValueError, match=r"does not say what sk_petridish writes|holds a"):
        PetriDishRegressor.load(path)


def test_a_class_of_the_users_own_cannot_be_named(tmp_path):
    class MyRegressor(PetriDishRegressor):
        pass

    with pytest.raises(TypeError, match=r"MyRegressor.* cannot be saved"):
        MyRegressor().save(tmp_path / "mine.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_the_old_file(dish, path, monkeypatch):
    before = path.read_bytes()
    unsound = pickle.loads(pickle.dumps(dish)).set_params(outer_lr=object())
    with pytest.raises(TypeError, match="cannot be saved"):
        unsound.save(path)

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(_persistence.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        dish.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("written", ["0_1_0", "format_2"])
@pytest.mark.parametrize("name", ["regressor", "transformer"])
def test_files_of_older_formats_load_for_ever(name, written):
    """They were written by the version or in the format in their name; never write them again."""
    kind = {"regressor": PetriDishRegressor, "transformer": PetriDishTransformer}[name]
    loaded = kind.load(FIXTURES / f"{name}_{written}.safetensors")
    expected = json.loads((FIXTURES / f"{name}_{written}.json").read_text())
    rows = np.array(expected["X"])
    output = loaded.predict(rows) if name == "regressor" else loaded.transform(rows)
    np.testing.assert_allclose(output, expected["output"], rtol=1e-9)


@pytest.mark.parametrize("library", [pickle, joblib])
def test_pickles_come_back_in_another_process(dish, tmp_path, library):
    path = tmp_path / "dish.pickle"
    with path.open("wb") as file:
        library.dump(dish, file)
    script = (
        f"import {library.__name__}, sys, numpy\n"
        f"with open({str(path)!r}, 'rb') as file: dish = {library.__name__}.load(file)\n"
        f"print(dish.predict([[0.5], [1.2]]).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert json.loads(done.stdout) == dish.predict([[0.5], [1.2]]).tolist()


def test_samples_of_the_users_own_are_saved_too(tmp_path):
    task = SampleTask(np.random.default_rng(0).normal(size=(30, 10)), np.arange(30) % 10)
    dish = fast(task=task, learn_labels=False).fit(SLOPES, LOSSES)
    dish.save(tmp_path / "dish.safetensors")
    again = PetriDishRegressor.load(tmp_path / "dish.safetensors")
    np.testing.assert_array_equal(again.get_params()["task"].X, task.X)
    np.testing.assert_array_equal(again.predict(SLOPES), dish.predict(SLOPES))
