"""Ground truth of experiment 4.1: a multilayer perceptron on MNIST."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import optuna
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from sk_petridish.datasets import load_mnist
from sk_petridish.motifs import MotifSpace, SigmoidSlope

from ._epochs import train_on

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


class MLPGroundTruth(BaseEstimator):
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
    random_state : int, default=0
        Seed of the first run; the next ones count up from it.
    device : str, default=None
        A torch device. ``None``: the GPU if there is one.
    data_home : str or path-like, default=None
        See :func:`~sk_petridish.datasets.load_mnist`.

    See Also
    --------
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
    """

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
        random_state: int = 0,
        device: str | None = None,
        data_home: str | os.PathLike[str] | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.n_runs = n_runs
        self.n_hidden = n_hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.l2 = l2
        self.init_scale = init_scale
        self.random_state = random_state
        self.device = device
        self.data_home = data_home

    def __call__(self, row: ArrayLike, trial: optuna.trial.BaseTrial | None = None) -> float:
        """Train the motif's network and return its validation error.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.
        trial : optuna.trial.BaseTrial, default=None
            A trial that is told the error after every epoch and may be pruned.

        Returns
        -------
        float
            1 - accuracy on the validation images, mean of the runs.

        Raises
        ------
        optuna.TrialPruned
            If the trial's pruner ends the evaluation early.
        """
        errors = (
            1.0 - float(np.mean([evaluation.accuracy for evaluation in evaluations]))
            for evaluations in self.train(row)
        )
        return train_on(errors, self.n_epochs, trial)

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
            If the row is no motif, or there are no epochs or no runs.
        """
        if self.n_epochs < 1 or self.n_runs < 1:
            raise ValueError(
                f"Nothing to train with n_epochs={self.n_epochs} and n_runs={self.n_runs}."
            )
        x_train, y_train, x_valid, y_valid = self._images
        generators = [
            torch.Generator().manual_seed(self.random_state + run) for run in range(self.n_runs)
        ]
        network, weights = self._initial_networks(row, generators)
        optimizer = torch.optim.Adam(weights.values(), lr=self.lr, weight_decay=self.l2, fused=True)
        for _ in range(self.n_epochs):
            # Indexing whole tensors: a DataLoader costs more than the network.
            orders = torch.stack(
                [torch.randperm(len(x_train), generator=generator) for generator in generators]
            ).to(x_train.device)
            for batches in orders.split(self.batch_size, dim=1):
                outputs = functional_call(network, weights, (x_train[batches],))
                optimizer.zero_grad()
                loss = F.cross_entropy(outputs.flatten(0, 1), y_train[batches].flatten())
                # Times n_runs: each run has the gradient of its own mean loss.
                (loss * self.n_runs).backward()
                optimizer.step()
            yield _evaluate(functional_call(network, weights, (x_valid,)).detach(), y_valid)

    def _initial_networks(
        self, row: ArrayLike, generators: list[torch.Generator]
    ) -> tuple[nn.Module, dict[str, Tensor]]:
        """Build the runs' networks: the graph, and weights with a leading axis of runs."""
        space = SigmoidSlope() if self.motif_space is None else self.motif_space
        blueprint = space.blueprint(row)
        images = self._images[0]
        networks = []
        for generator in generators:
            network = blueprint.build(images.shape[1], self.n_hidden, 10, generator=generator)
            for weight in network.parameters():
                nn.init.normal_(weight, std=self.init_scale, generator=generator)
            networks.append(network.to(images.device))
        return networks[0], stack_module_state(networks)[0]

    @cached_property
    def _images(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mnist = load_mnist(self.data_home)
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        x = torch.from_numpy(mnist.data[: _N_TRAIN + _N_VALID] / np.float32(255)).to(device)
        y = torch.from_numpy(mnist.target[: _N_TRAIN + _N_VALID]).to(device)
        return x[:_N_TRAIN], y[:_N_TRAIN], x[_N_TRAIN:], y[_N_TRAIN:]

    def __getstate__(self) -> dict[str, object]:
        """Leave the images out of pickles; they are loaded again where needed."""
        return {name: value for name, value in vars(self).items() if name != "_images"}


def _evaluate(outputs: Tensor, labels: Tensor) -> list[ValidationScore]:
    """Compare each run's outputs, (n_runs, n_samples, n_outputs), with the labels."""
    return [
        ValidationScore(
            loss=F.cross_entropy(run, labels).item(),
            accuracy=(run.argmax(1) == labels).double().mean().item(),
        )
        for run in outputs
    ]
