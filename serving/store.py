"""Reading one snapshot: an immutable SQLite file, opened read-only, with its bitmaps and numeric features on demand."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pyroaring import BitMap

from identity.errors import IdentityError
from identity.policy import Policy
from serving.contract import SCHEMA_VERSION
from serving.contract.header import check_header
from serving.contract.packing import Numbers, unpack_numbers
from serving.errors import SnapshotDamagedError

_KEPT_ARRAYS = 64
T = TypeVar("T")


class Profile(NamedTuple):
    """A row of `profiles`; `features` is JSON text by group."""

    person: int
    one_id: str
    status: str
    layer: str | None
    minted_on: str | None
    features: str


class Period(NamedTuple):
    """An identifier in one validity period, as in `identifiers`; `display` is its mask, `one_id` its living owner."""

    namespace: str
    scope: str
    value: str
    personal: int
    person: int | None
    former_one_id: str | None
    status: str
    candidates: str | None
    valid_from_ms: int | None
    valid_to_ms: int | None
    first_seen_ms: int | None
    last_seen_ms: int | None
    display: str | None
    one_id: str | None


class Entry(NamedTuple):
    """A row of `timeline` without its person; `detail` is JSON text."""

    at_ms: int
    kind: str
    ref: str
    source: str | None
    amount_fen: int | None
    detail: str | None


class OrderSum(NamedTuple):
    """Paid orders of one person on one platform: number, fen paid and refunded, first and last payment."""

    platform: str
    orders: int
    paid_fen: int
    refunded_fen: int
    first_at_ms: int | None
    last_at_ms: int | None


class FeatureColumn(NamedTuple):
    """A numeric feature: how its numbers read, and one number per person (NaN without value)."""

    kind: str
    numbers: Numbers


_PERIOD = """SELECT i.namespace, i.scope, i.value, i.personal, i.person, i.former_one_id, i.status, i.candidates,
i.valid_from_ms, i.valid_to_ms, i.first_seen_ms, i.last_seen_ms, masks.display, profiles.one_id
FROM identifiers AS i LEFT JOIN masks ON masks.identifier = i.id LEFT JOIN profiles ON profiles.person = i.person"""
_PROFILE = "SELECT person, one_id, status, layer, minted_on, features FROM profiles"
_ORDER_SUMS = """SELECT platform, count(*), sum(paid_fen), sum(refunded_fen), min(at_ms), max(at_ms) FROM orders
WHERE person = ? AND is_paid = 1 AND is_internal = 0 GROUP BY platform ORDER BY platform"""
_TIMELINE = """SELECT at_ms, kind, ref, source, amount_fen, detail FROM timeline
WHERE person = :person AND at_ms <= :at_ms AND (at_ms < :at_ms OR (kind, ref) > (:kind, :ref)) {kinds}
ORDER BY at_ms DESC, kind, ref LIMIT :limit"""


class Snapshot:
    """One published snapshot, safe to read from several threads; every read may raise SnapshotDamagedError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: SnapshotDamagedError | None = None
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._arrays: OrderedDict[str, FeatureColumn | None] = OrderedDict()
        self._bitmaps: dict[tuple[str, str], dict[str, BitMap]] = {}
        check_header(path)
        facts = dict(self._all("SELECT key, value FROM meta"))
        self._accept(facts)

    def _accept(self, facts: Mapping[str, str]) -> None:
        if facts.get("schema_version") != str(SCHEMA_VERSION):
            self.close()
            problem = f"schema version {facts.get('schema_version')}, this program reads {SCHEMA_VERSION}"
            raise SnapshotDamagedError(str(self.path), problem=problem)
        try:
            self.snapshot_id = facts["snapshot_id"]
            self.as_of = facts["as_of"]
            self.built_at_ms = int(facts["built_at_ms"])
            self.counts: dict[str, int] = json.loads(facts["counts"])
            self.key_check = facts["key_check"]
            self.policy = Policy.from_dict(json.loads(facts["identity_policy"]))
        except (KeyError, ValueError, IdentityError) as error:
            self.close()
            raise SnapshotDamagedError(str(self.path), problem=f"meta: {type(error).__name__}") from error

    def close(self) -> None:
        """No file is held open any more."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def profile(self, one_id: str) -> Profile | None:
        """The profile of a living OneID."""
        return next((Profile(*row) for row in self._all(f"{_PROFILE} WHERE one_id = ?", one_id)), None)

    def profile_of(self, person: int) -> Profile:
        """The profile of a person by number."""
        return Profile(*self._all(f"{_PROFILE} WHERE person = ?", person)[0])

    def one_ids(self, people: Sequence[int]) -> list[tuple[str, str | None]]:
        """OneID and relation layer of people by number, in the order given."""
        return [(profile.one_id, profile.layer) for profile in map(self.profile_of, people)]

    def living(self, one_id: str) -> str | None:
        """The living OneID a retired one leads to."""
        return next(
            (str(row[0]) for row in self._all("SELECT living FROM redirects WHERE one_id = ?", one_id) if row[0]), None
        )

    def periods(self, key: int) -> list[Period]:
        """All periods of the identifiers with that surrogate key, oldest first."""
        return [Period(*row) for row in self._all(f"{_PERIOD} WHERE i.key = ? ORDER BY i.valid_from_ms", key)]

    def alias_targets(self, key: int) -> list[int]:
        """Surrogate keys of the identifiers that a hashed form stands for."""
        return [row[0] for row in self._all("SELECT target_key FROM aliases WHERE key = ? ORDER BY target_key", key)]

    def periods_by_value(self, value: str) -> list[Period]:
        """All periods of identifiers with that value in any namespace and scope."""
        order = "ORDER BY i.namespace, i.scope, i.valid_from_ms"
        return [Period(*row) for row in self._all(f"{_PERIOD} WHERE i.value = ? {order}", value)]

    def order_owners(self, order_id: str) -> list[int | None]:
        """The owners of the orders with that number, one per order."""
        query = "SELECT person FROM orders WHERE order_id = ? ORDER BY platform, shop_id"
        return [row[0] for row in self._all(query, order_id)]

    def identities(self, person: int) -> list[Period]:
        """All periods of the identifiers a person owns or owned."""
        order = "ORDER BY i.namespace, i.scope, i.value, i.valid_from_ms"
        return [Period(*row) for row in self._all(f"{_PERIOD} WHERE i.person = ? {order}", person)]

    def tags(self, person: int) -> list[tuple[str, str, str, str]]:
        """Tag, value, since which day, reason; by tag."""
        return self._all("SELECT tag, value, as_of, reason FROM tags WHERE person = ? ORDER BY tag", person)

    def consents(self, person: int) -> list[tuple[str, str, int | None, str | None, int]]:
        """Purpose, status, when stated, source, conflict; by purpose."""
        query = "SELECT purpose, status, stated_at_ms, source, conflict FROM consents WHERE person = ? ORDER BY purpose"
        return self._all(query, person)

    def order_sums(self, person: int) -> list[OrderSum]:
        """Paid orders by platform, internal ones left out."""
        return [OrderSum(*row) for row in self._all(_ORDER_SUMS, person)]

    def timeline(
        self, person: int, *, after: tuple[int, str, str] | None, kinds: Sequence[str], limit: int
    ) -> list[Entry]:
        """At most `limit` entries, newest first, behind the entry `after` (at_ms, kind, ref); no kinds: all."""
        at_ms, kind, ref = after or (2**62, "", "")
        values = {"person": person, "at_ms": at_ms, "kind": kind, "ref": ref, "limit": limit}
        marks = {f"kind{place}": name for place, name in enumerate(kinds)}
        chosen = f"AND kind IN ({', '.join(f':{mark}' for mark in marks)})" if marks else ""
        return [Entry(*row) for row in self._read(_TIMELINE.format(kinds=chosen), {**values, **marks})]

    def bitmaps(self, kind: str, name: str) -> Mapping[str, BitMap]:
        """The sets of people of one kind and name, by value; empty when there is none."""
        found = self._bitmaps.get((kind, name))
        if found is None:
            rows = self._all("SELECT value, bits FROM bitmaps WHERE kind = ? AND name = ?", kind, name)
            found = self._decoded(lambda: {value: BitMap.deserialize(bits) for value, bits in rows})
            if found:
                self._bitmaps[kind, name] = found
        return found

    def feature(self, name: str) -> FeatureColumn | None:
        """A numeric feature of all people; None when the snapshot has none of that name."""
        column = self._arrays.get(name)
        if column is None:
            rows = self._all("SELECT kind, numbers FROM feature_columns WHERE name = ?", name)
            if not rows:
                return None
            column = FeatureColumn(rows[0][0], self._decoded(lambda: unpack_numbers(rows[0][1])))
            with self._lock:
                self._arrays[name] = column
                while len(self._arrays) > _KEPT_ARRAYS:
                    self._arrays.popitem(last=False)
        return column

    def vocabulary(self) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, str]]]:
        """What segments can be built from: (tag, value, people) and (feature, group, kind), sorted."""
        tags = self._all("SELECT name, value, people FROM bitmaps WHERE kind = 'tag' ORDER BY name, value")
        features = self._all("SELECT name, grouping, kind FROM feature_columns ORDER BY grouping, name")
        return tags, features

    def _all(self, query: str, *values: object) -> list[Any]:
        return self._read(query, values)

    def _read(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        try:
            return self._connection().execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            self.damage = SnapshotDamagedError(str(self.path), problem=type(error).__name__)
            raise self.damage from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA cache_size=-65536")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _decoded(self, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except (ValueError, RuntimeError) as error:
            raise SnapshotDamagedError(str(self.path), problem=type(error).__name__) from error
