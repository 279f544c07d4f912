"""Reference pages say what the declarations say, and notice when they no longer do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

from pipelines.settings import Settings
from pipelines.setup import docs
from pipelines.spec import Check, Column, Table, TableSet

THINGS = Table(
    layer="silver",
    name="things",
    doc="Things that are told apart.",
    grain="one thing",
    key=("a", "b"),
    version="version_key",
    partition_by=("b",),
    published=True,
    columns=(Column("a", "string", "This | that", pii="pseudonym", required=True), Column("b", "date", "Day")),
    checks=(Check("has_a", "length(a) > 0"),),
)


def test_a_table_is_shown_with_grain_key_and_order_of_versions() -> None:
    page = docs.render_tables(TableSet((THINGS,)))
    assert "### silver.things\n\nThings that are told apart.\n" in page
    assert "Grain: one thing; key: `a`, `b`; owner: data-platform; newest by: `version_key`" in page
    assert "partitioned by: `b`; published." in page


def test_a_column_is_shown_with_how_personal_it_is() -> None:
    assert "| `a` | `string` | This \\| that | yes | pseudonym |" in docs.render_tables(TableSet((THINGS,)))


def test_a_check_is_shown_with_its_rule() -> None:
    assert "Checks: `has_a` `length(a) > 0`." in docs.render_tables(TableSet((THINGS,)))


def test_every_setting_is_shown_with_its_variable_and_meaning() -> None:
    page = docs.render_settings()
    assert "| `spark.memory` | `CDP_SPARK__MEMORY` |" in page
    assert all(words for _, _, words in docs.setting_rows(Settings))


def test_a_page_that_differs_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path("docs/page.md")
    monkeypatch.setattr(docs, "PAGES", {page: lambda: "now"})
    assert docs.stale(tmp_path) == [page]
    (tmp_path / "docs").mkdir()
    (tmp_path / page).write_text("before", encoding="utf-8")
    assert docs.stale(tmp_path) == [page]


def test_the_command_brings_every_page_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "PAGES", {Path("docs/new/page.md"): lambda: "now"})
    assert docs.main() == 0
    assert docs.stale(tmp_path) == []


def sample_commands() -> typer.Typer:
    app = typer.Typer()
    inner = typer.Typer()
    app.add_typer(inner, name="identity")

    @app.command("run")
    def run(
        path: Annotated[Path, typer.Argument(help="What to read.")],
        days: Annotated[int, typer.Option(help="Business days.")] = 90,
        full: Annotated[bool, typer.Option("--full", help="Rebuild.")] = False,
    ) -> None:
        """Run the days.

        More words.
        """

    @inner.command("lookup")
    def lookup() -> None:
        """Find a person."""

    return app


def test_every_command_is_shown_with_its_first_sentence() -> None:
    page = docs.render_commands(sample_commands())
    assert "## cdp run\n\nRun the days.\n" in page
    assert "## cdp identity lookup\n\nFind a person.\n" in page


def test_every_option_is_shown_with_default_and_meaning() -> None:
    page = docs.render_commands(sample_commands())
    assert "| `path` | required | What to read. |" in page
    assert "| `--days` | `90` | Business days. |" in page
    assert "| `--full` |  | Rebuild. |" in page
