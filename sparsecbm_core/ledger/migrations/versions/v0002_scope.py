"""Where a correction holds: everywhere, as all did before, or for similar reviews alone."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLE = "sparsecbm_corrections"


def upgrade() -> None:
    # In one statement: SQLite takes no constraint for a table that is there.
    op.execute(
        f"ALTER TABLE {TABLE} ADD COLUMN scope VARCHAR(16) DEFAULT 'everywhere' NOT NULL "
        f"CONSTRAINT ck_{TABLE}_scope CHECK (scope IN ('everywhere', 'similar'))"
    )
