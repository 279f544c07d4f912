"""Tmall memberships as this API has answered them: what was bound a minute ago is known before the next run says so.

One SQLite file in the home, `member_calls.sqlite`; phones' hashes are in it as tokens only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FILE = "member_calls.sqlite"
BUSY_SECONDS = 1.0
MEMBER, LEFT = "member", "left"


@dataclass(frozen=True)
class Binding:
    """One account of one shop: `state` is member or left, `mix_token` the token of the phone's hash."""

    seller: str
    ouid: str
    state: str
    mix_token: str = ""
    at_ms: int = 0


class MemberStore:
    """The bindings of a home; every method raises sqlite3.Error when the store cannot be used in time."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def of_account(self, seller: str, ouid: str) -> Binding | None:
        """The binding of an account of a shop."""
        return self._one("SELECT * FROM bindings WHERE seller = ? AND ouid = ?", seller, ouid)

    def of_phone(self, seller: str, mix_token: str) -> Binding | None:
        """The account of the shop that is a member with this phone now."""
        if not mix_token:
            return None
        query = "SELECT * FROM bindings WHERE seller = ? AND mix_token = ? AND state = ? ORDER BY at_ms DESC, ouid"
        return self._one(query, seller, mix_token, MEMBER)

    def keep(self, binding: Binding) -> None:
        """The binding is on disk when this returns; one stated for an earlier time changes nothing."""
        with self._opened() as store:
            _keep(store, binding)

    def bind(self, binding: Binding) -> bool:
        """Whether the phone was free for the account: then the binding is on disk, by the rule of `keep`.

        Asked and kept in one transaction: of two calls at once for one phone one is told that it is taken.
        """
        with self._opened() as store:
            taken = (
                binding.mix_token
                and store.execute(
                    "SELECT 1 FROM bindings WHERE seller = ? AND mix_token = ? AND state = ? AND ouid != ?",
                    (binding.seller, binding.mix_token, MEMBER, binding.ouid),
                ).fetchone()
            )
            if not taken:
                _keep(store, binding)
        return not taken

    def _one(self, query: str, *values: str) -> Binding | None:
        if not self._path.exists():
            return None
        with self._opened() as store:
            row = store.execute(query, values).fetchone()
        return Binding(*row) if row else None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        store = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            store.execute("PRAGMA journal_mode=WAL")
            store.execute("PRAGMA synchronous=FULL")
            store.execute("BEGIN IMMEDIATE")
            store.execute(
                "CREATE TABLE IF NOT EXISTS bindings(seller TEXT, ouid TEXT, state TEXT NOT NULL,"
                " mix_token TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (seller, ouid)) WITHOUT ROWID"
            )
            store.execute("CREATE INDEX IF NOT EXISTS by_phone ON bindings(seller, mix_token)")
            yield store
            store.execute("COMMIT")
        finally:
            store.close()


def _keep(store: sqlite3.Connection, binding: Binding) -> None:
    store.execute(
        "INSERT INTO bindings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state,"
        " mix_token = CASE WHEN excluded.mix_token = '' THEN mix_token ELSE excluded.mix_token END,"
        " at_ms = excluded.at_ms WHERE excluded.at_ms >= at_ms",
        (binding.seller, binding.ouid, binding.state, binding.mix_token, binding.at_ms),
    )
