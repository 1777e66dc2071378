"""The ground truth that trains language models around recurrent motifs."""

import itertools
import math
import pickle
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import joblib
import numpy as np
import optuna
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import Bunch

from sk_petridish.datasets import load_penn_treebank, load_text
from sk_petridish.motifs import (
    PUBLISHED_CELLS,
    ModuleMotif,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSearch
from sk_petridish.search.ground_truth import (
    LanguageModelGroundTruth,
    _language_model,
    _word_training,
)
from sk_petridish.search.ground_truth._checkpoint import load_checkpoint, save_checkpoint
from sk_petridish.search.ground_truth._word_model import Dropouts, WordModel
from sk_petridish.search.ground_truth._word_training import (
    Trainer,
    TrainingSettings,
    evaluate,
    in_columns,
    windows,
)

SPACE = RecurrentCell(n_nodes=3)
CELL = SPACE.encode([[("tanh", 0), ("relu", 1), ("sigmoid", 1)]])[0]
NO_DROPOUT = Dropouts(0.0, 0.0, 0.0, 0.0, 0.0)
PAPER = TrainingSettings(
    lr=20.0,
    l2=8e-7,
    clip=0.25,
    n_time_steps=35,
    activation_l2=0.0,
    temporal_l2=1e-3,
    patience=5,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
    """A language that can be learned: sentences of a small grammar."""
    words = np.random.default_rng(0)
    subjects, verbs, objects = ("cats", "dogs", "birds"), ("see", "hear"), ("mice", "fish", "cats")
    lines = [
        f"{words.choice(subjects)} {words.choice(verbs)} {words.choice(objects)} often"
        for _ in range(400)
    ]
    path = tmp_path_factory.mktemp("text") / "grammar.txt"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def small(text_file):
    """A ground truth that takes a moment."""

    def make(space=SPACE, **changes):
        settings = {
            "corpus": load_text(text_file),
            "n_hidden": 8,
            "n_epochs": 3,
            "batch_size": 8,
            "valid_batch_size": 2,
            "test_batch_size": 2,
            "n_time_steps": 10,
        }
        return LanguageModelGroundTruth.preset("laptop", space, **(settings | changes))

    return make


def model_of(cell=CELL, *, n_words=7, n_hidden=4, dropouts=NO_DROPOUT, space=SPACE, seed=0):
    return WordModel(space.blueprint(cell), n_words, n_hidden, dropouts, generator(seed))


# The model


@pytest.mark.parametrize(
    ("name", "n_nodes", "width", "expected"),
    [
        ("NAO", 11, 850, 27_295_000),
        ("DARTS_V2", 8, 850, 22_960_000),
        ("DARTS_V2", 8, 300, 4_810_000),
    ],
)
def test_published_models_have_as_many_weights(name, n_nodes, width, expected):
    space = RecurrentCell(n_nodes=n_nodes)
    model = WordModel(
        space.blueprint(space.encode([PUBLISHED_CELLS[name]])[0]),
        10_000,
        width,
        NO_DROPOUT,
        generator(),
    )
    assert sum(weight.numel() for weight in model.parameters()) == expected


def reference(model, words, state, masks):
    """NAO's model as its equations have it, in plain torch: cell, embedding, dropouts, readout."""
    network = model.network
    nodes, weights = network.blueprint.nodes, network.weights
    last = len(nodes) - 1
    table, bias = weights[f"{last}_weight"].t(), weights[f"{last}_bias"][0]
    products = [position for position, node in enumerate(nodes) if node.operation == "project"]
    matrices = [weights[f"{position}_weight"] for position in products]
    x_gate, h_gate, x_candidate, h_candidate = matrices[:4]
    others = list(zip(matrices[4::2], matrices[5::2], strict=True))
    hidden, outputs = state, []
    for time_step in range(words.shape[1]):
        read = words[:, time_step]
        x = table[read] * masks["words"][read, None] * masks["embedded"]
        x_in, h_in = x * masks["inputs"], hidden * masks["hidden"]
        gate = torch.sigmoid(x_in @ x_gate + h_in @ h_gate)
        states = [hidden + gate * (torch.tanh(x_in @ x_candidate + h_in @ h_candidate) - hidden)]
        # CELL: node 1 reads node 0, nodes 2 and 3 read node 1.
        for (gates, candidates), source, function in zip(
            others, (0, 1, 1), (torch.tanh, torch.relu, torch.sigmoid), strict=True
        ):
            carried = states[source]
            gate = torch.sigmoid(carried * masks["hidden"] @ gates)
            candidate = function(carried * masks["hidden"] @ candidates)
            states.append(carried + gate * (candidate - carried))
        hidden = torch.stack(states[1:]).mean(0)
        outputs.append(hidden)
    hidden = torch.stack(outputs, 1)
    dropped = hidden * masks["outputs"][:, None]
    return dropped @ table.t() + bias, hidden, dropped


def drawn(shares, n_words, n_columns, width, seed):
    """The masks that a model draws from a generator of this seed."""
    shapes = {
        "words": (n_words,),
        "embedded": (n_columns, 1, width),
        "inputs": (n_columns, width),
        "hidden": (n_columns, width),
        "outputs": (n_columns, 1, width),
    }
    source = generator(seed)
    masks = {}
    for (name, shape), share in zip(shapes.items(), shares, strict=True):
        kept = torch.rand(shape, generator=source) >= share
        masks[name] = (kept.double() / (1 - share)).reshape(
            -1, width if len(shape) > 1 else n_words
        )
    masks["words"] = masks["words"][0]
    return masks


def test_the_model_computes_what_the_published_one_does():
    shares = Dropouts(words=0.1, embedded=0.2, inputs=0.75, hidden=0.25, outputs=0.75)
    model = model_of(dropouts=shares).double()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(20)  # so that nothing is nearly linear
        model.network.weights[f"{len(model.network.blueprint.nodes) - 1}_bias"].normal_()
    words = torch.randint(7, (5, 9), generator=generator(1))
    state = torch.randn(5, 4, dtype=torch.float64, generator=generator(2))
    outputs = model(words, {1: state}, generator(3))
    logits, hidden, dropped = reference(model, words, state, drawn(shares, 7, 5, 4, 3))
    torch.testing.assert_close(outputs.logits, logits, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(outputs.hidden, hidden, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(outputs.dropped, dropped, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(outputs.state[1], hidden[:, -1], rtol=1e-12, atol=1e-12)
    # Without a generator there is no dropout.
    ones = {name: torch.ones_like(mask) for name, mask in drawn(shares, 7, 5, 4, 3).items()}
    torch.testing.assert_close(
        model(words, {1: state}).logits, reference(model, words, state, ones)[0]
    )


def test_embedding_and_readout_are_one():
    model = model_of()
    words = torch.randint(7, (2, 3), generator=generator())
    model(words, None).logits.sum().backward()
    names = [name for name, _ in model.named_parameters()]
    last = len(model.network.blueprint.nodes) - 1
    assert [name for name in names if f".{last}_" in name] == [
        f"network.weights.{last}_weight",
        f"network.weights.{last}_bias",
    ]
    # All words have a gradient as readouts; those read have one as embeddings, too.
    gradient = model.network.weights[f"{last}_weight"].grad
    rest = model(words, None).hidden.detach().sum((0, 1))
    unread = [word for word in range(7) if word not in words]
    torch.testing.assert_close(gradient[:, unread], rest[:, None].expand(-1, len(unread)))
    assert not torch.allclose(gradient[:, words[0, 0]], rest)


def test_initial_weights_are_small_and_the_bias_is_zero():
    model = model_of(n_words=50, n_hidden=30)
    for name, weight in model.network.weights.items():
        if name.endswith("bias"):
            assert (weight == 0).all()
        else:
            assert 0.035 < weight.abs().max() <= 0.04


# Training


@given(st.integers(3, 2000), st.integers(2, 60), st.integers(0, 99))
def test_windows_cover_the_columns(n_words, n_time_steps, seed):
    cut = list(windows(n_words, n_time_steps, generator(seed)))
    assert cut[0][0] == 0
    assert n_words - 2 <= cut[-1][1] <= n_words - 1
    assert all(before[1] == after[0] for before, after in itertools.pairwise(cut))
    lengths = [stop - start for start, stop in cut]
    assert min(lengths[:-1], default=5) >= 5
    assert min(lengths) >= 1 + (n_words > 3)
    assert max(lengths) <= n_time_steps + 20


def test_windows_are_as_long_as_published():
    cut = windows(10**6, 35, generator())
    lengths = np.array([stop - start for start, stop in cut])
    short = lengths < 25
    assert short.mean() == pytest.approx(0.05 + 0.95 * 0.022, abs=0.01)
    assert lengths[~short].mean() == pytest.approx(35, abs=0.7)
    assert lengths[~short].std() == pytest.approx(5, abs=0.5)


def test_the_real_text_has_the_published_shapes(data_home):
    if not (data_home / "ptb").is_dir():
        pytest.skip("SK_PETRIDISH_DATA has no ptb/")
    text = load_penn_treebank(data_home)
    assert (len(text.train), len(text.valid), len(text.test)) == (929_589, 73_760, 82_430)
    assert len(text.vocabulary) == len(set(text.vocabulary)) == 10_000
    assert in_columns(text.train, 64).shape == (64, 14_524)
    assert in_columns(text.train, 256).shape == (256, 3_631)
    assert in_columns(text.valid, 10).shape == (10, 7_376)
    # The columns are read on from each other.
    assert in_columns(text.train, 64)[1, 0] == text.train[14_524]


@given(st.integers(1, 12))
def test_the_loss_does_not_depend_on_windows_of_evaluation(n_time_steps):
    model = model_of().double()
    words = torch.randint(7, (3, 11), generator=generator())
    with torch.no_grad():
        logits = model(words[:, :-1], None).logits
    expected = F.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten()).item()
    assert evaluate(model, words, n_time_steps) == pytest.approx(expected, rel=1e-12)


def constant_windows(n_words, n_time_steps, generator):
    return (
        (start, start + n_time_steps) for start in range(0, n_words - n_time_steps, n_time_steps)
    )


def test_training_is_that_of_torch(monkeypatch):
    """Known answer: SGD, then torch's ASGD with its average, with windows of one length."""
    monkeypatch.setattr(_word_training, "windows", constant_windows)
    settings = replace(
        PAPER, n_time_steps=5, lr=2.0, clip=0.05, l2=1e-3, activation_l2=0.5, temporal_l2=0.7
    )
    words = torch.randint(7, (4, 31), generator=generator())
    trainer = Trainer(model_of().double(), settings, generator())
    expected = model_of().double()
    optimizer = torch.optim.SGD(expected.parameters(), lr=2.0, weight_decay=1e-3)
    steps = []

    def train(optimizer):
        state = None
        for start in range(0, 26, 5):
            outputs = expected(words[:, start : start + 5], state)
            state = {position: value.detach() for position, value in outputs.state.items()}
            targets = words[:, start + 1 : start + 6]
            h = outputs.hidden
            loss = F.cross_entropy(outputs.logits.transpose(1, 2), targets)
            loss = loss + 0.5 * (h**2).mean() + 0.7 * ((h[:, 1:] - h[:, :-1]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            norm = torch.cat([p.grad.flatten() for p in expected.parameters()]).norm()
            assert norm > 0.05  # so that clipping matters
            for weight in expected.parameters():
                weight.grad *= 0.05 / (norm + 1e-6)
            optimizer.step()
            steps.append([weight.detach().clone() for weight in expected.parameters()])

    trainer._train(words)
    train(optimizer)
    for ours, theirs in zip(trainer.model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    trainer.average = torch.optim.swa_utils.AveragedModel(trainer.model)
    averaging = torch.optim.ASGD(expected.parameters(), lr=2.0, t0=0, lambd=0.0, weight_decay=1e-3)
    trainer._train(words)
    steps.clear()
    train(averaging)
    for index, weight in enumerate(expected.parameters()):
        ours = list(trainer.evaluated.parameters())[index]
        path = torch.stack([step[index] for step in steps])
        torch.testing.assert_close(ours, path.mean(0), rtol=1e-10, atol=1e-10)
        # torch's own average lacks the first step, and has its weights in single precision.
        theirs = averaging.state[weight]["ax"]
        torch.testing.assert_close(theirs, path[1:].mean(0), rtol=1e-6, atol=1e-6)


def test_a_short_window_has_a_small_step_at_once(monkeypatch):
    steps = []
    for length in (5, 10):
        monkeypatch.setattr(
            _word_training, "windows", lambda n, t, generator, stop=length: [(0, stop)]
        )
        settings = replace(PAPER, n_time_steps=10, l2=0.0, clip=0.01)
        trainer = Trainer(model_of().double(), settings, generator())
        before = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
        trainer._train(torch.randint(7, (4, 12), generator=generator()))
        after = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
        steps.append((after - before).norm().item())
    # The gradient is clipped to one norm, so that a step is as long as the learning rate.
    assert steps[1] == pytest.approx(20 * 0.01, rel=1e-3)
    assert steps[0] == pytest.approx(steps[1] / 2, rel=1e-3)


def test_the_average_begins_when_the_loss_stagnates(monkeypatch):
    losses = iter([5.0, 4.0, 3.0, 3.5, 3.4, 3.3, 3.2, 3.15, 3.1, 2.0, 1.0])
    trainer = Trainer(model_of(), PAPER, generator())
    monkeypatch.setattr(trainer, "_train", lambda words: True)
    monkeypatch.setattr(trainer, "evaluate", lambda words: next(losses))
    begun = []
    for _ in range(11):
        trainer.epoch(None, None)
        begun.append(trainer.average is not None)
    # After the ninth epoch: 3.1 is worse than 3.0, the best of those but five before.
    assert begun == [False] * 8 + [True] * 3
    assert trainer.best_loss == 1.0
    assert trainer.valid_losses[2] == 3.0


def test_it_learns_a_language(small):
    loss = small(n_epochs=12)(CELL)
    # Per line of five words: log 3 + log 2 + log 3 nats; the other two words are certain.
    certain = (2 * math.log(3) + math.log(2)) / 5
    assert certain * 0.9 < loss < 1.25 * certain


def test_training_that_diverges_comes_back_to_the_best(small):
    # Without clipping to speak of, a rate of 1e30 leaves no finite weight.
    ground_truth = small(lr=1e30, clip=1e30)
    n_words = len(ground_truth.corpus.vocabulary)
    assert ground_truth(CELL) == pytest.approx(math.log(n_words), abs=0.02)
    training = small()._resume(CELL).training
    trainer = training.trainer
    first = trainer.epoch(training.train, training.valid)
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(math.nan)
    assert trainer.epoch(training.train, training.valid) == first
    assert all(torch.isfinite(weight).all() for weight in trainer.model.parameters())
    assert trainer.epoch(training.train, training.valid) < first


def test_an_epoch_that_diverges_ends_soon(monkeypatch):
    monkeypatch.setattr(_word_training, "windows", constant_windows)
    trainer = Trainer(model_of(), replace(PAPER, n_time_steps=1, lr=1e30, clip=1e30), generator())
    seen, real = [], trainer._loss

    def loss(*args):
        seen.append(args)
        return real(*args)

    monkeypatch.setattr(trainer, "_loss", loss)
    assert not trainer._train(torch.randint(7, (2, 500), generator=generator()))
    assert len(seen) <= 100


# Evaluations


def test_it_is_reproducible_and_leaves_torch_alone(small):
    torch.set_num_threads(2)
    try:
        before = torch.get_rng_state()
        ground_truth = small(hidden_dropout=0.2, input_dropout=0.2)
        loss = ground_truth(CELL)
        assert ground_truth(CELL) == loss
        assert small(hidden_dropout=0.2, input_dropout=0.2, random_state=1)(CELL) != loss
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_every_dropout_changes_the_training(small):
    names = ("word", "embedding", "input", "hidden", "output")
    losses = [small(n_epochs=1, **{f"{name}_dropout": 0.3})(CELL) for name in names]
    assert len({small(n_epochs=1)(CELL), *losses}) == 6


def test_a_trial_is_told_every_epoch_and_can_be_pruned(small, quiet_optuna):
    class Pruner(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.last_step == 1

    study = optuna.create_study(pruner=Pruner())
    study.optimize(lambda trial: small(n_epochs=5)(CELL, trial), n_trials=1)
    (trial,) = study.trials
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [0, 1]
    assert trial.intermediate_values[1] < trial.intermediate_values[0]
    # What has been trained to the end is not thrown away.
    study.optimize(lambda trial: small(n_epochs=2)(CELL, trial), n_trials=1)
    assert study.trials[1].value == study.trials[1].intermediate_values[1]


def test_the_test_split_is_that_of_the_best_weights(small, monkeypatch):
    losses = []
    real = Trainer.epoch

    def epoch(self, train, valid):
        loss = real(self, train, valid)
        if len(losses) == 2:  # as if the third epoch had spoilt everything
            with torch.no_grad():
                next(self.model.parameters()).zero_()
        losses.append(loss)
        return loss

    monkeypatch.setattr(Trainer, "epoch", epoch)
    tested = small(split="test")(CELL)
    training = small()._resume(CELL).training
    for _ in range(3):
        real(training.trainer, training.train, training.valid)
    training.trainer.go_back_to_best()
    text = small().corpus
    assert tested == evaluate(training.trainer.model, in_columns(text.test, 2), 10)
    assert tested != small()(CELL)


def test_a_killed_training_goes_on_after_its_last_epoch(text_file, tmp_path, monkeypatch):
    settings = {
        "n_hidden": 8,
        "batch_size": 8,
        "valid_batch_size": 2,
        "n_time_steps": 10,
        "n_epochs": 12,
        "hidden_dropout": 0.1,
        "lr": 30.0,  # so that the average begins on the way
    }
    script = textwrap.dedent(f"""
        from sk_petridish.datasets import load_text
        from sk_petridish.motifs import RecurrentCell
        from sk_petridish.search.ground_truth import LanguageModelGroundTruth
        ground_truth = LanguageModelGroundTruth.preset(
            "laptop", RecurrentCell(n_nodes=3), corpus=load_text({str(text_file)!r}),
            checkpoint_dir={str(tmp_path)!r}, **{settings},
        )
        ground_truth({CELL.tolist()})
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    while not list(tmp_path.glob("*.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    epochs, real = [], Trainer.epoch

    def epoch(self, train, valid):
        epochs.append(self.average is not None)
        return real(self, train, valid)

    monkeypatch.setattr(Trainer, "epoch", epoch)
    text = load_text(text_file)
    whole = LanguageModelGroundTruth.preset("laptop", SPACE, corpus=text, **settings)
    expected = whole(CELL)
    assert len(epochs) == 12
    assert epochs[-1]
    epochs.clear()
    resumed = LanguageModelGroundTruth.preset(
        "laptop", SPACE, corpus=text, checkpoint_dir=tmp_path, **settings
    )
    assert resumed(CELL) == expected
    assert len(epochs) < 12


def test_an_average_goes_on_from_a_checkpoint(small, tmp_path):
    training = small(lr=30.0, hidden_dropout=0.1)._resume(CELL).training
    trainer = training.trainer
    for _ in range(20):
        trainer.epoch(training.train, training.valid)
        if trainer.average is not None:
            break
    trainer.epoch(training.train, training.valid)
    assert trainer.average.n_averaged > 0
    save_checkpoint(tmp_path / "one.pt", trainer.state_dict())
    other = small(lr=30.0, hidden_dropout=0.1)._resume(CELL).training.trainer
    other.load_state_dict(load_checkpoint(tmp_path / "one.pt"))
    losses = [one.epoch(training.train, training.valid) for one in (trainer, other)]
    assert losses[0] == losses[1]
    for mine, yours in zip(
        trainer.evaluated.parameters(), other.evaluated.parameters(), strict=True
    ):
        assert torch.equal(mine, yours)
    other.go_back_to_best()
    assert other.evaluate(training.valid) == trainer.best_loss


def test_one_network_is_trained_once(small, tmp_path, monkeypatch):
    ground_truth = small(checkpoint_dir=tmp_path)
    loss = ground_truth(CELL)
    other = SPACE.encode([[("tanh", 0), ("sigmoid", 1), ("relu", 1)]])[0]
    assert not np.array_equal(other, CELL)
    longer = small(checkpoint_dir=tmp_path, n_epochs=4)
    assert longer(CELL) < loss

    def untouched(self, train, valid):
        raise AssertionError("trained again")

    monkeypatch.setattr(Trainer, "epoch", untouched)
    assert ground_truth(other) == loss
    assert small(checkpoint_dir=tmp_path, split="test")(CELL) != loss
    with pytest.raises(AssertionError):
        small(checkpoint_dir=tmp_path, random_state=1)(CELL)
    with pytest.raises(AssertionError):
        small(checkpoint_dir=tmp_path, lr=9.0)(CELL)
    assert small(checkpoint_dir=tmp_path, lr=10, n_hidden=np.int64(8))(CELL) == loss


def test_a_trial_is_told_the_epochs_of_before(small, tmp_path):
    small(checkpoint_dir=tmp_path)(CELL)
    study = optuna.create_study()
    trial = study.ask()
    small(checkpoint_dir=tmp_path)(CELL, trial)
    assert list(study.trials[0].intermediate_values) == [0, 1, 2]


def test_it_travels_without_the_text_that_it_has_read(small, tmp_path, monkeypatch):
    folder = tmp_path / "ptb"
    folder.mkdir()
    for part in ("train", "valid", "test"):
        (folder / f"ptb.{part}.txt").write_text("birds see mice often\n" * 200)
    ground_truth = small(corpus=None, data_home=tmp_path, n_epochs=1)
    loss = ground_truth(CELL)
    pickled = pickle.dumps(ground_truth)
    assert len(pickled) < 2000
    assert pickle.loads(pickled)(CELL) == loss
    # It is read once, until a parameter changes.
    monkeypatch.setattr(_language_model, "load_penn_treebank", None)
    assert ground_truth(CELL) == loss
    ground_truth.set_params(n_words=3)
    with pytest.raises(TypeError):
        ground_truth(CELL)


def test_the_process_does_not_matter_for_the_checkpoint(small, tmp_path):
    """joblib hands large arrays to its workers as files, which cannot be written."""
    text = small().corpus
    large = np.tile(text.train, 200_000 // len(text.train))
    text = text | {"train": large}
    ground_truth = small(
        corpus=Bunch(**text), n_hidden=2, n_epochs=1, batch_size=400, checkpoint_dir=tmp_path
    )
    (loss,) = joblib.Parallel(2)(joblib.delayed(ground_truth)(row) for row in [CELL])
    assert ground_truth(CELL) == loss
    assert len(list(tmp_path.glob("*.pt"))) == 1


def test_graphs_with_several_states_are_motifs_too(small):
    space = RecurrentGraph(max_nodes=12)
    losses = [small(space)(row) for row in space.sample(2, random_state=0)]
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("space", "row"),
    [
        (SigmoidSlope(), [0.3]),
        (
            ModuleMotif(
                lambda row, n_inputs, n_hidden, n_outputs: torch.nn.Linear(n_inputs, n_outputs),
                {"a": optuna.distributions.FloatDistribution(0, 1)},
            ),
            [0.5],
        ),
    ],
)
def test_motifs_that_are_not_recurrent_are_refused(small, space, row):
    with pytest.raises(ValueError, match=r"recurrent blueprint|gives no blueprints"):
        small(space)(row)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_epochs": 0}, r"'n_epochs' parameter of LanguageModelGroundTruth must be an int in"),
        ({"n_epochs": 2.5}, "'n_epochs' parameter"),
        ({"n_epochs": True}, "'n_epochs' parameter"),
        ({"hidden_dropout": 1.0}, r"a float in the range \[0.0, 1.0\)"),
        ({"split": "train"}, "'split' parameter"),
        ({"n_words": 1}, "'n_words' parameter"),
        ({"lr": 0.0}, "'lr' parameter"),
        ({"lr": math.nan}, "'lr' parameter"),
        ({"l2": "x"}, "'l2' parameter"),
        ({"clip": -1.0}, "'clip' parameter"),
        ({"patience": -1}, "'patience' parameter"),
        ({"random_state": None}, "'random_state' parameter"),
        ({"motif_space": 5}, "'motif_space' parameter"),
        ({"checkpoint_dir": 5}, "'checkpoint_dir' parameter"),
        ({"corpus": Bunch(train=[1])}, r"corpus must be a text .* lacks \['test', 'valid'"),
        ({"device": "abacus"}, "device='abacus' is no device of torch"),
    ],
)
def test_what_cannot_be_is_refused_at_construction(small, changes, message):
    space = changes.pop("motif_space", SPACE)
    with pytest.raises(ValueError, match=message):
        small(space, **changes)
    if "n_epochs" in changes:  # and what is set later, before anything is trained
        with pytest.raises(ValueError, match=message):
            small().set_params(**changes)(CELL)


def test_too_many_columns_are_refused(small):
    with pytest.raises(ValueError, match="too few for 5000 columns"):
        small(batch_size=5000)(CELL)


def test_presets_are_named():
    paper = LanguageModelGroundTruth.preset("paper")
    assert vars(paper) == vars(LanguageModelGroundTruth())
    assert (paper.n_hidden, paper.n_epochs) == (850, 600)
    with pytest.raises(ValueError, match=r"no preset 'desktop'; there are \['laptop', 'paper'\]"):
        LanguageModelGroundTruth.preset("desktop")


def test_a_search_evaluates_it_in_processes(text_file, tmp_path):
    ground_truth = LanguageModelGroundTruth.preset(
        "laptop",
        SPACE,
        corpus=load_text(text_file),
        n_hidden=4,
        n_epochs=1,
        batch_size=8,
        valid_batch_size=2,
        checkpoint_dir=tmp_path,
    )
    search = PetriDishSearch(
        SPACE, ground_truth, n_init=4, n_iterations=0, n_jobs=2, random_state=0
    )
    result = search.run()
    assert [one.loss for one in result.history] == [
        ground_truth(one.motif) for one in result.history
    ]
    assert len(list(tmp_path.glob("*.pt"))) == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_it_trains_on_the_gpu(small):
    settings = {"n_epochs": 2, "hidden_dropout": 0.1}
    assert small(device="cuda", **settings)(CELL) == pytest.approx(
        small(device="cpu", **settings)(CELL), abs=0.1
    )
