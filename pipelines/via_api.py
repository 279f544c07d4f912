"""A simulated brand brought in as a real one is: the platforms play over HTTP, and each day is pulled from them.

The feeds that pull clients fetch come from the platforms' server; what the platforms push or nobody's API gives
(behaviour, sessions, claims, the brand's own orders) stays as the simulation wrote it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.clock import stopwatch
from pipelines.connectors.calls import Pace
from pipelines.connectors.pull import PullOptions, pull
from pipelines.errors import CdpError
from pipelines.jobs.context import Say
from pipelines.simulate.clock import Clock
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.server import PlatformRules, PlatformServer
from serving.contract.platforms import Platforms

PULLED = (
    "douyin_orders",
    "douyin_refunds",
    "tmall_trades",
    "tmall_refunds",
    "tmall_messages",
    "wecom_contacts",
    "wecom_group_chats",
    "wecom_staff_stats",
)
"""Feeds that come from the server instead of the simulation's files."""

QUICK = Pace(calls_per_second=100_000, first_wait=0.0)
"""The server is on this machine: nobody has to be spared."""

PATIENCE_SECONDS = 120.0


@dataclass
class PlayedClock:
    """The time for both sides, in epoch seconds: moved from day to day."""

    second: int

    def __call__(self) -> int:
        return self.second * 1000


@dataclass
class PlayReport:
    """What the pulls brought: records by feed, calls made, seconds taken."""

    records: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    seconds: float = 0.0


def bring_via_api(
    home: Path, landing: Path, config: SimulationConfig, say: Say, *, rules: PlatformRules | None = None
) -> PlayReport:
    """The landing holds the pulled feeds as the clients fetched them day by day, in place of the simulation's files.

    `config` is that of the world whose files lie in `landing`. Raises CdpError when a source could not be pulled.
    """
    for feed in PULLED:
        shutil.rmtree(landing / feed, ignore_errors=True)
    days = Clock(config.start, config.days)
    clock = PlayedClock(days.start)
    report, watch, told = PlayReport(), stopwatch(), 0.0
    with PlatformServer(config, clock, rules) as server:
        platforms = Platforms.model_validate(server.accounts())
        for day, name in enumerate(days.dates):
            clock.second = days.midnight(day + 1) - 1
            _pull_day(home, landing, platforms, clock, report)
            if watch() - told >= 2.0:
                told = watch()
                say(f"pulled {name}: {sum(report.records.values())} records in {report.calls} calls so far")
    report.seconds = round(watch(), 1)
    say(f"pulled {len(days.dates)} days: {sum(report.records.values())} records in {report.seconds} s")
    return report


def _pull_day(home: Path, landing: Path, platforms: Platforms, clock: PlayedClock, report: PlayReport) -> None:
    options = PullOptions(pace=QUICK, clock=clock, sleep=lambda _: None, timeout=PATIENCE_SECONDS)
    pulled = pull(home, landing, platforms, options)
    for source, error in pulled.failures:
        raise CdpError(error.code, error.message, where=source, hint=error.hint)
    report.calls += pulled.calls
    for feed, count in pulled.records.items():
        report.records[feed] = report.records.get(feed, 0) + count
