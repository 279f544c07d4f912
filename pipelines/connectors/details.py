"""Works off the queue of hints: a ticket leaves it when its detail lies in the landing, never before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipelines.connectors.accounts import Detailer
from pipelines.connectors.errors import PlatformError, RetryableError
from pipelines.connectors.sink import Sink
from serving.contract.pull_queue import Ticket, done, failed, waiting

BATCH = 200
MOST_ATTEMPTS = 10
"""A ticket that failed so often is left in the queue and no longer tried until it is hinted at again."""


@dataclass(frozen=True)
class Worked:
    """Tickets whose detail was fetched, that failed now, and that are given up for now."""

    fetched: int = 0
    failed: int = 0
    given_up: int = 0


def work_off(home: Path, detailers: Mapping[tuple[str, str, str], Detailer], sink: Sink, *, stamp: str) -> Worked:
    """Every ticket with a client is tried once; `stamp` tells the files of one pull from those of another."""
    fetched = failures = given_up = 0
    tickets = sorted(waiting(home), key=_kind)
    for kind, group in groupby(tickets, key=_kind):
        detailer = detailers.get(kind)
        mine = list(group)
        given_up += sum(ticket.attempts >= MOST_ATTEMPTS for ticket in mine)
        if detailer is None:
            continue
        wanted = [ticket for ticket in mine if ticket.attempts < MOST_ATTEMPTS]
        for begin in range(0, len(wanted), BATCH):
            name = f"details-{'-'.join(kind)}-{stamp}-{begin}"
            good, bad = _fetch(detailer, sink, name, wanted[begin : begin + BATCH])
            done(home, good)
            failed(home, bad)
            fetched, failures = fetched + len(good), failures + len(bad)
    return Worked(fetched, failures, given_up)


def _kind(ticket: Ticket) -> tuple[str, str, str]:
    return ticket.hint.platform, ticket.hint.account, ticket.hint.kind


def _fetch(detailer: Detailer, sink: Sink, name: str, tickets: Sequence[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
    """The tickets whose detail is in the landing now, and those that failed; a platform that is away ends the batch."""
    good: list[Ticket] = []
    bad: list[Ticket] = []
    with sink.part(detailer.feed, name) as part:
        for ticket in tickets:
            try:
                detailer.fetch(ticket.hint, part)
            except PlatformError as error:
                bad.append(ticket)
                if isinstance(error, RetryableError):
                    break
            else:
                good.append(ticket)
    return good, bad
