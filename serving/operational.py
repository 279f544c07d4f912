"""The operational store of the API (SQLite embedded, PostgreSQL to scale): its tables and how they come up to date."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import NullPool

NEWEST = "0001"
"""The newest migration: a store that has it needs none."""

METADATA = sa.MetaData()

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("key_id", sa.String(16), primary_key=True, comment="Public part of the key"),
    sa.Column("name", sa.String(120), nullable=False, comment="Who uses it"),
    sa.Column("secret_hash", sa.String(200), nullable=False, comment="argon2id of the secret"),
    sa.Column("scopes", sa.JSON, nullable=False, comment="What it may do, sorted list"),
    sa.Column("restrict", sa.JSON, nullable=False, comment="Whom it may see: {brand|guide: [values]}; empty: everyone"),
    sa.Column("rate_per_minute", sa.Integer, nullable=True, comment="Own request limit; null: the API's"),
    sa.Column("created_ms", sa.BigInteger, nullable=False, comment="UTC epoch ms"),
    sa.Column("expires_ms", sa.BigInteger, nullable=False, comment="UTC epoch ms"),
    sa.Column("revoked_ms", sa.BigInteger, nullable=True, comment="UTC epoch ms; null while in force"),
)

_MIGRATIONS = Path(__file__).parent / "migrations"


def default_url(home: Path) -> str:
    """The embedded store of a lake: `<home>/operational.sqlite`."""
    return f"sqlite:///{(home / 'operational.sqlite').resolve()}"


def open_store(url: str) -> Engine:
    """The store, brought up to the newest schema."""
    parsed = make_url(url)
    embedded = parsed.get_backend_name() == "sqlite"
    if embedded and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, poolclass=NullPool if embedded else None)
    if embedded:
        sa.event.listen(engine, "connect", _tune_sqlite)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Every migration is applied; nothing happens when the schema is new enough."""
    if _version(engine) == NEWEST:
        return
    config = migration_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migration_config() -> Config:
    """Where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _version(engine: Engine) -> str | None:
    """The newest migration applied; None for a store without tables."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return version


def _tune_sqlite(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()
