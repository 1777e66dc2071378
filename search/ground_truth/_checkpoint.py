"""Checkpoints of evaluations that take long."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch


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
    # In the same folder, so that the file takes its name in one step.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}_")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(state, file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path : Path
        The file.
    device : torch.device
        Where its tensors go.

    Returns
    -------
    dict or None
        The state, if there is one.

    Raises
    ------
    ValueError
        If the file is no checkpoint.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise ValueError(
            f"{path} is no checkpoint, or damaged ({error}). Delete it to start anew."
        ) from error
    return state
