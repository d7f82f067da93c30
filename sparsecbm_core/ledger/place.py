"""Where a ledger is: the URL of a database, or a file."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sparsecbm_core.errors import LedgerError, one_of

VARIABLE = "SPARSECBM_LEDGER"
SQLITE, POSTGRES = "sqlite", "postgresql+psycopg"
# Whatever an address of these databases begins with, and the driver it gets.
DRIVERS = {
    "sqlite": SQLITE,
    "sqlite+pysqlite": SQLITE,
    "postgresql": POSTGRES,
    "postgres": POSTGRES,
    "postgresql+psycopg": POSTGRES,
}


def default_place() -> str:
    """What the environment variable SPARSECBM_LEDGER says, else a file in the user's data folder.

    Raises `LedgerError` where there is neither.

    >>> default_place()  # where SPARSECBM_LEDGER says so
    'corrections.sqlite3'
    """
    if named := os.environ.get(VARIABLE, "").strip():
        return named
    given = os.environ.get("XDG_DATA_HOME", "")
    try:
        data = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise LedgerError(f"there is no home folder to keep the ledger in; set {VARIABLE}") from error
    return str(data / "sparsecbm" / "ledger.sqlite3")


def place_url(place: str | Path) -> URL:
    """The URL of a place; `LedgerError` for an address that no ledger can have."""
    if isinstance(place, Path) or "://" not in place:
        if not str(place).strip() or str(place) == ":memory:" or "\0" in str(place):
            raise LedgerError(f"{str(place)!r} is no place for a ledger; give a file, or a URL")
        try:
            return URL.create(SQLITE, database=str(Path(place).expanduser().absolute()))
        except RuntimeError as error:
            raise LedgerError(f"{place} names no folder: {error}") from error
    try:
        url = make_url(place)
    except (ArgumentError, ValueError) as error:
        raise LedgerError("a ledger's URL is written as scheme://user@host/database") from error
    if url.drivername not in DRIVERS:
        raise LedgerError(one_of(url.drivername, (SQLITE, POSTGRES), "kind of database for a ledger"))
    url = url.set(drivername=DRIVERS[url.drivername])
    if url.drivername == SQLITE and url.database in (None, "", ":memory:"):
        raise LedgerError("a ledger in memory would be forgotten; name a file, as sqlite:////folder/file")
    return url


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database; None for a server, or where SQLite itself reads the address."""
    if url.drivername != SQLITE or url.database is None or url.database.startswith("file:"):
        return None
    return Path(url.database)


def shown(url: URL) -> str:
    """A place as messages name it: never with its password, which its query may hold as well."""
    file = sqlite_file(url)
    return str(file) if file is not None else url.set(query={}).render_as_string(hide_password=True)
