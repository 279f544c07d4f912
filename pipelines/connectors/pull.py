"""One pull: pushes collected, every source brought up to now, hinted details fetched; what is lost is said.

A source that fails leaves the others alone and its own mark where it was. A home is pulled by one process at a time.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from identity.business_time import SHANGHAI
from pipelines.clock import Clock, system_clock, today
from pipelines.connectors.accounts import Accounts, Folders, open_accounts
from pipelines.connectors.calls import Caller, Judge, Pace, Sleep
from pipelines.connectors.details import MOST_ATTEMPTS, Worked, work_off
from pipelines.connectors.errors import PlatformError
from pipelines.connectors.marks import Gap, Marks
from pipelines.connectors.sink import Sink
from pipelines.connectors.source import pull_source
from pipelines.store.lock import writer_lock
from serving.contract.platforms import Platforms
from serving.contract.spool import collect

TIMEOUT_SECONDS = 30.0
LOCK = "pull"


@dataclass(frozen=True)
class PullOptions:
    """How to pull: `only` these platforms (all without), `since` epoch seconds for sources never pulled before."""

    only: frozenset[str] = frozenset()
    since: int | None = None
    pace: Pace = field(default_factory=Pace)
    clock: Clock = system_clock
    sleep: Sleep = time.sleep
    timeout: float = TIMEOUT_SECONDS
    say: Callable[[str], None] = lambda _: None


@dataclass
class PullReport:
    """What one pull brought: records by feed, new gaps, failures as (source, error), details done and waiting."""

    records: dict[str, int] = field(default_factory=dict)
    answers: int = 0
    pushes: int = 0
    calls: int = 0
    retries: int = 0
    gaps: list[Gap] = field(default_factory=list)
    failures: list[tuple[str, PlatformError]] = field(default_factory=list)
    details: Worked = field(default_factory=Worked)

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """What a right is missing for: how much of which source waits, why, and what to do about it."""
        return [
            {
                "source": refusal.source,
                "waiting": refusal.waiting,
                "message": refusal.error.message,
                "hint": refusal.error.hint,
            }
            for refusal in self.details.refused
        ]

    @property
    def missed(self) -> list[dict[str, Any]]:
        """Which details were asked for in vain, how many, and why."""
        return [
            {"source": miss.source, "failed": miss.failed, "message": miss.error.message}
            for miss in self.details.missed
        ]

    def as_json(self) -> dict[str, Any]:
        """The report as plain values; times are epoch seconds."""
        return {
            "records": dict(sorted(self.records.items())),
            "answers": self.answers,
            "push_files": self.pushes,
            "calls": self.calls,
            "retries": self.retries,
            "gaps": [vars(gap) for gap in self.gaps],
            "failures": [
                {"source": source, "message": error.message, "hint": error.hint} for source, error in self.failures
            ],
            "details": {name: getattr(self.details, name) for name in ("fetched", "failed", "given_up")},
            "missed": self.missed,
            "waiting": self.waiting,
        }


def pull(home: Path, landing: Path, platforms: Platforms, options: PullOptions | None = None) -> PullReport:
    """Everything the platforms changed since the last pull lies in the landing, and the marks say so.

    Raises CdpError with exit 5 while another pull of the home runs; failures of single sources are in the report.
    """
    chosen = options or PullOptions()
    # The client writes every address, and some platforms want tokens and secrets in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    started = datetime.fromtimestamp(chosen.clock() // 1000, UTC).astimezone(SHANGHAI).isoformat()
    with writer_lock(home / LOCK, "cdp pull", started=started), _client(chosen.timeout) as client:
        report = PullReport(pushes=len(collect(home, landing)))
        callers: list[Caller] = []

        def caller_of(platform: str, judge: Judge, calls_per_second: float | None) -> Caller:
            pace = replace(chosen.pace, calls_per_second=calls_per_second or chosen.pace.calls_per_second)
            callers.append(Caller(platform, client, pace=pace, judge=judge, sleep=chosen.sleep))
            return callers[-1]

        accounts = open_accounts(Folders(home, landing), platforms, caller_of, chosen.clock, only=chosen.only)
        sink = Sink(landing, interval=today(chosen.clock), received_at=started)
        marks = Marks(home)
        known = set(marks.gaps)
        _pull_sources(accounts, marks, sink, chosen, report)
        _drain_queues(accounts, home, marks, sink, report)
        report.details = work_off(home, accounts.detailers, sink, stamp=str(chosen.clock()))
        report.gaps = [gap for gap in marks.gaps if gap not in known]
        report.records, report.answers = sink.records, sink.answers
        report.calls, report.retries = _sum(callers, "calls"), _sum(callers, "retries")
    return report


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that this process trusts: to read them takes longer than a pull without news."""
    return httpx.create_ssl_context()


def _client(timeout: float) -> httpx.Client:
    return httpx.Client(timeout=timeout, verify=_trusted())


def _pull_sources(accounts: Accounts, marks: Marks, sink: Sink, options: PullOptions, report: PullReport) -> None:
    now = options.clock() // 1000
    for source in accounts.sources:
        options.say(f"pulling {source.key}")
        try:
            pull_source(source, marks, sink, now=now, since=options.since)
        except PlatformError as error:
            report.failures.append((source.key, error))


def _drain_queues(accounts: Accounts, home: Path, marks: Marks, sink: Sink, report: PullReport) -> None:
    for queue in accounts.queues:
        try:
            queue.drain(home, sink, marks)
        except PlatformError as error:
            report.failures.append((queue.key, error))


def _sum(callers: Iterable[Caller], name: str) -> int:
    return sum(getattr(caller, name) for caller in callers)


def gap_lines(gaps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each gap as a sentence, in Asia/Shanghai."""
    return [
        f"LOST {gap['source']}: {_local(gap['start'])} to {_local(gap['end'])} is older than the platform keeps"
        for gap in gaps
    ]


def missed_lines(missed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Details that were asked for in vain as sentences; they stand on the queue."""
    again = f"the next pulls ask again, {MOST_ATTEMPTS} times in all"
    return [f"MISSED {one['source']}: {one['failed']}, {one['message']}; {again}" for one in missed]


def waiting_lines(waiting: Iterable[Mapping[str, Any]]) -> list[str]:
    """What waits for a right as sentences, with what to do next."""
    return [f"WAITING {one['source']}: {one['waiting']}, {one['message']}; {one['hint']}" for one in waiting]


def _local(second: int) -> str:
    return datetime.fromtimestamp(second, SHANGHAI).strftime("%Y-%m-%d %H:%M")
