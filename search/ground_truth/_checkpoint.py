"""Checkpoints of evaluations that take long."""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import time
from pathlib import Path
from typing import Any

import torch

# Seconds after which nobody is writing a file any more.
_ABANDONED = 3600.0


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
    _sweep(path)
    # In the same folder, so that the file takes its name in one step.
    partial = path.with_name(f".{path.stem}_{platform.node()}_{os.getpid()}")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    for partial in path.parent.glob(f".{path.stem}_*"):
        with contextlib.suppress(OSError):  # another process may have been quicker
            if time.time() - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


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
