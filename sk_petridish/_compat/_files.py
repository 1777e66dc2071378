"""Files that are there whole or not at all, after a kill and after a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Seconds after which nobody is writing a file any more.
_ABANDONED = 3600.0


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file to write that takes its name when the block ends without an error.

    Parameters
    ----------
    path : str or path-like
        The name. Of a symbolic link the target is replaced, with the permissions that it has.

    Yields
    ------
    BinaryIO
        A file in the same folder, so that it takes its name in one step.

    Raises
    ------
    OSError
        If the file cannot be written, or something else than a file has its name.
    """
    # os.replace would put the file in the place of a link, and of a pipe or a device.
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EEXIST, "There is a folder, a pipe or a device", str(path))
    _sweep(target)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            # The name must not reach the disk before what it stands for.
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where folders can be opened for that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(target: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    prefix = f".{target.name}."
    with contextlib.suppress(OSError):  # another process may have been quicker
        for entry in os.scandir(target.parent):
            if entry.name.startswith(prefix) and _is_abandoned(entry):
                os.unlink(entry)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    return time.time() - entry.stat().st_mtime > _ABANDONED
