"""Fitted estimators in files that can be loaded without executing anything.

A file is in the safetensors format: arrays, and in its metadata a JSON text that says
what they belong to. Classes in that text are looked up among those that
:mod:`._saved_values` lists, so a file can never name code to run.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save as to_safetensors

from sk_petridish._compat._files import whole_file
from sk_petridish.motifs import MotifSpace
from sk_petridish.tasks import Task

from ._migrations import FORMAT, migrate
from ._saved_values import Decoder, Replacements, SavedFields, encode, foreign_within

# From here on the text under the checksum says its format and version itself. Relabelled, a
# file of one kind is none of the other.
_FIRST_WITH_FORMAT = 3
# Bytes of the description of a file: some ten thousand dishes.
_MAX_HEADER = 2**25
# Lists and objects within each other: far more than any estimator has.
_MAX_DEPTH = 200
# Of whole numbers, so that all fit into 64 bits.
_MAX_DIGITS = 18
_NOTHING: Replacements = {"motif_space": None, "task": None}


class SavedEstimator(SavedFields):
    """An estimator that can be written to a file."""

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
            a complete one or not at all; of a symbolic link the target is.

        Raises
        ------
        TypeError
            If a parameter cannot be saved, or this is a class of the user's own.
        ValueError
            If it is nothing that :meth:`load` would read, such as a dish with numbers that
            are not finite.
        OSError
            If the file cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        node = encode(self, arrays)
        if not foreign_within(node):
            Decoder(arrays, _NOTHING).decode(node)
        described = {"format": FORMAT, "version": version("sk-petridish"), "estimator": node}
        text = json.dumps(described, allow_nan=False)
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

        Nothing in the file is executed, and whatever it says is checked: the types, ranges
        and shapes of all values, and whether they fit together. A file of anybody's can be
        loaded, and asked for predictions.

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
            As it was saved; its ``device`` is the CPU where the saved one is not there, and
            its ``n_jobs`` no more than the processors that are.

        Raises
        ------
        ValueError
            If the file is damaged or no such file, says what no estimator can be, is from a
            later version, holds another estimator, or needs ``motif_space`` or ``task``.
        OSError
            If the file cannot be read.
        """
        node, arrays = _read(Path(path))
        decoder = Decoder(arrays, {"motif_space": motif_space, "task": task})
        try:
            estimator = decoder.decode(node)
        except ValueError as error:
            raise ValueError(f"{path} cannot be loaded: {error}") from error
        except Exception as error:  # whatever values of the wrong kind run into
            raise ValueError(f"{path} does not say what sk_petridish writes: {error!r}.") from error
        if not isinstance(estimator, cls):
            raise ValueError(
                f"{path} holds a {type(estimator).__name__}, which {type(estimator).__name__}"
                f".load() reads, not a {cls.__name__}."
            )
        return estimator


def _read(path: Path) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Read a file's JSON and arrays, and check that they are what was written."""
    _check_file(path)
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except OSError:
        raise
    except Exception as error:  # SafetensorError, or what NumPy has no dtype for
        raise ValueError(f"{path} is damaged, or no file of sk_petridish: {error}.") from error
    if "sk_petridish" not in metadata:
        raise ValueError(f"{path} was not written by sk_petridish.")
    written = _format(path, metadata)
    text = metadata["sk_petridish"]
    if metadata.get("sha256") != _digest(text, arrays):
        raise ValueError(f"{path} is damaged: its checksum does not match what it holds.")
    try:
        node = _parse(text)
        if written >= _FIRST_WITH_FORMAT:
            node = _unwrapped(node, metadata)
        return migrate(node, written), arrays
    except Exception as error:  # whatever values of the wrong kind run into
        raise ValueError(f"{path} does not say what sk_petridish writes: {error!r}.") from error


def _check_file(path: Path) -> None:
    """Raise ValueError for what would be read for ever, or into too much memory."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is no file, but a folder, a pipe or a device.")
    with path.open("rb") as file:
        header = file.read(8)
    # A safetensors file begins with the length of its description.
    if len(header) < 8 or int.from_bytes(header, "little") > _MAX_HEADER:
        raise ValueError(f"{path} is damaged, or no file of sk_petridish.")


def _format(path: Path, metadata: Mapping[str, str]) -> int:
    """Return the format that a file says that it is in, if it can be read."""
    written = metadata.get("format", "")
    digits = written.isascii() and written.isdigit() and len(written) <= _MAX_DIGITS
    if not (digits and int(written) >= 1):
        raise ValueError(f"{path} is damaged: its format is {written!r}.")
    if int(written) > FORMAT:
        raise ValueError(
            f"{path} was written by sk-petridish {metadata.get('version')}, in format {written}; "
            f"this is sk-petridish {version('sk-petridish')}, which reads formats up to "
            f"{FORMAT}. Upgrade it."
        )
    return int(written)


def _parse(text: str) -> Any:
    """Read JSON as it is written: no NaN, no key twice, no number that is cut off."""
    node = json.loads(
        text,
        object_pairs_hook=_distinct,
        parse_constant=_no_number,
        parse_int=_integer,
        parse_float=_float,
    )
    _check_depth(node)
    return node


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary; of a key that stands twice the other value would be lost."""
    node = dict(pairs)
    if len(node) < len(pairs):
        raise ValueError("A key stands there twice.")
    return node


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON.")


def _integer(text: str) -> int:
    if len(text.removeprefix("-")) > _MAX_DIGITS:
        raise ValueError(f"A whole number has {len(text)} digits.")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _no_number(text[:_MAX_DIGITS])
    return number


def _check_depth(node: Any) -> None:
    """Raise ValueError where what follows would recurse too deeply."""
    level = [node]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for one in level
            if isinstance(one, (dict, list))
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"It is nested more than {_MAX_DEPTH} levels deep.")


def _unwrapped(node: Any, metadata: Mapping[str, str]) -> Any:
    """Return the estimator in JSON, if format and version are those under the checksum."""
    match node:
        case {"format": int(written), "version": str(by), "estimator": estimator}:
            if (str(written), by) == (metadata["format"], metadata["version"]):
                return estimator
    raise ValueError("Its format or version is not the one that was written.")


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
