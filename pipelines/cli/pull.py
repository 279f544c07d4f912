"""`cdp pull`: what the platforms changed since the last pull comes to the landing."""

from __future__ import annotations

from typing import Annotated

import typer

from identity.business_time import day_start_ms
from pipelines.cli.common import ConfigOption, JsonOption, say, settings_of, show
from pipelines.clock import clock_of
from pipelines.connectors.pull import PullOptions, PullReport, gap_lines, missed_lines, waiting_lines
from pipelines.connectors.pull import pull as pull_all
from pipelines.errors import CdpError, ConfigurationError
from pipelines.jobs.landing import check_interval
from pipelines.settings import Settings
from serving.contract.platforms import FILE, ConfigRefusedError, Platforms, read_platforms

PLATFORMS = ("douyin", "tmall", "wecom")


def mount(app: typer.Typer) -> None:
    """The command is part of the app."""
    app.command("pull")(pull)


def pull(
    platform: Annotated[list[str] | None, typer.Option(help="Only this platform; may be repeated.")] = None,
    since: Annotated[str | None, typer.Option(help="First business day of sources never pulled before.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pull what changed on the platforms, collect what they pushed, and fetch the details they hinted at."""
    settings = settings_of(config)
    options = PullOptions(
        only=_known(platform or []),
        since=day_start_ms(check_interval(since)) // 1000 if since else None,
        clock=clock_of(settings.clock),
        say=say,
    )
    report = pull_all(settings.home, settings.landing, accounts_of(settings), options)
    show(report.as_json(), as_json=as_json, text=_text(report))
    if report.failures:
        raise _failure(report)


def accounts_of(settings: Settings) -> Platforms:
    """The accounts in the folder of the keys; without the file nothing can be pulled."""
    try:
        platforms = read_platforms(settings.keys)
    except ConfigRefusedError as error:
        raise ConfigurationError(error.message, where=error.where, hint=error.hint) from None
    if platforms is None:
        raise ConfigurationError(
            "there are no platform accounts", where=str(settings.keys / FILE), hint="docs/platforms.md shows the file"
        )
    return platforms


def _known(names: list[str]) -> frozenset[str]:
    for name in names:
        if name not in PLATFORMS:
            raise ConfigurationError(
                f"unknown platform {name!r}; known: {', '.join(PLATFORMS)}", where="--platform", hint="see --help"
            )
    return frozenset(names)


def _text(report: PullReport) -> str:
    lines = [f"{feed:<20} {count:>9} records" for feed, count in sorted(report.records.items())]
    lines += gap_lines([vars(gap) for gap in report.gaps])
    lines += waiting_lines(report.waiting)
    lines += missed_lines(report.missed)
    lines += [f"FAILED {source}: {error.message}; {error.hint}" for source, error in report.failures]
    worked = report.details
    lines.append(
        f"{report.calls} calls, {report.retries} retries, {report.pushes} files of pushes; "
        f"details: {worked.fetched} fetched, {worked.failed} failed, {worked.given_up} given up"
    )
    return "\n".join(lines)


def _failure(report: PullReport) -> CdpError:
    """The first failure as the command's; the sources without one are in the landing all the same."""
    source, error = report.failures[0]
    more = len(report.failures) - 1
    others = f", and {more} other {'sources' if more > 1 else 'source'} failed" if more else ""
    return CdpError(error.code, f"{error.message}{others}", where=source, hint=error.hint)
