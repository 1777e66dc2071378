"""What an object is, as JSON: its class and its parameters, to be compared with another's."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import joblib
import numpy as np
from optuna.distributions import BaseDistribution, distribution_to_json
from sklearn.base import BaseEstimator

# Where and how something is computed, not what: machines may differ in it.
_LOCAL = {
    "n_jobs", "verbose", "memory", "device", "engine", "callbacks", "data_home", "checkpoint_dir",
}  # fmt: skip

_ABSENT = "<absent>"


def parameters_of(owner: Any) -> dict[str, Any]:
    """Return the parameters that decide what an object means, fit for JSON.

    Parameters
    ----------
    owner : object
        An estimator, a motif space, or anything else.

    Returns
    -------
    dict of str to object
        Parameters by their names, without those that say where something is computed and,
        of motif spaces, those that only limit what is searched. Empty for an object without
        ``get_params``, or of a class that does not keep what it was given.
    """
    try:
        params = owner.get_params(deep=False)
    except (AttributeError, TypeError):
        return {}
    ranges = getattr(type(owner), "_ranges", ())
    # Of ranges by the names of columns, these remain, in order: they say what a number is.
    params |= {name: list(params[name]) for name in ranges if isinstance(params[name], Mapping)}
    left_out = _LOCAL.union(name for name in ranges if not isinstance(params[name], list))
    return {name: plain(value) for name, value in params.items() if name not in left_out}


def plain(value: Any) -> Any:
    """Return what JSON gives back as it was; for other objects their class and settings.

    Functions are their names, arrays their hashes. What has parameters or fields is its
    class with these, another object its class with the attributes that are plain
    themselves. The representation of an object may name its address, or a default that a
    later version adds, and its class does not change.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    object
        None, a bool, number or string, or lists and dictionaries of these.
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else repr(value)
        case list() | tuple() | range():
            return [plain(one) for one in value]
        case np.ndarray():
            return f"<array {joblib.hash(value)}>"
        case Mapping() if any(isinstance(one, BaseEstimator) for one in value.values()):
            # Parts of a whole, whose order counts: JSON's objects have none.
            return [[str(name), plain(one)] for name, one in value.items()]
        case Mapping():
            return {str(name): plain(one) for name, one in value.items()}
        case BaseDistribution():
            # As Optuna stores it, without the layer between its class and its attributes.
            stored = json.loads(distribution_to_json(value))
            return {"class": stored["name"]} | stored["attributes"]
        case partial():
            return [plain(value.func), plain(value.args), plain(value.keywords)]
    if inspect.ismethod(value):
        return [f"<{value.__func__.__qualname__}>", plain(value.__self__)]
    if isinstance(value, type) or inspect.isroutine(value):
        return f"<{value.__qualname__}>"
    # By its name: a class may move to another module.
    name, settings = type(value).__name__, _settings_of(value)
    return {"class": name} | settings if settings else f"<{name}>"


def _settings_of(value: Any) -> dict[str, Any]:
    """Return what an object was made with, as far as it can be known."""
    if hasattr(value, "get_params"):
        return parameters_of(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    attributes = getattr(value, "__dict__", {}).items()
    return {
        name: plain(one)
        for name, one in attributes
        if name[0] != "_" and isinstance(one, bool | int | float | str | None)
    }


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two plain values differ in what both have.

    Parameters of a class that only one of them has do not count, nor outermost keys: a later
    version may add them, with defaults that mean what there was before.

    Parameters
    ----------
    ours, theirs : object
        As :func:`plain` returns them.
    path : str, default=""
        Where they stand.

    Yields
    ------
    tuple of (str, object, object)
        Keys on the way to the difference, joined by dots, and both values.
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        grows = not path or "class" in ours.keys() & theirs.keys()
        for key in sorted(ours.keys() & theirs.keys() if grows else ours.keys() | theirs.keys()):
            pair = ours.get(key, _ABSENT), theirs.get(key, _ABSENT)
            yield from differences(*pair, f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(*pair, f"{path}.{number}" if path else str(number))
    elif ours != theirs:
        yield path, ours, theirs
