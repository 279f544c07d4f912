"""Commands that keep a lake small and current: migrate."""

from __future__ import annotations

import typer

from pipelines.cli.common import ConfigOption, JsonOption, WaitOption, settings_of, show, writing


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.command("migrate")(migrate)


def migrate(wait: WaitOption = 0.0, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring the tables of an older lake up to this program's schemas."""
    from pipelines.migrate import migrate as bring_up

    settings = settings_of(config)
    with writing(settings, wait):
        changes = bring_up(settings.lake)
    lines = [
        f"{one.table}: schema version {one.before} -> {one.after}"
        + (f", new columns {', '.join(one.columns)}" if one.columns else "")
        for one in changes
    ]
    text = "\n".join(lines) or "every table has the schemas of this program"
    show([one.as_dict() for one in changes], as_json=as_json, text=text)
