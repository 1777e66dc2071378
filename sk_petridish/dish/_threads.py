"""One intra-op thread for tiny tensors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Compute with one of torch's intra-op threads, and restore their number after.

    On tensors as small as a dish's, handing work to a second thread costs more
    than the work, and far more when another process keeps the core busy.

    Yields
    ------
    None
        Nothing.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
