"""Telling the user's Ctrl-C from a KeyboardInterrupt that a callback raised."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def noting_ctrl_c() -> Iterator[threading.Event]:
    """Note whether the user presses Ctrl-C.

    Yields
    ------
    threading.Event
        Set as soon as that happens; what happens then is as before.
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # In other threads than the main one, no key is heard and no handler can be set.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed
        return
    handle = before

    def note(*arguments: Any) -> None:
        pressed.set()
        handle(*arguments)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
