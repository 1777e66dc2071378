"""Checkpoints of trainings: files that hold numbers and no code, under a digest."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from sk_petridish._compat._files import whole_file
from sk_petridish._compat._validation import validate_params

# A file is this line, the digest of all that follows, and that in the safetensors format.
_TITLE = b"sk-petridish checkpoint, format 1\n"
_DIGEST = hashlib.sha256
# Tensors have their numbers as names; this one holds the text that says where they belong.
_STATE = "state"
# Errors that do not pass: a loop of links, or a link to where no file can be. Others may, and
# permission may be given; what is in the file then must not be lost.
_LASTING = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR})


def save_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file. Its folder is made where there is none. Its name, without the suffix, is kept
        in the file: where names are digests of trainings, it says which one this is.
    state : dict
        Tensors, numbers, strings, None, and lists, tuples and dictionaries of them, whose
        keys are strings or integers.

    Raises
    ------
    TypeError
        If there is something else in the state.
    OSError
        If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    document = {"name": Path(path).stem, "state": _encode(state, tensors)}
    text = json.dumps(document, allow_nan=False)
    tensors[_STATE] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    content = to_safetensors(tensors)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(_TITLE + _DIGEST(content).digest())
        file.write(content)


@validate_params(path=[str, os.PathLike])
def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read a checkpoint of a training; nothing in it is executed.

    torch's own files are pickles, and their checksums are of the frame and not of the data.
    A checkpoint is neither: its digest is compared before anything in it is believed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict or None
        The state, in the memory of the CPU; None where there is no file.

    Raises
    ------
    ValueError
        If it is no checkpoint, or damaged, or if there can be no file at the path, as in a loop
        of links.
    OSError
        If it cannot be read for now, or for want of permission.

    See Also
    --------
    TrainedGroundTruth : Writes checkpoints after every epoch.

    Examples
    --------
    >>> from sk_petridish.search.ground_truth import load_checkpoint
    >>> load_checkpoint("not-there.pt") is None
    True
    """
    _, state = read_checkpoint(path)
    return state


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any] | None]:
    """Read a checkpoint, and under which name it was written.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    name : str
        The name, without the suffix; where there is no file, that which it would have.
    state : dict or None
        The state, in the memory of the CPU; None where there is no file.

    Raises
    ------
    ValueError, OSError
        As :func:`load_checkpoint`.
    """
    file = Path(path)
    try:
        # To open a pipe is to wait for somebody who writes.
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError("it is no regular file")
        return _parse(file.read_bytes())
    except FileNotFoundError:
        return file.stem, None
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in _LASTING:
            raise
        raise ValueError(
            f"{path} is no checkpoint, or damaged ({error}). Delete it to start anew."
        ) from error


def _parse(content: bytes) -> tuple[str, dict[str, Any]]:
    """Return the name and the state that a file holds, or raise anything."""
    start = len(_TITLE) + _DIGEST().digest_size
    if not content.startswith(_TITLE):
        raise ValueError("it does not begin as checkpoints with a digest do")
    if _DIGEST(memoryview(content)[start:]).digest() != content[len(_TITLE) : start]:
        raise ValueError("its digest is not that of what it holds")
    tensors = from_safetensors(content[start:])
    text = tensors.pop(_STATE).numpy().tobytes().decode()
    document = json.loads(text)
    state = _decode(document["state"], tensors)
    if not isinstance(state, dict):
        raise TypeError(f"it holds a {type(state).__name__} and no dict")
    return document["name"], state


def _encode(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Turn a value into JSON, with its tensors aside."""
    match value:
        case None | bool() | str():
            return value
        case int() | float() | np.number():
            number = value.item() if isinstance(value, np.number) else value
            return number if math.isfinite(number) else {"float": repr(number)}
        case Tensor():
            # A copy: safetensors refuses what shares memory or has gaps.
            tensors[name := str(len(tensors))] = value.detach().cpu().clone().contiguous()
            return {"tensor": name}
        case dict():
            if unknown := [key for key in value if type(key) not in (str, int)]:
                raise TypeError(f"{unknown[0]!r} cannot be a key in a checkpoint.")
            return {"dict": [[key, _encode(item, tensors)] for key, item in value.items()]}
        case list():
            return [_encode(item, tensors) for item in value]
        case tuple():
            return {"tuple": [_encode(item, tensors) for item in value]}
    raise TypeError(f"{value!r} cannot be kept in a checkpoint.")


def _decode(node: Any, tensors: dict[str, Tensor]) -> Any:
    """Turn JSON back into a value."""
    match node:
        case {"float": text}:
            return float(text)
        case {"tensor": name}:
            return tensors[name]
        case {"dict": items}:
            return {key: _decode(item, tensors) for key, item in items}
        case {"tuple": items}:
            return tuple(_decode(item, tensors) for item in items)
        case list():
            return [_decode(item, tensors) for item in node]
    return node
