"""The registry of engines, and what every engine keeps to."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from optuna.distributions import FloatDistribution
from small_dishes import make_settings
from small_regressors import LOSSES, SLOPES, fast

from sk_petridish.dish import (
    STATISTICS,
    ZERO_COST,
    DishBatch,
    DishEnsemble,
    EngineOptions,
    NumbaEngine,
    OuterLoop,
    OuterLoopData,
    TorchEngine,
    _chunks,
    choose_engine,
    draw_dish,
    learn,
    register_engine,
    unregister_engine,
)
from sk_petridish.motifs import MotifSpace, SigmoidSlope

ENGINES = [NumbaEngine(torch.float64, 1), TorchEngine(torch.float64, "cpu")]
MOTIFS = SigmoidSlope().blueprints(SLOPES)


def learn_dishes(engine, **changes):
    dishes = [draw_dish(make_settings(**changes), seed) for seed in range(2)]
    known = OuterLoopData(MOTIFS, np.log(LOSSES), np.ones((2, len(LOSSES))))
    loop = OuterLoop(
        max_iter=4, lr=0.1, lr_decay=1.0, lr_steps=(), l2=0.0, loss="mse", batch_size=40,
        tol=0.0, n_iter_no_change=100, verbose=False,
    )  # fmt: skip
    return learn(dishes, known, loop, held_out=None, seed=0, engine=engine)


@dataclass(frozen=True)
class Toy(TorchEngine):
    """The reference under another name."""

    name: ClassVar[str] = "toy"


def test_an_engine_of_ones_own_needs_one_registration():
    register_engine(Toy)
    try:
        with pytest.raises(ValueError, match="engine called 'toy' already"):
            register_engine(Toy)
        dish = fast(engine="toy").fit(SLOPES, LOSSES)
        assert dish.engine_ == "toy"
        reference = fast(engine="torch").fit(SLOPES, LOSSES)
        np.testing.assert_array_equal(dish.predict(SLOPES), reference.predict(SLOPES))
        # Only those that ask for it get it.
        assert fast().fit(SLOPES, LOSSES).engine_ == "numba"
    finally:
        unregister_engine("toy")
    with pytest.raises(ValueError, match="'engine' parameter"):
        fast(engine="toy").fit(SLOPES, LOSSES)


def test_auto_tries_the_latest_engine_first_and_says_why_none_can():
    refusing = type("Refusing", (Toy,), {"supports": classmethod(lambda *given: "is shy")})
    options = {"dtype": torch.float64, "device": "cpu", "n_jobs": 1}
    register_engine(Toy, automatic=True)
    try:
        assert choose_engine("auto", MOTIFS, **options).name == "toy"
    finally:
        unregister_engine("toy")
    register_engine(refusing, automatic=True)
    try:
        assert choose_engine("auto", MOTIFS, **options).name == "numba"
        with pytest.raises(ValueError, match="engine='toy' is shy; use engine='numba' or"):
            choose_engine("toy", MOTIFS, **options)
    finally:
        unregister_engine("toy")
    with pytest.raises(ValueError, match="engine must be one of"):
        choose_engine("toy", MOTIFS, **options)


def test_the_fused_engine_refuses_what_it_cannot_run_instead_of_dropping_it():
    with pytest.raises(ValueError, match="no kernels for modules"):
        ENGINES[0].build([*MOTIFS, object()], make_settings())


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_initial_weights_are_drawn_once_however_many_outer_steps(engine, monkeypatch):
    drawn = Counter()
    original = DishBatch.draw_weights

    def count(batch, key, role, shape, fan_in):
        drawn[key, role] += 1
        return original(batch, key, role, shape, fan_in)

    monkeypatch.setattr(DishBatch, "draw_weights", count)
    learn_dishes(engine)
    assert set(drawn.values()) == {1} or engine.name == "numba"
    once = drawn.copy()
    drawn.clear()
    batch = DishBatch.stack([draw_dish(make_settings(), seed) for seed in range(2)],
                            torch.float64, "cpu")  # fmt: skip
    network = engine.build(MOTIFS, batch.settings)
    engine.curves(network, batch, (4,))
    assert drawn == once
    # Other seeds are other weights.
    other = replace(batch, seeds=(5, 6))
    assert not np.array_equal(batch.initial_weights(network), other.initial_weights(network))


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("n_batches", [1, 3])
def test_learning_keeps_within_its_memory(monkeypatch, n_batches, statistic):
    engine = TorchEngine(torch.float64, "cpu")
    changes = {"n_batches": n_batches, "learn_labels": True, "steps": 8, "statistic": statistic}
    on_tape, kept = [], []
    original = TorchEngine.curves

    def count(self, network, dishes, checkpoints):
        live = {"now": 0}

        def keep(tensor):
            live["now"] += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            measured = original(self, network, dishes, checkpoints)
        if measured.valid.requires_grad:
            on_tape.append(network.n_motifs)
            kept.append(live["now"])
        return measured

    monkeypatch.setattr(TorchEngine, "curves", count)
    whole = learn_dishes(engine, **changes)
    most, largest = max(on_tape), max(kept)
    on_tape.clear()
    kept.clear()
    dishes = DishBatch.stack(
        [draw_dish(make_settings(**changes), seed) for seed in range(2)], torch.float64, "cpu"
    )
    network = engine.build(MOTIFS, dishes.settings)
    needed = engine.tape_bytes(network, dishes)
    monkeypatch.setattr(_chunks, "_MAX_TAPE_BYTES", needed // 3)
    pieces = learn_dishes(engine, **changes)
    assert (most, max(on_tape)) == (8, 2)
    assert max(kept) < largest / 3
    for ours, theirs in zip(pieces.dishes, whole.dishes, strict=True):
        for name in ("x_train", "y_train", "x_valid", "y_valid"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-10)
    np.testing.assert_allclose(pieces.loss_curve, whole.loss_curve, rtol=1e-10)
    # What one motif needs cannot be divided.
    on_tape.clear()
    monkeypatch.setattr(_chunks, "_MAX_TAPE_BYTES", 1)
    learn_dishes(engine, **changes)
    assert set(on_tape) == {1}


def test_an_ensemble_measures_on_blueprints_what_estimators_measure_on_rows():
    dish = fast(max_outer_loss=99.0).fit(SLOPES, LOSSES)
    ensemble = DishEnsemble(dish.dishes_)
    statistic = ensemble.statistics(MOTIFS)
    readout = np.array([one.slope * row + one.intercept
                        for one, row in zip(dish.dishes_, statistic, strict=True)])  # fmt: skip
    scale = dish._loss_scale
    np.testing.assert_allclose(
        np.median(readout, axis=0) * scale.std + scale.mean, dish.predict(SLOPES), rtol=1e-12
    )
    drawn = DishEnsemble.draw(ensemble.settings, [3, 4, 5], EngineOptions())
    assert drawn.curves(MOTIFS, [0, 15]).shape == (3, 8, 2, 3)
    assert drawn.zero_cost(MOTIFS).shape == (3, 8, len(ZERO_COST))
    grown = drawn.go_on(drawn.settings, [3, 4, 5, 6])
    assert [one.seed for one in grown.dishes] == [3, 4, 5, 6]
    # A motif gets the engine that it would get alone.
    np.testing.assert_array_equal(drawn.statistics(MOTIFS[:1]), drawn.statistics(MOTIFS)[:, :1])


def test_what_has_no_kernel_for_images_is_run_by_another_engine():
    class Pixelwise(MotifSpace):
        """Layers that see one position each."""

        row_description = "A row of X is one motif: the slope of a sigmoid."
        data_kind = "images"

        def _search_space(self):
            return {"slope": FloatDistribution(0.1, 2.0)}

        def _blueprint(self, row):
            return SigmoidSlope().blueprint(row)

    dish = fast(motif_space=Pixelwise(), image_size=3, n_dishes=1).fit(SLOPES, LOSSES)
    assert dish.engine_ == "torch"
    with pytest.raises(ValueError, match="not images; use engine='torch'"):
        fast(motif_space=Pixelwise(), image_size=3, engine="numba").fit(SLOPES, LOSSES)
