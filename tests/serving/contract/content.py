"""The content of a snapshot without its dense numbers: two snapshots that say the same are equal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from pyroaring import BitMap

from serving.contract.packing import unpack_numbers

PLAIN = {
    "redirects": "SELECT one_id, living FROM redirects",
    "aliases": "SELECT key, target_key FROM aliases",
    "identifiers": """SELECT i.key, i.namespace, i.scope, i.value, i.personal, p.one_id, i.former_one_id, i.status,
        i.candidates, i.valid_from_ms, i.valid_to_ms, i.first_seen_ms, i.last_seen_ms, m.display
        FROM identifiers i LEFT JOIN profiles p USING (person) LEFT JOIN masks m ON m.identifier = i.id""",
    "masks": "SELECT count(*) FROM masks",
    "profiles": "SELECT one_id, status, layer, minted_on, features FROM profiles",
    "tags": "SELECT one_id, tag, value, as_of, reason FROM tags JOIN profiles USING (person)",
    "timeline": """SELECT one_id, at_ms, kind, ref, source, amount_fen, detail
        FROM timeline JOIN profiles USING (person)""",
    "orders": """SELECT o.platform, o.shop_id, o.order_id, p.one_id, o.status, is_paid, is_internal, paid_fen,
        refunded_fen, at_ms FROM orders o LEFT JOIN profiles p USING (person)""",
    "consents": """SELECT one_id, purpose, c.status, stated_at_ms, source, conflict
        FROM consents c JOIN profiles USING (person)""",
    "meta": "SELECT key, value FROM meta WHERE key <> 'persons'",
}


def content(path: Path) -> dict[str, Any]:
    """Rows of every table by name, sorted, with OneIDs in the place of numbers."""
    connection = sqlite3.connect(path)
    found: dict[str, Any] = {name: sorted(connection.execute(query), key=repr) for name, query in PLAIN.items()}
    people = dict(connection.execute("SELECT person, one_id FROM profiles"))
    rows = connection.execute("SELECT kind, name, value, people, bits FROM bitmaps")
    found["bitmaps"] = {
        (kind, name, value): (count, sorted(people[number] for number in BitMap.deserialize(bits)))
        for kind, name, value, count, bits in rows
    }
    columns = connection.execute("SELECT name, grouping, kind, numbers FROM feature_columns")
    found["feature_columns"] = {row[:3]: _by_one_id(row[3], people) for row in columns}
    connection.close()
    return found


def _by_one_id(numbers: bytes, people: dict[int, str]) -> dict[str, float]:
    values = unpack_numbers(numbers)
    return {people[place]: float(values[place]) for place in np.flatnonzero(~np.isnan(values)).tolist()}
