"""Training of language models: random windows, clipping, SGD and then its average."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ._training import check_tensors
from ._word_model import State, WordModel

# Windows are half as long in one case of twenty, never shorter than _SHORTEST, nor longer
# than the usual length and _LONGER.
_SHARE_OF_FULL, _SPREAD, _SHORTEST, _LONGER = 0.95, 5.0, 5, 20
# Windows after which to look whether training has diverged.
_CHECKED = 50


@dataclass(frozen=True)
class TrainingSettings:
    """How a language model is trained.

    Parameters
    ----------
    lr : float
        SGD's learning rate, of a window of the usual length.
    l2 : float
        Weight decay.
    clip : float
        Largest norm of the gradient.
    n_time_steps : int
        The usual length of a window.
    activation_l2 : float
        Weight of the mean square of what the readout reads (AR).
    temporal_l2 : float
        Weight of the mean square of how much the cell's output changes in a step (TAR).
    patience : int
        The average begins after an epoch whose loss is worse than the best of those before,
        this many latest ones apart.
    """

    lr: float
    l2: float
    clip: float
    n_time_steps: int
    activation_l2: float
    temporal_l2: float
    patience: int


def in_columns(stream: NDArray[np.int64], n_columns: int) -> Tensor:
    """Cut a stream into columns of equal length, which are read side by side.

    Parameters
    ----------
    stream : ndarray of shape (n_tokens,), int64
        Words.
    n_columns : int
        How many.

    Returns
    -------
    Tensor of shape (n_columns, n_tokens // n_columns), int64
        The columns, one a row, without the rest.

    Raises
    ------
    ValueError
        If a column has no two words.
    """
    length = len(stream) // n_columns
    if length < 2:
        raise ValueError(f"{len(stream)} words are too few for {n_columns} columns.")
    # A copy: joblib's workers get arrays that cannot be written.
    return torch.tensor(stream[: length * n_columns]).view(n_columns, length)


def windows(
    n_words: int, n_time_steps: int, generator: torch.Generator
) -> Iterator[tuple[int, int]]:
    """Cut columns into windows of random lengths.

    Parameters
    ----------
    n_words : int
        Length of the columns.
    n_time_steps : int
        The usual length of a window.
    generator : torch.Generator
        Where lengths come from.

    Yields
    ------
    start, stop : int
        Of the words that are read; each of them is followed by another in its column. One
        word may be left over.
    """
    start = 0
    while start < n_words - 2:
        full, deviation = torch.rand(1, generator=generator), torch.randn(1, generator=generator)
        base = n_time_steps if full.item() < _SHARE_OF_FULL else n_time_steps / 2
        length = max(_SHORTEST, int(base + _SPREAD * deviation.item()))
        stop = min(start + min(length, n_time_steps + _LONGER), n_words - 1)
        yield start, stop
        start = stop


class Trainer:
    """Trains a language model, epoch by epoch, and remembers its best weights.

    Parameters
    ----------
    model : WordModel
        The model, on the device to train on.
    settings : TrainingSettings
        How.
    generator : torch.Generator
        Where the lengths of windows and dropout come from; one of the CPU.

    Attributes
    ----------
    valid_losses : list of float
        Nats a word on the validation words after each epoch; where training diverged, those of
        the weights that it went back to.
    best_loss : float
        The smallest of them.
    """

    def __init__(
        self,
        model: WordModel,
        settings: TrainingSettings,
        generator: torch.Generator,
    ) -> None:
        self.model = model
        self.settings = settings
        self.generator = generator
        # The published trainings go on with torch's ASGD. It is SGD with an average beside it,
        # only that a new learning rate, which every window has, reaches it one step late.
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=settings.lr, weight_decay=settings.l2
        )
        self.average: AveragedModel | None = None
        self.valid_losses: list[float] = []
        self.best_loss = math.inf
        self._best = self._weights()

    @property
    def evaluated(self) -> nn.Module:
        """What is evaluated: the average, once there is one."""
        return self.model if self.average is None else self.average

    def epoch(self, train: Tensor, valid: Tensor) -> float:
        """Train for an epoch, and evaluate.

        Where training diverges, the best weights come back, at first the initial ones.

        Parameters
        ----------
        train, valid : Tensor of shape (n_columns, n_words), int64
            The words.

        Returns
        -------
        float
            Nats a word on the validation words.
        """
        loss = self.evaluate(valid) if self._train(train) else math.nan
        if not math.isfinite(loss):
            self._restore(self._best)
            loss = self.evaluate(valid) if math.isinf(self.best_loss) else self.best_loss
        if loss < self.best_loss:
            self.best_loss, self._best = loss, self._weights()
        elif self.average is None and self._stagnates(loss):
            self.average = AveragedModel(self.model)
        self.valid_losses.append(loss)
        return loss

    def evaluate(self, words: Tensor) -> float:
        """Evaluate the weights that count now.

        Parameters
        ----------
        words : Tensor of shape (n_columns, n_words), int64
            The words.

        Returns
        -------
        float
            Nats a word that is predicted: all but the first of every column.
        """
        return evaluate(self.evaluated, words, self.settings.n_time_steps)

    def go_back_to_best(self) -> None:
        """Take the best weights up again."""
        self._restore(self._best)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training goes on from.

        Returns
        -------
        dict
            Of tensors, numbers and dictionaries of them.
        """
        return {
            "weights": self._weights(),
            "best": self._best,
            "valid_losses": list(self.valid_losses),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where another training was.

        Parameters
        ----------
        state : dict
            As :meth:`state_dict` gives it.

        Raises
        ------
        Exception
            Of any kind, if it is of no such training. It may be taken over by half then.
        """
        if state.keys() != self.state_dict().keys():
            raise ValueError(f"not the state of a language model's training: {list(state)}")
        losses = list(state["valid_losses"])
        self.best_loss = _best_of(losses)
        self.valid_losses = losses
        for weights in (state["weights"], state["best"]):
            self._check(weights)
        self._restore(state["weights"])
        self._best = state["best"]
        self.generator.set_state(state["generator"])

    def _check(self, weights: dict[str, Any]) -> None:
        """Raise ValueError unless weights are of this model, and finite."""
        if weights.keys() != {"model", "average"}:
            raise ValueError(f"not weights and their average: {list(weights)}")
        for module, tensors in (
            (self.model, weights["model"]),
            (AveragedModel(self.model), weights["average"]),
        ):
            if module is self.model or tensors is not None:
                check_tensors(tensors, module.state_dict())
                # Where training diverges it goes back, so that no other weights are kept.
                if not all(tensor.isfinite().all() for tensor in tensors.values()):
                    raise ValueError("weights that are not finite")

    def _train(self, words: Tensor) -> bool:
        """Train for an epoch; False if it diverged."""
        settings, group, state = self.settings, self.optimizer.param_groups[0], None
        loss = words.new_zeros((), dtype=torch.float32)
        cut = windows(words.shape[1], settings.n_time_steps, self.generator)
        for number, (start, stop) in enumerate(cut):
            # Not for every window, since a GPU has to stop for it.
            if number % _CHECKED == 0 and not torch.isfinite(loss):
                return False
            loss, state = self._loss(words[:, start:stop], words[:, start + 1 : stop + 1], state)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
            # Short windows weigh less.
            group["lr"] = settings.lr * (stop - start) / settings.n_time_steps
            self.optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.model)
        return bool(torch.isfinite(loss))

    def _loss(self, words: Tensor, following: Tensor, state: State | None) -> tuple[Tensor, State]:
        settings = self.settings
        outputs = self.model(words, state, self.generator)
        loss = F.cross_entropy(outputs.logits.flatten(0, 1), following.flatten())
        if settings.activation_l2:
            loss = loss + settings.activation_l2 * outputs.dropped.square().mean()
        if settings.temporal_l2:
            changes = outputs.hidden.diff(dim=1)
            loss = loss + settings.temporal_l2 * changes.square().mean()
        return loss, {position: value.detach() for position, value in outputs.state.items()}

    def _stagnates(self, loss: float) -> bool:
        before = self.valid_losses[: max(len(self.valid_losses) - self.settings.patience, 0)]
        return bool(before) and loss > min(before)

    def _weights(self) -> dict[str, Any]:
        """Copy the weights and, once there is one, their average."""
        return {
            "model": _copy(self.model),
            "average": None if self.average is None else _copy(self.average),
        }

    def _restore(self, weights: dict[str, Any]) -> None:
        self.model.load_state_dict(weights["model"])
        if weights["average"] is None:
            self.average = None
        else:
            self.average = AveragedModel(self.model)
            self.average.load_state_dict(weights["average"])


def evaluate(model: nn.Module, words: Tensor, n_time_steps: int) -> float:
    """Measure how well a language model predicts.

    Parameters
    ----------
    model : WordModel, or an average of its weights
        The model.
    words : Tensor of shape (n_columns, n_words), int64
        The words.
    n_time_steps : int
        Length of the windows; it changes nothing but memory and speed.

    Returns
    -------
    float
        Nats a word that is predicted.
    """
    total, state = 0.0, None
    with torch.no_grad():
        for inputs, following in zip(
            words[:, :-1].split(n_time_steps, dim=1),
            words[:, 1:].split(n_time_steps, dim=1),
            strict=True,
        ):
            outputs = model(inputs, state)
            state = outputs.state
            logits = outputs.logits.flatten(0, 1)
            total += F.cross_entropy(logits, following.flatten(), reduction="sum").item()
    return total / words[:, 1:].numel()


def _best_of(losses: list[float]) -> float:
    """Return the smallest loss; raise ValueError where no training has such ones."""
    best = math.inf
    for loss in losses:
        # Training comes back from what is not finite, once anything was.
        if math.isfinite(best) and not math.isfinite(loss):
            raise ValueError(f"a loss of {loss} after one of {best}")
        best = loss if loss < best else best
    return best


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
