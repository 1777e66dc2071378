"""What ground truths that train a network have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Self

import joblib
import optuna
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._validation import Constraints, ValidatedParameters, validated
from sk_petridish.blueprints import Blueprint, NetworkSpec
from sk_petridish.motifs import MotifSpace

from ._epochs import train_on
from ._training import Resumed, Training

# What no training depends on: the network says what the motif is, and the rest is where.
_IRRELEVANT = frozenset({"motif_space", "checkpoint_dir", "device", "data_home"})


class TrainedGroundTruth(ValidatedParameters, ABC):
    """Base class of ground truths that train a motif's network, epoch by epoch.

    A subclass reads data and begins a training. In return it has checkpoints, from which a
    training that was killed goes on to the same result, pruning after every epoch, presets,
    scikit-learn's parameters, and the way into other processes.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        What a row means.
    n_epochs : int, default=10
        Passes over the training data.
    checkpoint_dir : str or path-like, default=None
        A folder in which every training keeps a checkpoint, so that one that was killed goes
        on after its last epoch, and one that has ended is not repeated. Equal networks, of
        whatever row, are trained once. ``None`` keeps none.
    device : str, default=None
        A torch device. ``None``: the GPU if there is one.

    Attributes
    ----------
    presets : dict of str to dict
        Settings that belong together, by their name; of the class.

    Warns
    -----
    RuntimeWarning
        By a call, if a checkpoint is damaged, or none of this training: the training begins
        anew and replaces it. Also if one cannot be written.

    See Also
    --------
    MLPGroundTruth : Experiment 4.1, a subclass.
    LanguageModelGroundTruth : Experiment 4.2, another.
    Training : What a subclass begins.

    Notes
    -----
    What a subclass writes:

    * ``__init__``, which hands the parameters above to the base, those that it has;
    * ``_data()``, which reads the data, once for the parameters as they are;
    * ``_start(blueprint, data)``, which returns a :class:`Training` before its first epoch;
    * ``_loss(training, data)``, if the loss is not that after the last epoch.

    A checkpoint is named by a digest of whatever determines the training: its class and
    ``_version``, the network, the data, and all parameters but the motif space, those that say
    where something is done (``device``, ``data_home``), and those named in ``_irrelevant``. The
    file holds this digest too, so that the copy of another training's is not gone on from. A
    class that comes to train otherwise counts its ``_version`` up, so that no training goes on
    from what another one began. Versions of torch, which round otherwise, do not count.

    Examples
    --------
    Polynomials, fitted by gradient descent:

    >>> import torch
    >>> from sk_petridish.motifs import SigmoidSlope
    >>> from sk_petridish.search.ground_truth import TrainedGroundTruth
    >>> class Fit:
    ...     def __init__(self, network, x, y):
    ...         self.network, self.x, self.y, self.losses = network, x, y, []
    ...         self.optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    ...     def epoch(self):
    ...         loss = torch.nn.functional.mse_loss(self.network(self.x), self.y)
    ...         self.optimizer.zero_grad()
    ...         loss.backward()
    ...         self.optimizer.step()
    ...         self.losses.append(loss.item())
    ...     def state_dict(self):
    ...         parts = {"network": self.network, "optimizer": self.optimizer}
    ...         return {"losses": self.losses} | {k: part.state_dict() for k, part in parts.items()}
    ...     def load_state_dict(self, state):
    ...         self.losses = state["losses"]
    ...         self.network.load_state_dict(state["network"])
    ...         self.optimizer.load_state_dict(state["optimizer"])
    >>> class SineGroundTruth(TrainedGroundTruth):
    ...     presets = {"quick": {"n_epochs": 5}}
    ...     def _data(self):
    ...         x = torch.linspace(-3, 3, 100)[:, None]
    ...         return x, x.sin()
    ...     def _start(self, blueprint, data):
    ...         generator = torch.Generator().manual_seed(0)
    ...         return Fit(blueprint.build(1, 8, 1, generator=generator), *data)
    >>> ground_truth = SineGroundTruth.preset("quick", SigmoidSlope())
    >>> 0 < ground_truth([0.5]) < 1
    True
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    _version: ClassVar[int] = 1
    _irrelevant: ClassVar[frozenset[str]] = frozenset()
    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace, None],
        "n_epochs": [integers(1)],
        "checkpoint_dir": [str, os.PathLike, None],
        "device": [str, None],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        n_epochs: int = 10,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str | None = None,
    ) -> None:
        self.motif_space = motif_space
        self.n_epochs = n_epochs
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self._read: _Read | None = None

    @classmethod
    def preset(cls, name: str, motif_space: MotifSpace | None = None, **changes: Any) -> Self:
        """Return a ground truth with settings that belong together.

        Parameters
        ----------
        name : str
            One of ``presets``.
        motif_space : MotifSpace, default=None
            See the class.
        **changes : dict
            Parameters that are to differ.

        Returns
        -------
        TrainedGroundTruth
            The ground truth.

        Raises
        ------
        ValueError
            If there is no such preset, or a parameter cannot be.

        Examples
        --------
        >>> from sk_petridish.search.ground_truth import LanguageModelGroundTruth
        >>> LanguageModelGroundTruth.preset("laptop", n_epochs=10).n_hidden
        64
        """
        if name not in cls.presets:
            raise ValueError(f"There is no preset {name!r}; there are {sorted(cls.presets)}.")
        return cls(motif_space, **(cls.presets[name] | changes))

    def __call__(self, row: ArrayLike, trial: optuna.trial.BaseTrial | None = None) -> float:
        """Train the motif's network and return its loss.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.
        trial : optuna.trial.BaseTrial, default=None
            A trial that is told the loss after every epoch and may be pruned.

        Returns
        -------
        float
            The loss.

        Raises
        ------
        ValueError
            If the row is no motif, or its network none that is trained here.
        optuna.TrialPruned
            If the trial's pruner ends the evaluation early.

        Warns
        -----
        RuntimeWarning
            If a checkpoint is damaged, or cannot be written.
        """
        resumed = self._resume(row)
        train_on(resumed.losses(), self.n_epochs, trial)
        return self._loss(resumed.training, self._content())

    @abstractmethod
    def _data(self) -> Any:
        """Read all that a training depends on beside the parameters: arrays and tensors."""

    @abstractmethod
    def _start(self, blueprint: NetworkSpec, data: Any) -> Training:
        """Return the training of a network before its first epoch."""

    def _loss(self, training: Any, data: Any) -> float:
        """Return the loss of a training that has ended."""
        return float(training.losses[-1])

    def _space(self) -> MotifSpace:
        """Return the motif space in use."""
        if self.motif_space is None:
            raise ValueError(f"{type(self).__name__} needs a motif_space to know what a row is.")
        return self.motif_space

    def _check_together(self) -> None:
        """Refuse a device that torch does not know."""
        try:
            self._device  # noqa: B018
        except RuntimeError as error:
            raise ValueError(f"device={self.device!r} is no device of torch: {error}") from error

    @property
    def _device(self) -> torch.device:
        return torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def _resume(self, row: ArrayLike) -> Resumed[Any]:
        """Begin a motif's training, or go on with it from its checkpoint."""
        self._check_params()  # set_params checks nothing
        blueprint = self._space().blueprint(row)
        data = self._content()
        path = None if self.checkpoint_dir is None else self._checkpoint(blueprint)
        return Resumed(lambda: self._start(blueprint, data), self.n_epochs, path)

    def _checkpoint(self, blueprint: NetworkSpec) -> Path:
        """Return the file of a training: whatever determines it is in the name, and the file."""
        if not isinstance(blueprint, Blueprint):
            raise ValueError(
                f"{type(self._space()).__name__} gives no blueprints, and of a function that makes "
                "modules nothing says whether it is still the same: leave checkpoint_dir out."
            )
        # Of numbers, the value counts and not the type.
        settings = {
            name: float(value) if isinstance(value, Real) else value
            for name, value in self.get_params(deep=False).items()
            if name not in _IRRELEVANT | self._irrelevant
        }
        data = self._remembered().digest
        determined = (type(self).__qualname__, self._version, repr(blueprint), settings, data)
        return Path(str(self.checkpoint_dir)) / f"{joblib.hash(determined)}.pt"

    def _content(self) -> Any:
        return self._remembered().content

    def _remembered(self) -> _Read:
        """Return the data, read once for the parameters as they are."""
        params = self.get_params(deep=False)
        if self._read is None or not self._read.is_of(params):
            self._read = _Read(params, self._data())
        return self._read

    def __getstate__(self) -> dict[str, Any]:
        """Leave the data out of pickles; it is read again where needed."""
        return vars(self) | {"_read": None}


class _Read:
    """Data, and the parameters that it was read for."""

    def __init__(self, params: dict[str, Any], content: Any) -> None:
        self._params = params
        self.content = content

    def is_of(self, params: dict[str, Any]) -> bool:
        """Whether these are the parameters: the same objects, since arrays do not compare."""
        return all(params[name] is value for name, value in self._params.items())

    @cached_property
    def digest(self) -> str:
        """A digest of the data, wherever it lies."""
        found: str = joblib.hash(list(_arrays(self.content)), coerce_mmap=True)
        return found


def _arrays(data: Any) -> Iterator[Any]:
    """Yield what data is made of, tensors as arrays: how they pickle says where they were."""
    match data:
        case Tensor():
            yield data.cpu().numpy()
        case dict():
            for name, part in data.items():
                yield name
                yield from _arrays(part)
        case list() | tuple():
            for part in data:
                yield from _arrays(part)
        case _:
            yield data
