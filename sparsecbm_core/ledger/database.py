"""A database as the ledger uses it: connections, transactions, and the schema brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from sparsecbm_core.errors import LedgerError
from sparsecbm_core.ledger.failures import one_line_errors
from sparsecbm_core.ledger.place import SQLITE, shown, sqlite_file
from sparsecbm_core.ledger.schema import HEAD, VERSION_TABLE

BUSY_SECONDS = 30.0
CONNECT_SECONDS = 10
MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x5CB3  # of PostgreSQL, held while the schema is changed
# Execution option: the statement that begins a transaction on SQLite.
_BEGIN = "sqlite_begin"


class Database:
    """An engine with one kind of transaction for reading and one for writing.

    On SQLite a writing transaction takes the write lock as it begins, so that what it reads is still
    true when it writes, and waits up to `BUSY_SECONDS` for other writers. Threads may share it.
    """

    def __init__(self, url: URL) -> None:
        self.place, self.is_sqlite = shown(url), url.drivername == SQLITE
        self._engine = _sqlite_engine(url) if self.is_sqlite else _server_engine(url)

    def open(self) -> None:
        """Check the database and bring its schema up to date; `LedgerError` leaves it as it was."""
        with one_line_errors(self.place):
            if self._revision() != HEAD:
                self._upgrade()
            if self.is_sqlite:
                self._use_wal()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with one_line_errors(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that happens whole or not at all."""
        engine = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        with one_line_errors(self.place), engine.begin() as connection:
            yield connection

    def _revision(self) -> str | None:
        """Revision of the schema, None for an empty database."""
        with self.reading() as connection:
            if self.is_sqlite and connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
                raise LedgerError(f"the ledger {self.place} is damaged; restore it from a backup")
            tables = inspect(connection)
            if tables.has_table(VERSION_TABLE):
                found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
                return None if found is None else str(found)
            # On a server, others may use the same database; a file is one application's.
            if self.is_sqlite and tables.get_table_names():
                raise LedgerError(f"{self.place} is the database of something else, no ledger")
            return None

    def _upgrade(self) -> None:
        # Takes a third of a second to import, and is hardly ever needed.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        with self.writing() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if inspect(connection).has_table(VERSION_TABLE):
                found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
                if found is not None and found not in known:
                    raise LedgerError(
                        f"the ledger {self.place} was written by a newer version "
                        f"(schema {found}; this one reads up to {HEAD}); upgrade to open it"
                    )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _use_wal(self) -> None:
        """Readers then never wait for writers; kept in the file, and not possible everywhere."""
        with self._engine.execution_options(**{_BEGIN: ""}).connect() as connection:
            if connection.scalar(text("PRAGMA journal_mode")) != "wal":
                # Read-only, or busy just now: the ledger is as safe without, and the next one tries again.
                with suppress(OperationalError):
                    connection.scalar(text("PRAGMA journal_mode = WAL"))


def _sqlite_engine(url: URL) -> Engine:
    file = sqlite_file(url)
    if file is not None:
        _make_folder(file)
    # Connections are opened for each transaction, without transactions of the driver's own.
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None}
    )

    def configure(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get(_BEGIN, "BEGIN"):
            connection.exec_driver_sql(statement)

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        is_folder = file.is_dir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LedgerError(f"the ledger {file} cannot be opened: {reason}") from error
    if is_folder:
        raise LedgerError(f"{file} is a folder; name a file for the ledger")


def _server_engine(url: URL) -> Engine:
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
    try:
        return create_engine(url, pool_pre_ping=True, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise LedgerError(
            "a ledger on PostgreSQL needs the driver psycopg: pip install 'sparsecbm[postgres]'"
        ) from error
