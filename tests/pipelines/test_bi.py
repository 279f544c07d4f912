"""`bi.duckdb` shows BI tools the published tables with their words, at the published versions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.bi import write_bi
from pipelines.errors import ConfigurationError
from pipelines.tables import ALL
from tests.pipelines.published import FACTS, SHOPS, publish_run, shop, write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "it's home"
    write(home, SHOPS, [shop("1"), shop("2")])
    write(home, FACTS, [])
    publish_run(home, 1)
    return home


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "bi.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_view_per_published_table(home: Path) -> None:
    path, views = write_bi(home)
    assert (path, views) == (home / "bi.duckdb", [SHOPS, FACTS])
    assert ask(home, "SELECT shop_id FROM gold.dim_shop ORDER BY 1") == [("1",), ("2",)]


def test_views_and_columns_carry_their_words(home: Path) -> None:
    write_bi(home)
    assert ask(home, "SELECT comment FROM duckdb_views() WHERE view_name = 'dim_shop'") == [(ALL[SHOPS].doc,)]
    found = dict(ask(home, "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'dim_shop'"))
    assert found == {column.name: column.doc for column in ALL[SHOPS].columns}


def test_the_view_of_an_empty_table_has_its_columns_and_types(home: Path) -> None:
    write_bi(home)
    assert ask(home, "SELECT * FROM gold.fact_points") == []
    types = dict(ask(home, "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'fact_points'"))
    assert (types["points"], types["business_date"], types["source"]) == ("BIGINT", "DATE", "VARCHAR")


def test_a_run_that_goes_on_changes_nothing_for_the_reader(home: Path) -> None:
    write_bi(home)
    write(home, SHOPS, [shop("3")], mode="overwrite")
    assert ask(home, "SELECT count(*) FROM gold.dim_shop") == [(2,)]


def test_writing_again_follows_the_published_snapshot(home: Path) -> None:
    write_bi(home)
    write(home, SHOPS, [shop("3")])
    publish_run(home, 2)
    write_bi(home)
    assert ask(home, "SELECT count(*) FROM gold.dim_shop") == [(3,)]


def test_the_views_of_a_home_whose_name_could_be_a_pattern_read_no_other_home(tmp_path: Path) -> None:
    home = tmp_path / "home*"
    write(home, SHOPS, [shop("1")])
    publish_run(home, 1)
    shutil.copytree(home, tmp_path / "home2")
    write_bi(home)
    assert ask(home, "SELECT shop_id FROM gold.dim_shop") == [("1",)]


def test_what_a_write_that_broke_off_left_does_not_matter(home: Path) -> None:
    (home / ".bi.duckdb.partial").write_text("broken")
    write_bi(home)
    assert ask(home, "SELECT count(*) FROM gold.dim_shop") == [(2,)]


def test_without_a_published_snapshot_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing is published"):
        write_bi(tmp_path)
