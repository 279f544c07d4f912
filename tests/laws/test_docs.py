"""What the documents say is true of the code: names, commands, targets and generated pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from pipelines.cli.app import app
from pipelines.setup.docs import ADR_FOLDER, PAGES, command_rows, render_adr_index, stale
from tests.laws.code import PACKAGES, ROOT

READERS = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/architecture.md")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
MAKE = re.compile(r"`?\bmake ([a-z][a-z-]+)\b")
ADR_LINES = 40
NO_TARGETS = {"environments", "alone", "sure", "it", "the"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))


def test_generated_pages_are_current() -> None:
    assert [str(path) for path in stale()] == [], "make golden rewrites them"


def test_every_generated_page_says_where_it_comes_from() -> None:
    assert [str(path) for path in PAGES if "pipelines.setup.docs" not in text_of(str(path))] == []


def test_every_page_of_reference_is_generated() -> None:
    pages = {path.relative_to(ROOT) for path in (ROOT / "docs/reference").glob("*.md")}
    assert pages == {path for path in PAGES if path.parent == Path("docs/reference")}


def test_every_command_of_the_app_is_on_its_page() -> None:
    commands = [path for path, _ in command_rows(typer.main.get_command(app), "cdp")]
    headings = re.findall(r"^## (.+)$", text_of("docs/reference/commands.md"), re.MULTILINE)
    assert headings == commands
    assert {"cdp run", "cdp pull", "cdp identity diff"} <= set(headings)


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert re.search(r"^## (\S+)", text_of("CHANGELOG.md"), re.MULTILINE)[1] == version  # type: ignore[index]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / ADR_FOLDER).glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_decision_has_number_title_status_and_is_short() -> None:
    for path in sorted((ROOT / ADR_FOLDER).glob("[0-9]*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {path.name[:4]}. "), path.name
        assert any(line.startswith("Status: ") for line in lines), path.name
        assert len(lines) <= ADR_LINES, path.name


def test_the_index_takes_title_and_status_from_the_decision(tmp_path: Path) -> None:
    (tmp_path / "0001-a.md").write_text("# 0001. A choice | a price\n\nStatus: accepted\n", encoding="utf-8")
    assert "| [0001](0001-a.md) | A choice \\| a price | accepted |" in render_adr_index(tmp_path)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_shows_the_two_commands(name: str) -> None:
    assert "make demo" in text_of(name)
    assert "make test" in text_of(name)


@pytest.mark.parametrize("name", READERS)
def test_every_make_target_named_exists(name: str) -> None:
    named = set(MAKE.findall(text_of(name))) - NO_TARGETS
    assert sorted(named - targets()) == []


@pytest.mark.parametrize("name", READERS)
def test_every_link_leads_to_a_file(name: str) -> None:
    folder = (ROOT / name).parent
    links = [link for link in LINK.findall(text_of(name)) if "://" not in link]
    assert [link for link in links if not (folder / link).exists()] == []


def test_both_readmes_link_the_same_pages() -> None:
    english, chinese = (set(LINK.findall(text_of(name))) for name in ("README.md", "README.zh-CN.md"))
    assert english - {"README.zh-CN.md"} == chinese - {"README.md"}


def test_every_target_of_make_is_explained() -> None:
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text_of("Makefile"), re.MULTILINE))
    assert explained == targets()


def test_continuous_integration_runs_make_test() -> None:
    assert text_of(".ci/run").rstrip().endswith("make test")


def test_every_example_in_a_docstring_is_run() -> None:
    options = tomllib.loads(text_of("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    assert "--doctest-modules" in options["addopts"]
    with_examples = {
        path.relative_to(ROOT)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.py")
        if ">>> " in path.read_text()
    }
    run = tuple(Path(folder) for folder in options["testpaths"])
    assert [str(path) for path in sorted(with_examples) if not any(path.is_relative_to(folder) for folder in run)] == []
