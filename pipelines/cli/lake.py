"""Commands around the lake and its snapshots: status, publish, serve, keys, config, doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.common import (
    ConfigOption,
    JsonOption,
    WaitOption,
    business_days,
    keys_of,
    say,
    settings_of,
    show,
    writing,
)
from pipelines.errors import ConfigurationError, InputRefusedError
from pipelines.settings import Settings, load_settings

keys_app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
config_app = typer.Typer(help="Settings and where each comes from.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.command("status")(status)
    app.command("publish")(publish)
    app.command("quality")(quality)
    app.command("serve")(serve)
    app.command("doctor")(doctor)
    app.command("bi")(bi)
    app.add_typer(keys_app, name="keys")
    app.add_typer(config_app, name="config")


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say who holds the lake, what is published and how the last jobs went."""
    from pipelines.publish import current, snapshots
    from pipelines.status import last_jobs
    from pipelines.store.lock import holder

    settings = settings_of(config)
    manifest = current(settings.home)
    jobs = last_jobs(settings.lake)
    result = {
        "home": str(settings.home),
        "holder": holder(settings.home),
        "snapshot": manifest.snapshot_id if manifest else None,
        "as_of": manifest.as_of if manifest else None,
        "kept_snapshots": snapshots(settings.home),
        "last_jobs": jobs,
    }
    lines = [f"home      {result['home']}", f"running   {result['holder'] or 'nothing'}"]
    kept = len(snapshots(settings.home))
    lines += [f"snapshot  {result['snapshot'] or 'none'} (as of {result['as_of'] or '-'}), kept {kept}"]
    lines += [f"{job['run_id']}  {job['job']:<12} {job['status']:<8} {job['seconds']:>8.1f} s" for job in jobs]
    show(result, as_json=as_json, text="\n".join(lines))


def publish(
    back: Annotated[bool, typer.Option("--rollback", help="Go back to the snapshot before the present one.")] = False,
    wait: WaitOption = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the snapshot before; a run publishes by itself."""
    from pipelines.publish import current, rollback

    settings = settings_of(config)
    if not back:
        manifest = current(settings.home)
        if manifest is None:
            raise ConfigurationError(
                "nothing is published yet", where=str(settings.home), hint="run `cdp run`, it publishes at its end"
            )
        show(
            {"snapshot": manifest.snapshot_id},
            as_json=as_json,
            text=f"published: {manifest.snapshot_id}; to go back: --rollback",
        )
        return
    with writing(settings, wait):
        name = rollback(settings.home)
    show({"snapshot": name}, as_json=as_json, text=f"the present snapshot is {name}")


def quality(
    first: Annotated[str | None, typer.Option("--from", help="First business day of the rows; default: all.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last business day of the rows; default: all.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the tables to their suites and write the Data Docs; a broken blocking rule exits 4."""
    from pipelines.quality_docs import docs_folder, inspect
    from pipelines.quality_rules import refuse_broken

    settings = settings_of(config)
    days = business_days(first, last)
    results = inspect(settings, days)
    if not results:
        raise InputRefusedError(
            "no table has rows to look at", where=str(settings.lake), hint="run `cdp run` first, or name other days"
        )
    broken = [result for result in results if result.failed]
    index = docs_folder(settings.home) / "index.html"
    lines = [f"{r.severity:<5} {r.table} {r.check}: {r.failed} of {r.rows} rows" for r in broken]
    lines.append(f"{len(results) - len(broken)} of {len(results)} expectations hold; Data Docs: {index}")
    show(
        {"expectations": len(results), "broken": [r.as_dict() for r in broken], "data_docs": str(index)},
        as_json=as_json,
        text="\n".join(lines),
    )
    refuse_broken(results)


def serve(
    host: Annotated[str | None, typer.Option(help="Address; default from the settings.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default from the settings.")] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the API from the published snapshot."""
    from pipelines.cli.server import serve_api

    settings = settings_of(config)
    serve_api(
        settings, keys_of(settings), host=host or settings.serving.host, port=port or settings.serving.port, say=say
    )


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the machine and the lake: Java, jars, keys, space, configuration."""
    from pipelines.doctor import diagnose

    findings = diagnose(settings_of(config))
    text = "\n".join(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.detail}" for finding in findings)
    show([finding.as_dict() for finding in findings], as_json=as_json, text=text)
    bad = [finding for finding in findings if not finding.ok]
    if bad:
        raise ConfigurationError(f"{bad[0].name}: {bad[0].detail}", where=bad[0].name, hint=bad[0].hint)


def bi(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Write `bi.duckdb`: a commented view per gold table at the published versions."""
    from pipelines.bi import write_bi
    from pipelines.verify import refuse_damage

    settings = settings_of(config)
    refuse_damage(settings.home)
    path, views = write_bi(settings.home)
    show({"path": str(path), "views": views}, as_json=as_json, text=f"{path}: {len(views)} views")


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; repeat for several.")],
    days: Annotated[int, typer.Option(help="Days until it expires.")] = 90,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key; its secret is shown once."""
    from pipelines.cli.server import create_api_key

    made = create_api_key(settings_of(config), name, tuple(scope), days)
    show(made, as_json=as_json, text=f"key {made['key_id']}: {made['key']}")


@keys_app.command("list")
def keys_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the API keys, without their secrets."""
    from pipelines.cli.server import list_api_keys

    rows = list_api_keys(settings_of(config))
    show(
        rows,
        as_json=as_json,
        text="\n".join("  ".join(f"{k}={v}" for k, v in row.items()) for row in rows) or "no keys",
    )


@keys_app.command("revoke")
def keys_revoke(key_id: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take a key back: it opens nothing from now on."""
    from pipelines.cli.server import revoke_api_key

    row = revoke_api_key(settings_of(config), key_id)
    show(row, as_json=as_json, text=f"key {key_id} is revoked")


@config_app.command("show")
def config_show(
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting, its value and meaning."""
    loaded = load_settings(config)
    rows = _setting_rows(loaded.settings, loaded.origins if origin else None)
    show(rows, as_json=as_json, text="\n".join("  ".join(str(value) for value in row.values()) for row in rows))


def _setting_rows(settings: Settings, origins: object, prefix: str = "") -> list[dict[str, object]]:
    from pydantic import BaseModel

    rows: list[dict[str, object]] = []
    known = origins if isinstance(origins, dict) else {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            rows += _setting_rows(value, origins, f"{prefix}{name}.")  # type: ignore[arg-type]  # nested settings
            continue
        row: dict[str, object] = {"key": f"{prefix}{name}", "value": value, "meaning": field.description}
        if origins is not None:
            row["origin"] = known.get(f"{prefix}{name}", "default")
        rows.append(row)
    return rows
