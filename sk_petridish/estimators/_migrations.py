"""From files of older formats to today's: one function a format, on the file's JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FORMAT = 3
"""Format of the files that are written; it grows when older versions cannot read them."""


def migrate(node: Any, written: int) -> Any:
    """Turn the JSON of a file of an older format into that of today's.

    Parameters
    ----------
    node : JSON value
        What the file holds.
    written : int
        Its format.

    Returns
    -------
    JSON value
        The same in the format of today.
    """
    for former, step in _STEPS.items():
        if written <= former:
            node = _walk(node, step)
    return node


def _walk(node: Any, step: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Any:
    """Apply a migration to the fields of every object, those within it first."""
    if isinstance(node, list):
        return [_walk(item, step) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _walk(item, step) for key, item in node.items()}
    if "class" in node and isinstance(node.get("fields"), dict):
        node["fields"] = step(node["class"], node["fields"])
    return node


def _from_1_to_2(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Rename settings, turn moments into lines and regressors of banks into ensembles."""
    names = _RENAMED.get(kind, {})
    fields = {names.get(name, name): value for name, value in fields.items()}
    match kind:
        case "Dish" if "statistic_mean" in fields:
            return _line(fields)
        case "PetriDishTransformer" if "dishes_" in fields:
            bank = [_ensemble(*pair["tuple"]) for pair in fields["dishes_"]["list"]]
            return fields | {"dishes_": {"list": bank}}
    return fields


_RENAMED = {
    "DishSettings": {"positions": "sample_shape"},
    "PetriDishRegressor": {"leave_out": "oob_fraction"},
}
_MOMENTS = ("statistic_mean", "statistic_std", "loss_mean", "loss_std")


def _line(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace the moments of a dish: slope = std(L) / std(s), through both means."""
    mean, std, loss_mean, loss_std = (_number(fields[name]) for name in _MOMENTS)
    slope = loss_std / std
    line = {"slope": slope, "intercept": loss_mean - slope * mean}
    kept = {name: value for name, value in fields.items() if name not in _MOMENTS}
    return kept | {
        name: value if value == value else {"float": "nan"} for name, value in line.items()
    }


def _number(node: Any) -> float:
    return float(node["float"]) if isinstance(node, dict) else float(node)


def _ensemble(name: str, regressor: dict[str, Any]) -> dict[str, Any]:
    """Replace a regressor of a bank by its dishes and how they are run."""
    fields = regressor["fields"]
    engine = {"name": fields["engine"]} | {
        option: fields[option] for option in ("dtype", "device", "n_jobs")
    }
    ensemble = {
        "dishes": fields["dishes_"],
        "engine": {"class": "EngineOptions", "fields": engine},
    }
    return {"tuple": [name, {"class": "DishEnsemble", "fields": ensemble}]}


# By the format that they turn into the next. That of 2 differs from today's in what stands
# around the estimator only, which whoever reads the file takes off.
_STEPS: dict[int, Callable[[str, dict[str, Any]], dict[str, Any]]] = {1: _from_1_to_2}
