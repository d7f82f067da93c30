"""The same ledger on a PostgreSQL server, started for these tests where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from sparsecbm_core.errors import LedgerError
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.ledger import Ledger
from sparsecbm_core.ledger.schema import TABLE, VERSION_TABLE
from tests.ledger.made import GUARD, MODEL, patch
from tests.ledger.test_database import FIRST_REVISION
from tests.ledger.test_processes import writer

pytestmark = pytest.mark.slow
# PostgreSQL does not run as root.
USER = "nobody" if os.geteuid() == 0 else None


def program(name: str) -> str | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name) or next((str(path / name) for path in folders if (path / name).exists()), None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a fresh server."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip  # as the browser tests do
        give_up("no PostgreSQL server is installed, so a ledger on one cannot be tested")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        if USER is not None:
            shutil.chown(folder, USER)
        data = f"{folder}/data"
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": USER, "cwd": folder}
        create = [initdb, "-D", data, "-U", "me", "-A", "trust", "--no-sync", "--locale", "C", "-E", "UTF8"]
        subprocess.run(create, check=True, timeout=200, **silent)
        settings = ["-h", "127.0.0.1", "-k", folder, "-p", str(port), "-F"]
        process = subprocess.Popen([postgres, "-D", data, *settings], **silent)
        try:
            ready = [str(program("pg_isready")), "-h", "127.0.0.1", "-p", str(port), "-t", "5"]
            for _ in range(100):
                if subprocess.run(ready, check=False, **silent).returncode == 0:
                    break
                assert process.poll() is None, "the server did not start"
            yield f"postgresql+psycopg://me@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture
def place(server) -> str:
    """A database without a ledger."""
    engine = create_engine(server)
    with engine.begin() as connection:
        for table in (TABLE, VERSION_TABLE):
            connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    engine.dispose()
    return server


def test_a_correction_goes_its_way(place):
    with Ledger.open(place) as ledger:
        kept = ledger.add(patch(guard=GUARD, seed=2**62), "Ärger 🥶", text="agreed")
        assert ledger.list(search="ÄRGER") == (kept,)
        assert (kept.guard, kept.seed, kept.text) == (GUARD, 2**62, "agreed")
        assert ledger.set_note(kept.id, "better").note == "better"
        assert ledger.revert(kept.id).changed > kept.changed
        assert ledger.edits(MODEL) == ()
        assert ledger.restore(kept.id).active
        assert [item.id for item in ledger.import_([kept.patch.to_bytes()]).known] == [kept.id]
        assert ledger.import_([patch(1).to_bytes(), patch(1).to_bytes()]).to_dict()["added"][0]["seed"] == 0
        with pytest.raises(LedgerError, match="kept already"):
            ledger.add(patch())
        with pytest.raises(LedgerError, match="no correction"):
            ledger.get(2**40)
    with Ledger.open(place.replace("+psycopg", "")) as again:
        assert again.edits(MODEL) == (patch(0).edit, patch(1).edit)


def test_writers_at_once_lose_nothing(place):
    writers = [writer(place, first, 10) for first in (0, 1000, 2000)]
    said = []
    for process in writers:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
        said += out.split()[1:]
    with Ledger.open(place) as ledger:
        assert {str(kept.id) for kept in ledger.list()} == set(said)
    assert len(set(said)) == 30


def test_a_newer_ledger_is_refused(place):
    Ledger.open(place).close()
    engine = create_engine(place)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="newer version"):
        Ledger.open(place)


def test_a_ledger_from_before_there_was_a_scope(place):
    with Ledger.open(place) as ledger:
        kept = ledger.add(patch())
    engine = create_engine(place)
    with engine.begin() as connection:
        for statement in FIRST_REVISION:
            connection.execute(text(statement))
    engine.dispose()
    with Ledger.open(place) as ledger:
        assert ledger.list(scope="everywhere") == (kept,)
        similar = ledger.add(patch(1, signature=Signature.of("cold soup")))
        assert ledger.list(scope="similar") == (similar,)


def test_another_application_may_use_the_database(place):
    engine = create_engine(place)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    with Ledger.open(place) as ledger:
        ledger.add(patch())
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "theirs"
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()


def test_a_read_only_server_and_a_missing_database(place):
    with Ledger.open(place) as ledger:
        ledger.add(patch())
    with Ledger.open(f"{place}?options=-cdefault_transaction_read_only%3Don") as ledger:
        assert len(ledger.list()) == 1
        with pytest.raises(LedgerError, match="read-only") as caught:
            ledger.revert(1)
        assert "\n" not in str(caught.value)
    with pytest.raises(LedgerError, match="does not exist") as caught:
        Ledger.open(place.rpartition("/")[0] + "/nowhere")
    assert "\n" not in str(caught.value)
