"""Checkpoints of trained ground truths: whole, believed only where they are right."""

import copy
import errno
import math
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from sk_petridish.motifs import ModuleMotif, RecurrentCell, SigmoidSlope
from sk_petridish.search import PetriDishSearch
from sk_petridish.search.ground_truth import (
    LanguageModelGroundTruth,
    MLPGroundTruth,
    TrainedGroundTruth,
    _mlp,
    load_checkpoint,
)
from sk_petridish.search.ground_truth._checkpoint import save_checkpoint
from sk_petridish.search.ground_truth._training import _are_equal

CELLS = RecurrentCell(n_nodes=2)
MOTIFS = {"words": CELLS.encode([[("tanh", 0), ("relu", 1)]])[0], "mlp": [0.4], "own": [0.4]}
# Their networks have tensors of the same shapes as those above.
ALIKE = {"words": CELLS.encode([[("sigmoid", 0), ("relu", 1)]])[0], "mlp": [0.9], "own": [0.9]}


class Descent:
    """Training of the documentation: a network, its optimizer and its losses."""

    def __init__(self, network, x, y):
        self.network, self.x, self.y, self.losses = network, x, y, []
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)

    def epoch(self):
        loss = torch.nn.functional.mse_loss(self.network(self.x), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())

    def state_dict(self):
        return {
            "losses": self.losses,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state):
        self.losses = state["losses"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


class SineGroundTruth(TrainedGroundTruth):
    """A ground truth of a user's own."""

    presets: ClassVar = {"quick": {"n_epochs": 2}}

    def __init__(self, motif_space=None, *, n_epochs=4, checkpoint_dir=None, factor=1.0):
        super().__init__(motif_space, n_epochs=n_epochs, checkpoint_dir=checkpoint_dir)
        self.factor = factor

    def _data(self):
        x = torch.linspace(-3, 3, 40)[:, None]
        return x, self.factor * x.sin()

    def _start(self, blueprint, data):
        generator = torch.Generator().manual_seed(0)
        return Descent(blueprint.build(1, 4, 1, generator=generator), *data)


def digits(data_home):
    bunch = load_digits()
    bunch.data = (bunch.data * 255 / 16).astype(np.uint8)
    return bunch


@pytest.fixture(params=["words", "mlp", "own"])
def kind(request, monkeypatch):
    """A ground truth that trains in a moment, and a motif for it."""
    monkeypatch.setattr(_mlp, "_N_TRAIN", 200)
    monkeypatch.setattr(_mlp, "_N_VALID", 100)
    monkeypatch.setattr(_mlp, "load_mnist", digits)
    return request.param


def make(kind, folder=None, **changes):
    if kind == "mlp":
        return MLPGroundTruth(
            **({"n_epochs": 4, "n_runs": 2, "n_hidden": 4, "checkpoint_dir": folder} | changes)
        )
    if kind == "own":
        return SineGroundTruth(SigmoidSlope(), checkpoint_dir=folder, **changes)
    stream = np.random.default_rng(0).integers(5, size=400)
    corpus = Bunch(train=stream, valid=stream[:90], test=stream[:90], vocabulary=list("abcde"))
    small = {
        "corpus": corpus,
        "n_words": None,
        "n_hidden": 4,
        "n_epochs": 4,
        "batch_size": 4,
        "valid_batch_size": 2,
        "hidden_dropout": 0.1,
        "lr": 5.0,
        "checkpoint_dir": folder,
    }
    return LanguageModelGroundTruth.preset("laptop", CELLS, **(small | changes))


class Killed(BaseException):
    """The end of a process, as far as a training can tell."""


class KilledAfter:
    """A trial in whose report the process is killed."""

    def __init__(self, epoch):
        self.epoch = epoch

    def report(self, loss, epoch):
        if epoch == self.epoch:
            raise Killed

    def should_prune(self):
        return False


def killed(kind, folder, epoch=1):
    """Train for some epochs, and return the checkpoint."""
    with pytest.raises(Killed):
        make(kind, folder)(MOTIFS[kind], KilledAfter(epoch))
    (path,) = folder.iterdir()
    return path


def damaged(content, rng):
    """Yield a file's content with one fault a time, at every region."""
    size = len(content)
    for start in range(0, size, max(size // 40, 1)):
        flipped = bytearray(content)
        flipped[start] ^= 1 << int(rng.integers(8))
        yield bytes(flipped)
        yield content[:start]
        yield content[:start] + bytes(min(512, size - start)) + content[start + 512 :]
        yield content[:start] + rng.bytes(3) + content[start:]
    yield bytes(size)
    yield rng.bytes(size)
    yield content + b"\0"


# Files


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=8,
    )
)
@settings(max_examples=40)
def test_a_state_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("states") / "one.pt"
    save_checkpoint(path, {"value": value})
    assert repr(load_checkpoint(path)) == repr({"value": value})


def test_tensors_come_back_as_they_were(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = [
        whole, whole.T, whole[:, 1], torch.tensor(3), torch.empty(0, 2), torch.ones(2).bool(),
        torch.tensor([math.nan, -0.0]), torch.ones(2, dtype=torch.bfloat16),
    ]  # fmt: skip
    save_checkpoint(tmp_path / "one.pt", {"tensors": tensors, "pair": (1, np.float64(0.5))})
    state = load_checkpoint(tmp_path / "one.pt")
    assert state["pair"] == (1, 0.5)
    for tensor, found in zip(tensors, state["tensors"], strict=True):
        assert (tensor.shape, tensor.dtype) == (found.shape, found.dtype)
        torch.testing.assert_close(found, tensor, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("thing", [object(), {1.5: 2}, {"a": {1, 2}}, b"bytes"])
def test_what_is_no_number_and_no_text_is_not_written(tmp_path, thing):
    with pytest.raises(TypeError, match="in a checkpoint"):
        save_checkpoint(tmp_path / "one.pt", {"thing": thing})
    assert list(tmp_path.iterdir()) == []


def test_every_damage_is_one_error_that_names_the_file(kind, tmp_path):
    path = killed(kind, tmp_path)
    content = path.read_bytes()
    n_damaged = 0
    for edited in damaged(content, np.random.default_rng(0)):
        if edited != content:
            path.write_bytes(edited)
            with pytest.raises(ValueError, match="no checkpoint, or damaged") as error:
                load_checkpoint(path)
            assert str(path) in str(error.value)
            n_damaged += 1
    assert n_damaged > 160


class Payload:
    """A pickle that makes a folder where it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def pickled(path):
    path.write_bytes(pickle.dumps(Payload()))


def torch_pickled(path):
    torch.save(Payload(), path)


def of_before_there_was_a_digest(path):
    torch.save({"weights": {}, "best": {}, "best_loss": 1.0, "valid_losses": [1.0]}, path)


OTHERS = [
    pickled,
    torch_pickled,
    of_before_there_was_a_digest,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_text("[" * 100_000),
    lambda path: save_checkpoint(path, {}),
    lambda path: save_checkpoint(path, {"losses": [0.1], "weights": {}}),
]


@pytest.mark.parametrize("write", OTHERS)
def test_other_files_are_replaced_and_nothing_in_them_is_executed(
    kind, write, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "checkpoints"
    path = killed(kind, folder)
    expected = make(kind)(MOTIFS[kind])
    path.unlink()
    write(path)
    with pytest.warns(RuntimeWarning, match="begins anew, and replaces the file") as caught:
        assert make(kind, folder)(MOTIFS[kind]) == expected
    assert str(path) in str(caught[0].message)
    assert not (tmp_path / "executed").exists()
    # The file is right now: it is gone on from, or rather read.
    assert make(kind, folder)(MOTIFS[kind]) == expected
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("make_other", [os.mkdir, getattr(os, "mkfifo", os.mkdir)])
def test_what_is_no_file_in_its_place_costs_no_training(kind, make_other, tmp_path):
    expected = make(kind)(MOTIFS[kind])
    path = killed(kind, tmp_path)
    path.unlink()
    make_other(path)
    with pytest.raises(ValueError, match="it is no regular file"):
        load_checkpoint(path)
    with pytest.warns(RuntimeWarning) as caught:
        assert make(kind, tmp_path)(MOTIFS[kind]) == expected
    messages = [str(one.message) for one in caught]
    assert all(str(path) in message for message in messages)
    assert "begins anew" in messages[0]
    assert "cannot be written" in messages[1]
    # Nobody's folder or pipe is replaced, and nothing is left beside it.
    assert not path.is_file()
    assert list(tmp_path.rglob("*")) == [path]


def loop(path):
    path.symlink_to(path)


def longer_loop(path):
    path.symlink_to(path.parent / "there.pt")
    (path.parent / "there.pt").symlink_to(path)


def below_a_file(path):
    (path.parent / "file").touch()
    path.symlink_to(path.parent / "file" / "there.pt")


def too_long(path):
    path.symlink_to(path.parent / ("x" * 300))


@pytest.mark.skipif(os.name != "posix", reason="links may need a privilege")
@pytest.mark.parametrize("link", [loop, longer_loop, below_a_file, too_long])
def test_links_to_where_no_file_can_be_cost_no_training(kind, link, tmp_path):
    expected = make(kind)(MOTIFS[kind])
    path = killed(kind, tmp_path)
    path.unlink()
    link(path)
    with pytest.raises(ValueError, match="no checkpoint, or damaged") as error:
        load_checkpoint(path)
    assert str(path) in str(error.value)
    with pytest.warns(RuntimeWarning) as caught:
        assert make(kind, tmp_path)(MOTIFS[kind]) == expected
    messages = [str(one.message) for one in caught]
    assert all(str(path) in message for message in messages)
    assert "begins anew" in messages[0]
    assert all("cannot be written" in message for message in messages[1:])
    # A loop is cut where it ends; no other target can be written.
    assert (len(messages) == 1) == os.path.exists(path) == (link in (loop, longer_loop))


def test_what_may_be_readable_later_is_not_replaced(kind, tmp_path, monkeypatch):
    path = killed(kind, tmp_path)
    content = path.read_bytes()

    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        with pytest.raises(PermissionError, match=path.name):
            make(kind, tmp_path)(MOTIFS[kind])
    assert path.read_bytes() == content


def test_a_full_disk_costs_no_training_and_leaves_nothing(kind, tmp_path, monkeypatch):
    from sk_petridish.search.ground_truth import _checkpoint

    def full(path):
        raise OSError("No space left on device")

    monkeypatch.setattr(_checkpoint, "whole_file", full)
    with pytest.warns(RuntimeWarning, match=r"cannot be written: No space left"):
        loss = make(kind, tmp_path / "new")(MOTIFS[kind])
    assert loss == make(kind)(MOTIFS[kind])
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_known_at_once(kind, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make(kind, tmp_path / "file" / "folder")(MOTIFS[kind])


def leaves(state, path=()):
    """Yield the places of all that a state is made of."""
    yield path
    items = (
        state.items()
        if isinstance(state, dict)
        else enumerate(state)
        if isinstance(state, list | tuple)
        else ()
    )
    for key, value in items:
        yield from leaves(value, (*path, key))


def replaced(state, path, change):
    """Return a state with another thing at a place."""
    if not path:
        return change(state)
    key, *rest = path
    if isinstance(state, tuple):
        return tuple(replaced(list(state), path, change))
    state = copy.copy(state)
    state[key] = replaced(state[key], rest, change)
    return state


CHANGES = [
    lambda value: None,
    lambda value: {},
    lambda value: [],
    lambda value: "x",
    lambda value: math.nan,
    lambda value: torch.full((2, 2), math.nan),
    lambda value: {"more": 1} | value if isinstance(value, dict) else [value],
    lambda value: value.double()[:1] if isinstance(value, torch.Tensor) and value.ndim else -1.5,
    lambda value: value + value if isinstance(value, list | tuple) else 10**30,
    lambda value: value.flatten() if isinstance(value, torch.Tensor) else (value,),
]


@pytest.mark.parametrize("kind", ["words", "mlp"], indirect=True)
def test_states_under_a_right_digest_are_believed_whole_or_not_at_all(kind, tmp_path):
    path = killed(kind, tmp_path)
    state, row = load_checkpoint(path), MOTIFS[kind]
    fresh = make(kind)._resume(row).training.state_dict()
    rng = np.random.default_rng(0)
    n_anew = n_believed = 0
    for place in leaves(state):
        for change in rng.choice(CHANGES, 4, replace=False):
            edited = replaced(state, place, change)
            if not isinstance(edited, dict):
                continue
            save_checkpoint(path, edited)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                resumed = make(kind, tmp_path)._resume(row)
            if caught:
                assert str(path) in str(caught[0].message)
                # Of what was read nothing is left.
                assert _are_equal(resumed.training.state_dict(), fresh)
                n_anew += 1
            else:
                assert all(map(math.isfinite, resumed.losses()))
                n_believed += 1
    assert n_anew > 50
    assert n_believed < 0.2 * n_anew


# Trainings


@pytest.mark.parametrize("epoch", [0, 1, 2, 3])
def test_a_killed_training_goes_on_to_the_same_bits(kind, tmp_path, epoch):
    studies = [optuna.create_study() for _ in range(2)]
    killed(kind, tmp_path, epoch)
    losses = [
        make(kind, folder)(MOTIFS[kind], study.ask())
        for folder, study in zip((None, tmp_path), studies, strict=True)
    ]
    assert losses[0] == losses[1]
    curves = [study.trials[0].intermediate_values for study in studies]
    assert curves[0] == curves[1]
    assert list(curves[0]) == [0, 1, 2, 3]


def test_perceptrons_that_are_killed_go_on(tmp_path, monkeypatch):
    script = textwrap.dedent(f"""
        import numpy as np
        from sklearn.datasets import load_digits
        from sk_petridish.search.ground_truth import MLPGroundTruth, _mlp
        digits = load_digits()
        digits.data = (digits.data * 255 / 16).astype(np.uint8)
        _mlp._N_TRAIN, _mlp._N_VALID, _mlp.load_mnist = 1200, 500, lambda home: digits
        MLPGroundTruth(n_epochs=40, n_runs=2, n_hidden=8, checkpoint_dir={str(tmp_path)!r})([0.4])
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    while not list(tmp_path.glob("*.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    monkeypatch.setattr(_mlp, "_N_TRAIN", 1200)
    monkeypatch.setattr(_mlp, "_N_VALID", 500)
    monkeypatch.setattr(_mlp, "load_mnist", digits)
    options = {"n_epochs": 40, "n_runs": 2, "n_hidden": 8}
    epochs, real = [], _mlp._Runs.epoch
    monkeypatch.setattr(_mlp._Runs, "epoch", lambda self: (epochs.append(1), real(self)))
    resumed = list(MLPGroundTruth(checkpoint_dir=tmp_path, **options).train([0.4]))
    assert len(epochs) < 40
    assert resumed == list(MLPGroundTruth(**options).train([0.4]))


def test_a_training_that_has_ended_is_not_repeated(kind, tmp_path, monkeypatch):
    loss = make(kind, tmp_path)(MOTIFS[kind])
    ground_truth = make(kind, tmp_path)
    training = type(ground_truth._resume(MOTIFS[kind]).training)
    monkeypatch.setattr(training, "epoch", None)
    assert ground_truth(MOTIFS[kind]) == loss
    with pytest.raises(TypeError):
        make(kind, tmp_path, n_epochs=5)(MOTIFS[kind])


def test_whatever_determines_a_training_is_in_its_name(kind, tmp_path, monkeypatch):
    def name(ground_truth, row=MOTIFS[kind]):
        return ground_truth._checkpoint(ground_truth._space().blueprint(row)).name

    ground_truth = make(kind, tmp_path)
    names = {name(ground_truth), name(make(kind, tmp_path, n_epochs=5))}
    assert name(clone(ground_truth).set_params(checkpoint_dir="elsewhere")) in names
    if kind != "own":
        assert name(clone(ground_truth).set_params(device="cpu", data_home="there")) in names
    if kind == "own":
        names.add(name(make(kind, tmp_path, factor=2.0)))
        assert name(make(kind, tmp_path, factor=1)) in names
    names.add(name(ground_truth, ground_truth._space().sample(1, random_state=3)[0]))
    monkeypatch.setattr(type(ground_truth), "_version", 2)
    names.add(name(ground_truth))
    assert len(names) == 4 + (kind == "own")


def other_motif(kind, folder, monkeypatch):
    make(kind, folder)(ALIKE[kind])


def other_setting(kind, folder, monkeypatch):
    change = {"words": {"lr": 9.0}, "mlp": {"random_state": 1}, "own": {"factor": 2.0}}
    make(kind, folder, **change[kind])(MOTIFS[kind])


def other_length(kind, folder, monkeypatch):
    make(kind, folder, n_epochs=3)(MOTIFS[kind])


def other_data(kind, folder, monkeypatch):
    ground_truth, real = make(kind, folder), type(make(kind))._data
    with monkeypatch.context() as patched:
        patched.setattr(type(ground_truth), "_data", lambda self: reversed_data(real(self)))
        ground_truth(MOTIFS[kind])


def reversed_data(data):
    """Return data in another order: arrays, or whatever holds them."""
    if isinstance(data, torch.Tensor):
        return data.flip(0)
    if isinstance(data, np.ndarray):
        return data[::-1].copy()
    if isinstance(data, dict):
        return type(data)(**{name: reversed_data(part) for name, part in data.items()})
    if isinstance(data, list | tuple):
        parts = [reversed_data(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else type(data)(parts)
    return data


def other_version(kind, folder, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(type(make(kind)), "_version", 2)
        make(kind, folder)(MOTIFS[kind])


def other_class(kind, folder, monkeypatch):
    ground_truth = make(kind, folder)
    ground_truth.__class__ = type("Other", (type(ground_truth),), {})
    ground_truth(MOTIFS[kind])


@pytest.mark.parametrize(
    "train",
    [other_motif, other_setting, other_length, other_data, other_version, other_class],
)
def test_the_checkpoint_of_another_training_is_none_of_this(kind, train, tmp_path, monkeypatch):
    expected = make(kind)(MOTIFS[kind])
    train(kind, tmp_path / "other", monkeypatch)
    (other,) = (tmp_path / "other").iterdir()
    path = killed(kind, tmp_path / "mine")
    shutil.copyfile(other, path)
    with pytest.warns(RuntimeWarning, match="begins anew, and replaces the file") as caught:
        assert make(kind, tmp_path / "mine")(MOTIFS[kind]) == expected
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    assert other.stem in str(caught[0].message)
    # Under its own name it is right, wherever that is.
    shutil.copyfile(path, other.with_name(path.name))
    assert make(kind, tmp_path / "other")(MOTIFS[kind]) == expected


def test_a_checkpoint_can_be_read_under_another_name(kind, tmp_path):
    path = killed(kind, tmp_path)
    state = load_checkpoint(path)
    assert _are_equal(load_checkpoint(path.rename(tmp_path / "renamed.pt")), state)


def test_what_networks_are_made_by_functions_has_no_checkpoint(tmp_path):
    space = ModuleMotif(
        lambda row, n_inputs, n_hidden, n_outputs: torch.nn.Linear(n_inputs, n_outputs),
        {"a": optuna.distributions.FloatDistribution(0, 1)},
    )
    assert math.isfinite(SineGroundTruth(space)([0.5]))
    with pytest.raises(ValueError, match="leave checkpoint_dir out"):
        SineGroundTruth(space, checkpoint_dir=tmp_path)([0.5])


def test_trainings_are_those_of_this_version(monkeypatch):
    """Known losses: where they change, so must ``_version``, or old checkpoints go on."""
    monkeypatch.setattr(_mlp, "_N_TRAIN", 200)
    monkeypatch.setattr(_mlp, "_N_VALID", 100)
    monkeypatch.setattr(_mlp, "load_mnist", digits)
    words, perceptron = make("words"), make("mlp")
    assert (words._version, perceptron._version) == (1, 1)
    assert words(MOTIFS["words"]) == pytest.approx(1.620489, rel=1e-3)
    *_, scores = perceptron.train(MOTIFS["mlp"])
    assert [run.loss for run in scores] == pytest.approx([2.759542, 3.144832], rel=1e-3)


# A class of the user's own


def test_a_ground_truth_of_ones_own_has_all_of_it(tmp_path):
    quick = SineGroundTruth.preset("quick", SigmoidSlope(), factor=2.0)
    assert (quick.n_epochs, quick.factor) == (2, 2.0)
    assert quick.get_params()["factor"] == 2.0
    assert clone(quick).get_params(deep=False).keys() == quick.get_params(deep=False).keys()
    assert pickle.loads(pickle.dumps(quick))([0.4]) == quick([0.4])
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=1e-9))
    study.optimize(lambda trial: quick([0.4], trial), n_trials=1)
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED
    with pytest.raises(ValueError, match=r"no preset 'slow'; there are \['quick'\]"):
        SineGroundTruth.preset("slow")
    for wrong in ({"n_epochs": 0}, {"n_epochs": math.nan}, {"checkpoint_dir": 3}):
        with pytest.raises(ValueError, match="parameter of SineGroundTruth must be"):
            SineGroundTruth(SigmoidSlope(), **wrong)
    with pytest.raises(ValueError, match="needs a motif_space"):
        SineGroundTruth()([0.4])


def test_a_search_goes_on_from_checkpoints(tmp_path):
    space = SigmoidSlope()
    options = {"n_init": 4, "n_iterations": 0, "random_state": 0}
    folder = tmp_path / "checkpoints"
    first = PetriDishSearch(space, SineGroundTruth(space, checkpoint_dir=folder), **options).run()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="begins anew"):
        second = PetriDishSearch(
            space, SineGroundTruth(space, checkpoint_dir=folder), **options
        ).run()
    assert [one.loss for one in first.history] == [one.loss for one in second.history]
    assert len(list(folder.iterdir())) == 4
