"""Errors that a ground truth raises: of what kind they are, and their text."""

from __future__ import annotations

import signal
import traceback

# Characters of an error that are kept: one may hold whole arrays.
_LONGEST = 2000


def is_exit_of_a_signal(error: BaseException) -> bool:
    """Return whether a handler of a signal has exited.

    Clusters end their jobs by a signal, and a script may answer it by ``sys.exit``: that is not
    the motif's failure.
    """
    if not isinstance(error, SystemExit):
        return False
    handlers = {
        getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()
    }
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code in handlers for frame, _ in frames)


def text_of(value: object) -> str:
    """Return how a value shows itself, or of which type it is where it cannot."""
    try:
        text = repr(value)
    except BaseException:
        return f"{type(value).__name__} (which cannot be shown)"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
