"""The table of corrections. Its history is in ``migrations/``; a test sees to it that both agree."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

# Names that may share a server's database with another application's tables.
TABLE, VERSION_TABLE = "sparsecbm_corrections", "sparsecbm_ledger_version"
HEAD = "0002"  # revision of the newest migration


class Utc(TypeDecorator[datetime]):
    """Aware times, in UTC on every database (SQLite keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()
corrections = Table(
    TABLE,
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", Utc, nullable=False),
    Column("model", Text, nullable=False, index=True),
    Column("concept", Text, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("r", Double, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("grown", Integer, nullable=False),
    Column("guard", JSON(none_as_null=True)),
    Column("note", Text, nullable=False),
    Column("text", Text),
    Column("status", String(16), nullable=False),
    Column("changed", Utc, nullable=False),
    # Fingerprint of the flips: the same edit twice would undo itself.
    Column("edit", String(16), nullable=False),
    # Safetensors file, without the note and the text, which may change.
    Column("patch", LargeBinary, nullable=False),
    Column("scope", String(16), nullable=False, server_default="everywhere"),
    UniqueConstraint("model", "edit", name=f"uq_{TABLE}_edit"),
    CheckConstraint("status IN ('active', 'reverted')", name=f"ck_{TABLE}_status"),
    CheckConstraint("scope IN ('everywhere', 'similar')", name=f"ck_{TABLE}_scope"),
    # On SQLite: never use a number again.
    sqlite_autoincrement=True,
)
