"""Databases that cannot be used: one line, and nothing changed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from sparsecbm_core.errors import LedgerError
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.ledger import Ledger, database, default_place
from sparsecbm_core.ledger.place import place_url, shown
from sparsecbm_core.ledger.schema import HEAD, TABLE, VERSION_TABLE, metadata
from tests.ledger.made import patch


def refused(call, *fragments):
    with pytest.raises(LedgerError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.fixture
def kept(file) -> Path:
    """A ledger of three corrections, in one file without a log beside it."""
    with Ledger.open(file) as ledger:
        for number in range(3):
            ledger.add(patch(number))
    sql(file, "PRAGMA journal_mode = DELETE")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    return file


def sql(file, *statements):
    connection = sqlite3.connect(file)
    try:
        for statement in statements:
            found = connection.execute(statement).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


def test_the_migrations_lead_to_the_schema(file):
    Ledger.open(file).close()
    with create_engine(f"sqlite:///{file}").connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    assert ScriptDirectory(str(database.MIGRATIONS)).get_heads() == [HEAD]


FIRST_REVISION = (
    f"ALTER TABLE {TABLE} DROP COLUMN scope",
    f"UPDATE {VERSION_TABLE} SET version_num = '0001'",
)


def test_a_ledger_from_before_there_was_a_scope(file):
    with Ledger.open(file) as ledger:
        kept = ledger.add(patch(), "old")
    sql(file, *FIRST_REVISION)
    with Ledger.open(file) as ledger:
        assert ledger.list() == ledger.list(scope="everywhere") == (kept,)
        assert ledger.add(patch(1, signature=Signature.of("cold soup"))).scope == "similar"
    assert sql(file, f"SELECT version_num FROM {VERSION_TABLE}") == [(HEAD,)]
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint"):
        sql(file, f"UPDATE {TABLE} SET scope = 'elsewhere'")
    # The scope is the patch's: a table that says otherwise is wrong.
    sql(file, f"UPDATE {TABLE} SET scope = 'similar' WHERE id = 1")
    with Ledger.open(file) as ledger:
        refused(lambda: ledger.get(1), "correction 1 cannot be read", "another one")


def test_sqlite_is_set_up_for_many_processes(ledger):
    with ledger._database.reading() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        ]
    assert values == ["wal", 1, 30_000, 2]


def test_a_migration_that_fails_leaves_an_empty_database(file, monkeypatch):
    def broken(*_args, **_kwargs):
        raise sqlite3.OperationalError("the disk is full")

    monkeypatch.setattr(op, "create_index", broken)
    refused(lambda: Ledger.open(file), "disk is full")
    monkeypatch.undo()
    assert sql(file, "SELECT name FROM sqlite_master") == []
    with Ledger.open(file) as ledger:
        assert ledger.add(patch()).id == 1


def test_a_newer_ledger_is_refused(kept):
    sql(kept, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = kept.read_bytes()
    refused(lambda: Ledger.open(kept), str(kept), "newer version", "9999", HEAD)
    assert kept.read_bytes() == before


def test_a_database_of_something_else_is_refused(file):
    sql(file, "CREATE TABLE bookmarks (url TEXT)")
    before = file.read_bytes()
    refused(lambda: Ledger.open(file), "something else")
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["text", "half", "page", "data", "header"])
def test_a_damaged_file_is_refused(kept, damage):
    whole = kept.read_bytes()
    damaged = {
        "text": b"notes, not a database\n" * 50,
        "half": whole[: len(whole) // 2],
        "page": whole[:4096] + b"\xff" * 8192 + whole[4096 + 8192 :],
        "data": whole[:-4096] + b"\xff" * 4096,
        "header": b"\0" * 100 + whole[100:],
    }[damage]
    kept.write_bytes(damaged)
    refused(lambda: Ledger.open(kept), str(kept), "damaged")
    assert kept.read_bytes() == damaged
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_damaged_patch_is_named(kept):
    with Ledger.open(kept) as ledger:
        sql(kept, f"UPDATE {TABLE} SET patch = substr(patch, 1, 50) WHERE id = 2")
        refused(ledger.list, "correction 2 cannot be read", "damaged")
        sql(kept, f"UPDATE {TABLE} SET patch = (SELECT patch FROM {TABLE} WHERE id = 1) WHERE id = 2")
        refused(lambda: ledger.get(2), "correction 2 cannot be read", "another one")
        assert ledger.get(1).id == 1


def test_a_ledger_opened_read_only_can_be_read(kept):
    before = kept.read_bytes()
    with Ledger.open(f"sqlite:///file:{kept}?mode=ro&uri=true") as ledger:
        assert len(ledger.list()) == 3
        for write in (
            lambda: ledger.add(patch(9)),
            lambda: ledger.revert(1),
            lambda: ledger.set_note(1, "x"),
            lambda: ledger.import_(patch(9).to_bytes()),
        ):
            refused(write, "read-only", "nothing was changed")
    assert kept.read_bytes() == before


def test_a_new_ledger_that_cannot_be_made(file, tmp_path):
    refused(lambda: Ledger.open(f"sqlite:///file:{file}?mode=ro&uri=true"), "cannot be opened")
    assert not file.exists()
    (tmp_path / "plain").write_text("a file")
    refused(lambda: Ledger.open(tmp_path / "plain" / "ledger.sqlite3"), "cannot be opened", "plain")
    refused(lambda: Ledger.open(tmp_path), "is a folder")
    refused(lambda: Ledger.open(tmp_path / "a\0b"), "no place")


WRITE = """
import os, sys
from sparsecbm_core.errors import LedgerError
from sparsecbm_core.ledger import Ledger
from tests.ledger.made import patch
if os.geteuid() == 0:  # whom no permission stops
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Ledger.open(sys.argv[1]) as ledger:
        ledger.add(patch(7))
except LedgerError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_files_and_folders_without_permission(kept, folder_mode):
    before = kept.read_bytes()
    with tempfile.TemporaryDirectory() as folder:  # that another user may enter, unlike pytest's own
        file = Path(shutil.copy(kept, folder))
        file.chmod(0o444)
        Path(folder).chmod(folder_mode)
        done = subprocess.run(
            [sys.executable, "-c", WRITE, str(file)],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        Path(folder).chmod(0o755)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1
        assert "read-only" in done.stdout
        assert file.read_bytes() == before
        assert os.listdir(folder) == [file.name]


def test_a_busy_ledger_says_so(kept, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with Ledger.open(kept) as ledger:
        other = sqlite3.connect(kept, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused(lambda: ledger.revert(1), "busy")
        assert len(ledger.list()) == 3
        other.execute("ROLLBACK")
        other.close()
        assert not ledger.revert(1).active


@pytest.mark.parametrize(
    ("place", "fragment"),
    [
        ("", "no place"),
        (":memory:", "no place"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://u@h/d", "choose one of: sqlite, postgresql+psycopg"),
        ("://", "scheme://user@host/database"),
        ("postgresql://u@h:port/d", "scheme://user@host/database"),
    ],
)
def test_places_that_are_none(place, fragment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(lambda: Ledger.open(place), fragment)
    assert list(tmp_path.iterdir()) == []


def test_without_the_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    refused(lambda: Ledger.open("postgresql+psycopg://u:secret@h/d"), "pip install 'sparsecbm[postgres]'")


def test_a_path_is_made_with_its_folders(tmp_path):
    Ledger.open(tmp_path / "a" / "b" / "c.sqlite3").close()
    assert (tmp_path / "a" / "b" / "c.sqlite3").is_file()
    url = f"sqlite:///{tmp_path}/d/e.sqlite3"
    with Ledger.open(url) as ledger:
        assert ledger.place == str(tmp_path / "d" / "e.sqlite3")


def test_the_default_place(tmp_path, monkeypatch):
    monkeypatch.delenv("SPARSECBM_LEDGER", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_place() == str(tmp_path / ".local" / "share" / "sparsecbm" / "ledger.sqlite3")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the convention says to ignore
    assert default_place().startswith(str(tmp_path / ".local"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_place() == str(tmp_path / "data" / "sparsecbm" / "ledger.sqlite3")
    monkeypatch.setenv("SPARSECBM_LEDGER", str(tmp_path / "mine"))
    with Ledger.open() as ledger:
        assert ledger.place == str(tmp_path / "mine")
    monkeypatch.setenv("SPARSECBM_LEDGER", "sqlite:////x/y")
    assert default_place() == "sqlite:////x/y"


def test_a_server_that_is_not_there():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    place = f"postgresql+psycopg://me:secret@127.0.0.1:{port}/corrections"
    refused(lambda: Ledger.open(place), "cannot be reached", f"me:***@127.0.0.1:{port}/corrections")


def test_a_password_is_shown_nowhere():
    """PostgreSQL takes it from a URL's query as well."""
    for place, said in (
        ("postgresql://me:secret@h:5433/d", "postgresql+psycopg://me:***@h:5433/d"),
        ("postgresql://me@h/d?password=secret&sslmode=require", "postgresql+psycopg://me@h/d"),
        ("postgresql:///d?host=/run/pg&passfile=/secret", "postgresql+psycopg:///d"),
        ("sqlite:////x/y.sqlite3?timeout=5", "/x/y.sqlite3"),
    ):
        assert shown(place_url(place)) == said
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(LedgerError) as caught:
        Ledger.open(f"postgresql+psycopg://me@127.0.0.1:{port}/corrections?password=secret")
    assert "secret" not in str(caught.value)


def test_nothing_is_imported_that_is_not_needed():
    code = "import sys, sparsecbm_core.ledger; print([m for m in ('torch', 'alembic') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout == "[]\n"
