"""Threads and devices of torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_n_inside = 0
_before = 1


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Compute with one of torch's intra-op threads, and restore their number after.

    On tensors as small as a dish's, handing work to a second thread costs more
    than the work, and far more when another process keeps the core busy. Contexts
    of several Python threads may overlap: all restore the number that the first
    one found.

    Yields
    ------
    None
        Nothing.
    """
    global _n_inside, _before
    with _lock:
        if _n_inside == 0:
            _before = torch.get_num_threads()
        _n_inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            torch.set_num_threads(_before)


def has_device(name: str) -> bool:
    """Return whether torch can compute on a device here.

    Parameters
    ----------
    name : str
        As torch calls it.

    Returns
    -------
    bool
        False as well where there is no such name.
    """
    try:
        torch.zeros(1, device=name).item()  # "meta" holds no numbers
    except Exception:  # torch raises one or another, without a driver or for what is no device
        return False
    return True
