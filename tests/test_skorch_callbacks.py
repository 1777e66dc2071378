"""skorch's callbacks in an outer loop: all of them, by their names, as parameters."""

import json
import pickle

import numpy as np
import pytest
import skorch.callbacks
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
)
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish import PetriDishTransformer
from sk_petridish.dish import HELD_OUT_KEYS, HISTORY_KEYS


class Deaf:
    """Whatever a logger talks to."""

    def __init__(self, folder):
        self.dir = str(folder)

    def __getattr__(self, name):
        if name.startswith("__") or name.endswith("_params"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def constant(net, X, y):
    return 1.0


def nothing(parameter):
    return parameter


WORKING = {
    "BatchScoring": lambda folder: BatchScoring(constant, on_train=True, name="one"),
    "Checkpoint": lambda folder: Checkpoint(dirname=str(folder)),
    "EarlyStopping": lambda folder: EarlyStopping(),
    "EpochScoring": lambda folder: EpochScoring(constant, on_train=True),
    "EpochTimer": lambda folder: EpochTimer(),
    "Freezer": lambda folder: Freezer("x_train"),
    "GradientNormClipping": lambda folder: GradientNormClipping(0.1),
    "Initializer": lambda folder: Initializer("x_*", fn=nothing),
    "LRScheduler": lambda folder: LRScheduler(),
    "LoadInitState": lambda folder: LoadInitState(Checkpoint(dirname=str(folder))),
    "ParamMapper": lambda folder: ParamMapper("x_*", fn=nothing),
    "PassthroughScoring": lambda folder: PassthroughScoring("train_loss", on_train=True),
    "PrintLog": lambda folder: PrintLog(sink=nothing),
    "ProgressBar": lambda folder: ProgressBar(),
    "TensorBoard": lambda folder: TensorBoard(Deaf(folder)),
    "TrainEndCheckpoint": lambda folder: TrainEndCheckpoint(dirname=str(folder)),
    "Unfreezer": lambda folder: Unfreezer("x_train"),
    "WandbLogger": lambda folder: WandbLogger(Deaf(folder)),
}
# They need a server; or are no callback.
NOT_TRIED = {"Callback", "MlflowLogger", "NeptuneLogger", "SacredLogger", "WarmRestartLR"}
REFUSED = {
    "InputShapeSetter": (InputShapeSetter(), "shape from the dishes"),
    "BatchScoring": (BatchScoring("r2", on_train=True), "scoring='r2' needs predictions"),
    "EpochScoring": (EpochScoring(constant), "no validation set"),
    "PassthroughScoring": (PassthroughScoring("valid_acc"), "no validation set"),
    "Checkpoint": (Checkpoint(f_pickle="net.pkl"), "cannot be pickled"),
    "TrainEndCheckpoint": (TrainEndCheckpoint(f_pickle="net.pkl"), "cannot be pickled"),
    "EarlyStopping": (EarlyStopping(monitor="valid_acc"), "monitors 'valid_acc'.*valid_loss_best"),
}


def test_every_callback_of_skorch_is_tried():
    assert set(skorch.callbacks.__all__) == WORKING.keys() | REFUSED.keys() | NOT_TRIED


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("name", sorted(WORKING))
def test_it_works(name, named, early_stopping, tmp_path, capsys):
    callback = WORKING[name](tmp_path)
    entry = (name.lower(), callback) if named else callback
    dish = fast(callbacks=[entry], early_stopping=early_stopping).fit(SLOPES, LOSSES)
    assert dish.n_iter_ == 4
    keys = HISTORY_KEYS | (HELD_OUT_KEYS if early_stopping else set())
    for row in dish.history_:
        assert keys <= row.keys()
        assert row["outer_loss"] == np.mean(row["dish_losses"])
        assert row["train_loss"] == pytest.approx(row["outer_loss"], rel=1e-12)
        held_out = row["held_out_loss" if early_stopping else "outer_loss"]
        assert row["valid_loss"] == held_out
    for key in ("outer_loss", "valid_loss"):
        losses = np.array([row[key] for row in dish.history_])
        best = [row[f"{key}_best"] for row in dish.history_]
        assert best == [bool((losses[:i] > loss).all()) for i, loss in enumerate(losses)]
    copy = clone(dish)
    assert copy.get_params().keys() == dish.get_params().keys()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_work_is_refused_before_learning(name, monkeypatch):
    callback, message = REFUSED[name]
    monkeypatch.setattr("sk_petridish.estimators._fit.FitData.learn", pytest.fail)
    with pytest.raises(ValueError, match=f"callbacks: '{name}' .*{message}"):
        fast(callbacks=[callback]).fit(SLOPES, LOSSES)


class Recorder(Callback):
    """Records what it sees, under a name of its own."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 1 or not hasattr(self, "start_"):
            self.start_ = net.module_.x_train.detach().numpy().copy()

    def on_epoch_end(self, net, **kwargs):
        net.history.record("own", float(len(net.history)))


def test_what_callbacks_record_may_be_monitored():
    stopping = EarlyStopping(monitor="own", patience=2)
    assert fast(callbacks=[Recorder(), stopping]).fit(SLOPES, LOSSES).n_iter_ == 3
    scoring = EpochScoring(constant, on_train=True)
    stopping = EarlyStopping(monitor="constant", patience=1)
    assert fast(callbacks=[scoring, stopping]).fit(SLOPES, LOSSES).n_iter_ == 2


def test_a_checkpoint_writes_files_that_its_net_can_go_on_from(tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=str(tmp_path))
    first = fast(callbacks=[checkpoint]).fit(SLOPES, LOSSES)
    names = {"params.pt", "optimizer.pt", "criterion.pt", "history.json"}
    assert {file.name for file in tmp_path.iterdir()} == names
    written = json.loads((tmp_path / "history.json").read_text())
    assert [row["outer_loss"] for row in written] == pytest.approx(first.loss_curve_)
    learned = np.stack([dish.x_train for dish in first.dishes_])
    np.testing.assert_allclose(torch.load(tmp_path / "params.pt")["x_train"].numpy(), learned)
    recorder = Recorder()
    # Also with other motifs: what they weigh is data, and not the net's state.
    second = fast(callbacks=[LoadInitState(checkpoint), recorder]).fit(SLOPES[:6], LOSSES[:6])
    np.testing.assert_allclose(recorder.start_, learned)
    assert second.n_iter_ == len(second.history_) == len(second.loss_curve_) == 4


@pytest.mark.parametrize("monitor", ["valid_loss_best", "outer_loss_best"])
def test_the_best_checkpoint_can_be_loaded_at_the_end(monitor, tmp_path):
    checkpoint = Checkpoint(monitor=monitor, dirname=str(tmp_path), load_best=True)
    dish = fast(callbacks=[checkpoint], outer_lr=5.0, max_iter=8).fit(SLOPES, LOSSES)
    assert dish.n_iter_ == 8
    written = torch.load(tmp_path / "params.pt")["x_train"].numpy()
    np.testing.assert_allclose(np.stack([one.x_train for one in dish.dishes_]), written)
    events = [row["event_cp"] for row in dish.history_]
    assert events == [row[monitor] for row in dish.history_]
    assert events[0]


def test_early_stopping_without_arguments_watches_held_out_motifs():
    # Nothing improves by as much.
    stopping = EarlyStopping(threshold=10.0, patience=2)
    for early_stopping in (False, True):
        dish = fast(callbacks=[stopping], early_stopping=early_stopping, max_iter=9)
        assert dish.fit(SLOPES, LOSSES).n_iter_ == 3


def test_parameters_of_callbacks_are_parameters():
    dish = fast(callbacks=[("es", EarlyStopping()), LRScheduler(), LRScheduler(), Checkpoint()])
    params = dish.get_params()
    assert params["callbacks__es"] is dish.callbacks[0][1]
    assert params["callbacks__es__patience"] == 5
    assert params["callbacks__LRScheduler_2__policy"] == "WarmRestartLR"
    assert params["callbacks__Checkpoint__f_pickle"] is None
    assert not any(key.startswith("callbacks__") for key in dish.get_params(deep=False))
    assert dish.set_params(callbacks__es__patience=3, n_dishes=3) is dish
    assert dish.callbacks[0][1].patience == dish.n_dishes == 3
    other = EarlyStopping()
    dish.set_params(callbacks__es__patience=2, callbacks__es=other)
    assert dish.get_params()["callbacks__es"] is other
    assert other.patience == 2
    dish.set_params(callbacks__es=None)
    assert dish.get_params()["callbacks__es"] is None
    dish.set_params(callbacks=[("new", EarlyStopping())], callbacks__new__patience=1)
    assert dish.get_params()["callbacks__new__patience"] == 1


@pytest.mark.parametrize("key", ["es2", "es2__patience", "gone__patience"])
def test_parameters_that_are_not_there_are_refused(key):
    dish = fast(callbacks=[("es", EarlyStopping()), ("gone", None)])
    with pytest.raises(ValueError, match=r"Invalid parameter 'callbacks__.*\['es', 'gone'\]"):
        dish.set_params(**{f"callbacks__{key}": 3})
    with pytest.raises(ValueError, match="patients"):
        dish.set_params(callbacks__es__patients=3)


def test_a_clone_has_callbacks_of_its_own():
    dish = fast(callbacks=[("es", EarlyStopping()), Checkpoint()])
    copies = [
        clone(dish).set_params(callbacks__es__patience=1, callbacks__Checkpoint__dirname="a"),
        pickle.loads(pickle.dumps(dish)).set_params(callbacks__es=None),
    ]
    assert dish.get_params()["callbacks__es__patience"] == 5
    assert dish.get_params()["callbacks__Checkpoint__dirname"] == ""
    assert copies[0].get_params()["callbacks__es__patience"] == 1


def test_a_grid_over_a_callbacks_parameter():
    dish = fast(callbacks=[("es", EarlyStopping(threshold=10.0))], max_iter=6)
    search = GridSearchCV(dish, {"callbacks__es__patience": [1, 3]}, cv=2, refit=False)
    search.fit(SLOPES, LOSSES)
    assert list(search.cv_results_["param_callbacks__es__patience"]) == [1, 3]
    fitted = clone(dish).set_params(callbacks__es__patience=1).fit(SLOPES, LOSSES)
    assert fitted.n_iter_ == 2


def test_callbacks_of_a_banks_dishes():
    dish = fast(callbacks=[("es", EarlyStopping())])
    bank = PetriDishTransformer(dishes=[("one", dish)], learn=True)
    assert bank.get_params()["one__callbacks__es__patience"] == 5
    bank.set_params(one__callbacks__es__patience=2)
    assert dish.callbacks[0][1].patience == 2
    bank.fit(SLOPES, LOSSES)


def test_names_must_be_unique():
    dish = fast(callbacks=[("a", EarlyStopping()), ("a", EarlyStopping())])
    assert "callbacks__a" not in dish.get_params()
    with pytest.raises(ValueError, match=r"Names of callbacks must be unique, but \['a'\]"):
        dish.fit(SLOPES, LOSSES)
