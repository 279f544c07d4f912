"""Hints that a detail is worth pulling: durable, each once, taken off only when the detail has landed.

One SQLite file in the home, `pull_queue.sqlite`; the receivers write it, and `cdp pull` where a platform refused
something for now; `cdp pull` works it off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FILE = "pull_queue.sqlite"
BUSY_SECONDS = 2.0
"""How long a busy queue is waited for: platforms that push wait five seconds for their answer, and push again."""


@dataclass(frozen=True)
class Hint:
    """What to pull: `account` is the app key, corp or seller, `place` the shop; `kind` is order, phone, contact or
    group."""

    platform: str
    account: str
    kind: str
    object_id: str
    place: str = ""


@dataclass(frozen=True)
class Ticket:
    """A hint in the queue; `stamp` grows when the same thing is hinted at again, `attempts` when pulling it failed."""

    hint: Hint
    stamp: int
    attempts: int


def enqueue(home: Path, hints: Sequence[Hint]) -> None:
    """The hints are in the queue when this returns, on disk; one that is there already is only renewed."""
    if not hints:
        return
    with _opened(home) as store:
        store.executemany(
            "INSERT INTO hints(platform, account, kind, object_id, place, stamp, attempts)"
            " VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(stamp), 0) + 1 FROM hints), 0)"
            " ON CONFLICT DO UPDATE SET stamp = excluded.stamp, attempts = 0",
            [(hint.platform, hint.account, hint.kind, hint.object_id, hint.place) for hint in hints],
        )


def waiting(
    home: Path, *, kind: tuple[str, str, str] | None = None, below: int | None = None, most: int = 10_000
) -> tuple[Ticket, ...]:
    """The tickets in the queue, least tried first, then oldest first.

    `kind` (platform, account, kind) and `below` so many attempts are asked of the queue, so that tickets which nobody
    can work off never stand before those that somebody can.
    """
    if not (home / FILE).exists():
        return ()
    asked = {"platform = ?": kind[0], "account = ?": kind[1], "kind = ?": kind[2]} if kind else {}
    where = " AND ".join([*asked, "attempts < ?"])
    query = (
        "SELECT platform, account, kind, object_id, place, stamp, attempts FROM hints"
        f" WHERE {where} ORDER BY attempts, stamp LIMIT ?"
    )
    with _opened(home) as store:
        rows = store.execute(query, (*asked.values(), _MANY if below is None else below, most)).fetchall()
    return tuple(Ticket(Hint(*row[:5]), row[5], row[6]) for row in rows)


def tried(home: Path, attempts: int) -> int:
    """How many tickets were tried so often or more."""
    if not (home / FILE).exists():
        return 0
    with _opened(home) as store:
        return int(store.execute("SELECT count(*) FROM hints WHERE attempts >= ?", (attempts,)).fetchone()[0])


def standing(home: Path, kind: tuple[str, str, str], place: str) -> int:
    """How many tickets of a kind (platform, account, kind) and place are in the queue."""
    if not (home / FILE).exists():
        return 0
    query = "SELECT count(*) FROM hints WHERE platform = ? AND account = ? AND kind = ? AND place = ?"
    with _opened(home) as store:
        return int(store.execute(query, (*kind, place)).fetchone()[0])


def done(home: Path, tickets: Sequence[Ticket]) -> None:
    """The tickets are off the queue, except those hinted at again since they were read."""
    with _opened(home) as store:
        store.executemany(f"DELETE FROM hints WHERE {_SAME}", [_key(ticket) for ticket in tickets])


def failed(home: Path, tickets: Sequence[Ticket]) -> None:
    """The tickets stay, with one more attempt counted."""
    with _opened(home) as store:
        store.executemany(
            f"UPDATE hints SET attempts = attempts + 1 WHERE {_SAME}", [_key(ticket) for ticket in tickets]
        )


def postponed(home: Path, ticket: Ticket) -> None:
    """The ticket stands last; that its platform was away is no attempt of its own."""
    with _opened(home) as store:
        store.execute(
            f"UPDATE hints SET stamp = (SELECT max(stamp) + 1 FROM hints) WHERE {_SAME}",
            _key(ticket),
        )


_MANY = 1 << 31
_SAME = "platform = ? AND account = ? AND kind = ? AND object_id = ? AND place = ? AND stamp = ?"


def _key(ticket: Ticket) -> tuple[str | int, ...]:
    hint = ticket.hint
    return (hint.platform, hint.account, hint.kind, hint.object_id, hint.place, ticket.stamp)


@contextmanager
def _opened(home: Path) -> Iterator[sqlite3.Connection]:
    """The queue inside one transaction that is on disk when the block ends."""
    store = sqlite3.connect(home / FILE, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA synchronous=FULL")
        store.execute("BEGIN IMMEDIATE")
        store.execute(
            "CREATE TABLE IF NOT EXISTS hints(platform TEXT, account TEXT, kind TEXT, object_id TEXT, place TEXT,"
            " stamp INTEGER NOT NULL, attempts INTEGER NOT NULL,"
            " PRIMARY KEY (platform, account, kind, object_id, place)) WITHOUT ROWID"
        )
        yield store
        store.execute("COMMIT")
    finally:
        store.close()
