"""Settings that all workers of a search must agree on."""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib

from sk_petridish.motifs._identity import differences, parameters_of, plain

if TYPE_CHECKING:
    from ._search import PetriDishSearch


def settings_of(search: PetriDishSearch) -> dict[str, Any]:
    """Return the settings of a search that decide what it evaluates, fit for JSON."""
    search_space = search.motif_space.search_space()
    return {
        "parameters": sorted(search_space),
        "search_space": plain(search_space),
        "n_init": search.n_init,
        "n_candidates": search.n_candidates,
        "n_select": search.n_select,
        "acquisition": search.acquisition,
        "exploration": search.exploration,
        "motif_space": type(search.motif_space).__name__,
        # Classes by name: a class may move to another module.
        "proposer": type(search.proposer).__name__,
        "surrogate": type(search.surrogate).__name__,
        "X_init, y_init": _known(search),
        "random_state": search.random_state,
        **_parameters("motif_space", search.motif_space),
        **_parameters("proposer", search.proposer),
        **_parameters("surrogate", search.surrogate),
        **_ground_truth(search.ground_truth),
    }


def different(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what two searches both have, and have otherwise, with both values.

    A study of another version lacks what only one of the two writes down: it goes on.
    """
    return {path: (mine, other) for path, mine, other in differences(ours, theirs)}


def _parameters(of: str, owner: Any) -> dict[str, Any]:
    """Return parameters under scikit-learn's names for nested ones: ``proposer__mutation``."""
    params = parameters_of(owner).items()
    return {f"{of}__{name}": value for name, value in params if name != "motif_space"}


def _known(search: PetriDishSearch) -> str | None:
    """Return a hash of what was known before; None where that was nothing."""
    X, y = search.initial.X, search.initial.y
    known: str = joblib.hash((X, y))
    return known if len(y) else None


def _ground_truth(ground_truth: Any) -> dict[str, Any]:
    """Return what is known of the task that losses are of.

    Of a mere function that is nothing: its name says little, and one that logs or times
    another evaluates the same.
    """
    if hasattr(ground_truth, "get_params"):
        params = _parameters("ground_truth", ground_truth)
        return {"ground_truth": type(ground_truth).__name__} | params
    known = isinstance(ground_truth, partial) or is_dataclass(ground_truth)
    return {"ground_truth": plain(ground_truth) if known else "<callable>"}
