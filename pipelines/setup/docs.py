"""Reference pages written from the declarations themselves, so that they cannot drift from the code.

`python -m pipelines.setup.docs` rewrites them; a test compares them with what the code says now.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from typer.core import TyperGroup, TyperOption

from pipelines.settings import Settings
from pipelines.spec import Column, Table, TableSet
from pipelines.tables import ALL
from pipelines.tables.numbers import ALONE, NUMBERS

ROOT = Path(__file__).resolve().parents[2]
ADR_FOLDER = Path("docs/adr")
NOTE = "<!-- Written by `python -m pipelines.setup.docs`; edit the declarations instead. -->\n"

LAYERS: Mapping[str, str] = {
    "bronze": "Raw records as they came, one table per feed.",
    "silver": "Typed facts, the latest version of each business key, and what each says about identities.",
    "identity": "Evidence, decisions and the map from every identifier to its OneID.",
    "features": "One row per OneID, tags with their reasons, touchpoints.",
    "gold": "The star schema for BI.",
    "ops": "What ran, what came in, what was checked.",
}
PERSONAL: Mapping[str, str] = {"none": "", "token": "keyed token", "pseudonym": "pseudonym", "clear": "personal"}


def render_tables(tables: TableSet) -> str:
    """The lake's tables as a Markdown page: per layer each table with grain, key, columns and checks."""
    parts = ["# Tables of the lake\n", NOTE]
    parts += [f"- [{layer}](#{layer}): {words}" for layer, words in LAYERS.items()]
    for layer, words in LAYERS.items():
        parts += [f"\n## {layer}\n", words]
        parts += [_table(table) for table in tables.layer(layer)]
    return "\n".join((*parts, *_numbers())) + "\n"


def _numbers() -> Iterable[str]:
    """Within what the numbers in keys count."""
    yield "\n## keys\n"
    yield "Brands, shops, corps and mini-programs may number alike: within what each column of a key is unique.\n"
    yield _row("column", "within", "why")
    yield _row("---", "---", "---")
    for name, number in NUMBERS.items():
        yield _row(f"`{name}`", ", ".join(f"`{one}`" for one in number.within), number.why)
    for (table, name), why in ALONE.items():
        yield _row(f"`{name}` of `{table}`", "", why)


def render_settings() -> str:
    """Every setting with its type, default and meaning as a Markdown page."""
    head = (
        "# Settings\n",
        NOTE,
        "Layers, later ones win: `conf/base.yaml`, `conf/<env>.yaml` (`CDP_ENV`, default `local`), the file of",
        "`--config`, the environment. `spark.memory` is `CDP_SPARK__MEMORY` in the environment.\n",
        _row("key", "environment", "default", "meaning"),
        _row("---", "---", "---", "---"),
    )
    rows = (
        _row(f"`{key}`", f"`CDP_{key.upper().replace('.', '__')}`", f"`{default}`", words)
        for key, default, words in setting_rows(Settings)
    )
    return "\n".join((*head, *rows)) + "\n"


def setting_rows(model: type[BaseModel], prefix: str = "") -> Iterable[tuple[str, Any, str]]:
    """(dotted key, default, meaning) of every setting; nested groups are opened."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from setting_rows(kind, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "env":
            yield f"{prefix}{name}", field.get_default(call_default_factory=True), field.description or ""


def render_adr_index(folder: Path) -> str:
    """The index of the decision records in a folder, in number order, each by its own title and status."""
    rows = []
    for path in sorted(folder.glob("[0-9]*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        title = lines[0].removeprefix("# ").partition(". ")[2]
        status = next((line.partition(":")[2].strip() for line in lines if line.startswith("Status:")), "")
        rows.append(_row(f"[{path.stem[:4]}]({path.name})", title, status))
    head = ("# Decisions\n", NOTE, "Choices that are hard to take back, each with its reason and its price.\n")
    return "\n".join((*head, _row("no.", "decision", "status"), _row("---", "---", "---"), *rows)) + "\n"


def render_commands(app: typer.Typer, name: str = "cdp") -> str:
    """Every command of an app with its arguments and options as a Markdown page."""
    parts = ["# Commands\n", NOTE, "Exit codes and the refusal on stderr: see [architecture](../architecture.md).\n"]
    for path, command in command_rows(typer.main.get_command(app), name):
        words = (command.help or "").strip().splitlines()
        parts += [f"## {path}\n", words[0] if words else "", ""]
        rows = [_option(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        if rows:
            parts += [_row("argument or option", "default", "meaning"), _row("---", "---", "---"), *rows, ""]
    return "\n".join(parts)


def command_rows(command: Any, path: str) -> Iterable[tuple[str, Any]]:
    """(words to type, command) of every command that does something; groups are opened, in their own order."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from command_rows(inner, f"{path} {name}")
    else:
        yield path, command


def _option(parameter: Any) -> str:
    names = parameter.opts + parameter.secondary_opts if isinstance(parameter, TyperOption) else [parameter.name]
    default = "" if callable(parameter.default) or parameter.default in (None, False) else f"`{parameter.default}`"
    default = "required" if parameter.required else default
    return _row(", ".join(f"`{name}`" for name in names), default, getattr(parameter, "help", None) or "")


def _commands_page() -> str:
    from pipelines.cli.app import app

    return render_commands(app)


PAGES: Mapping[Path, Callable[[], str]] = {
    Path("docs/reference/tables.md"): lambda: render_tables(ALL),
    Path("docs/reference/settings.md"): render_settings,
    Path("docs/reference/commands.md"): _commands_page,
    ADR_FOLDER / "README.md": lambda: render_adr_index(ROOT / ADR_FOLDER),
}
"""Every generated page by its path in the checkout."""


def stale(root: Path = ROOT) -> list[Path]:
    """The generated pages of a checkout that differ from what the code says now."""
    return [path for path, render in PAGES.items() if _read(root / path) != render()]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _table(table: Table) -> str:
    facts = [f"Grain: {table.grain}", f"key: {_names(table.key)}", f"owner: {table.owner}"]
    facts += [f"newest by: `{table.version}`"] if table.version else []
    facts += [f"partitioned by: {_names(table.partition_by)}"] if table.partition_by else []
    facts += ["published"] if table.published else []
    lines = [f"\n### {table.full_name}\n", table.doc, "", "; ".join(facts) + ".", ""]
    lines += [_row("column", "type", "meaning", "required", "personal"), _row(*["---"] * 5)]
    lines += [_column(column) for column in table.columns]
    lines += ["", "Checks: " + "; ".join(f"`{check.name}` {_code(check.predicate)}" for check in table.checks) + "."]
    return "\n".join(lines)


def _column(column: Column) -> str:
    required = "yes" if column.required else ""
    return _row(f"`{column.name}`", f"`{column.type}`", column.doc, required, PERSONAL[column.pii])


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _code(text: str) -> str:
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def main() -> int:
    """Every generated page is written as the code says now."""
    for path, render in PAGES.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(render(), encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
