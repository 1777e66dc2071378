"""Fitted estimators in files that can be loaded without executing anything.

A file is in the safetensors format: arrays, and in its metadata a JSON text that says
what they belong to. Classes in that text are looked up among those listed here, so a file
can never name code to run.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors
from sklearn.base import BaseEstimator

from sk_petridish import dish, motifs, tasks
from sk_petridish._compat._files import whole_file
from sk_petridish.blueprints import Widths
from sk_petridish.motifs import MotifSpace
from sk_petridish.tasks import Task

from ._evaluated_motifs import LossScale
from ._migrations import FORMAT, migrate
from ._uncertainty import SpreadCalibration

# Left behind: code, what only says how learning went, and places on this machine.
_NOT_SAVED: dict[str, Any] = {"callbacks": None, "history_": [], "memory": None}

# What stands for objects of the user's own classes, by the name of the parameter.
Replacements = Mapping[str, MotifSpace | Task | None]


# The package's own estimators, which put themselves here.
_ESTIMATORS: list[type] = []


class SavedEstimator(BaseEstimator):
    """An estimator that can be written to a file.

    A class names its fitted attributes in ``_fitted``; what is not named is not saved, and
    what a file holds beside them and the parameters is an error.
    """

    _fitted: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let files name the estimator, if it is the package's own."""
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("sk_petridish."):
            _ESTIMATORS.append(cls)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a file.

        Unlike a pickle, the file can be loaded without executing anything that it says,
        by later versions, and on machines without the device that it was learned on. Not
        saved are ``callbacks``, ``history_``, ``memory``, a ``random_state`` that is no
        integer, and metadata requests.

        Parameters
        ----------
        path : str or path-like
            Where to; the name should end in ``.safetensors``. A file there is replaced, by
            a complete one or not at all.

        Raises
        ------
        TypeError
            If a parameter cannot be saved, or this is a class of the user's own.
        OSError
            If the file cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        text = json.dumps(_encode(self, arrays), allow_nan=False)
        metadata = {
            "sk_petridish": text,
            "format": str(FORMAT),
            "version": version("sk-petridish"),
            "sha256": _digest(text, arrays),
        }
        content = to_safetensors(arrays, metadata)
        with whole_file(path) as file:
            file.write(content)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        motif_space: MotifSpace | None = None,
        task: Task | None = None,
    ) -> Self:
        """Read an estimator that :meth:`save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        motif_space : MotifSpace, default=None
            In place of the saved one; needed where that is a class of the user's own.
        task : Task, default=None
            The same for the task.

        Returns
        -------
        estimator
            As it was saved; its ``device`` is the CPU where the saved one is not there.

        Raises
        ------
        ValueError
            If the file is damaged or no such file, is from a later version, holds another
            estimator, or needs ``motif_space`` or ``task``.
        OSError
            If the file cannot be read.
        """
        given: Replacements = {"motif_space": motif_space, "task": task}
        try:
            estimator = _decode(*_read(Path(path)), given)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} does not say what sk_petridish writes: {error!r}.") from error
        if not isinstance(estimator, cls):
            raise ValueError(
                f"{path} holds a {type(estimator).__name__}, which {type(estimator).__name__}"
                f".load() reads, not a {cls.__name__}."
            )
        return estimator


@cache
def _classes() -> dict[str, type]:
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
    fitted = (LossScale, SpreadCalibration)
    named = [getattr(room, name) for room in (motifs, tasks) for name in room.__all__]
    described = [
        thing for thing in named if inspect.isclass(thing) and issubclass(thing, (MotifSpace, Task))
    ]
    return {thing.__name__: thing for thing in (*plain, *fitted, *described, *_ESTIMATORS)}


def _encode(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """Turn a value into JSON, with its arrays aside."""
    match value:
        case None | bool() | int() | str():
            return value
        case np.generic():
            return _encode(value.item(), arrays)
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
        case _ if type(value) in _classes().values():
            return {
                "class": type(value).__name__,
                "fields": {
                    name: _encode(_NOT_SAVED.get(name, field), arrays)
                    for name, field in _fields(value).items()
                },
            }
        case dict():
            return {"dict": {str(key): _encode(item, arrays) for key, item in value.items()}}
        case list() | tuple():
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [_encode(item, arrays) for item in value]}
    raise TypeError(f"{value!r} cannot be saved.")


def _encode_foreign(value: MotifSpace | Task, arrays: dict[str, NDArray[Any]]) -> Any:
    """Turn a motif space or a task into JSON, or into its name if it is the user's own."""
    kind = "motif_space" if isinstance(value, MotifSpace) else "task"
    foreign = {"foreign": kind, "name": f"{type(value).__module__}.{type(value).__qualname__}"}
    if type(value) not in _classes().values():
        return foreign
    try:
        params = {
            name: _encode(param, arrays) for name, param in value.get_params(deep=False).items()
        }
    except TypeError:  # a parameter is a function of the user's
        return foreign
    if within := _foreign_within(params):  # a space of spaces is replaced as a whole
        return foreign | {"name": f"{foreign['name']} with {within}"}
    return {"class": type(value).__name__, "kind": kind, "fields": params}


def _foreign_within(node: Any) -> str | None:
    """Return the name of an object of the user's own that stands in JSON, if there is one."""
    match node:
        case {"foreign": str(), "name": str(name)}:
            return name
        case dict():
            return next(filter(None, map(_foreign_within, node.values())), None)
        case list():
            return next(filter(None, map(_foreign_within, node)), None)
    return None


def _fields(value: Any) -> Mapping[str, Any]:
    """Return what makes up an object of a known class."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple):
        return dict(zip(value._fields, value, strict=True))  # type: ignore[attr-defined]
    fitted = {name: vars(value)[name] for name in value._fitted if name in vars(value)}
    params: dict[str, Any] = value.get_params(deep=False)
    return params | fitted


def _decode(node: Any, arrays: Mapping[str, NDArray[Any]], given: Replacements) -> Any:
    """Turn JSON back into a value."""
    match node:
        case {"float": text}:
            return float(text)
        case {"array": name}:
            return arrays[name]
        case {"strings": names}:
            return np.array(names, dtype=object)
        case {"dict": items}:
            return {key: _decode(item, arrays, given) for key, item in items.items()}
        case {"list": items}:
            return [_decode(item, arrays, given) for item in items]
        case {"tuple": items}:
            return tuple(_decode(item, arrays, given) for item in items)
        case {"foreign": kind, "name": name}:
            return _replacement(kind, name, given)
        case {"class": name, "fields": parts, **more}:
            if more and (replacement := given[str(more["kind"])]) is not None:
                return replacement
            values = {key: _decode(part, arrays, given) for key, part in parts.items()}
            return _build(_classes()[name], values)
    return node


def _replacement(kind: str, name: str, given: Replacements) -> Any:
    replacement = given[kind]
    if replacement is None:
        raise ValueError(
            f"It was saved with {name} as its {kind}, which is not sk_petridish's own and "
            f"cannot be loaded; give the same with load(..., {kind}=...)."
        )
    return replacement


def _build(kind: type, values: dict[str, Any]) -> Any:
    """Make an object of a known class."""
    if not issubclass(kind, BaseEstimator):
        built = kind(**values)
        if isinstance(built, dish.EngineOptions) and not _is_there(built.device):
            return replace(built, device="cpu")
        return built
    params = inspect.signature(kind).parameters
    fitted = kind._fitted if issubclass(kind, SavedEstimator) else ()
    if unknown := values.keys() - params.keys() - set(fitted):
        raise ValueError(
            f"The file gives {kind.__name__} {sorted(unknown)}, which sk-petridish "
            f"{version('sk-petridish')} has neither as parameters nor as attributes."
        )
    built = kind(**{name: value for name, value in values.items() if name in params})
    for name in fitted:
        if name in values:
            setattr(built, name, values[name])
    if hasattr(built, "device") and not _is_there(built.device):
        built.set_params(device="cpu")
    return built


def _is_there(device: str) -> bool:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):  # torch says either without a driver
        return False
    return True


def _read(path: Path) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Read a file's JSON and arrays, and check that they are what was written."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged, or no file of sk_petridish: {error}.") from error
    if "sk_petridish" not in metadata:
        raise ValueError(f"{path} was not written by sk_petridish.")
    written = metadata.get("format", "")
    if not written.isdigit():
        raise ValueError(f"{path} is damaged: its format is {written!r}.")
    if int(written) > FORMAT:
        raise ValueError(
            f"{path} was written by sk-petridish {metadata.get('version')}, in format {written}; "
            f"this is sk-petridish {version('sk-petridish')}, which reads formats up to "
            f"{FORMAT}. Upgrade it."
        )
    text = metadata["sk_petridish"]
    if metadata.get("sha256") != _digest(text, arrays):
        raise ValueError(f"{path} is damaged: its checksum does not match what it holds.")
    return migrate(json.loads(text), int(written)), arrays


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
