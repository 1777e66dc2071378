"""The outer loop (eq. 2 and 3): a skorch net whose parameters are synthetic data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, EpochTimer, LRScheduler
from skorch.utils import to_tensor
from torch import Tensor, nn
from torch.utils.data import RandomSampler
from tqdm import tqdm

from sk_petridish.blueprints import NetworkSpec

from ._dish import Array, Dish
from ._measure import measure
from ._outer_loss import OUTER_LOSSES
from ._readout import fit_readout
from ._synthetic_data import SyntheticData
from .engines import Engine


@dataclass(frozen=True)
class OuterLoop:
    """The outer loop's settings.

    Parameters
    ----------
    max_iter : int
        Outer steps at most.
    lr, lr_decay, lr_steps : float, float, sequence of int
        Adam's learning rate, and the factor on it after each of these steps.
    l2 : float
        L2 penalty on synthetic data.
    loss : {"mse", "rank"}
        Outer loss.
    batch_size : int
        Motif-networks an outer step (appendix A.3.2).
    tol, n_iter_no_change : float, int
        Stop when the monitored loss has not fallen by ``tol`` for that many steps.
    verbose : bool
        Whether to show a progress bar.
    """

    max_iter: int
    lr: float
    lr_decay: float
    lr_steps: Sequence[int]
    l2: float
    loss: str
    batch_size: int
    tol: float
    n_iter_no_change: int
    verbose: bool


class OuterLoopData(NamedTuple):
    """Motifs with their ground truth.

    Parameters
    ----------
    blueprints : list of Blueprint or ModuleBlueprint
        The motifs.
    losses : ndarray of shape (n_motifs,)
        Their ground truth, normalised to zero mean and unit variance over the motifs
        that dishes learn from.
    weights : ndarray of shape (n_dishes, n_motifs)
        How much each motif counts in each dish; zero where the dish must not see it.
    """

    blueprints: list[NetworkSpec]
    losses: NDArray[np.float64]
    weights: NDArray[np.float64]


class OuterLoopResult(NamedTuple):
    """Result of the outer loop.

    Parameters
    ----------
    dishes : list of Dish
        With learned data.
    loss_curve : ndarray of shape (n_iter, n_dishes)
        Outer loss of every dish before each update.
    held_out_curve : ndarray of shape (n_iter,) or (0,)
        Mean outer loss on held-out motifs after each update.
    history : list of dict
        What callbacks recorded of each step.
    """

    dishes: list[Dish]
    loss_curve: Array
    held_out_curve: Array
    history: list[dict[str, Any]]


HISTORY_KEYS = frozenset(
    {"epoch", "dur", "dish_losses", "train_batch_count"}
    | {f"{loss}_loss{best}" for loss in ("outer", "train", "valid") for best in ("", "_best")}
)
"""What the history has of every outer step."""
HELD_OUT_KEYS = frozenset({"held_out_loss", "held_out_loss_best"})
"""What it has besides where motifs are held out."""


class _DishLosses(nn.Module):
    """Outer loss of every dish on a batch of motifs."""

    _weights: Tensor

    def __init__(self, loss: str, weights: Tensor) -> None:
        super().__init__()
        self._loss: Callable[[Tensor, Tensor, Tensor], Tensor] = OUTER_LOSSES[loss]
        # No state of a checkpoint, which may be loaded to go on with other motifs.
        self.register_buffer("_weights", weights, persistent=False)

    def forward(self, statistic: Tensor, losses: Tensor, motifs: Tensor) -> Tensor:
        return self._loss(statistic, losses, self._weights[:, motifs])


class StopLearning(Exception):
    """Raised by a callback at the end of an outer step to end learning there.

    In skorch callbacks do that by raising KeyboardInterrupt, which is the user's here: it
    ends a fit in an error. skorch's own :class:`~skorch.callbacks.EarlyStopping` is
    understood all the same.
    """


class _Interrupted(Exception):
    """A KeyboardInterrupt on its way through skorch, which would swallow it."""


class _OuterNet(NeuralNet):
    """skorch's training loop around :class:`SyntheticData`; an epoch is an outer step."""

    def get_loss(
        self, y_pred: Tensor, y_true: Tensor, X: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        # Where the device is not the CPU, skorch leaves the batch behind.
        losses: Tensor = self.criterion_(y_pred, to_tensor(y_true, self.device), X)
        self.history.record("dish_losses", losses.tolist())
        self.history.record("outer_loss", losses.mean().item())
        # The sum, since each dish learns alone, as if there were no others.
        return losses.sum()

    def get_default_callbacks(self) -> list[tuple[str, Callback]]:
        """Return none: ours have names of our own, and leave skorch's to the user."""
        return []

    def on_batch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        # The mean instead of the sum, for those who read batches.
        self.history.record_batch("train_loss", self.history[-1, "outer_loss"])

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Notify callbacks; skorch's early stopping ends learning, and no error."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt as error:
            if method_name == "on_epoch_end" and any(map(_has_stopped, self.callbacks_)):
                raise StopLearning from error
            raise

    def fit_loop(self, *args: Any, **kwargs: Any) -> _OuterNet:
        # Callbacks may load the steps of an earlier run, before or after these.
        n_loaded = len(self.history)
        try:
            super().fit_loop(*args, **kwargs)
        except StopLearning:
            pass
        except KeyboardInterrupt as error:
            # The caller, skorch's partial_fit, takes it for a wish to stop.
            raise _Interrupted from error
        self.steps_ = self.history.to_list()[n_loaded:]
        return self


class _OwnEarlyStopping(EarlyStopping):
    """skorch's, which ends learning by our exception."""

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        try:
            super().on_epoch_end(net, **kwargs)
        except KeyboardInterrupt as error:
            raise StopLearning from error


def _has_stopped(named: tuple[str, Callback]) -> bool:
    """Whether a callback is skorch's early stopping, and has run out of patience."""
    _, callback = named
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience


class _RecordLosses(Callback):
    """Record losses under skorch's names too, and whether they are the best so far.

    ``train_loss`` is the outer loss, ``valid_loss`` that on held-out motifs where there are
    any, and else the outer loss.
    """

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        *before, row = net.history.to_list()
        outer_loss = row["outer_loss"]
        losses = {
            "outer_loss": outer_loss,
            "train_loss": outer_loss,
            "valid_loss": row.get("held_out_loss", outer_loss),
        }
        for name, loss in losses.items():
            best = min((step.get(name, np.inf) for step in before), default=np.inf)
            net.history.record(name, loss)
            net.history.record(f"{name}_best", bool(loss < best))


class _ShowProgress(Callback):
    """Move a bar over outer steps and show the current outer loss."""

    def __init__(self, bar: tqdm) -> None:
        self.bar = bar

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        self.bar.set_postfix(loss=f"{net.history[-1, 'outer_loss']:.4f}")
        self.bar.update()


def _held_out_loss(
    net: NeuralNet,
    X: object,
    y: object,
    *,
    network: Any,
    known: OuterLoopData,
    held_out: OuterLoopData,
) -> float:
    """Outer loss on held-out motifs, normalised as predictions are: by the known ones."""
    with torch.no_grad():
        module = net.module_
        statistic = measure(network, module.batch(), module.engine)
    measured = statistic.cpu().numpy().astype(np.float64)
    n_known = len(known.blueprints)
    readout = fit_readout(measured[:, :n_known], known.losses, known.weights)
    squared = (readout.predict(measured[:, n_known:]) - held_out.losses) ** 2
    # A motif that diverged counts as one predicted at the opposite end.
    squared = np.where(np.isfinite(squared), squared, 4.0)
    return float((held_out.weights * squared).sum() / held_out.weights.sum())


def _callbacks(
    loop: OuterLoop,
    score: Callable[..., float] | None,
    bar: tqdm,
    others: Sequence[Callback | tuple[str, Callback]],
) -> list[Callback | tuple[str, Callback]]:
    """Return all callbacks, with the user's among ours."""
    ours: dict[str, Callback] = {"timer": EpochTimer(), "progress": _ShowProgress(bar)}
    if loop.lr_steps:
        ours["lr_steps"] = LRScheduler(
            "MultiStepLR", milestones=list(loop.lr_steps), gamma=loop.lr_decay
        )
    if score is not None:
        ours["held_out"] = EpochScoring(
            score, name="held_out_loss", on_train=True, use_caching=False, lower_is_better=True
        )
    ours["losses"] = _RecordLosses()
    stopping = _OwnEarlyStopping(
        monitor="outer_loss" if score is None else "held_out_loss",
        patience=loop.n_iter_no_change,
        threshold=loop.tol,
        threshold_mode="abs",
        load_best=score is not None,
        sink=bar.write if loop.verbose else _silent,
    )
    # The user's before the one that may end learning: they too are told of the last step.
    named = [(f"sk_petridish_{name}", callback) for name, callback in ours.items()]
    return [*named, *others, ("sk_petridish_stopping", stopping)]


def _silent(message: str) -> None:
    """Swallow a callback's message."""


def learn(
    dishes: Sequence[Dish],
    known: OuterLoopData,
    loop: OuterLoop,
    *,
    held_out: OuterLoopData | None,
    seed: int,
    engine: Engine,
    callbacks: Sequence[Callback | tuple[str, Callback]] = (),
) -> OuterLoopResult:
    """Learn the dishes' synthetic data (eq. 3).

    Parameters
    ----------
    dishes : sequence of Dish
        Where to start from.
    known : OuterLoopData
        Training motifs.
    loop : OuterLoop
        Settings.
    held_out : OuterLoopData or None
        Motifs that decide when to stop and which state to keep.
    seed : int
        Determines the batches of motifs.
    engine : Engine
        What runs the inner loop.
    callbacks : sequence of skorch callbacks
        Told of every outer step; ``net.module_`` is a :class:`SyntheticData`.

    Returns
    -------
    OuterLoopResult
        Dishes with learned data, and the outer losses on the way.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts it.
    """
    if loop.max_iter == 0:
        return OuterLoopResult(list(dishes), np.empty((0, len(dishes))), np.empty(0), [])
    module = SyntheticData(dishes, known.blueprints, engine)
    score = None
    if held_out is not None:
        together = known.blueprints + held_out.blueprints
        network = engine.build(together, dishes[0].settings)
        score = partial(_held_out_loss, network=network, known=known, held_out=held_out)
    n_motifs = len(known.blueprints)
    # Generators of our own everywhere: the user's global random state is not ours.
    generator = torch.Generator().manual_seed(seed)
    batch_size = min(loop.batch_size, n_motifs)
    sampler = None
    if batch_size < n_motifs:
        sampler = RandomSampler(range(n_motifs), num_samples=batch_size, generator=generator)
    bar = tqdm(total=loop.max_iter, desc="outer loop", unit="step", disable=not loop.verbose)
    net = _OuterNet(
        module,
        criterion=_DishLosses,
        criterion__loss=loop.loss,
        criterion__weights=torch.as_tensor(known.weights, dtype=engine.dtype),
        optimizer=torch.optim.Adam,
        lr=loop.lr,
        optimizer__weight_decay=loop.l2,
        max_epochs=loop.max_iter,
        batch_size=batch_size,
        iterator_train__sampler=sampler,
        iterator_train__generator=generator,
        train_split=None,
        callbacks=_callbacks(loop, score, bar, callbacks),
        device=engine.device,
        verbose=0,
    )
    try:
        with bar:
            net.fit(np.arange(n_motifs), torch.as_tensor(known.losses, dtype=engine.dtype))
    except _Interrupted as error:
        raise KeyboardInterrupt from error
    steps: list[dict[str, Any]] = net.steps_
    return OuterLoopResult(
        dishes=module.dishes(),
        loss_curve=np.asarray([step["dish_losses"] for step in steps]),
        held_out_curve=np.asarray(
            [step["held_out_loss"] for step in steps if "held_out_loss" in step]
        ),
        history=steps,
    )
