"""Journals that a full disk, a kill within a write or a power cut has left with half a line.

Optuna's journal is a file of records, one a line, each a JSON object. A worker appends one under
a lock and then reads on: what it has written is acknowledged when it has come back so. Nobody
reads beyond a line that is no record. So half a record was never acknowledged, no worker has
acted on it, and it can be dropped; what stands after it was written by workers that did not know
of it.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from optuna.storages.journal import JournalFileBackend

from sk_petridish._compat._files import whole_file
from sk_petridish._compat._optuna import (
    BaseJournalFileLock,
    JournalOperation,
    lock_of,
    path_of,
    set_lock,
)
from sk_petridish._compat._validation import validate_params

_CODES = frozenset(map(int, JournalOperation))
# How a record begins.
_BEGINNING = re.compile(rb'\{"op_code":')
# A number or a word; half of one may be no JSON in the middle of it.
_LAST_TOKEN = re.compile(rb"[\w.+-]*\Z")
# What numbers the things that later records name by these keys.
_NUMBERED = {"study_id": JournalOperation.CREATE_STUDY, "trial_id": JournalOperation.CREATE_TRIAL}
# Bytes that are read at once when the last line is looked for.
_BLOCK = 4096
_logger = logging.getLogger("sk_petridish.search")


@validate_params(journal=[JournalFileBackend])
def mend_journal(journal: JournalFileBackend) -> int:
    """Mend the lines of a journal that are no whole records.

    A full disk, a kill within a write, or a power cut can leave half a line. Optuna appends the
    next record to it, and from then on nobody can open the journal
    (``json.JSONDecodeError``). Half a record was never acknowledged, so that dropping it loses
    nothing; a whole record that was appended to it is kept. A :class:`PetriDishSearch` and a
    :func:`patient_storage` end half a line by themselves before they write; for a journal that
    earlier runs have gone on with, call this before the journal is opened.

    Parameters
    ----------
    journal : optuna.storages.journal.JournalFileBackend
        The journal. Other workers may be using it: the file is changed under its lock.

    Returns
    -------
    int
        How many lines were mended. Each is named in the log, ``sk_petridish.search``.

    Raises
    ------
    ValueError
        If a line is damaged that was whole once, and later ones build on it.
    OSError
        If the file cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import optuna
    >>> from optuna.storages import JournalStorage
    >>> from optuna.storages.journal import JournalFileBackend
    >>> from sk_petridish.search import mend_journal
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "search.log")
    ...     study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path))))
    ...     _ = study.ask()
    ...     with path.open("ab") as file:
    ...         _ = file.write(b'{"op_code":6,"wor')  # and the disk is full
    ...     journal = JournalFileBackend(str(path))
    ...     print(mend_journal(journal), mend_journal(journal))
    1 0
    """
    # The lock's own mending would not count here.
    lock = lock_of(journal)
    with _held(lock.inner if isinstance(lock, MendingLock) else lock):
        return _mend(Path(path_of(journal)))


def end_half_lines(journal: JournalFileBackend) -> None:
    """Let a journal's half line be ended before anything is appended, now and from now on."""
    if not isinstance(lock_of(journal), MendingLock):
        set_lock(journal, MendingLock(lock_of(journal), path_of(journal)))
    # Only those who have to write need the right to.
    if not _ends_whole(Path(path_of(journal))):
        with _held(lock_of(journal)):
            pass


class MendingLock(BaseJournalFileLock):
    """A lock whose holder finds a journal that ends in a whole line.

    Parameters
    ----------
    inner : BaseJournalFileLock
        The lock that the journal had.
    path : str
        The journal.
    """

    def __init__(self, inner: BaseJournalFileLock, path: str) -> None:
        self.inner = inner
        self.path = path

    def acquire(self) -> bool:
        """Wait for the lock, and mend what another holder has left when it died."""
        held = self.inner.acquire()
        try:
            # A file that is gone, as of a folder that is not mounted, must not begin anew.
            if not _ends_whole(Path(self.path)):
                _mend(Path(self.path))
        except BaseException:
            self.inner.release()
            raise
        return held

    def release(self) -> None:
        """Release the lock."""
        try:
            self.inner.release()
        except RuntimeError as error:  # others took it from a machine that slept
            raise OSError(f"The lock of the journal {self.path} was lost: {error}") from error


@contextmanager
def _held(lock: BaseJournalFileLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _ends_whole(path: Path) -> bool:
    """Return whether a journal is empty or ends in a whole record."""
    with path.open("rb") as file:
        begin = file.seek(0, os.SEEK_END)
        end = b""
        while begin and end.count(b"\n") < 2:
            size = min(max(_BLOCK, len(end)), begin)
            begin = file.seek(begin - size)
            end = file.read(size) + end
    # Without the newline the last record would get the next one appended.
    return not end or (end.endswith(b"\n") and _record(end.split(b"\n")[-2]) is not None)


def _mend(path: Path) -> int:
    """Mend a journal whose lock is held."""
    with path.open("rb") as file:
        lines = file.readlines()
    mended = list(_mended(path, lines))
    for line in mended:
        _logger.warning("Mended the journal %s: line %d %s.", path, line.number, line.what)
    if mended:
        _write(path, lines, mended)
    return len(mended)


class _Mended(NamedTuple):
    """A line that was no record: its number from 1, what is left of it, and what was wrong."""

    number: int
    rest: bytes
    what: str


def _mended(path: Path, lines: list[bytes]) -> Iterator[_Mended]:
    """Yield the lines of a journal that are to be mended.

    Raises
    ------
    ValueError
        If later lines build on a damaged one.
    """
    n_created: Counter[int] = Counter()
    # The first line that was no record, and how many things later lines may name at least.
    bad: int | None = None
    n_certain: Counter[int] | None = None
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is None:
            bad = bad or number
            record, rest = _appended(line)
            if n_certain is None and _may_have_created(line[: len(line) - len(rest)]):
                n_certain = n_created.copy()
            what = "but the whole one behind it was kept" if rest else "and was dropped"
            yield _Mended(number, rest, f"was no whole record, {what}")
        elif not line.endswith(b"\n"):
            yield _Mended(number, line + b"\n", "lacked its end only, and was kept")
        if record is None:
            continue
        if bad is not None and _names_unknown(record, n_certain or n_created):
            raise ValueError(
                f"Line {bad} of the journal {path} is damaged, and line {number} builds on it. "
                "Restore the file from a copy, or begin a new one."
            )
        n_created[record["op_code"]] += 1


def _appended(line: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """Return the record that was appended to half of one, if there is any, and its text."""
    for beginning in _BEGINNING.finditer(line):
        record = _record(line[beginning.start() :])
        if record is not None:
            return record, line[beginning.start() :]
    return None, b""


def _names_unknown(record: dict[str, Any], n_created: Counter[int]) -> bool:
    """Return whether a record is about what nothing has created.

    Studies and trials are numbered as they are created: without one all later numbers move.
    """
    return any(record.get(key, -1) >= n_created[creates] for key, creates in _NUMBERED.items())


def _may_have_created(line: bytes) -> bool:
    """Return whether a line that is no record may have been one that created something.

    Half a record is none: nobody has read it.
    """
    begins = any(line.startswith(b'{"op_code":%d,' % code) for code in _NUMBERED.values())
    return (begins or b"\0" in line) and not _is_cut(line)


def _is_cut(line: bytes) -> bool:
    """Return whether a line is the beginning of a record, with zeros of a power cut perhaps."""
    text = _LAST_TOKEN.sub(b"", line.strip(b"\0\r\n"))
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line, None where it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # also bytes that are no text
        return None
    code = record.get("op_code") if isinstance(record, dict) else None
    return record if type(code) is int and code in _CODES else None


def _write(path: Path, lines: list[bytes], mended: list[_Mended]) -> None:
    """Write a mended journal: at its end where that is enough, which a full disk allows."""
    last = lines[-1]
    at_end = len(mended) == 1 and mended[0].number == len(lines)
    if at_end and mended[0].rest in (b"", last + b"\n"):
        with path.open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - (0 if mended[0].rest else len(last)))
            file.seek(0, os.SEEK_END)
            file.write(mended[0].rest[len(last) :])
            file.flush()
            os.fsync(file.fileno())
        return
    rest = {line.number: line.rest and line.rest.rstrip(b"\n") + b"\n" for line in mended}
    with whole_file(path) as file:
        file.writelines(rest.get(number, line) for number, line in enumerate(lines, start=1))
