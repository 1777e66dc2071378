"""The fused engine against the reference, on graphs and settings of any kind."""

import os
import shutil
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numba.core import caching
from random_blueprints import blueprints
from small_dishes import make_settings

import sk_petridish
from sk_petridish.blueprints import Blueprint, Node, Operation, Widths, temporary_operations
from sk_petridish.dish import DishBatch, InitialWeights, choose_engine, draw_dish
from sk_petridish.dish.engines.fused import _compile, _engine
from sk_petridish.dish.engines.fused._compile import Kernel
from sk_petridish.motifs import SigmoidSlope

DATA = ("x_train", "y_train", "x_valid", "y_valid")


def engine(name, dtype=torch.float64, n_jobs=1, motifs=()):
    return choose_engine(name, motifs, dtype=dtype, device="cpu", n_jobs=n_jobs)


def measure(engine, motifs, batch, checkpoints, weights=None):
    """Return the curves, and with weights for their sum the gradients of the data."""
    data = {name: getattr(batch, name).clone().to(engine.dtype) for name in DATA}
    for tensor in data.values():
        tensor.requires_grad_(weights is not None)
    network = engine.build(motifs, batch.settings)
    curves = torch.stack(engine.curves(network, replace(batch, **data), checkpoints), -1)
    if weights is None:
        return curves
    torch.where(weights == 0, 0.0, curves * weights).sum().backward()
    return curves.detach(), {name: data[name].grad for name in DATA}


@st.composite
def dishes(draw, *, recurrent=False, max_steps=8):
    """Small dishes with any setting of the inner loop."""
    n_batches = draw(st.integers(1, 3))
    n_samples = n_batches * draw(st.sampled_from([1, 2, 5, 13, 25]))
    loss = draw(st.sampled_from(["bce", "cross_entropy", "mse"]))
    # Of a single class the cross-entropy is zero, and any gradient is rounding.
    n_outputs = draw(st.integers(2 if loss == "cross_entropy" else 1, 6))
    widths = Widths(draw(st.integers(1, 6)), draw(st.integers(1, 6)), n_outputs)
    sequences = recurrent or draw(st.booleans())
    length = (draw(st.integers(1, 4)),) if sequences else ()
    dish_settings = make_settings(
        widths=widths,
        sample_shape=length,
        n_synthetic=n_samples,
        steps=draw(st.integers(0, max_steps)),
        lr=draw(st.sampled_from([0.003, 0.03])),
        l2=draw(st.sampled_from([0.0, 0.01])),
        optimizer=draw(st.sampled_from(["adam", "sgd"])),
        loss=loss,
        n_batches=n_batches,
        initial_weights=InitialWeights("fan_in", draw(st.sampled_from([0.5, 1.5]))),
    )
    n_dishes = draw(st.integers(1, 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def samples():
        dense = length if draw(st.booleans()) else ()
        x = generator.standard_normal((n_dishes, n_samples, *length, widths.n_inputs))
        y = generator.random((n_dishes, n_samples, *dense, widths.n_outputs))
        return torch.from_numpy(x), torch.from_numpy(y / y.sum(-1, keepdims=True))

    return DishBatch(dish_settings, tuple(range(n_dishes)), *samples(), *samples())


def agree(motifs, batch, checkpoints, seed, condition=lambda moderate: None):
    """Assert that values agree to 1e-9, gradients to 1e-9 of their norm."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(batch.seeds), len(motifs), len(checkpoints), 3)
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)
    expected, slopes = measure(engine("torch"), motifs, batch, checkpoints, weights)
    condition((expected < 100).all())
    measured, gradients = measure(engine("numba"), motifs, batch, checkpoints, weights)
    np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=1e-14)
    # The norm of the whole gradient: parts of it may be nothing but the rounding of others.
    norm = torch.cat([slopes[name].flatten() for name in DATA]).norm()
    for name in DATA:
        assert (gradients[name] - slopes[name]).norm() <= 1e-9 * norm + 1e-14, name


def agree_on_any_graph(data, max_steps):
    recurrent = data.draw(st.booleans(), label="recurrent")
    graphs = blueprints(recurrent=recurrent)
    motifs = data.draw(st.lists(graphs, min_size=1, max_size=3), label="motifs")
    batch = data.draw(dishes(recurrent=recurrent, max_steps=max_steps), label="dishes")
    steps = batch.settings.inner.steps
    checkpoints = data.draw(st.sets(st.integers(0, steps)), label="checkpoints") | {steps}
    # Products of products explode; there, nothing can be computed to so many digits.
    seed = data.draw(st.integers(0, 99))
    agree(motifs, batch, sorted(checkpoints), seed, lambda moderate: assume(bool(moderate)))


@settings(max_examples=300)
@given(st.data())
def test_both_engines_agree_on_any_graph(data):
    agree_on_any_graph(data, max_steps=8)


# Few, since the reference takes its time.
@settings(max_examples=30)
@given(st.data())
def test_both_engines_agree_on_any_graph_over_many_steps(data):
    agree_on_any_graph(data, max_steps=50)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("loss", ["bce", "cross_entropy", "mse"])
def test_both_engines_agree_over_fifty_steps(loss, optimizer):
    dish_settings = make_settings(
        widths=Widths(10, 3, 10), n_synthetic=20, steps=50, lr=0.01, loss=loss, optimizer=optimizer
    )
    dishes = [draw_dish(dish_settings, seed) for seed in range(2)]
    batch = DishBatch.stack(dishes, torch.float64, "cpu")
    space = SigmoidSlope(2)
    slopes = np.random.default_rng(0).uniform(0.2, 2, (9, 2))
    agree([space.blueprint(row) for row in slopes], batch, (0, 25, 50), seed=0)


def small_problem():
    dishes = [draw_dish(make_settings(steps=20), seed) for seed in range(3)]
    slopes = np.random.default_rng(0).uniform(0.2, 2, (21, 2))
    motifs = [SigmoidSlope(2).blueprint(row) for row in slopes]
    return motifs, DishBatch.stack(dishes, torch.float64, "cpu")


def ones(batch, motifs):
    return torch.ones(len(batch.seeds), len(motifs), 1, 3, dtype=torch.float64)


def test_single_precision_is_as_precise_as_that():
    motifs, batch = small_problem()
    weights = ones(batch, motifs)
    double, slopes = measure(engine("numba"), motifs, batch, (20,), weights)
    single, gradients = measure(
        engine("numba", torch.float32), motifs, batch, (20,), weights.float()
    )
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, double, rtol=1e-5)
    for name in DATA:
        assert gradients[name].dtype == torch.float32
        assert (gradients[name] - slopes[name]).norm() < 1e-4 * slopes[name].norm()


def test_losses_and_gradients_do_not_depend_on_the_number_of_threads():
    motifs, batch = small_problem()
    weights = ones(batch, motifs)
    one, by_one = measure(engine("numba", n_jobs=1), motifs, batch, (20,), weights)
    three, by_three = measure(engine("numba", n_jobs=3), motifs, batch, (20,), weights)
    assert torch.equal(one, three)
    assert all(torch.equal(by_one[name], by_three[name]) for name in DATA)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_is_the_same_to_the_last_bit_in_any_company(dtype):
    motifs, batch = small_problem()
    deeper = SigmoidSlope(4).blueprint([0.3, 0.6, 0.9, 1.2])
    batch = replace(batch, **{name: getattr(batch, name).to(dtype) for name in DATA})
    together = measure(engine("numba", dtype), [*motifs, deeper], batch, (7, 20))
    for index in (0, 8, 20, 21):
        alone = measure(engine("numba", dtype), [[*motifs, deeper][index]], batch, (7, 20))
        assert torch.equal(alone[:, 0], together[:, index])


def test_what_does_not_fit_under_the_limit_is_trained_again_with_the_same_result(monkeypatch):
    motifs, batch = small_problem()
    weights = ones(batch, motifs)
    _, kept = measure(engine("numba"), motifs, batch, (20,), weights)
    # Less than for one motif-network, and then for some of them.
    for limit in (100, 50_000):
        monkeypatch.setattr(_engine, "_MAX_KEPT_BYTES", limit)
        _, repeated = measure(engine("numba"), motifs, batch, (20,), weights)
        assert all(torch.equal(kept[name], repeated[name]) for name in DATA)


@pytest.mark.parametrize("name", ["numba", "torch"])
def test_a_motif_that_diverges_spoils_neither_losses_nor_gradients_of_the_others(name):
    batch = DishBatch.stack(
        [draw_dish(make_settings(optimizer="sgd", loss="mse", lr=1.0, steps=60), 0)],
        torch.float64,
        "cpu",
    )
    layers = [Node("linear", (i,), units="n_hidden") for i in range(3)]
    unstable = Blueprint((Node("input"), *layers, Node("linear", (3,), units="n_outputs")))
    stable = SigmoidSlope().blueprint([1.0])
    only_stable = torch.tensor([0.0, 1.0], dtype=torch.float64)[None, :, None, None]
    losses, gradients = measure(
        engine(name), [unstable, stable], batch, (60,), only_stable.expand(1, 2, 1, 3)
    )
    alone, expected = measure(engine(name), [stable], batch, (60,), ones(batch, [stable]))
    assert losses[0, :, 0, 1].isfinite().tolist() == [False, True]
    torch.testing.assert_close(losses[:, 1:], alone)
    for data in DATA:
        assert expected[data].norm() > 1e-6
        torch.testing.assert_close(gradients[data], expected[data])


def test_threads_of_the_user_may_measure_at_the_same_time():
    motifs, batch = small_problem()
    weights = ones(batch, motifs)
    expected, slopes = measure(engine("numba", n_jobs=2), motifs, batch, (20,), weights)
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(measure, engine("numba", n_jobs=2), motifs, batch, (20,), weights)
            for _ in range(12)
        ]
        for run in runs:
            measured, gradients = run.result()
            assert torch.equal(measured, expected)
            assert all(torch.equal(gradients[name], slopes[name]) for name in DATA)


@pytest.mark.parametrize("name", ["numba", "torch"])
def test_recurrent_motifs_without_sequences_are_refused(name):
    _, batch = small_problem()
    recurrent = Blueprint(
        (
            Node("input"),
            Node("carried", (4,), units="n_hidden"),
            Node("linear", (0,), units="n_hidden"),
            Node("sum", (1, 2)),
            Node("tanh", (3,)),
            Node("linear", (4,), units="n_outputs"),
        )
    )
    with pytest.raises(ValueError, match="needs sequences"):
        measure(engine(name), [recurrent], batch, (20,))


def test_the_engine_is_chosen_by_what_the_motifs_need():
    swish = Operation("test_swish", lambda x: x * torch.sigmoid(x))
    with temporary_operations(swish):
        motif = Blueprint(
            (
                Node("input"),
                Node("linear", (0,), units="n_hidden"),
                Node("test_swish", (1,)),
                Node("linear", (2,), units="n_outputs"),
            )
        )
    known = SigmoidSlope().blueprint([0.5])
    assert engine("auto", motifs=[known]).name == "numba"
    assert engine("auto", motifs=[known, motif]).name == "torch"
    assert engine("torch", motifs=[known]).name == "torch"
    with pytest.raises(ValueError, match=r"no kernel for the operations \['test_swish'\]"):
        engine("numba", motifs=[known, motif])
    options = {"dtype": torch.float64, "device": "cuda", "n_jobs": 1}
    assert choose_engine("auto", [known], **options).name == "torch"
    with pytest.raises(ValueError, match="CPU only"):
        choose_engine("numba", [known], **options)


def run_script(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


FIT = """
import warnings; warnings.simplefilter("error")
import numpy as np
from sk_petridish import PetriDishRegressor
X = np.linspace(0.4, 1.5, 6)[:, None]
dish = PetriDishRegressor(n_dishes=2, inner_steps=5, max_iter=2, max_outer_loss=9.0, random_state=0)
print(dish.fit(X, X.ravel() ** 2).engine_, *dish.predict(X))
"""


def test_where_there_is_no_compiler_to_use_torch_steps_in():
    name, *_ = run_script(FIT, NUMBA_DISABLE_JIT="1")
    assert name == "torch"


def test_kernels_are_kept_on_disk(tmp_path):
    run_script(FIT, NUMBA_CACHE_DIR=str(tmp_path))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert len(kept) == 2
    run_script(FIT, NUMBA_CACHE_DIR=str(tmp_path))
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}


def test_a_fit_works_without_a_place_to_keep_kernels(tmp_path):
    expected = run_script(FIT)
    # A copy of the package whose folders for compiled code are files; no home to go to.
    copy = tmp_path / "sk_petridish"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(sk_petridish.__file__).parent, copy, ignore=ignored)
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()
    nowhere = str(tmp_path / "file")
    Path(nowhere).touch()
    places = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "NUMBA_CACHE_DIR": ""}
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {FIT.strip()}"
    assert run_script(script, **places, PYTHONDONTWRITEBYTECODE="1") == expected


def test_a_damaged_file_is_survived(tmp_path, monkeypatch):
    source = tmp_path / "kernel_of_a_test.py"
    source.write_text(
        "def double(array):\n    for i in range(len(array)):\n        array[i] *= 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from kernel_of_a_test import double

    Kernel(double)(np.ones(3))
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert len(kept) == 2
    for path in kept:
        for length in (0, len(path.read_bytes()) // 2):
            whole = path.read_bytes()
            path.write_bytes(whole[:length])
            numbers = np.arange(3.0)
            Kernel(double)(numbers)
            np.testing.assert_array_equal(numbers, [0, 2, 4])
            path.write_bytes(whole)


def test_a_kernel_that_cannot_be_kept_is_compiled_all_the_same(monkeypatch):
    def refuse(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(caching.FunctionCache, "save_overload", refuse)

    def double(array):
        for i in range(len(array)):
            array[i] *= 2

    numbers = np.arange(3.0)
    Kernel(double)(numbers)
    np.testing.assert_array_equal(numbers, [0, 2, 4])


def test_a_kept_kernel_is_found_by_the_sources_of_all_kernels(monkeypatch):
    def nothing():
        pass

    Kernel(nothing)
    before = nothing.__qualname__
    sources = Path(_compile.__file__).parent
    original = Path.read_bytes

    def changed(path):
        return original(path) + (b"#" if path == sources / "_losses.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    _compile._fingerprint.cache_clear()
    Kernel(nothing)
    _compile._fingerprint.cache_clear()
    assert nothing.__qualname__ != before


def test_memory_stays_under_its_limits():
    dish_settings = make_settings(widths=Widths(10, 1, 10), n_synthetic=20, steps=200)
    dishes = [draw_dish(dish_settings, seed) for seed in range(2)]
    batch = DishBatch.stack(dishes, torch.float64, "cpu")
    motifs = [SigmoidSlope().blueprint([slope]) for slope in np.linspace(0.1, 2, 2500)]
    batch = replace(batch, x_train=batch.x_train.requires_grad_())
    network = engine("numba").build(motifs, dish_settings)
    # Compiled before, lest it be counted.
    engine("numba").curves(network, batch, (1,)).valid.sum().backward()
    tracemalloc.start()
    try:
        engine("numba").curves(network, batch, (200,)).valid.sum().backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of all 5,000 motif-networks weights and Adam's means are 0.9 GB, gradients 0.4 GB, and
    # a tape many times as much.
    assert peak < _engine._MAX_KEPT_BYTES + _engine._MAX_PIECE_BYTES + 20e6


def test_gradients_do_not_depend_on_the_pieces_of_the_way_back(monkeypatch):
    motifs, batch = small_problem()
    weights = ones(batch, motifs)
    _, together = measure(engine("numba"), motifs, batch, (20,), weights)
    monkeypatch.setattr(_engine, "_MAX_PIECE_BYTES", 1)
    _, pieces = measure(engine("numba"), motifs, batch, (20,), weights)
    assert all(torch.equal(together[name], pieces[name]) for name in DATA)


@pytest.mark.parametrize("n_outputs", [43, 130])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_outputs_near_zero_have_a_finite_cross_entropy(n_outputs, dtype):
    dish_settings = make_settings(
        widths=Widths(3, 2, n_outputs),
        n_synthetic=24,
        initial_weights=InitialWeights("normal", 1e-3),
    )
    batch = DishBatch.stack([draw_dish(dish_settings, 0)], dtype, "cpu")
    motifs = [SigmoidSlope().blueprint([1.0])]
    measured = measure(engine("numba", dtype), motifs, batch, (0, 4))
    expected = measure(engine("torch", dtype), motifs, batch, (0, 4))
    assert expected.isfinite().all()
    torch.testing.assert_close(measured, expected)


def test_labels_that_do_not_fit_their_sequences_are_refused():
    motifs, batch = small_problem()
    repeated = {
        name: getattr(batch, name)[:, :, None].expand(-1, -1, n_time_steps, -1)
        for name, n_time_steps in zip(DATA, (3, 2, 3, 2), strict=True)
    }
    batch = replace(batch, settings=replace(batch.settings, sample_shape=(3,)), **repeated)
    with pytest.raises(ValueError, match="3 time steps, but labels 2"):
        engine("numba").curves(engine("numba").build(motifs, batch.settings), batch, (20,))


def test_a_network_of_another_precision_than_the_dishes_is_refused():
    motifs, batch = small_problem()
    network = engine("numba", torch.float32).build(motifs, batch.settings)
    with pytest.raises(ValueError, match="dishes are of float64"):
        engine("numba").curves(network, batch, (20,))


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("axis", [0, 1, -1], ids=["dishes", "samples", "units"])
def test_data_of_another_shape_than_the_settings_say_are_refused(name, axis):
    # Kernels index through pointers: they would read, and write, what belongs to others.
    motifs, batch = small_problem()
    network = engine("numba").build(motifs, batch.settings)
    data = getattr(batch, name)
    shorter = replace(batch, **{name: data.narrow(axis, 0, data.shape[axis] - 1)})
    with pytest.raises(ValueError, match=rf"[xy]_{name[2:]} has shape .* but must have"):
        engine("numba").curves(network, shorter, (20,))


def test_a_network_of_other_widths_than_the_dishes_is_refused():
    motifs, batch = small_problem()
    wider = replace(batch.settings, widths=Widths(3, 4, 3))
    network = engine("numba").build(motifs, wider)
    with pytest.raises(ValueError, match=r"n_hidden=2.*built for Widths.*n_hidden=4"):
        engine("numba").curves(network, batch, (20,))


def test_samples_that_do_not_make_equal_mini_batches_are_refused():
    motifs, batch = small_problem()
    settings_ = replace(batch.settings, inner=replace(batch.settings.inner, n_batches=4))
    batch = replace(batch, settings=settings_)
    with pytest.raises(ValueError, match="6 samples do not make 4 equal mini-batches"):
        engine("numba").curves(engine("numba").build(motifs, settings_), batch, (20,))


@pytest.mark.parametrize("checkpoints", [(20, 10), (5, 5), (-1, 20)])
def test_checkpoints_that_do_not_ascend_are_refused(checkpoints):
    motifs, batch = small_problem()
    network = engine("numba").build(motifs, batch.settings)
    with pytest.raises(ValueError, match="must ascend from 0 on"):
        engine("numba").curves(network, batch, checkpoints)


def test_a_second_derivative_is_refused_rather_than_wrong():
    motifs, batch = small_problem()
    batch = replace(batch, x_train=batch.x_train.requires_grad_())
    network = engine("numba").build(motifs, batch.settings)
    valid = engine("numba").curves(network, batch, (20,)).valid
    (slope,) = torch.autograd.grad(valid.square().sum(), batch.x_train, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_images_are_refused():
    batch = DishBatch.stack(
        [draw_dish(make_settings(sample_shape=(2, 2)), 0)], torch.float64, "cpu"
    )
    with pytest.raises(ValueError, match="not images"):
        measure(engine("numba"), [SigmoidSlope().blueprint([0.5])], batch, [0])
