"""Works off the queue of hints: a ticket leaves it when its detail lies in the landing, never before."""

from __future__ import annotations

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
class Miss:
    """So many details (`failed`) of a kind (platform, account, kind) that were asked for in vain for one reason."""

    kind: tuple[str, str, str]
    error: PlatformError
    failed: int

    @property
    def source(self) -> str:
        """What they are, as reports name it."""
        return "/".join(self.kind)


@dataclass(frozen=True)
class Worked:
    """Tickets whose detail was fetched, and that are given up for now; `missed` failed now, `refused` ones wait."""

    fetched: int = 0
    given_up: int = 0
    missed: tuple[Miss, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def failed(self) -> int:
        """How many were asked for in vain."""
        return sum(miss.failed for miss in self.missed)


def work_off(home: Path, detailers: Mapping[tuple[str, str, str], Detailer], sink: Sink, *, stamp: str) -> Worked:
    """Every ticket with a client is tried once, until its platform is away; `stamp` tells the files of one pull from
    those of another."""
    given_up = tried(home, MOST_ATTEMPTS)
    fetched = 0
    missed: list[Miss] = []
    refused: list[Refusal] = []
    for kind, detailer in sorted(detailers.items()):
        wanted = waiting(home, kind=kind, below=MOST_ATTEMPTS)
        denied: dict[str, RightRefusedError] = {}
        errors: list[PlatformError] = []
        for begin in range(0, len(wanted), BATCH):
            name = f"details-{'-'.join(kind)}-{stamp}-{begin}"
            batch = _fetch(detailer, sink, name, wanted[begin : begin + BATCH], denied)
            done(home, batch.good)
            failed(home, batch.bad)
            fetched += len(batch.good)
            errors += batch.errors
            if batch.away is not None:
                postponed(home, batch.away)
                break
        missed += _missed(kind, errors)
        refused += [Refusal(kind, place, error, standing(home, kind, place)) for place, error in denied.items()]
    return Worked(fetched, given_up, tuple(missed), tuple(refused))


def _missed(kind: tuple[str, str, str], errors: Sequence[PlatformError]) -> list[Miss]:
    """The errors of a kind, one for each reason, the first of them first."""
    first: dict[str, PlatformError] = {}
    for error in errors:
        first.setdefault(error.message, error)
    return [Miss(kind, error, sum(one.message == text for one in errors)) for text, error in first.items()]


@dataclass
class _Batch:
    """The tickets whose detail is in the landing now, those that failed, and that at which the platform was away; the
    errors of both."""

    good: list[Ticket] = field(default_factory=list)
    bad: list[Ticket] = field(default_factory=list)
    away: Ticket | None = None
    errors: list[PlatformError] = field(default_factory=list)


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
                batch.errors.append(error)
                break
            except RightRefusedError as error:
                denied[ticket.hint.place] = error
            except PlatformError as error:
                batch.bad.append(ticket)
                batch.errors.append(error)
            else:
                batch.good.append(ticket)
    return batch
