"""Calls in a process of their own, which can be ended."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle

from ._errors import text_of

_PROGRAM = f"from {__name__} import answer; answer()"


def call_in_subprocess(call: Callable[[], Any], timeout: float) -> Any:
    """Call a function in a new interpreter, and end it if it takes too long.

    A new interpreter and not a fork of this one: workers of a cluster are daemons, which
    must not fork, and what has started threads, as PyTorch does, must not either.

    Parameters
    ----------
    call : callable
        Without arguments. Functions of the user's script travel too.
    timeout : float
        Seconds that it may take.

    Returns
    -------
    object
        What it returns.

    Raises
    ------
    TimeoutError
        If it took longer. Its process is gone, with those that it has started.
    RuntimeError
        If its process ended without an answer.
    BaseException
        What it raises.
    """
    with tempfile.TemporaryDirectory(prefix="sk_petridish_") as folder:
        question, result = Path(folder, "call"), Path(folder, "result")
        question.write_bytes(cloudpickle.dumps(call))
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(question), str(result)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            start_new_session=True,  # a group of its own, to be ended together
        )
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"The evaluation took longer than {timeout:g} s.") from None
        finally:
            _end(process)
        if not result.exists():
            raise RuntimeError(f"The evaluation's process ended with code {process.returncode}.")
        value, error = pickle.loads(result.read_bytes())
    if error is not None:
        raise error
    return value


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    else:
        process.kill()
    process.wait()


def answer() -> None:
    """Call what the first argument's file asks for; write what comes of it to the second's."""
    question, path = map(Path, sys.argv[1:])
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    value: Any = None
    error: BaseException | None = None
    try:
        value = pickle.loads(question.read_bytes())()
    except BaseException as raised:  # exits as well
        error = raised
    try:
        text = pickle.dumps((value, error))
        pickle.loads(text)
    except BaseException:  # whatever errors may hold
        text = pickle.dumps((None, RuntimeError(text_of(value if error is None else error))))
    partial = path.with_suffix(".partial")
    partial.write_bytes(text)
    partial.replace(path)


def _end_with_parent(parent: int) -> None:
    """End this process and what it has started when nobody waits for it any more."""
    while os.getppid() == parent:
        time.sleep(1.0)
    if os.name == "posix":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
