"""Commands around refused records: list, show, fix, replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.common import ConfigOption, JsonOption, WaitOption, keys_of, settings_of, show, writing
from pipelines.errors import ConfigurationError, InputRefusedError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.jobs.landing import Batch
    from pipelines.replay import Reader

quarantine_app = typer.Typer(help="Refused records: look at them, mend them, bring them in.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.add_typer(quarantine_app, name="quarantine")


@quarantine_app.command("list")
def quarantine_list(
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    limit: Annotated[int, typer.Option(help="Rows at the most.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Replayed records too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List refused records that wait, with their reason and place."""
    from pipelines.status import refused_records

    settings = settings_of(config)
    rows = refused_records(settings.lake, feed, limit, everything=everything)
    text = "\n".join(
        f"{r['quarantine_id']}  {r['feed']} {r['interval']} {r['source_file']}:{r['line']}/{r['element']}"
        f"  {r['status']}  {r['reason']}: {r['detail']}"
        for r in rows
    )
    show(rows, as_json=as_json, text=text or "nothing is quarantined")


@quarantine_app.command("show")
def quarantine_show(quarantine_id: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one refused record with its raw text masked."""
    from pipelines.status import refused_record

    settings = settings_of(config)
    row = refused_record(settings.lake, quarantine_id, keys_of(settings))
    if row is None:
        raise ConfigurationError("no such record in quarantine", where=quarantine_id, hint="see `cdp quarantine list`")
    show(row, as_json=as_json, text="\n".join(f"{name}: {value}" for name, value in row.items()))


@quarantine_app.command("fix")
def quarantine_fix(
    quarantine_id: str,
    payload: Annotated[Path, typer.Option("--payload", help="File with the payload that takes the record's place.")],
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a mended payload in the place of a refused one; the next replay brings it in."""
    from pipelines.replay import fix_record

    settings = settings_of(config)
    keys = keys_of(settings)
    try:
        content = payload.read_bytes()
    except OSError as error:
        raise InputRefusedError(
            f"the payload cannot be read: {error.strerror}", where=str(payload), hint="check the path"
        ) from None
    with writing(settings, wait):
        fix_record(settings.lake, keys, _reader(settings), quarantine_id, content)
    text = f"{quarantine_id} is mended; bring it in with `cdp quarantine replay --id {quarantine_id}`"
    show({"quarantine_id": quarantine_id, "status": "fixed"}, as_json=as_json, text=text)


@quarantine_app.command("replay")
def quarantine_replay(
    quarantine_id: Annotated[str | None, typer.Option("--id", help="Only this record.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only records of this batch.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only records refused for this reason.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring refused records in once more, each exactly once; what would be refused again waits on."""
    from pipelines.replay import Selection, replay, waiting_records

    settings = settings_of(config)
    keys = keys_of(settings)
    selection = Selection(quarantine_id, batch, reason, feed)

    def ingest(batches: tuple[Batch, ...]) -> object:
        from pipelines.cli.run import ingest_batches

        return ingest_batches(settings, batches)

    with writing(settings, wait):
        records = waiting_records(settings.lake, keys, selection)
        done = replay(settings, records, reader=_reader(settings), ingest=ingest)
    lines = [f"{name}: {count} records" for name, count in done.batches.items()]
    lines += [f"{name} would be refused again: {why}" for name, why in sorted(done.still_refused.items())[:20]]
    lines += [f"{done.replayed} replayed, {len(done.still_refused)} wait on"]
    lines += ["`cdp run` takes them into the facts"] if done.replayed else []
    show(done.as_dict(), as_json=as_json, text="\n".join(lines))


def _reader(settings: Settings) -> Reader:
    from identity.policy import Policy
    from pipelines.jobs.shaping import Shaper
    from pipelines.replay import Reader
    from pipelines.sources.config import load_mix_keys, load_sources

    keys = keys_of(settings)
    policy = Policy.load(settings.conf / settings.identity.policy_file)
    shaper = Shaper(policy, keys, load_mix_keys(settings.keys))
    return Reader(shaper, load_sources(settings.conf), keys.pepper)
