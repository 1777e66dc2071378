"""Fitted estimators in files and pickles."""

import json
import os
import pickle
import re
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from saved_edits import objects, read, write
from sklearn.linear_model import Ridge
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish import (
    PetriDishBankRegressor,
    PetriDishRegressor,
    PetriDishTransformer,
    make_surrogate,
)
from sk_petridish.estimators import _migrations, _persistence
from sk_petridish.motifs import RecurrentCell, SigmoidSlope
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


def relabel(path, text, **metadata):
    """Write a file again with another text, under a checksum that is right."""
    arrays = load_file(path)
    rewrite(path, sk_petridish=text, sha256=_persistence._digest(text, arrays), **metadata)


def change(path, kind, **fields):
    """Set fields of all objects of a class, under a checksum that is right."""
    described, arrays = read(path)
    found = [node for node in objects(described) if node["class"] == kind]
    assert found
    for node in found:
        node["fields"] |= fields
    write(path, described, arrays)


def leave_out(path, kind, *names):
    described, arrays = read(path)
    for node in objects(described):
        if node["class"] == kind:
            for name in names:
                del node["fields"][name]
    write(path, described, arrays)


def refused(path, match, kind=PetriDishRegressor):
    """Assert that a file is refused by one error, which names it."""
    with pytest.raises(ValueError, match=match) as caught:
        kind.load(path)
    assert str(path) in str(caught.value)


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
    relabel(path, text)
    refused(path, "does not say what sk_petridish writes|holds a")
    written = {"format": 3, "version": version("sk-petridish"), "estimator": json.loads(text)}
    relabel(path, json.dumps(written))
    refused(path, "cannot be loaded|does not say what sk_petridish writes|holds a")


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


@pytest.mark.parametrize("name", ["memory", "callbacks", "history_"])
@pytest.mark.parametrize("kind", ["PetriDishTransformer", "PetriDishRegressor"])
def test_what_is_not_saved_is_never_read(tmp_path, monkeypatch, name, kind):
    """A file that names a folder for ``memory`` would have joblib unpickle what lies there."""
    monkeypatch.chdir(tmp_path)
    bank = PetriDishTransformer(dishes=[("small", fast())]).fit(SLOPES)
    bank.save("bank.safetensors")
    for value in ("archive", {"list": [{"class": "Popen", "fields": {}}]}):
        change(Path("bank.safetensors"), kind, **{name: value})
        loaded = PetriDishTransformer.load("bank.safetensors")
        assert loaded.memory is None
        assert loaded.dishes[0][1].callbacks is None
        np.testing.assert_array_equal(loaded.transform(SLOPES), bank.transform(SLOPES))
    assert os.listdir() == ["bank.safetensors"]


WRONG = {
    "Widths": [{"n_outputs": 11}, {"n_inputs": 9}, {"n_outputs": 10**6}, {"n_hidden": 10**6},
               {"n_hidden": -1}, {"n_hidden": 0}, {"n_hidden": 2.0}],
    "InnerLoop": [{"steps": 10**5}, {"steps": -1}, {"lr": {"float": "nan"}}, {"loss": "x"},
                  {"n_batches": 0}, {"n_batches": 3}, {"optimizer": 1}],
    "InitialWeights": [{"init": "x"}, {"scale": {"float": "inf"}}],
    "DishSettings": [{"statistic": "x"}, {"n_synthetic": 10**9}, {"n_synthetic": 4},
                     {"sample_shape": {"tuple": [4]}}, {"output_shape": {"tuple": [2, 2]}},
                     {"sample_shape": {"list": []}}, {"task": None}, {"inner": None}],
    "Dish": [{"seed": -1}, {"seed": "x"}, {"slope": "x"}, {"slope": 1e300}, {"converged": 1},
             {"x_train": {"strings": ["x"]}}, {"x_train": {"array": "0"}}, {"unknown": 1}],
    "SigmoidSlope": [{"n_slopes": 2}, {"n_slopes": 10**8}, {"low": 3.0}, {"low": "x"}],
    "LossScale": [{"std": 0.0}, {"std": 1e9}, {"mean": {"float": "nan"}}, {"diverged": -1.0}],
    "SpreadCalibration": [{"factor": -1.0}, {"floor": 1e300}, {"factor": None}],
    "PetriDishRegressor": [
        {"n_dishes": "x"}, {"engine": "x"}, {"n_features_in_": 2}, {"n_features_in_": True},
        {"dishes_": {"list": []}}, {"dishes_": {"list": [1]}}, {"n_converged_": 99},
        {"n_iter_": 99}, {"_spread": None}, {"_loss_scale": 1.0}, {"left_out_": None},
        {"X_train_": {"list": [1.0]}}, {"predict": 1}, {"motif_space_": None},
        {"feature_names_in_": {"strings": ["one", "two"]}}, {"device": None},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields"), [(kind, fields) for kind, several in WRONG.items() for fields in several]
)
def test_what_no_estimator_can_be_is_refused(path, kind, fields):
    start = time.perf_counter()
    change(path, kind, **fields)
    refused(path, "cannot be loaded|does not say what sk_petridish writes")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "edit",
    [
        lambda array: array[:1],
        lambda array: array.astype(np.float32),
        lambda array: np.full_like(array, np.nan),
        lambda array: array[None],
        lambda array: np.concatenate([array, array]),
    ],
    ids=["cut", "float32", "nan", "axis", "twice"],
)
def test_arrays_that_do_not_fit_are_refused(path, dish, edit):
    described, arrays = read(path)
    for name, array in arrays.items():
        # Any but those of predictions and curves, which say where there are none.
        if array.dtype == np.float64 and array.shape != dish.loss_curve_.shape:
            if array.shape == dish.oob_prediction_.shape and edit(array).shape == array.shape:
                continue
            write(path, described, {**arrays, name: edit(array)})
            refused(path, "cannot be loaded")


def test_an_attribute_that_predictions_need_must_be_there(path, dish):
    whole = path.read_bytes()
    for name in set(dish._fitted) - {"history_", "feature_names_in_"}:
        path.write_bytes(whole)
        leave_out(path, "PetriDishRegressor", name)
        refused(path, rf"A fitted PetriDishRegressor has \['{name}'\] too")


def test_a_fit_that_failed_is_saved_as_none(path, dish):
    unfitted = pickle.loads(pickle.dumps(dish))
    with pytest.raises(ValueError, match="same loss"):
        unfitted.fit(SLOPES, np.ones(len(SLOPES)))
    unfitted.save(path)
    assert not hasattr(PetriDishRegressor.load(path), "X_train_")


def described_as(path, text):
    """Put a text in the place of an estimator's description, under a checksum that is right."""
    head = f'{{"format": 3, "version": "{version("sk-petridish")}", "estimator": '
    relabel(path, f"{head}{text}}}")


@pytest.mark.parametrize(
    "text",
    [
        '{"list": [' * 1_000_000 + "]}" * 1_000_000,
        '{"list": [' * 300 + "]}" * 300,
        "[" * 1_000_000,
        '{"list": ',
        '{"float": NaN}',
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 5000,
        "9" * 30,
        '{"list": [], "list": []}',
        "",
        "\\ud800",
    ],
    ids=lambda text: text[:12],
)
def test_text_that_is_not_written_is_refused(path, text):
    described_as(path, text)
    start = time.perf_counter()
    refused(path, "does not say what sk_petridish writes")
    assert time.perf_counter() - start < 5


@pytest.mark.skipif(os.name != "posix", reason="has no such files")
def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("pipe", "folder", "empty", "link", "socket"):
            refused(tmp_path / name, "is no file|damaged")
    refused(Path("/dev/zero"), "is no file")


def test_format_and_version_are_under_the_checksum(path):
    for metadata in ({"format": "2"}, {"format": "1"}, {"version": "0.0.1"}, {"format": "x"}):
        whole = path.read_bytes()
        rewrite(path, **metadata)
        refused(path, "does not say what sk_petridish writes|its format is|cannot be loaded")
        path.write_bytes(whole)
    # A file of an older format is none of today's either.
    path.write_bytes((FIXTURES / "regressor_format_2.safetensors").read_bytes())
    rewrite(path, format="3")
    refused(path, "does not say what sk_petridish writes")


def test_files_of_older_formats_are_checked_as_well(path):
    path.write_bytes((FIXTURES / "regressor_0_1_0.safetensors").read_bytes())
    with _persistence.safe_open(path, framework="np") as file:
        text = file.metadata()["sk_petridish"]
    for edited in (
        re.sub('"steps": 15', '"steps": 100000', text),
        re.sub('"n_outputs": 10}', '"n_outputs": 11}', text),
        re.sub('"statistic_std": [^,]+', '"statistic_std": 0', text),
        re.sub('"outer_loss": [^,]+, "converged"', '"outer_loss": "x", "converged"', text),
    ):
        assert edited != text
        relabel(path, edited)
        refused(path, "cannot be loaded|does not say what sk_petridish writes")


def test_what_would_not_be_loaded_is_not_saved(dish, path):
    before = path.read_bytes()
    unsound = pickle.loads(pickle.dumps(dish))
    unsound.dishes_[0].x_train[0] = np.nan
    with pytest.raises(ValueError, match="x_train has numbers that are not finite"):
        unsound.save(path)
    assert path.read_bytes() == before


def test_as_many_processors_are_used_as_there_are(path, dish):
    change(path, "PetriDishRegressor", n_jobs=10**6, device="meta")
    loaded = PetriDishRegressor.load(path)
    assert loaded.n_jobs == joblib.cpu_count()
    assert loaded.device == "cpu"
    np.testing.assert_array_equal(loaded.predict(SLOPES), dish.predict(SLOPES))


@pytest.mark.skipif(os.name != "posix", reason="links need permissions elsewhere")
def test_the_file_that_a_link_leads_to_is_replaced(dish, path, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    path.write_bytes(b"old")
    dish.save(link)
    assert link.is_symlink()
    np.testing.assert_array_equal(
        PetriDishRegressor.load(path).predict(SLOPES), dish.predict(SLOPES)
    )


@pytest.fixture(scope="module")
def surrogate():
    space = RecurrentCell(n_nodes=2)
    X = space.sample(9, random_state=0)
    banks = [("dishes", PetriDishTransformer(dishes=[("small", fast())], average=True))]
    return PetriDishBankRegressor(space, banks=banks).fit(X, X.sum(axis=1) + np.arange(9))


def test_a_bank_with_its_readers_comes_back(surrogate, tmp_path):
    surrogate.save(tmp_path / "bank.safetensors")
    loaded = PetriDishBankRegressor.load(tmp_path / "bank.safetensors")
    X = surrogate.motif_space_.sample(20, random_state=1)
    for ours, theirs in zip(
        surrogate.predict(X, return_std=True), loaded.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(loaded.oob_prediction_, surrogate.oob_prediction_)
    assert repr(loaded) == repr(surrogate)
    assert vars(loaded).keys() - {"_spread"} == vars(surrogate).keys() - {"_spread"}
    again = loaded.set_params(random_state=0, readers=None).fit(X, X.sum(axis=1))
    assert np.isfinite(again.predict(X)).all()


def test_what_make_surrogate_makes_is_saved(tmp_path):
    surrogate = make_surrogate(SigmoidSlope(2), random_state=0, memory=str(tmp_path / "memory"))
    surrogate.save(tmp_path / "unfitted.safetensors")
    loaded = PetriDishBankRegressor.load(tmp_path / "unfitted.safetensors")
    assert repr(loaded.readers) == repr(surrogate.readers)
    assert [bank.memory for _, bank in loaded.banks] == [None]


def test_readers_of_the_users_own_are_not_saved(tmp_path, surrogate):
    own = PetriDishBankRegressor(surrogate.motif_space, readers=[("ridge", Ridge())])
    with pytest.raises(TypeError, match=r"Readers other than .* Ridge"):
        own.save(tmp_path / "bank.safetensors")
    learns = pickle.loads(pickle.dumps(surrogate))
    learns.banks_[0][1].learn = True
    with pytest.raises(TypeError, match=r"banks_\['dishes'\] learns"):
        learns.save(tmp_path / "bank.safetensors")


@pytest.mark.parametrize(
    "fields",
    [
        {"_fold": {"list": []}}, {"_seeds": None}, {"_blocks": {"list": []}},
        {"banks_": {"list": []}}, {"readers": 1}, {"_seeds": {"list": [1, 2]}},
        {"y_train_": {"float": "nan"}}, {"motif_space_": {
            "class": "RecurrentCell", "kind": "motif_space", "fields": {"n_nodes": 3}}},
        {"readers_": {"dict": {}}},
    ],
)  # fmt: skip
def test_a_bank_that_cannot_be_is_refused(surrogate, tmp_path, fields):
    path = tmp_path / "bank.safetensors"
    surrogate.save(path)
    change(path, "PetriDishBankRegressor", **fields)
    refused(path, "cannot be loaded|does not say", PetriDishBankRegressor)
