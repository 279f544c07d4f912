"""Commands that keep a lake small and current: vacuum, retention, migrate."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.common import ConfigOption, JsonOption, WaitOption, say, settings_of, show, writing
from pipelines.clock import clock_of
from pipelines.jobs.landing import check_interval

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.command("migrate")(migrate)
    app.command("vacuum")(vacuum)
    app.command("retention")(retention)


def vacuum(
    dry_run: DryRunOption = False,
    optimise: Annotated[bool, typer.Option("--optimize", help="First put small files together (OPTIMIZE).")] = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete files that no kept snapshot, no young version and no running state needs."""
    from pipelines.vacuum import HOUR_MS
    from pipelines.vacuum import optimise as put_together
    from pipelines.vacuum import vacuum as sweep
    from pipelines.verify import refuse_damage

    settings = settings_of(config)
    cutoff = clock_of(settings.clock)() - int(settings.vacuum.keep_hours * HOUR_MS)
    with writing(settings, wait):
        refuse_damage(settings.home)
        together = put_together(settings.home, say) if optimise and not dry_run else []
        done = sweep(settings.home, keep=settings.publish.keep, cutoff_ms=cutoff, dry_run=dry_run)
    verb = "would go" if dry_run else "gone"
    lines = [f"snapshot {name} {verb}" for name in done.snapshots]
    lines += [f"{t.table}: {t.files} data files, {t.log_files} log files, {t.bytes} bytes {verb}" for t in done.tables]
    lines += [f"in all {done.bytes} bytes {verb}"]
    compacted = {item.table: item.compacted for item in together}
    show(done.as_dict() | {"compacted": compacted}, as_json=as_json, text="\n".join(lines))


def retention(
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Business day to count back from; default: the newest that came in.")
    ] = None,
    dry_run: DryRunOption = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete rows past the periods of the configuration, by business date, with a report."""
    from pipelines.retention import newest_day, retain
    from pipelines.verify import refuse_damage

    settings = settings_of(config)
    with writing(settings, wait):
        refuse_damage(settings.home)
        day = check_interval(as_of) if as_of else newest_day(settings.lake)
        done = retain(settings, day, dry_run=dry_run)
    verb = "would go" if dry_run else "gone"
    unit = {True: "days of files", False: "rows"}
    lines = [f"{e.table}: {e.rows} {unit[e.table.startswith('landing/')]} before {e.before} {verb}" for e in done]
    lines += (
        ["`cdp run` takes them out of what follows, `cdp vacuum` deletes their files"] if done and not dry_run else []
    )
    text = "\n".join(lines) or f"nothing is past its time on {day}"
    show({"as_of": day, "expired": [item.as_dict() for item in done]}, as_json=as_json, text=text)


def migrate(wait: WaitOption = 0.0, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Bring the tables of an older lake up to this program's schemas."""
    from pipelines.migrate import migrate as bring_up
    from pipelines.sources.config import feed_defaults

    settings = settings_of(config)
    defaults = feed_defaults(settings.conf)
    with writing(settings, wait):
        changes = bring_up(settings.lake, defaults)
    lines = [
        f"{one.table}: schema version {one.before} -> {one.after}" + (f", {one.what}" if one.what else "")
        for one in changes
    ]
    text = "\n".join(lines) or "every table has the schemas of this program"
    show([one.as_dict() for one in changes], as_json=as_json, text=text)
