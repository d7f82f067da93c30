"""How Alembic runs these migrations: on the connection that opened the ledger, in its transaction.

``alembic --config sparsecbm_core/ledger/migrations/alembic.ini revision --autogenerate`` writes a new
one against a database of the present revision (``-x url=…``).
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from sparsecbm_core.ledger.schema import VERSION_TABLE, metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as own:
        migrate(own)
