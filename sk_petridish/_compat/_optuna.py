"""Studies of our own making, which are no news to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import optuna


@contextmanager
def quietly() -> Iterator[None]:
    """Let Optuna say warnings only.

    Yields
    ------
    None
        Nothing.
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
