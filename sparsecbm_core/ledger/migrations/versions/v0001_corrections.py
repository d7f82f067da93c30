"""The table of corrections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TABLE = "sparsecbm_corrections"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("concept", sa.Text, nullable=False),
        sa.Column("state_before", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("r", sa.Double, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("grown", sa.Integer, nullable=False),
        sa.Column("guard", sa.JSON),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edit", sa.String(16), nullable=False),
        sa.Column("patch", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("model", "edit", name=f"uq_{TABLE}_edit"),
        sa.CheckConstraint("status IN ('active', 'reverted')", name=f"ck_{TABLE}_status"),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{TABLE}_model", TABLE, ["model"])
