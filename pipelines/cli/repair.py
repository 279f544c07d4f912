"""Commands that find damage of a lake and bring it back: verify, repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.common import ConfigOption, JsonOption, WaitOption, keys_of, say, settings_of, show, writing
from pipelines.errors import IntegrityError
from pipelines.keys import Keys
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.publish import Manifest
    from pipelines.repair import Repair
    from pipelines.verify import Damage


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.command("verify")(verify)
    app.command("repair")(repair)


def verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read every log, data and snapshot file of the lake; damage is named (exit 4)."""
    from pipelines.publish import CURRENT
    from pipelines.rebuilding import owed
    from pipelines.verify import find_damage

    settings = settings_of(config)
    published = (settings.home / CURRENT).is_file()
    damage = find_damage(settings.home)
    rerun = owed(settings.home)
    if damage and as_json:
        show({"damage": [item.as_dict() for item in damage], "published": published, "rerun": rerun}, as_json=True)
    _refuse(damage, f"run `{rerun[0]}`" if rerun else "run `cdp repair`")
    text = "the lake and its snapshots are whole" if published else "the lake is whole; nothing is published yet"
    show({"damage": [], "published": published, "rerun": rerun}, as_json=as_json, text=text)


def repair(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also run what makes lost rows again; else it is only named.")
    ] = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a damaged lake back to its last good state and say what was done."""
    from pipelines.cli.run import run_again
    from pipelines.clock import clock_of
    from pipelines.jobs.s7_publish import build_serving
    from pipelines.repair import repair as bring_back
    from pipelines.verify import find_damage

    settings = settings_of(config)
    building = _Building(settings, keys_of(settings))

    def build(folder: Path, manifest: Manifest) -> None:
        build_serving(building, manifest, folder, clock_of(settings.clock)())

    with writing(settings, wait):
        done = bring_back(settings.home, build)
        if rebuild and done.rerun:
            for line in done.rerun:
                say(f"running {line}")
                run_again(settings, line)
            done.rerun, done.remaining = [], find_damage(settings.home)
    show(done.as_dict(), as_json=as_json, text=_text(done))
    _refuse(done.remaining, f"run `{done.rerun[0]}`" if done.rerun else "restore the named files from a backup")


@dataclass(frozen=True)
class _Building:
    settings: Settings
    keys: Keys


def _refuse(damage: Sequence[Damage], hint: str) -> None:
    for item in damage[1:]:
        say(f"damage: {item.where}: {item.problem}")
    if damage:
        raise IntegrityError(damage[0].problem, where=damage[0].where, hint=hint)


def _text(done: Repair) -> str:
    lines = [f"{step.where}: {step.what}" for step in done.steps] or ["nothing was damaged"]
    for item in done.lost:
        rows = "an unknown number of" if item.rows is None else str(item.rows)
        lines.append(f"{item.table}: {rows} rows lost in {item.files} files" + ("" if item.again else ", for good"))
    lines.append(f"present snapshot: {done.snapshot or 'none'}")
    return "\n".join([*lines, *(f"to make the rows again: {line}" for line in done.rerun)])
