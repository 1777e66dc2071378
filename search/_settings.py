"""Settings that all workers of a search must agree on."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from ._search import PetriDishSearch

# Where and how something is computed, not what: machines of one search may differ in it.
_LOCAL = {"n_jobs", "verbose", "memory", "device", "engine", "callbacks"}


def settings_of(search: PetriDishSearch) -> dict[str, Any]:
    """Return the settings of a search that decide what it evaluates, fit for JSON."""
    return {
        "parameters": sorted(search.motif_space.search_space()),
        "n_init": search.n_init,
        "n_candidates": search.n_candidates,
        "n_select": search.n_select,
        "acquisition": search.acquisition,
        "exploration": search.exploration,
        "motif_space": type(search.motif_space).__name__,
        # Classes by name: a class may move to another module.
        "proposer": type(search.proposer).__name__,
        "surrogate": type(search.surrogate).__name__,
        "given": joblib.hash((search.initial.X, search.initial.y)),
        "random_state": search.random_state,
        **_parameters("motif_space", search.motif_space),
        **_parameters("proposer", search.proposer),
        **_parameters("surrogate", search.surrogate),
    }


def different(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return the names of settings that two searches both have, and have otherwise."""
    # A study of another version lacks what only one of the two writes down: it goes on.
    common = ours.keys() & theirs.keys()
    return sorted(name for name in common if _differ(ours[name], theirs[name]))


def _differ(ours: Any, theirs: Any) -> bool:
    """Whether two values differ in what both have: nested parameters come and go as well."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return bool(different(ours, theirs))
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) != len(theirs) or any(map(_differ, ours, theirs))
    return bool(ours != theirs)


def _parameters(of: str, owner: Any) -> dict[str, Any]:
    """Return parameters under scikit-learn's names for nested ones: ``proposer__mutation``."""
    try:
        params = owner.get_params(deep=False)
    except AttributeError:  # None, or a class that does not keep what it was given
        return {}
    return {
        f"{of}__{name}": _plain(value)
        for name, value in params.items()
        if name not in _LOCAL and name != "motif_space"
    }


def _plain(value: Any) -> Any:
    """Return what JSON gives back as it was; for other objects the name of their class.

    Classes and functions are their names, estimators their class and parameters. The
    representation of another object may name its address, or a default that a later version
    adds, and its class does not change.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, partial):
        return [_plain(value.func), _plain(value.args), _plain(value.keywords)]
    if isinstance(value, type) or inspect.isroutine(value):
        return f"<{value.__qualname__}>"
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        named = {name: _plain(one) for name, one in params.items() if name not in _LOCAL}
        return {"class": type(value).__name__} | named
    return f"<{type(value).__name__}>"
