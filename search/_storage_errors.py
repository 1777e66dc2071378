"""What a storage raises: which errors pass by themselves, and whose they are."""

from __future__ import annotations

import json
import sqlite3

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sk_petridish._compat._optuna import engine_of, journal_of, path_of

# What passes of storages without SQL, by module and name: they need not be installed.
_OF_OTHERS = {
    ("redis.exceptions", "ConnectionError"),
    ("redis.exceptions", "TimeoutError"),
    ("grpc", "RpcError"),
}


class StorageError(RuntimeError):
    """Raised where a storage is out of reach, or was for too long."""


def cause_of(error: BaseException) -> BaseException:
    """Return what has happened: Optuna takes every error of a database for bad data."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        return error.__cause__
    return error


def summary_of(error: BaseException) -> str:
    """Return what a storage says of an error, without statements and their parameters."""
    cause = cause_of(error)
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    return str(cause).strip().partition("\n")[0] or type(cause).__name__


def may_pass(error: BaseException) -> bool:
    """Return whether an error may be gone when a storage that has answered is tried again."""
    cause = cause_of(error)
    if isinstance(cause, DBAPIError):
        # SQLite says OperationalError of everything; this code is that of a bad statement.
        if getattr(cause.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            return False
        return cause.connection_invalidated or isinstance(cause, OperationalError | InterfaceError)
    if isinstance(cause, OSError | PoolTimeoutError | PendingRollbackError):
        return True
    kinds = {(kind.__module__, kind.__name__) for kind in type(cause).__mro__}
    return not kinds.isdisjoint(_OF_OTHERS)


def is_unreadable(error: ValueError) -> bool:
    """Return whether an error is of a line in a journal that is no record."""
    # Other errors of values are answers, such as to another range for a parameter.
    return isinstance(error, json.JSONDecodeError | UnicodeDecodeError) or error.args == (
        "Invalid log format.",
    )


def name_of(storage: str | BaseStorage) -> str:
    """Return the file or the address of a storage, without its password."""
    if isinstance(storage, str):
        try:
            # Options may hold a password, too.
            return make_url(storage).set(query={}).render_as_string(hide_password=True)
        except ArgumentError:
            return "given as a string"
    if (journal := journal_of(storage)) is not None:
        return path_of(journal)
    engine = engine_of(storage)
    if engine is not None:
        return engine.url.set(query={}).render_as_string(hide_password=True)
    return type(storage).__name__
