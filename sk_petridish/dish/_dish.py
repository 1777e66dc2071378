"""A dish: synthetic data, initial weights, an inner loop and a statistic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sk_petridish._compat._constraints import integers
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, check_fields
from sk_petridish.blueprints import SampleShape, Widths
from sk_petridish.tasks import SampleSpec, Task

from ._initial_weights import DrawnOnce, InitialWeights
from ._inner_loop import InnerLoop
from ._sizes import check_sizes
from ._statistic import STATISTICS, Statistic

Array = NDArray[np.float64]

# A dish's samples, wherever all of them are handled alike.
SAMPLES = ("x_train", "y_train", "x_valid", "y_valid")
# Marks the seed sequence of synthetic data; initial weights have keys of three.
_DATA_KEY = 0


@dataclass(frozen=True)
class DishSettings:
    """Settings that all dishes of an estimator have in common.

    Parameters
    ----------
    widths : Widths
        Widths of the motif-networks.
    n_synthetic : int
        Training samples, and as many for validation.
    task : Task
        Where the first synthetic data and the labels come from.
    validation_data : {"copy", "separate"}
        Whether validation data starts as a copy of the training data (section
        3.1), or is drawn separately by the same task.
    learn_labels : bool
        Whether the outer loop learns the labels too; the paper keeps them fixed.
    initial_weights : InitialWeights
        Where theta_init comes from.
    inner : InnerLoop
        How motif-networks are trained.
    statistic : {"final_valid", "mean_train", "mean_valid"}
        What is read off the training.
    sample_shape : tuple of int, default=()
        Axes of a sample beside its features: time, or height and width.
    output_shape : tuple of int, default=None
        Axes of an output beside its units, smaller behind a reduction. ``None`` is
        ``sample_shape``.

    Raises
    ------
    ValueError
        If a field is none of these.
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "widths": [Widths],
        "n_synthetic": [integers(1)],
        "task": [Task],
        "validation_data": [StrOptions({"copy", "separate"})],
        "learn_labels": ["boolean"],
        "initial_weights": [InitialWeights],
        "inner": [InnerLoop],
        "statistic": [StrOptions(set(STATISTICS))],
        "sample_shape": [tuple],
        "output_shape": [tuple, None],
    }

    widths: Widths
    n_synthetic: int
    task: Task
    validation_data: Literal["copy", "separate"]
    learn_labels: bool
    initial_weights: InitialWeights
    inner: InnerLoop
    statistic: str
    sample_shape: SampleShape = ()
    output_shape: SampleShape | None = None

    def __post_init__(self) -> None:
        """Refuse values that are none, or do not go together."""
        check_fields(self)
        check_sizes("widths", self.widths)
        check_sizes("sample_shape", self.sample_shape)
        check_sizes("output_shape", self.output_shape or ())
        self.sample_spec(self.n_synthetic)

    def shapes(self) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Return the shapes that samples of a dish may have.

        Returns
        -------
        dict of str to tuple of tuple of int
            For each array of a :class:`Dish`: labels are of samples, or of every position of
            an output.
        """
        positions = self.sample_shape if self.output_shape is None else self.output_shape
        x = (self.n_synthetic, *self.sample_shape, self.widths.n_inputs)
        y = [(self.n_synthetic, *shape, self.widths.n_outputs) for shape in ((), positions)]
        labels = tuple(dict.fromkeys(y))
        return {"x_train": (x,), "y_train": labels, "x_valid": (x,), "y_valid": labels}

    def same_but_for_the_task(self, other: DishSettings) -> bool:
        """Return whether dishes with these settings can be run beside those with others.

        Parameters
        ----------
        other : DishSettings
            The others.

        Returns
        -------
        bool
            True where all fields are equal but the task: samples are there already, and
            tasks do not compare.
        """
        names = [one.name for one in fields(self) if one.name != "task"]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def statistic_function(self) -> Statistic:
        """The statistic that ``statistic`` names."""
        return STATISTICS[self.statistic]

    def sample_spec(self, n_samples: int) -> SampleSpec:
        """Return what a task must know of the samples.

        Parameters
        ----------
        n_samples : int
            How many.

        Returns
        -------
        SampleSpec
            As :meth:`~sk_petridish.tasks.Task.draw` takes it.
        """
        return SampleSpec(
            n_samples,
            self.widths.n_inputs,
            self.widths.n_outputs,
            self.inner.loss_function.labels,
            self.sample_shape,
            self.output_shape,
        )


@dataclass(frozen=True)
class Dish:
    """One set of synthetic data with its initial weights, and how well it ranks.

    Parameters
    ----------
    settings : DishSettings
        What it shares with the other dishes.
    seed : int
        Determines theta_init and the synthetic data before learning.
    x_train : ndarray of shape (n_synthetic, *sample_shape, n_inputs)
        Synthetic inputs to train on.
    y_train : ndarray of shape (n_synthetic, n_outputs) or (n_synthetic, *output_shape, n_outputs)
        Their labels.
    x_valid, y_valid : ndarray
        The same for validation.
    slope, intercept : float
        The readout: ``loss = slope * statistic + intercept``; NaN where the dish cannot
        tell motifs apart.
    outer_loss : float
        Normalised mean squared error over them (eq. 2); infinite there.
    converged : bool
        Whether ``outer_loss`` is small enough for the dish to be used.

    Raises
    ------
    ValueError
        If an array has another shape than the settings ask for.
    """

    settings: DishSettings = field(repr=False)
    seed: int
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_valid: Array = field(repr=False)
    y_valid: Array = field(repr=False)
    slope: float = 1.0
    intercept: float = 0.0
    outer_loss: float = np.inf
    converged: bool = False

    def __post_init__(self) -> None:
        """Refuse arrays that are not as the settings say."""
        if not isinstance(self.seed, Integral) or self.seed < 0:
            raise ValueError(f"The seed of a dish must be a whole number from 0 on: {self.seed!r}.")
        for name, shapes in self.settings.shapes().items():
            shape = np.shape(getattr(self, name))
            if shape not in shapes:
                expected = " or ".join(map(str, shapes))
                raise ValueError(
                    f"{name} of a dish has shape {shape}, but its settings ask for {expected}."
                )


def draw_dish(settings: DishSettings, seed: int) -> Dish:
    """Draw a dish before any learning.

    Parameters
    ----------
    settings : DishSettings
        What to draw.
    seed : int
        Determines all that is drawn.

    Returns
    -------
    Dish
        With the task's own samples.
    """
    n = settings.n_synthetic
    separate = settings.validation_data == "separate"
    # One call for both, so that a task with a hidden rule has the same in both.
    spec = settings.sample_spec(2 * n if separate else n)
    x, y = settings.task.draw(spec, np.random.default_rng([seed, _DATA_KEY]))
    return Dish(settings, seed, x[:n], y[:n], x[-n:].copy(), y[-n:].copy())


@dataclass(frozen=True)
class DishBatch:
    """Dishes stacked for an engine.

    Parameters
    ----------
    settings : DishSettings
        What they share.
    seeds : tuple of int
        One a dish.
    x_train : Tensor of shape (n_dishes, n_synthetic, *sample_shape, n_inputs)
        Synthetic inputs to train on.
    y_train : Tensor of shape (n_dishes, n_synthetic[, *output_shape], n_outputs)
        Their labels.
    x_valid, y_valid : Tensor
        The same for validation.
    drawn : DrawnOnce
        Weights drawn before, which a copy with other data shares.
    """

    settings: DishSettings
    seeds: tuple[int, ...]
    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    drawn: DrawnOnce = field(default_factory=DrawnOnce, repr=False, compare=False)

    @classmethod
    def stack(
        cls, dishes: Sequence[Dish], dtype: torch.dtype, device: torch.device | str
    ) -> DishBatch:
        """Stack dishes that share their settings.

        Parameters
        ----------
        dishes : sequence of Dish
            At least one.
        dtype : torch.dtype
            Of the tensors.
        device : torch.device or str
            Where they lie.

        Returns
        -------
        DishBatch
            The dishes.
        """

        def tensor(name: str) -> Tensor:
            values = np.stack([getattr(dish, name) for dish in dishes])
            return torch.as_tensor(values, dtype=dtype, device=device)

        return cls(
            settings=dishes[0].settings,
            seeds=tuple(dish.seed for dish in dishes),
            x_train=tensor("x_train"),
            y_train=tensor("y_train"),
            x_valid=tensor("x_valid"),
            y_valid=tensor("y_valid"),
        )

    def initial_weights(self, network: Any) -> Any:
        """Return theta_init of motif-networks, drawn at the first call.

        Every outer step starts from it (section 3.1).

        Parameters
        ----------
        network : object
            Motif-networks, as an engine built them.

        Returns
        -------
        Tensor or ndarray of shape (n_dishes, n_weights)
            What ``network.initial_weights`` makes of :meth:`draw_weights`; not to be
            changed in place.
        """
        settings = self.settings.initial_weights
        given = (settings, self.seeds, self.x_train.dtype, self.x_train.device)
        return self.drawn.get(network, given, lambda: network.initial_weights(self.draw_weights))

    def draw_weights(self, key: int, role: str, shape: tuple[int, ...], fan_in: int) -> Tensor:
        """Draw one weight of theta_init in every dish.

        Parameters
        ----------
        key : int
            The node's key in its blueprint, :meth:`Blueprint.weight_keys`.
        role : str
            Which of the node's weights.
        shape : tuple of int
            Shape of the weight.
        fan_in : int
            How many numbers an output of the node is a weighted sum of.

        Returns
        -------
        Tensor of shape (n_dishes, *shape)
            Initial values.
        """
        weights = [
            self.settings.initial_weights.draw(seed, key, role, shape, fan_in)
            for seed in self.seeds
        ]
        return torch.as_tensor(
            np.stack(weights), dtype=self.x_train.dtype, device=self.x_train.device
        )

    def unstack(self, dishes: Sequence[Dish]) -> list[Dish]:
        """Put the data back into the dishes that were stacked.

        Parameters
        ----------
        dishes : sequence of Dish
            As given to :meth:`stack`.

        Returns
        -------
        list of Dish
            The same dishes with this batch's data.
        """
        arrays = {
            name: getattr(self, name).detach().cpu().numpy().astype(np.float64) for name in SAMPLES
        }
        return [
            replace(dish, **{name: values[index].copy() for name, values in arrays.items()})
            for index, dish in enumerate(dishes)
        ]
