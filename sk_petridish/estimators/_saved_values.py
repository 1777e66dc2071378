"""Values as JSON and arrays, and back: nothing but what is listed here can be named."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, Self

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sk_petridish import dish, motifs, tasks
from sk_petridish._compat._torch import has_device
from sk_petridish.blueprints import Widths
from sk_petridish.motifs import MotifSpace
from sk_petridish.tasks import Task

from ._evaluated_motifs import LossScale
from ._readers import ReaderSeeds
from ._uncertainty import SpreadCalibration

NOT_SAVED: dict[str, Any] = {"callbacks": None, "history_": [], "memory": None}
"""What is left behind, and what it is after loading: code, what only says how learning went,
and places on this machine."""

_OPTIONAL = {"feature_names_in_", *NOT_SAVED}

Arrays = Mapping[str, NDArray[Any]]

Replacements = Mapping[str, MotifSpace | Task | None]
"""What stands for objects of the user's own classes, by the name of the parameter."""

# The package's own estimators, which put themselves here.
_ESTIMATORS: list[type[SavedFields]] = []

# Where floats are no JSON.
_NOT_FINITE = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
# Of a space or a task, such as nodes: blueprints grow with them.
_MAX_SIZE = 10_000


class SavedFields(BaseEstimator):
    """An estimator of which parameters and fitted attributes can be written and read.

    A class names its fitted attributes in ``_fitted``; what is not named is not saved, and
    what a file holds beside them and the parameters is an error.
    """

    _fitted: ClassVar[tuple[str, ...]] = ()
    # The attribute without which it is not fitted, whatever else a failed fit has left.
    _last_fitted: ClassVar[str] = "dishes_"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let files name the estimator, if it is the package's own."""
        super().__init_subclass__(**kwargs)
        if cls._fitted and cls.__module__.startswith("sk_petridish."):
            _ESTIMATORS.append(cls)

    def _saved_fields(self) -> dict[str, Any]:
        """Return what is saved: parameters, and fitted attributes after a fit."""
        params: dict[str, Any] = self.get_params(deep=False)
        if not hasattr(self, self._last_fitted):
            # A fit that failed leaves parts, which say nothing.
            return params
        return params | {name: vars(self)[name] for name in self._fitted if name in vars(self)}

    @classmethod
    def _of_saved_fields(cls, values: dict[str, Any]) -> Self:
        """Return the estimator with parameters and attributes that pass all checks."""
        params = inspect.signature(cls).parameters
        values = values | {name: value for name, value in NOT_SAVED.items() if name in params}
        if unknown := values.keys() - params.keys() - set(cls._fitted):
            raise ValueError(
                f"The file gives {cls.__name__} {sorted(unknown)}, which sk-petridish "
                f"{version('sk-petridish')} has neither as parameters nor as attributes."
            )
        built = cls(**{name: value for name, value in values.items() if name in params})
        built._validate_params()
        fitted = {name: value for name, value in values.items() if name not in params}
        if fitted:
            missing = set(cls._fitted) - _OPTIONAL - fitted.keys()
            if missing:
                raise ValueError(f"A fitted {cls.__name__} has {sorted(missing)} too.")
            left_behind = {name: NOT_SAVED[name] for name in NOT_SAVED if name in cls._fitted}
            for name, value in (fitted | copy.deepcopy(left_behind)).items():
                setattr(built, name, value)
            built._check_fitted()
        return built

    def _check_fitted(self) -> None:
        """Raise ValueError unless fitted attributes fit together."""


@cache
def known_classes() -> dict[str, type]:
    """List the classes that a file may name."""
    plain = (
        dish.Dish,
        dish.DishEnsemble,
        dish.DishSettings,
        dish.EngineOptions,
        dish.InitialWeights,
        dish.InnerLoop,
        Widths,
    )
    fitted = (LossScale, SpreadCalibration, ReaderSeeds)
    named = [getattr(room, name) for room in (motifs, tasks) for name in room.__all__]
    described = [
        thing for thing in named if inspect.isclass(thing) and issubclass(thing, (MotifSpace, Task))
    ]
    return {thing.__name__: thing for thing in (*plain, *fitted, *described, *_ESTIMATORS)}


def encode(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Turn a value into JSON, with its arrays aside."""
    match value:
        case None | bool() | int() | str():
            return value
        case np.generic():
            return encode(value.item(), arrays)
        case float():
            return value if np.isfinite(value) else {"float": repr(value)}
        case np.ndarray() if value.dtype.kind in "OUS":
            return {"strings": [str(name) for name in value]}
        case np.ndarray():
            arrays[name := str(len(arrays))] = np.ascontiguousarray(value)
            return {"array": name}
        case np.random.RandomState():
            return None
        case MotifSpace() | Task():
            return _encode_foreign(value, arrays)
        case _ if type(value) in known_classes().values():
            return {
                "class": type(value).__name__,
                "fields": {
                    name: encode(NOT_SAVED.get(name, field), arrays)
                    for name, field in _fields(value).items()
                },
            }
        case dict():
            return {"dict": {str(key): encode(item, arrays) for key, item in value.items()}}
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [encode(item, arrays) for item in value]}
    raise TypeError(f"{value!r} cannot be saved.")


def _encode_foreign(value: MotifSpace | Task, arrays: dict[str, NDArray[Any]]) -> Any:
    """Turn a motif space or a task into JSON, or into its name if it is the user's own."""
    kind = "motif_space" if isinstance(value, MotifSpace) else "task"
    foreign = {"foreign": kind, "name": f"{type(value).__module__}.{type(value).__qualname__}"}
    if type(value) not in known_classes().values():
        return foreign
    try:
        params = {
            name: encode(param, arrays) for name, param in value.get_params(deep=False).items()
        }
    except TypeError:  # a parameter is a function of the user's
        return foreign
    if within := foreign_within(params):  # a space of spaces is replaced as a whole
        return foreign | {"name": f"{foreign['name']} with {within}"}
    return {"class": type(value).__name__, "kind": kind, "fields": params}


def foreign_within(node: Any) -> str | None:
    """Return the name of an object of the user's own that stands in JSON, if there is one."""
    match node:
        case {"foreign": str(), "name": str(name)}:
            return name
        case dict():
            return next(filter(None, map(foreign_within, node.values())), None)
        case list():
            return next(filter(None, map(foreign_within, node)), None)
    return None


def _fields(value: Any) -> Mapping[str, Any]:
    """Return what makes up an object of a known class."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple):
        return dict(zip(value._fields, value, strict=True))  # type: ignore[attr-defined]
    saved: dict[str, Any] = value._saved_fields()
    return saved


class Decoder:
    """From JSON to values.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays of the file; each belongs to one place, so that what is built is no larger
        than the file.
    given : mapping of str to MotifSpace or Task
        What stands for the user's own objects.
    """

    def __init__(self, arrays: Arrays, given: Replacements) -> None:
        self._arrays = dict(arrays)
        self._given = given

    def decode(self, node: Any) -> Any:
        """Turn JSON back into a value; ValueError where it is none that is written."""
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        match sorted(node) if isinstance(node, dict) else None, node:
            case ["float"], {"float": str(text)} if text in _NOT_FINITE:
                return _NOT_FINITE[text]
            case ["array"], {"array": str(name)} if name in self._arrays:
                return self._arrays.pop(name)
            case ["strings"], {"strings": [*names]} if all(isinstance(one, str) for one in names):
                return np.array(names, dtype=object)
            case ["dict"], {"dict": dict(items)}:
                return {key: self.decode(item) for key, item in items.items()}
            case ["list"], {"list": [*items]}:
                return [self.decode(item) for item in items]
            case ["tuple"], {"tuple": [*items]}:
                return tuple([self.decode(item) for item in items])
            case ["foreign", "name"], {"foreign": str(kind), "name": name}:
                return self._replacement(kind, name)
            case ["class", "fields"], {"class": str(name), "fields": dict(parts)}:
                return self._object(name, parts)
            case ["class", "fields", "kind"], {
                "class": str(name),
                "fields": dict(parts),
                "kind": str(kind),
            }:
                replacement = self._given[kind]
                return self._object(name, parts) if replacement is None else replacement
        raise ValueError(f"Nothing is written as {str(node)[:80]}.")

    def _replacement(self, kind: str, name: str) -> MotifSpace | Task:
        replacement = self._given[kind]
        if replacement is None:
            raise ValueError(
                f"It was saved with {name} as its {kind}, which is not sk_petridish's own and "
                f"cannot be loaded; give the same with load(..., {kind}=...)."
            )
        return replacement

    def _object(self, name: str, parts: dict[str, Any]) -> Any:
        """Make an object of a known class."""
        kind = known_classes()[name]
        if not issubclass(kind, SavedFields):
            values = {field: self.decode(part) for field, part in parts.items()}
            return _build(kind, values)
        # What is not saved is not read either, whatever the file says.
        values = {
            field: self.decode(part) for field, part in parts.items() if field not in NOT_SAVED
        }
        return kind._of_saved_fields(_at_home(values))


def _build(kind: type, values: dict[str, Any]) -> Any:
    """Make an object that is no estimator."""
    if issubclass(kind, (MotifSpace, Task)):
        _check_sizes(values)
    built = kind(**(_at_home(values) if kind is dish.EngineOptions else values))
    if isinstance(built, MotifSpace):
        built._check_space()
    return built


def _check_sizes(value: Any) -> None:
    """Raise ValueError where a parameter makes motifs larger than any that is searched."""
    if isinstance(value, int) and abs(value) > _MAX_SIZE:
        raise ValueError(f"Motif spaces and tasks have sizes up to {_MAX_SIZE}, got {value}.")
    for item in value.values() if isinstance(value, dict) else ():
        _check_sizes(item)
    for item in value if isinstance(value, (list, tuple)) else ():
        _check_sizes(item)


def _at_home(values: dict[str, Any]) -> dict[str, Any]:
    """Replace a device and processors that this machine has not."""
    values = dict(values)
    if isinstance(device := values.get("device"), str) and not has_device(device):
        values["device"] = "cpu"
    if isinstance(n_jobs := values.get("n_jobs"), int):
        values["n_jobs"] = min(n_jobs, joblib.cpu_count())
    return values
