"""Ground truth of experiment 4.1: a multilayer perceptron on MNIST."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import NetworkSpec
from sk_petridish.datasets import load_mnist
from sk_petridish.motifs import MotifSpace, SigmoidSlope

from ._base import TrainedGroundTruth
from ._training import check_tensors

_N_TRAIN, _N_VALID = 50_000, 10_000


class ValidationScore(NamedTuple):
    """How a network does on the validation images.

    Parameters
    ----------
    loss : float
        Mean cross-entropy, in nats.
    accuracy : float
        Share of images classified correctly.
    """

    loss: float
    accuracy: float


class MLPGroundTruth(TrainedGroundTruth):
    """Validation error of a motif's full-width perceptron on MNIST (Table 1).

    The network is the motif's own blueprint at full width. It is trained on the
    first 50,000 training images, with pixels from 0 to 1, and evaluated on the other
    10,000. Table 1 leaves the start open: weights and biases are drawn from
    N(0, 1), as those of motif-networks are, which puts the best slope near where
    the paper has it.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        A space of feed-forward motifs. ``None`` is ``SigmoidSlope()``.
    n_runs : int, default=1
        Training runs, with different seeds, that an evaluation averages.
    n_hidden : int, default=100
        Width of the hidden layers.
    n_epochs : int, default=50
        Passes over the training images.
    batch_size : int, default=50
        Images in a batch.
    lr : float, default=0.01
        Adam's learning rate.
    l2 : float, default=1e-5
        L2 penalty on weights and biases.
    init_scale : float, default=1.0
        Standard deviation of the initial weights and biases.
    checkpoint_dir : str or path-like, default=None
        A folder in which every training keeps a checkpoint, so that one that was killed goes
        on after its last epoch, to the same result, and one that has ended is not repeated.
        Other settings, of ``n_epochs`` too, are other trainings. ``None`` keeps none.
    random_state : int, default=0
        Seed of the first run; the next ones count up from it.
    device : str, default=None
        A torch device. ``None``: the GPU if there is one.
    data_home : str or path-like, default=None
        See :func:`~sk_petridish.datasets.load_mnist`.

    Attributes
    ----------
    presets : dict of str to dict
        ``"paper"``: the published training, as the defaults have it. ``"laptop"``: a tenth of its
        epochs.

    See Also
    --------
    TrainedGroundTruth : What ground truths that train have in common.
    sk_petridish.datasets.load_sigmoid_slopes : What it measured.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       appendix A.2.1 and Table 1.

    Examples
    --------
    >>> from sk_petridish.search.ground_truth import MLPGroundTruth
    >>> ground_truth = MLPGroundTruth(n_epochs=1)
    >>> ground_truth([0.23])  # doctest: +SKIP
    0.0533
    >>> MLPGroundTruth.preset("laptop").n_epochs
    5
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {},
        "laptop": {"n_epochs": 5},
    }
    _parameter_constraints: ClassVar[Constraints] = {
        **TrainedGroundTruth._parameter_constraints,
        "data_home": [str, os.PathLike, None],
        "n_runs": [integers(1)],
        "n_hidden": [integers(1)],
        "batch_size": [integers(1)],
        "lr": [reals(0)],
        "l2": [reals(0, closed="left")],
        "init_scale": [reals(0)],
        "random_state": [integers(0, 2**63 - 1)],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        n_runs: int = 1,
        n_hidden: int = 100,
        n_epochs: int = 50,
        batch_size: int = 50,
        lr: float = 0.01,
        l2: float = 1e-5,
        init_scale: float = 1.0,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        random_state: int = 0,
        device: str | None = None,
        data_home: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(
            motif_space, n_epochs=n_epochs, checkpoint_dir=checkpoint_dir, device=device
        )
        self.n_runs = n_runs
        self.n_hidden = n_hidden
        self.batch_size = batch_size
        self.lr = lr
        self.l2 = l2
        self.init_scale = init_scale
        self.random_state = random_state
        self.data_home = data_home

    def train(self, row: ArrayLike) -> Iterator[list[ValidationScore]]:
        """Train the motif's network ``n_runs`` times, evaluating after every epoch.

        The runs are independent; they go side by side, since one alone is mostly
        overhead, and so that a pruner sees their mean.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.

        Yields
        ------
        list of ValidationScore
            Loss and accuracy of every run on the validation images.

        Raises
        ------
        ValueError
            If the row is no motif, or a parameter cannot be.
        """
        resumed = self._resume(row)
        for epoch, _ in enumerate(resumed.losses()):
            yield resumed.training.scores[epoch]

    def _space(self) -> MotifSpace:
        return SigmoidSlope() if self.motif_space is None else self.motif_space

    def _data(self) -> _Images:
        mnist = load_mnist(self.data_home)
        x = torch.from_numpy(mnist.data[: _N_TRAIN + _N_VALID] / np.float32(255)).to(self._device)
        y = torch.from_numpy(mnist.target[: _N_TRAIN + _N_VALID]).to(self._device)
        return _Images(x[:_N_TRAIN], y[:_N_TRAIN], x[_N_TRAIN:], y[_N_TRAIN:])

    def _start(self, blueprint: NetworkSpec, data: _Images) -> _Runs:
        generators = [
            torch.Generator().manual_seed(self.random_state + run) for run in range(self.n_runs)
        ]
        networks = []
        for generator in generators:
            n_inputs = data.x_train.shape[1]
            network = blueprint.build(n_inputs, self.n_hidden, 10, generator=generator)
            for weight in network.parameters():
                nn.init.normal_(weight, std=self.init_scale, generator=generator)
            networks.append(network.to(data.x_train.device))
        # The graph, and weights with a leading axis of runs.
        weights = stack_module_state(networks)[0]
        optimizer = torch.optim.Adam(weights.values(), lr=self.lr, weight_decay=self.l2, fused=True)
        return _Runs(networks[0], weights, optimizer, generators, data, self.batch_size)


class _Images(NamedTuple):
    """Images from 0 to 1, and their digits."""

    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor


class _Runs:
    """Training runs, side by side.

    Parameters
    ----------
    network : Module
        The graph.
    weights : dict of str to Tensor of shape (n_runs, ...)
        Weights of all runs.
    optimizer : Adam
        What updates them.
    generators : list of torch.Generator
        Where the order of images comes from, one a run.
    images : _Images
        What is learned.
    batch_size : int
        Images in a batch.

    Attributes
    ----------
    scores : list of lists of ValidationScore
        How every run does after each epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        weights: dict[str, Tensor],
        optimizer: torch.optim.Adam,
        generators: list[torch.Generator],
        images: _Images,
        batch_size: int,
    ) -> None:
        self.network = network
        self.weights = weights
        self.optimizer = optimizer
        self.generators = generators
        self.images = images
        self.batch_size = batch_size
        self.scores: list[list[ValidationScore]] = []

    @property
    def losses(self) -> list[float]:
        """1 - accuracy after each epoch, mean of the runs."""
        return [1.0 - float(np.mean([run.accuracy for run in runs])) for runs in self.scores]

    def epoch(self) -> None:
        """Train for an epoch, and evaluate."""
        x, y, x_valid, y_valid = self.images
        # Indexing whole tensors: a DataLoader costs more than the network.
        orders = torch.stack(
            [torch.randperm(len(x), generator=generator) for generator in self.generators]
        ).to(x.device)
        for batches in orders.split(self.batch_size, dim=1):
            outputs = functional_call(self.network, self.weights, (x[batches],))
            self.optimizer.zero_grad()
            loss = F.cross_entropy(outputs.flatten(0, 1), y[batches].flatten())
            # Times n_runs: each run has the gradient of its own mean loss.
            (loss * len(self.generators)).backward()
            self.optimizer.step()
        outputs = functional_call(self.network, self.weights, (x_valid,)).detach()
        self.scores.append(_evaluate(outputs, y_valid))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the training goes on from."""
        return {
            "weights": self.weights,
            "optimizer": self.optimizer.state_dict()["state"],
            "generators": [generator.get_state() for generator in self.generators],
            "scores": [[tuple(run) for run in runs] for runs in self.scores],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        check_tensors(state["weights"], self.weights)
        moments = state["optimizer"]
        if moments.keys() != set(range(len(self.weights))):
            raise ValueError(f"not the moments of {len(self.weights)} weights")
        for weight, of_weight in zip(self.weights.values(), moments.values(), strict=True):
            # Adam's kernels do not look at shapes.
            check_tensors(
                of_weight,
                {"step": torch.empty(()), "exp_avg": weight, "exp_avg_sq": weight},
            )
        self.scores = [[_score(run) for run in runs] for runs in state["scores"]]
        if {len(runs) for runs in self.scores} != {len(self.generators)}:
            raise ValueError(f"not the scores of {len(self.generators)} runs")
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state["weights"][name])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        for generator, position in zip(self.generators, state["generators"], strict=True):
            generator.set_state(position)


def _score(pair: tuple[float, float]) -> ValidationScore:
    """Return a score, or raise ValueError where it can be none."""
    score = ValidationScore(*pair)
    # A training may diverge, to a loss of NaN.
    if not 0 <= score.accuracy <= 1 or score.loss < 0:
        raise ValueError(f"no score: {score}")
    return score


def _evaluate(outputs: Tensor, labels: Tensor) -> list[ValidationScore]:
    """Compare each run's outputs, (n_runs, n_samples, n_outputs), with the labels."""
    return [
        ValidationScore(
            loss=F.cross_entropy(run, labels).item(),
            accuracy=(run.argmax(1) == labels).double().mean().item(),
        )
        for run in outputs
    ]
