from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from serving.keys import KeyRequest, create_key, list_keys
from serving.operational import METADATA, NEWEST, default_url, migrate, migration_config, open_store


def test_the_migrations_make_the_declared_tables(tmp_path: Path) -> None:
    engine = open_store(default_url(tmp_path))
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert difference == []


def test_the_newest_migration_is_the_last_one() -> None:
    assert ScriptDirectory.from_config(migration_config()).get_heads() == [NEWEST]


def test_every_migration_can_be_taken_back(tmp_path: Path) -> None:
    engine = open_store(default_url(tmp_path))
    config = migration_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    migrate(engine)
    assert list_keys(engine) == []


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    url = default_url(tmp_path)
    made = create_key(open_store(url), KeyRequest("r", ["profiles:read"]), now_ms=1)
    assert list_keys(open_store(url)) == [made.key]


def test_the_folder_is_made_when_it_is_missing(tmp_path: Path) -> None:
    open_store(default_url(tmp_path / "new" / "home"))
    assert (tmp_path / "new" / "home" / "operational.sqlite").is_file()


def test_readers_do_not_wait_for_writers(tmp_path: Path) -> None:
    engine = open_store(default_url(tmp_path))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
