"""Trainings that a ground truth begins, and goes on with from a checkpoint."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ._checkpoint import read_checkpoint, save_checkpoint


class Training(Protocol):
    """A training, epoch by epoch: what a :class:`TrainedGroundTruth` begins.

    Any object will do that has this attribute and these methods.

    Attributes
    ----------
    losses : list of float
        The loss after each epoch so far.

    See Also
    --------
    TrainedGroundTruth : Has an example.
    """

    @property
    def losses(self) -> list[float]:
        """The loss after each epoch so far."""

    def epoch(self) -> None:
        """Train for an epoch, and append its loss."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that the training goes on from, its losses and generators too.

        Returns
        -------
        dict
            Tensors, numbers, strings, None, and lists, tuples and dictionaries of them.
        """

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state, or raise where it cannot be one of this training.

        Parameters
        ----------
        state : dict
            As :meth:`state_dict` returns it, in the memory of the CPU.
        """


_Training = TypeVar("_Training", bound=Training)


class Resumed(Generic[_Training]):
    """A training that is brought to where its checkpoint is, and writes it.

    Parameters
    ----------
    start : callable
        ``start()``: the training before its first epoch.
    n_epochs : int
        Epochs of the whole training.
    path : Path or None
        The checkpoint, named by what determines the training; ``None`` keeps none.

    Attributes
    ----------
    training : Training
        The training.

    Warns
    -----
    RuntimeWarning
        If the checkpoint is none of this training, which then begins anew.
    """

    def __init__(self, start: Callable[[], _Training], n_epochs: int, path: Path | None) -> None:
        self.n_epochs = n_epochs
        self.path = path
        self.training = start()
        if path is None:
            return
        # Where there can be no folder, it is known before anything has taken long.
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._load(path)
        except ValueError as error:
            # Begun again, since half of the state may have been taken over.
            self.training = start()
            warnings.warn(
                f"{error} The training begins anew, and replaces the file.",
                RuntimeWarning,
                stacklevel=2,
            )

    def losses(self) -> Iterator[float]:
        """Return the loss after each epoch, those of before first; the others are trained.

        Yields
        ------
        float
            The loss.

        Warns
        -----
        RuntimeWarning
            If the checkpoint cannot be written. The training goes on without it.
        """
        yield from list(self.training.losses)
        while len(self.training.losses) < self.n_epochs:
            self.training.epoch()
            if self.path is not None:
                self._save(self.path)
            yield self.training.losses[-1]

    def _load(self, path: Path) -> None:
        """Go on from a file, if there is one; raise ValueError where it is none of this."""
        name, state = read_checkpoint(path)
        if state is None:
            return
        try:
            # A copy of another training's: the states of equal shapes fit each other.
            if name != path.stem:
                raise ValueError(f"it was written for the training {name}")
            self.training.load_state_dict(state)
            losses = self.training.losses
            if not 1 <= len(losses) <= self.n_epochs or {type(loss) for loss in losses} != {float}:
                raise ValueError(f"not the losses of 1 to {self.n_epochs} epochs: {losses}")
            # What was not taken over, or as something else, does not come back.
            if not _are_equal(self.training.state_dict(), state):
                raise ValueError("the training does not go on from all of it")
        except Exception as error:
            raise ValueError(f"{path} is no checkpoint of this training ({error}).") from error

    def _save(self, path: Path) -> None:
        try:
            save_checkpoint(path, self.training.state_dict())
        except OSError as error:
            # A full disk, or a folder in the file's place, costs no loss that was trained.
            warnings.warn(
                f"The checkpoint {path} cannot be written: {error}. The training goes on; if it "
                "is killed, it begins where its last checkpoint is.",
                RuntimeWarning,
                stacklevel=3,
            )


def check_tensors(state: dict[str, Any], like: dict[str, Tensor]) -> None:
    """Refuse tensors that cannot take the place of others.

    Parameters
    ----------
    state : dict of str to Tensor
        Tensors of a checkpoint.
    like : dict of str to Tensor
        Tensors of the names, shapes and types that they must have.

    Raises
    ------
    ValueError
        If one has not.
    """
    if not isinstance(state, dict) or state.keys() != like.keys():
        raise ValueError(f"not the tensors {list(like)}")
    for name, expected in like.items():
        tensor = state[name]
        if not isinstance(tensor, Tensor) or (tensor.shape, tensor.dtype) != (
            expected.shape,
            expected.dtype,
        ):
            raise ValueError(f"{name} is no {expected.dtype} of shape {tuple(expected.shape)}")


def _are_equal(ours: Any, theirs: Any) -> bool:
    """Compare states, whose tensors may be on other devices; NaN is equal to NaN."""
    if isinstance(ours, np.number):
        ours = ours.item()
    match ours, theirs:
        case Tensor(), Tensor():
            if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
                return False
            # By their bytes: numbers may be NaN, and zero has two signs.
            pair = [one.cpu().contiguous().flatten().view(torch.uint8) for one in (ours, theirs)]
            return torch.equal(*pair)
        case dict(), dict():
            return ours.keys() == theirs.keys() and all(
                _are_equal(value, theirs[key]) for key, value in ours.items()
            )
        case (list(), list()) | (tuple(), tuple()):
            return len(ours) == len(theirs) and all(map(_are_equal, ours, theirs))
        case float(), float():
            return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return type(ours) is type(theirs) and bool(ours == theirs)
