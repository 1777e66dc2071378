"""Optuna's distributions: the one place where the package asks of which kind one is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import RandomSampler
from optuna.trial import BaseTrial

Numbers = NDArray[np.float64]


def suggest(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Ask a trial for one parameter through its public methods.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        A running trial.
    name : str
        Name of the parameter.
    distribution : optuna.distributions.BaseDistribution
        Its distribution.

    Returns
    -------
    object
        What the trial suggests.
    """
    match distribution:
        case FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(name, low, high, step=step, log=log)
        case IntDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_int(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise _unknown(distribution)


def draw(distribution: BaseDistribution, n: int, generator: np.random.RandomState) -> list[Any]:
    """Draw values uniformly, as Optuna's random sampler does.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        What is drawn from.
    n : int
        Number of values.
    generator : RandomState
        Source of randomness.

    Returns
    -------
    list
        Values in Python's types; steps are equally likely, and logarithmic integers are
        ``round(exp(u))`` of uniform ``u`` in ``[log(low - 1/2), log(high + 1/2)]``.
    """
    sampler = RandomSampler(seed=generator.randint(2**31 - 1))
    # The two arguments that it is not given are a study and a trial, which it ignores.
    return [
        sampler.sample_independent(None, None, "", distribution)  # type: ignore[arg-type]
        for _ in range(n)
    ]


def draw_between(
    distribution: BaseDistribution,
    low: Numbers,
    high: Numbers,
    generator: np.random.RandomState,
) -> Numbers:
    """Draw numbers of intervals within a continuous distribution.

    Parameters
    ----------
    distribution : optuna.distributions.FloatDistribution
        Decides whether numbers or their logarithms are uniform.
    low, high : ndarray of shape (n,)
        Ends of the interval of each number.
    generator : RandomState
        Source of randomness.

    Returns
    -------
    ndarray of shape (n,)
        One number an interval.
    """
    if getattr(distribution, "log", False):
        return np.exp(generator.uniform(np.log(low), np.log(high)))
    return np.asarray(generator.uniform(low, high))


def nearest(distribution: BaseDistribution, numbers: Numbers) -> Numbers:
    """Return the nearest numbers that a distribution has.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Choices, if it has some, are numbers.
    numbers : ndarray of shape (n,)
        Finite numbers.

    Returns
    -------
    ndarray of shape (n,)
        Numbers of the distribution.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            offered: Numbers = np.asarray(choices, dtype=np.float64)
            return np.asarray(offered[np.abs(numbers[:, None] - offered).argmin(axis=1)])
        case (
            IntDistribution(low=low, high=high, step=step)
            | FloatDistribution(low=low, high=high, step=step)
        ):
            clipped = np.clip(numbers, low, high)
            if step is None:
                return clipped
            return np.clip(low + np.round((clipped - low) / step) * step, low, high)
    raise _unknown(distribution)


def holds(distribution: BaseDistribution, numbers: ArrayLike) -> NDArray[np.bool_]:
    """Return which numbers a distribution has.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Choices, if it has some, are numbers.
    numbers : array-like of shape (n,) or ()
        Any numbers.

    Returns
    -------
    ndarray of the same shape, bool
        True within the range and, up to rounding, on a step.
    """
    asked = np.asarray(numbers, dtype=np.float64)
    finite = np.isfinite(asked)
    there = nearest(distribution, np.where(finite, asked, 0.0).ravel()).reshape(asked.shape)
    # Steps are multiplied out, here and by Optuna, and then differ by rounding. As np.isclose,
    # which takes five times as long on a number.
    near = np.abs(np.where(finite, asked, 0.0) - there) <= 1e-12 * (1.0 + np.abs(there))
    return np.asarray(finite & near)


def widened(distribution: BaseDistribution, number: float) -> BaseDistribution:
    """Return a distribution that has a number, too, if only its range is too narrow.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Any.
    number : float
        A number.

    Returns
    -------
    optuna.distributions.BaseDistribution
        The same where it has the number, or can have it in no range.
    """
    match distribution:
        case _ if holds(distribution, number):
            return distribution
        # Steps are counted from the lower end, and logarithms are of positive numbers.
        case IntDistribution(low=low, high=high, step=1, log=log) if number == round(number):
            number = int(number)
            if number >= 1 or not log:
                return IntDistribution(min(low, number), max(high, number), log=log)
        case FloatDistribution(low=low, high=high, step=None, log=log) if number > 0 or not log:
            return FloatDistribution(min(low, number), max(high, number), log=log)
    return distribution


def to_python(distribution: BaseDistribution, number: float) -> Any:
    """Return the value of a distribution that a number of a row stands for.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Choices, if it has some, are numbers.
    number : float
        One of its numbers.

    Returns
    -------
    object
        The choice itself, or an int or float of Python.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            # Choices are numbers, but of whatever type the space has given.
            return next(choice for choice in choices if float(choice) == number)  # type: ignore[arg-type]
        case IntDistribution():
            return int(number)
    return float(number)


def values(distribution: BaseDistribution) -> list[Any] | None:
    """Return every value of a distribution, if they can be counted.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Any.

    Returns
    -------
    list or None
        Choices or steps in order; ``None`` where a distribution is continuous.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return list(choices)
        case IntDistribution(low=low, high=high, step=step):
            return list(range(low, high + 1, step))
        case FloatDistribution(low=low, high=high, step=step):
            # Optuna moves the end to the last step; half a step keeps rounding from losing it.
            return None if step is None else np.arange(low, high + step / 2, step).tolist()
    raise _unknown(distribution)


def grid(distribution: BaseDistribution) -> list[Any]:
    """Return every value, or both ends of a continuous range.

    Parameters
    ----------
    distribution : optuna.distributions.BaseDistribution
        Any.

    Returns
    -------
    list
        Values that a grid search tries.
    """
    counted = values(distribution)
    if counted is None:
        assert isinstance(distribution, FloatDistribution)
        return [distribution.low, distribution.high]
    return counted


def bin_edges(distribution: BaseDistribution, n_bins: int) -> Numbers:
    """Return the ends of intervals that share out a range of numbers.

    Parameters
    ----------
    distribution : optuna.distributions.FloatDistribution or IntDistribution
        The range.
    n_bins : int
        Number of intervals.

    Returns
    -------
    ndarray of shape (n_bins + 1,)
        Equally far apart, or in equal ratios where the distribution is logarithmic.
    """
    match distribution:
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            spread = np.geomspace if distribution.log else np.linspace
            return np.asarray(spread(low, high, n_bins + 1), dtype=np.float64)
    raise _unknown(distribution)


def _unknown(distribution: object) -> TypeError:
    return TypeError(f"Unknown distribution: {distribution!r}.")
