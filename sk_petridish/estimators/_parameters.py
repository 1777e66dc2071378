"""Parameters of a dish estimator, and the settings that they become."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data
from skorch.callbacks import Callback

from sk_petridish._compat._constraints import SequenceOf, integers, job_counts, random_states, reals
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._torch import has_device
from sk_petridish._compat._validation import Constraints
from sk_petridish.blueprints import Blueprint, NetworkSpec, SampleShape, Widths
from sk_petridish.dish import (
    AUTO,
    ENGINE_NAMES,
    INNER_LOSSES,
    OUTER_LOSSES,
    STATISTICS,
    DishEnsemble,
    DishSettings,
    EngineOptions,
    InitialWeights,
    InnerLoop,
    OuterLoop,
)
from sk_petridish.motifs import Motifs, MotifSpace, SigmoidSlope
from sk_petridish.motifs.recommended._paper import PAPER
from sk_petridish.tasks import Task

from ._skorch_callbacks import Entry, Named, check_callbacks, name_callbacks

_PREFIX = "callbacks__"


class DishParameters(BaseEstimator):
    """The parameters of :class:`~sk_petridish.PetriDishRegressor`, which describes them."""

    motif_space_: MotifSpace

    _parameter_constraints: ClassVar[Constraints] = {
        "motif_space": [MotifSpace, None],
        "n_dishes": [integers(1)],
        "n_inputs": [integers(1), None],
        "n_hidden": [integers(1), None],
        "n_outputs": [integers(1), None],
        "n_synthetic": [integers(1), None],
        "n_batches": [integers(1), None],
        "n_time_steps": [integers(1), None],
        "image_size": [integers(1), None],
        "task": [Task, None],
        "validation_data": [StrOptions({"copy", "separate"}), None],
        "learn_labels": ["boolean", None],
        "init": [StrOptions({"normal", "fan_in"}), None],
        "init_scale": [reals(0), None],
        "inner_steps": [integers(0), None],
        "inner_lr": [reals(0), None],
        "inner_l2": [reals(0, closed="left"), None],
        "inner_optimizer": [StrOptions({"adam", "sgd"}), None],
        "inner_loss": [StrOptions(set(INNER_LOSSES)), None],
        "statistic": [StrOptions(set(STATISTICS)), None],
        "max_iter": [integers(0), None],
        "outer_lr": [reals(0), None],
        "outer_lr_decay": [reals(0), None],
        "outer_lr_steps": [SequenceOf(integers(1), min_length=0), None],
        "outer_l2": [reals(0, closed="left"), None],
        "outer_loss": [StrOptions(set(OUTER_LOSSES)), None],
        "max_outer_loss": [reals(0, closed="left")],
        "oob_fraction": [reals(0, 0.5, closed="both")],
        "batch_size": [integers(2)],
        "tol": [reals(0, closed="left")],
        "n_iter_no_change": [integers(1), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [reals(0, 1)],
        # Built from the registry, and as live: an engine of the user's own may come later.
        "engine": [StrOptions(ENGINE_NAMES)],
        "device": [str],
        "n_jobs": job_counts(),
        "dtype": [StrOptions({"float64", "float32"})],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": random_states(),
        "verbose": ["boolean"],
    }

    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        n_dishes: int = 24,
        n_inputs: int | None = None,
        n_hidden: int | None = None,
        n_outputs: int | None = None,
        n_synthetic: int | None = None,
        n_batches: int | None = None,
        n_time_steps: int | None = None,
        image_size: int | None = None,
        task: Task | None = None,
        validation_data: Literal["copy", "separate"] | None = None,
        learn_labels: bool | None = None,
        init: Literal["normal", "fan_in"] | None = None,
        init_scale: float | None = None,
        inner_steps: int | None = None,
        inner_lr: float | None = None,
        inner_l2: float | None = None,
        inner_optimizer: Literal["adam", "sgd"] | None = None,
        inner_loss: Literal["bce", "cross_entropy", "mse"] | None = None,
        statistic: Literal["final_valid", "mean_train", "mean_valid"] | None = None,
        max_iter: int | None = None,
        outer_lr: float | None = None,
        outer_lr_decay: float | None = None,
        outer_lr_steps: Sequence[int] | None = None,
        outer_l2: float | None = None,
        outer_loss: Literal["mse", "rank"] | None = None,
        max_outer_loss: float = 0.5,
        oob_fraction: float = 0.2,
        batch_size: int = 40,
        tol: float = 1e-4,
        n_iter_no_change: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        engine: str = AUTO,
        device: str = "cpu",
        n_jobs: int | None = None,
        dtype: Literal["float64", "float32"] = "float64",
        callbacks: Sequence[Entry] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.motif_space = motif_space
        self.n_dishes = n_dishes
        self.n_inputs = n_inputs
        self.n_hidden = n_hidden
        self.n_outputs = n_outputs
        self.n_synthetic = n_synthetic
        self.n_batches = n_batches
        self.n_time_steps = n_time_steps
        self.image_size = image_size
        self.task = task
        self.validation_data = validation_data
        self.learn_labels = learn_labels
        self.init = init
        self.init_scale = init_scale
        self.inner_steps = inner_steps
        self.inner_lr = inner_lr
        self.inner_l2 = inner_l2
        self.inner_optimizer = inner_optimizer
        self.inner_loss = inner_loss
        self.statistic = statistic
        self.max_iter = max_iter
        self.outer_lr = outer_lr
        self.outer_lr_decay = outer_lr_decay
        self.outer_lr_steps = outer_lr_steps
        self.outer_l2 = outer_l2
        self.outer_loss = outer_loss
        self.max_outer_loss = max_outer_loss
        self.oob_fraction = oob_fraction
        self.batch_size = batch_size
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.engine = engine
        self.device = device
        self.n_jobs = n_jobs
        self.dtype = dtype
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of callbacks too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to go into the motif space, the task and callbacks.

        Returns
        -------
        dict
            Values by names; ``callbacks__es__patience`` is a parameter of the callback
            ``es``. One without a name is called by its class, as in skorch.
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if not deep:
            return params
        for name, callback in self._named_callbacks():
            params[f"callbacks__{name}"] = callback
            if callback is not None:
                for part, value in callback.get_params().items():
                    params[f"callbacks__{name}__{part}"] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of callbacks too.

        Parameters
        ----------
        **params : dict
            Values by names; ``callbacks__es`` replaces the callback ``es``, and None
            takes it out.

        Returns
        -------
        estimator
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        of_callbacks = {key: params.pop(key) for key in list(params) if key.startswith(_PREFIX)}
        super().set_params(**params)
        # Whole callbacks before their parameters.
        for key in sorted(of_callbacks, key=lambda key: key.count("__")):
            self._set_callback(*key.removeprefix(_PREFIX).partition("__")[::2], of_callbacks[key])
        return self

    def _set_callback(self, name: str, part: str, value: Any) -> None:
        """Replace a callback, or set a parameter of it."""
        named = self._named_callbacks()
        names = [known for known, _ in named]
        callback = dict(named).get(name)
        if name not in names or (part and not callback):
            raise ValueError(
                f"Invalid parameter 'callbacks__{name}' for estimator {type(self).__name__}: its "
                f"callbacks are {names}."
            )
        if part and callback:
            callback.set_params(**{part: value})
        else:
            # A new list: the old one may be another's.
            self.callbacks = [(known, value if known == name else kept) for known, kept in named]

    def _named_callbacks(self) -> Named:
        """Return callbacks with their names; none where they are not what they should be."""
        try:
            return name_callbacks(self.callbacks or ())
        except (TypeError, ValueError):
            return []

    def _callbacks(self) -> list[tuple[str, Callback]]:
        """Return the user's skorch callbacks, checked."""
        named = name_callbacks(self.callbacks or ())
        kept = [(name, callback) for name, callback in named if callback is not None]
        check_callbacks(kept, holds_out=self.early_stopping)
        return kept

    def _validate_columns(self, X: ArrayLike, *, fitting: bool) -> Motifs:
        """Check rows of numbers; whether they are motifs, the motif space checks."""
        space: MotifSpace | None = self.motif_space if fitting else self.motif_space_
        try:
            checked: Motifs = validate_data(self, X, dtype=np.float64, reset=fitting)
        except (ValueError, OverflowError) as error:  # the latter of an int that no float holds
            description = (SigmoidSlope() if space is None else space).row_description
            raise ValueError(f"{error}\n{description}") from error
        if fitting:
            # A slope for each column: the default space takes any number of them.
            n_slopes = checked.shape[1]
            self.motif_space_ = SigmoidSlope(n_slopes) if space is None else clone(space)
        return checked


def shared_space(spaces: Sequence[MotifSpace], n_features: int, parts: str) -> MotifSpace:
    """Return the one motif space of parts; without any, the default for these columns."""
    if len({joblib.hash(space) for space in spaces}) > 1:
        raise ValueError(
            f"{parts} are of different motif spaces, {list(spaces)}, but a row of X is a motif "
            "of one; give motif_space."
        )
    space: MotifSpace = clone(spaces[0]) if spaces else SigmoidSlope(n_features)
    return space


def _setting(params: DishParameters, space: MotifSpace, name: str) -> Any:
    """Return a parameter's value; for ``None`` the motif space's, or else the paper's."""
    value = getattr(params, name)
    return (PAPER | space.recommended())[name] if value is None else value


def dish_settings(
    params: DishParameters, space: MotifSpace, blueprint: NetworkSpec
) -> DishSettings:
    """Return what all dishes of an estimator have in common; any motif's blueprint will do."""
    setting = partial(_setting, params, space)
    sample_shape = _sample_shape(params, space)
    n_synthetic, n_batches = setting("n_synthetic"), setting("n_batches")
    if n_synthetic % n_batches:
        raise ValueError(
            f"n_batches={n_batches} does not divide n_synthetic={n_synthetic}; mini-batches "
            "have equal size."
        )
    return DishSettings(
        widths=Widths(setting("n_inputs"), setting("n_hidden"), setting("n_outputs")),
        n_synthetic=n_synthetic,
        task=clone(setting("task")),
        validation_data=setting("validation_data"),
        learn_labels=setting("learn_labels"),
        initial_weights=InitialWeights(setting("init"), setting("init_scale")),
        inner=InnerLoop(
            steps=setting("inner_steps"),
            lr=setting("inner_lr"),
            l2=setting("inner_l2"),
            optimizer=setting("inner_optimizer"),
            loss=setting("inner_loss"),
            n_batches=n_batches,
        ),
        statistic=setting("statistic"),
        sample_shape=sample_shape,
        output_shape=_output_shape(blueprint, sample_shape),
    )


def _output_shape(blueprint: NetworkSpec, sample_shape: SampleShape) -> SampleShape | None:
    """Return the axes of an output beside its units, where these are not the sample's.

    Labels of every position are drawn for the positions that there are behind reductions. A
    module does not say what it does.
    """
    if not isinstance(blueprint, Blueprint):
        return None
    shape = blueprint.shapes(sample_shape)[-1]
    return None if shape == sample_shape else shape


def _sample_shape(params: DishParameters, space: MotifSpace) -> SampleShape:
    """Return the axes of a sample beside its features, as the motifs need them."""
    setting = partial(_setting, params, space)
    match space.data_kind:
        case "sequences":
            return (setting("n_time_steps"),)
        case "images":
            return 2 * (setting("image_size"),)
        case "vectors":
            return ()
    raise ValueError(
        "A motif space's data_kind must be 'vectors', 'sequences' or 'images', got "
        f"{space.data_kind!r}."
    )


def outer_loop(params: DishParameters, space: MotifSpace) -> OuterLoop:
    """Return the settings of an estimator's outer loop."""
    setting = partial(_setting, params, space)
    return OuterLoop(
        max_iter=setting("max_iter"),
        lr=setting("outer_lr"),
        lr_decay=setting("outer_lr_decay"),
        lr_steps=tuple(setting("outer_lr_steps")),
        l2=setting("outer_l2"),
        loss=setting("outer_loss"),
        batch_size=int(params.batch_size),  # torch takes no integer of numpy
        tol=params.tol,
        n_iter_no_change=setting("n_iter_no_change"),
        verbose=params.verbose,
    )


def engine_options(params: DishParameters) -> EngineOptions:
    """Return how an estimator's inner loops are to be run; refuse a device that is not there."""
    if not has_device(params.device):
        raise ValueError(f"device must be one that PyTorch finds here, got {params.device!r}.")
    return EngineOptions(params.engine, params.dtype, params.device, params.n_jobs)


def draw_seeds(params: DishParameters) -> list[int]:
    """Return two seeds for learning and one for each dish, the same however many."""
    # Those of the dishes come last: more dishes leave the seeds of the others as they are.
    generator = check_random_state(params.random_state)
    seeds: list[int] = generator.randint(2**31 - 1, size=params.n_dishes + 2).tolist()
    return seeds


def draw_ensemble(
    params: DishParameters, space: MotifSpace, blueprint: NetworkSpec
) -> DishEnsemble:
    """Draw the dishes from which an estimator's learning starts."""
    _, _, *seeds = draw_seeds(params)
    settings = dish_settings(params, space, blueprint)
    return DishEnsemble.draw(settings, seeds, engine_options(params))
