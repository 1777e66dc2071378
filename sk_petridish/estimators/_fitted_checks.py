"""Fitted attributes that come from a file: whether each is what it must be, and fits the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from sk_petridish.blueprints import Blueprint, data_kind
from sk_petridish.dish import Dish, DishEnsemble, check_proportion
from sk_petridish.motifs import Motifs, MotifSpace

from ._evaluated_motifs import EvaluatedMotifs, LossScale
from ._splits import Mask
from ._uncertainty import SpreadCalibration

# Beyond, predictions and their squares would overflow on the way.
_LARGEST_LOSS, _LARGEST_LINE = 1e100, 1e40
# Motifs that stand for all when the size of a training is looked at.
_N_PROBED = 8


def check_type(name: str, value: Any, kinds: type | tuple[type, ...]) -> None:
    """Raise ValueError unless a value is of a type."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in _several(kinds)):
        expected = " or ".join(kind.__name__ for kind in _several(kinds))
        raise ValueError(f"{name} must be {expected}, got {value!r}.")


def _several(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def check_array(
    name: str,
    value: Any,
    shape: tuple[int | None, ...],
    dtype: type = np.float64,
    *,
    finite: bool = True,
) -> None:
    """Raise ValueError unless a value is an array of a shape and a dtype.

    Parameters
    ----------
    name : str
        What it is called.
    value : object
        What should be the array.
    shape : tuple of int or None
        Its shape; ``None`` is any length.
    dtype : type, default=numpy.float64
        Its dtype, exactly.
    finite : bool, default=True
        Whether all numbers must be finite.
    """
    check_type(name, value, np.ndarray)
    lengths = tuple(
        given if wanted is None else wanted
        for given, wanted in zip(value.shape, shape, strict=False)
    )
    if value.dtype != dtype or value.ndim != len(shape) or value.shape != lengths:
        raise ValueError(
            f"{name} must be an array of {np.dtype(dtype)} and shape {shape}, got {value.dtype} "
            f"and {value.shape}."
        )
    if finite and value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ValueError(f"{name} has numbers that are not finite.")


def check_columns(attributes: Mapping[str, Any]) -> None:
    """Raise ValueError unless the motif space has as many columns as were seen."""
    space, n_columns = attributes["motif_space_"], attributes["n_features_in_"]
    check_type("motif_space_", space, MotifSpace)
    check_type("n_features_in_", n_columns, int)
    if n_columns != (expected := space._n_columns()):
        raise ValueError(f"n_features_in_ is {n_columns}, but motifs of {space!r} have {expected}.")
    if (names := attributes.get("feature_names_in_")) is not None:
        check_array("feature_names_in_", names, (n_columns,), object)


def check_truth(space: MotifSpace, truth: EvaluatedMotifs) -> None:
    """Raise ValueError unless there are motifs of a space with losses and weights."""
    X, y, weights = truth
    check_array("X_train_", X, (None, space._n_columns()))
    check_array("y_train_", y, (len(X),))
    check_array("sample_weight_train_", weights, (len(X),))
    if len(X) < 2 or not (weights > 0).all() or np.abs(y).max() > _LARGEST_LOSS:
        raise ValueError(
            "X_train_, y_train_ and sample_weight_train_ must be at least two motifs with losses "
            f"up to {_LARGEST_LOSS:g} and positive weights."
        )
    space.validate(X)


def check_dishes(ensemble: DishEnsemble, space: MotifSpace, motifs: Motifs) -> None:
    """Raise ValueError unless dishes can train the motifs of a space, in bounded time.

    Parameters
    ----------
    ensemble : DishEnsemble
        The dishes, of which arrays have the shapes that the settings ask for.
    space : MotifSpace
        The motif space.
    motifs : ndarray of shape (n_motifs, n_features)
        Motifs of it.
    """
    for dish in ensemble.dishes:
        _check_dish(dish)
    settings = ensemble.settings
    if settings.n_synthetic % settings.inner.n_batches:
        raise ValueError(
            f"{settings.n_synthetic} samples do not make {settings.inner.n_batches} equal "
            "mini-batches."
        )
    if data_kind(settings.sample_shape) != space.data_kind:
        raise ValueError(
            f"Motifs of {space!r} need {space.data_kind}, but the dishes have "
            f"{data_kind(settings.sample_shape)}."
        )
    probed = np.vstack([motifs[:_N_PROBED], space.sample(_N_PROBED, random_state=0)])
    # One after the other: a single one may be too large for more.
    for row in probed:
        blueprint = space.blueprint(row)
        check_proportion(blueprint, ensemble.dishes[0])
        if isinstance(blueprint, Blueprint):
            _check_labels(blueprint, ensemble.dishes)
    ensemble.choose_engine(space.blueprints(probed))


def _check_dish(dish: Dish) -> None:
    settings = dish.settings
    for name, shapes in settings.shapes().items():
        # One of these it has: a dish of other shapes cannot be made.
        shape = np.shape(getattr(dish, name))
        check_array(name, getattr(dish, name), shape if shape in shapes else shapes[0])
    for name in ("slope", "intercept"):
        value = getattr(dish, name)
        check_type(name, value, Real)
        if abs(value) > _LARGEST_LINE:
            raise ValueError(f"The {name} of a dish is {value}.")
    check_type("outer_loss", dish.outer_loss, Real)
    check_type("converged", dish.converged, bool)


def _check_labels(blueprint: Blueprint, dishes: Sequence[Dish]) -> None:
    """Raise ValueError unless labels are of samples, or of the output's positions."""
    positions = blueprint.shapes(dishes[0].settings.sample_shape)[-1]
    for dish in dishes:
        for labels in (dish.y_train, dish.y_valid):
            if labels.shape[1:-1] not in ((), positions):
                raise ValueError(
                    f"A dish has labels of shape {labels.shape}, but its motif-networks outputs "
                    f"for {positions}."
                )


def check_scale(scale: Any, truth: EvaluatedMotifs, left_out: Mask) -> None:
    """Raise ValueError unless a scale is that of the losses that a dish sees."""
    check_type("_loss_scale", scale, LossScale)
    for part in (scale.mean, scale.std, scale.diverged):
        check_type("A moment of _loss_scale", part, Real)
    seen = ~left_out.all(axis=0)
    y = truth.y[seen]
    spread = np.ptp(y) if len(y) else 0.0
    # Rounding may take a mean out of the losses' range.
    slack = 1e-9 * (spread + np.abs(truth.y).max())
    if not (
        0 < scale.std <= spread + slack
        and y.min() - slack <= scale.mean <= y.max() + slack
        and y.max() - slack <= scale.diverged <= y.max() + 1e3 * spread
    ):
        raise ValueError(f"{scale} is not that of the losses in y_train_.")


def check_spread(spread: Any, scale: LossScale) -> None:
    """Raise ValueError unless a calibration is one that errors on this scale may have."""
    check_type("_spread", spread, SpreadCalibration)
    for part in spread:
        check_type("A part of _spread", part, Real)
    if not (0 <= spread.factor <= 1e3 and 0 <= spread.floor <= 1e3 * scale.std):
        raise ValueError(f"{spread} is out of all proportion to {scale}.")


def check_curve(name: str, value: Any) -> None:
    """Raise ValueError unless a value is a curve, a number for every outer step."""
    check_array(name, value, (None,), finite=False)
