"""Checkpoints of evaluations that take long."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from sk_petridish._compat._files import whole_file


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : Path
        The file. Its folder is made where there is none.
    state : dict
        Tensors, numbers, strings, and lists and dictionaries of them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict or None
        The state, if there is one, in the memory of the CPU.

    Raises
    ------
    ValueError
        If the file is no checkpoint.
    OSError
        If it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} is no checkpoint, or damaged ({error}). Delete it to start anew."
        ) from error
    return state
