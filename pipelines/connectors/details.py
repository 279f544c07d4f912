"""Works off the queue of hints: a ticket leaves it when its detail lies in the landing, never before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.connectors.accounts import Detailer
from pipelines.connectors.errors import PlatformError, RetryableError
from pipelines.connectors.sink import Sink
from serving.contract.pull_queue import Ticket, done, failed, postponed, tried, waiting

BATCH = 200
MOST_ATTEMPTS = 10
"""A ticket that failed so often is left in the queue and no longer tried until it is hinted at again; times when its
platform was away do not count."""


@dataclass(frozen=True)
class Worked:
    """Tickets whose detail was fetched, that failed now, and that are given up for now."""

    fetched: int = 0
    failed: int = 0
    given_up: int = 0


def work_off(home: Path, detailers: Mapping[tuple[str, str, str], Detailer], sink: Sink, *, stamp: str) -> Worked:
    """Every ticket with a client is tried once, until its platform is away; `stamp` tells the files of one pull from
    those of another."""
    given_up = tried(home, MOST_ATTEMPTS)
    fetched = failures = 0
    for kind, detailer in sorted(detailers.items()):
        wanted = waiting(home, kind=kind, below=MOST_ATTEMPTS)
        for begin in range(0, len(wanted), BATCH):
            name = f"details-{'-'.join(kind)}-{stamp}-{begin}"
            batch = _fetch(detailer, sink, name, wanted[begin : begin + BATCH])
            done(home, batch.good)
            failed(home, batch.bad)
            fetched, failures = fetched + len(batch.good), failures + len(batch.bad)
            if batch.away is not None:
                postponed(home, batch.away)
                failures += 1
                break
    return Worked(fetched, failures, given_up)


@dataclass
class _Batch:
    """The tickets whose detail is in the landing now, those that failed, and that at which the platform was away."""

    good: list[Ticket] = field(default_factory=list)
    bad: list[Ticket] = field(default_factory=list)
    away: Ticket | None = None


def _fetch(detailer: Detailer, sink: Sink, name: str, tickets: Sequence[Ticket]) -> _Batch:
    batch = _Batch()
    with sink.part(detailer.feed, name) as part:
        for ticket in tickets:
            try:
                detailer.fetch(ticket.hint, part)
            except RetryableError:
                batch.away = ticket
                break
            except PlatformError:
                batch.bad.append(ticket)
            else:
                batch.good.append(ticket)
    return batch
