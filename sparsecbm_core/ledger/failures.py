"""What goes wrong with a database, in one line each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from sparsecbm_core.errors import LedgerError

# What SQLite's own names of errors begin with.
_SQLITE = {
    "SQLITE_READONLY": "is read-only; nothing was changed",
    "SQLITE_BUSY": "is busy: another process has been writing to it for long; try again",
    "SQLITE_LOCKED": "is busy: another process has been writing to it for long; try again",
    "SQLITE_NOTADB": "is damaged, or no ledger",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup",
    "SQLITE_CANTOPEN": "cannot be opened: it, or its folder, is missing or may not be written",
    "SQLITE_FULL": "cannot be written: the disk is full; nothing was changed",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error; nothing was changed",
}


@contextmanager
def one_line_errors(place: str) -> Iterator[None]:
    """Whatever the database raises inside becomes a `LedgerError` of one line that names ``place``."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise LedgerError(f"the ledger {place} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlite_errorname", None) or ""
    for beginning, reason in _SQLITE.items():
        if name.startswith(beginning):
            return reason
    said = " ".join(str(cause).split())[:240] or type(cause).__name__
    return f"cannot be reached: {said}" if _unreachable(error, cause) else f"refuses: {said}"


def _unreachable(error: Exception, cause: object) -> bool:
    """Whether a server is not there, or no longer: its own refusals have another SQLSTATE."""
    if not isinstance(error, OperationalError) or hasattr(cause, "sqlite_errorname"):
        return False
    state = getattr(cause, "sqlstate", None)
    return state is None or str(state).startswith(("08", "57"))
