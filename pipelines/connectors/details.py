"""Works off the queue of hints: a ticket leaves it when its detail lies in the landing, never before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.connectors.accounts import Detailer
from pipelines.connectors.errors import PlatformError, RetryableError, RightRefusedError
from pipelines.connectors.sink import Sink
from serving.contract.pull_queue import Ticket, done, failed, postponed, standing, tried, waiting

BATCH = 200
MOST_ATTEMPTS = 10
"""A ticket that failed so often is left in the queue and no longer tried until it is hinted at again; times when its
platform was away do not count."""


@dataclass(frozen=True)
class Refusal:
    """Details that the app may not have now: so many `waiting` of a kind (platform, account, kind) at a shop."""

    kind: tuple[str, str, str]
    place: str
    error: RightRefusedError
    waiting: int

    @property
    def source(self) -> str:
        """What they are, as reports name it."""
        return "/".join(part for part in (*self.kind, self.place) if part)


@dataclass(frozen=True)
class Worked:
    """Tickets whose detail was fetched, that failed now, and that are given up for now; `refused` ones wait. `reasons`
    counts the failures by what the platform answered, without their ids."""

    fetched: int = 0
    failed: int = 0
    given_up: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()


def work_off(home: Path, detailers: Mapping[tuple[str, str, str], Detailer], sink: Sink, *, stamp: str) -> Worked:
    """Every ticket with a client is tried once, until its platform is away; `stamp` tells the files of one pull from
    those of another."""
    given_up = tried(home, MOST_ATTEMPTS)
    fetched = failures = 0
    refused: list[Refusal] = []
    reasons: Counter[str] = Counter()
    for kind, detailer in sorted(detailers.items()):
        wanted = waiting(home, kind=kind, below=MOST_ATTEMPTS)
        denied: dict[str, RightRefusedError] = {}
        for begin in range(0, len(wanted), BATCH):
            name = f"details-{'-'.join(kind)}-{stamp}-{begin}"
            batch = _fetch(detailer, sink, name, wanted[begin : begin + BATCH], denied)
            done(home, batch.good)
            failed(home, batch.bad)
            fetched, failures = fetched + len(batch.good), failures + len(batch.bad)
            reasons.update(batch.reasons)
            if batch.away is not None:
                postponed(home, batch.away)
                failures += 1
                break
        refused += [Refusal(kind, place, error, standing(home, kind, place)) for place, error in denied.items()]
    return Worked(fetched, failures, given_up, dict(sorted(reasons.items())), tuple(refused))


@dataclass
class _Batch:
    """The tickets whose detail is in the landing now, those that failed, and that at which the platform was away."""

    good: list[Ticket] = field(default_factory=list)
    bad: list[Ticket] = field(default_factory=list)
    away: Ticket | None = None
    reasons: list[str] = field(default_factory=list)


def _fetch(
    detailer: Detailer, sink: Sink, name: str, tickets: Sequence[Ticket], denied: dict[str, RightRefusedError]
) -> _Batch:
    """One file of details. Where the app lacks the right, every ticket of the place stays as it is, unasked."""
    batch = _Batch()
    with sink.part(detailer.feed, name) as part:
        for ticket in tickets:
            if ticket.hint.place in denied:
                continue
            try:
                detailer.fetch(ticket.hint, part)
            except RetryableError as error:
                batch.away = ticket
                batch.reasons.append(error.message)
                break
            except RightRefusedError as error:
                denied[ticket.hint.place] = error
            except PlatformError as error:
                batch.bad.append(ticket)
                batch.reasons.append(error.message)
            else:
                batch.good.append(ticket)
    return batch
