"""Commands that bring data in and run the pipeline: init, simulate, ingest, run, backfill, plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.bringing import collect_pushes, feed_of, propose_mapping, read_mapping
from pipelines.cli.common import (
    ConfigOption,
    JsonOption,
    WaitOption,
    cluster_session,
    keys_of,
    say,
    settings_of,
    show,
    writing,
)
from pipelines.clock import clock_of, today
from pipelines.errors import ConfigurationError, InputRefusedError
from pipelines.jobs.landing import Batch, check_interval, find_files, interval_of, make_batch
from pipelines.keys import create_keys
from pipelines.settings import Settings
from pipelines.spans import Spans

if TYPE_CHECKING:
    from pipelines.imports.mapping import ImportMapping

FromOption = Annotated[str | None, typer.Option("--from", help="First business day, YYYY-MM-DD.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Last business day, YYYY-MM-DD.")]


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.command("init")(init)
    app.command("simulate")(simulate)
    app.command("ingest")(ingest)
    app.command("run")(run)
    app.command("backfill")(backfill)
    app.command("plan")(plan)
    app.command("demo")(demo)


def init(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the keys of a new lake and say how to back them up."""
    settings = settings_of(config)
    with writing(settings):
        made = create_keys(settings.keys)
    text = (
        f"{'made' if made else 'kept the existing'} keys in {settings.keys}\n"
        f"Back the folder up where the lake's backups are not: without identity.key people get new OneIDs,\n"
        f"without vault.key clear values are lost. Example: tar czf cdp-keys.tgz -C {settings.keys} ."
    )
    show({"keys": str(settings.keys), "made": made}, as_json=as_json, text=text)


def simulate(
    people: Annotated[int, typer.Option(help="People in the world.")] = 20_000,
    days: Annotated[int, typer.Option(help="Business days.")] = 90,
    start: Annotated[str, typer.Option(help="First business day.")] = "2025-01-01",
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 7,
    dirt: Annotated[float, typer.Option(help="Factor on the default dirt of life; 0 is a clean world.")] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; default: the home, so that `cdp run` finds it.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a simulated brand's raw data, with the truth and the books beside it."""
    from pipelines.demo import World, simulate_brand

    settings = settings_of(config)
    target = out or settings.home
    report = simulate_brand(target, World(people, days, start, seed, dirt), say)
    show(
        report,
        as_json=as_json,
        text=f"{report['records']} records of {len(report['feeds'])} feeds in {target / 'landing'}",
    )


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Landing files or folders (.jsonl, .jsonl.gz, .json, .xml).")],
    feed: Annotated[
        str | None, typer.Option("--feed", help="Feed: the name of a bronze table; default: the mapping's.")
    ] = None,
    interval: Annotated[str | None, typer.Option("--interval", help="Business day of arrival, YYYY-MM-DD.")] = None,
    batch_id: Annotated[
        str | None, typer.Option("--batch-id", help="Batch id; default: digest of the content.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="Mapping of a table export: a YAML file or a ready one's name."),
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option("--context", help="KEY=VALUE that the export does not say, e.g. shop_id=…")
    ] = None,
    guess: Annotated[bool, typer.Option("--guess", help="Propose a mapping for an unknown table file.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Where the proposed mapping is written.")] = None,
    ignore_ledger: Annotated[
        bool, typer.Option("--ignore-ledger", help="Read files again that were ingested before.")
    ] = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring raw files into bronze; the batch's balance is printed and kept."""
    settings = settings_of(config)
    if guess:
        propose_mapping(settings, paths, output, as_json=as_json)
        return
    table = read_mapping(settings, mapping, context or [])
    feed = feed_of(feed, table)
    keys_of(settings)
    with writing(settings, wait):
        collect_pushes(settings)
        batches = _batches(settings, paths, feed, interval=interval, batch_id=batch_id, mapping=table)
        first, last = min(b.interval for b in batches), max(b.interval for b in batches)
        report = _run(
            settings, first, last, batches=batches, only=("s1_bronze",), again={"ignore_ledger": ignore_ledger}
        )
    show(report, as_json=as_json, text=_text(report))


def run(
    first: FromOption = None,
    last: ToOption = None,
    date: Annotated[str | None, typer.Option("--date", help="One business day, YYYY-MM-DD.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Rebuild from all facts; gives the same tables and OneIDs.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read all of bronze again, as after a parser was mended; implies --full.")
    ] = False,
    ignore_ledger: Annotated[bool, typer.Option("--ignore-ledger", help="Read landing files again.")] = False,
    publish: Annotated[bool, typer.Option("--publish/--no-publish", help="Publish the snapshot at the end.")] = True,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the pipeline for business days: landing to published snapshot."""
    settings = settings_of(config)
    keys_of(settings)
    with writing(settings, wait) as spans:
        collect_pushes(settings)
        begin, end = _days(settings, first or date, last or date)
        again = {"full": full or reread, "reread": reread, "ignore_ledger": ignore_ledger}
        report = _run(settings, begin, end, again=again, publish=publish, spans=spans)
    show(report, as_json=as_json, text=_text(report))


def ingest_batches(settings: Settings, batches: tuple[Batch, ...]) -> dict[str, object]:
    """The batches are in bronze with their balance; the caller holds the lake's lock."""
    first, last = min(batch.interval for batch in batches), max(batch.interval for batch in batches)
    return _run(settings, first, last, batches=batches, only=("s1_bronze",))


def run_again(settings: Settings, line: str) -> dict[str, object]:
    """A run as a repair names it (`cdp run ...`) is done; the caller holds the lake's lock."""
    words = line.split()
    first, last = (words[words.index(name) + 1] if name in words else None for name in ("--from", "--to"))
    begin, end = _days(settings, first, last)
    full, ignore_ledger = "--full" in words, "--ignore-ledger" in words
    return _run(settings, begin, end, again={"full": full, "ignore_ledger": ignore_ledger}, publish=True)


def backfill(
    first: Annotated[str, typer.Option("--from", help="First business day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last business day, YYYY-MM-DD.")],
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run days that lie before the newest one; the snapshot still answers for the newest."""
    settings = settings_of(config)
    keys_of(settings)
    with writing(settings, wait) as spans:
        collect_pushes(settings)
        begin, end = _days(settings, first, last)
        report = _run(settings, begin, end, publish=True, keep_newest=True, spans=spans)
    show(report, as_json=as_json, text=_text(report))


def plan(
    first: FromOption = None, last: ToOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Say what a run would do: its jobs in order, and the landing files that wait."""
    from pipelines.catalog import JOBS
    from pipelines.runner import waiting_batches

    settings = settings_of(config)
    begin, end = _days(settings, first, last)
    batches = waiting_batches(settings, begin, end)
    jobs = [{"job": job.name, "doc": job.doc, "reads": len(job.reads), "writes": list(job.writes)} for job in JOBS.jobs]
    waiting = [
        {"feed": b.feed, "interval": b.interval, "files": len(b.files), "bytes": sum(f.size for f in b.files)}
        for b in batches
    ]
    lines = [
        f"days {begin} to {end}",
        *(f"{job['job']}: {job['doc']}" for job in jobs),
        f"{len(waiting)} batches wait:",
    ]
    lines += [f"  {w['feed']} {w['interval']}: {w['files']} files, {w['bytes']} bytes" for w in waiting[:50]]
    show({"from": begin, "to": end, "jobs": jobs, "batches": waiting}, as_json=as_json, text="\n".join(lines))


def demo(
    people: Annotated[int, typer.Option(help="People in the world.")] = 20_000,
    days: Annotated[int, typer.Option(help="Days of history; one more runs incrementally.")] = 90,
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 7,
    via_api: Annotated[
        bool, typer.Option("--via-api", help="Pull from a server that plays the platforms, as from real ones.")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the API at the end.")] = True,
    report: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("demo_report.json"),
    config: ConfigOption = None,
) -> None:
    """Simulate a brand, run its history and one more day, measure against the truth, serve the API."""
    from pipelines.demo import World, run_demo

    world = World(people, days, seed=seed, via_api=via_api)
    run_demo(settings_of(config), world, say, serve=serve, report=report)


def _batches(
    settings: Settings,
    paths: list[Path],
    feed: str,
    *,
    interval: str | None,
    batch_id: str | None,
    mapping: ImportMapping | None,
) -> tuple[Batch, ...]:
    if interval is not None:
        check_interval(interval)
    if mapping is not None:
        from pipelines.imports import convert

        day = interval or today(clock_of(settings.clock))
        paths = convert(paths, mapping, settings.home / "imports", day=day)
    groups: dict[str, list[Path]] = {}
    for path in paths:
        for file in find_files([path]):
            day = interval or interval_of(file.path) or today(clock_of(settings.clock))
            groups.setdefault(day, []).append(file.path)
    return tuple(make_batch(feed, day, find_files(groups[day]), batch_id) for day in sorted(groups))


def _days(settings: Settings, first: str | None, last: str | None) -> tuple[str, str]:
    for value in (first, last):
        if value is not None:
            check_interval(value)
    if first and last:
        if first > last:
            raise ConfigurationError(
                f"the first day {first} lies after the last day {last}", where="--from", hint="swap the days"
            )
        return first, last
    landed = (
        sorted({p.name for feed in settings.landing.glob("*") for p in feed.glob("????-??-??")})
        if settings.landing.is_dir()
        else []
    )
    if not landed:
        raise InputRefusedError(
            "the landing folder holds no day of any feed",
            where=str(settings.landing),
            hint="run `cdp simulate`, `cdp pull` or `cdp ingest` first, or name the days with --from and --to",
        )
    return first or landed[0], last or landed[-1]


def _run(
    settings: Settings,
    first: str,
    last: str,
    *,
    batches: tuple[Batch, ...] | None = None,
    only: tuple[str, ...] = (),
    again: Mapping[str, bool] = MappingProxyType({}),
    publish: bool = False,
    keep_newest: bool = False,
    spans: Spans | None = None,
) -> dict[str, object]:
    from pipelines.lineage import write_events
    from pipelines.migrate import refuse_other_schemas
    from pipelines.rebuilding import settle
    from pipelines.runner import RunRequest, run_pipeline
    from pipelines.verify import refuse_damage

    spans = spans or Spans()
    with spans.measure("verify"):
        refuse_damage(settings.home)
        refuse_other_schemas(settings.lake)
    request = RunRequest(first, last, **again, batches=batches, only=only, keep_newest=keep_newest)
    try:
        with cluster_session(settings) as cluster:
            report = run_pipeline(cluster, settings, request, say, publish=publish, spans=spans)
    finally:
        try:
            write_events(settings.home, settings.lake)
        except OSError as error:
            say(f"warning: the lineage events of the run are not written: {error.strerror}")
    settle(settings.home, ignore_ledger=request.ignore_ledger, full=request.full)
    return report


def _text(report: dict[str, object]) -> str:
    snapshot = report.get("snapshot") or "unchanged"
    return f"run {report['run_id']}: {report['changed_rows']} rows changed; snapshot {snapshot}"
