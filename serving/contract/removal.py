"""Taking touched people out of a copied snapshot, so that an update can put them in again as they are now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from serving.contract.columns import BitmapBuilder, FeatureArrays
from serving.contract.format import SCHEMA_VERSION
from serving.contract.packing import Numbers, unpack_numbers
from serving.errors import UpdateRefusedError

PERSON_TABLES = ("tags", "timeline", "orders", "consents", "profiles")


@dataclass(frozen=True)
class Previous:
    """What an update keeps of the snapshot before: the numbers of its people and its numeric features."""

    numbers: dict[str, int]
    length: int
    features: dict[str, tuple[str, Numbers]]


def load_previous(connection: sqlite3.Connection, *, where: str) -> Previous:
    """The people and features of the snapshot before; UpdateRefusedError when its schema is another one."""
    try:
        version = _fact(connection, "schema_version")
    except (sqlite3.DatabaseError, TypeError) as error:
        raise UpdateRefusedError(f"{where} is not a readable snapshot") from error
    if version != str(SCHEMA_VERSION):
        raise UpdateRefusedError(f"{where} has schema version {version}, this writer makes {SCHEMA_VERSION}")
    rows = connection.execute("SELECT name, kind, numbers FROM feature_columns")
    features = {name: (kind, unpack_numbers(numbers)) for name, kind, numbers in rows}
    numbers = dict(connection.execute("SELECT one_id, person FROM profiles"))
    return Previous(numbers, int(_fact(connection, "persons")), features)


def _fact(connection: sqlite3.Connection, key: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0])


class Removal:
    """Removes rows of touched people, and single rows that the inputs bring again."""

    def __init__(self, connection: sqlite3.Connection, before: Previous) -> None:
        self._connection = connection
        self._before = before
        self._gone: list[int] = []

    def remove_people(self, one_ids: Sequence[str]) -> None:
        """Nothing of these OneIDs is left: profile, identifiers with masks and aliases, facts, redirect."""
        run = self._connection.executemany
        self._gone = [self._before.numbers[one_id] for one_id in one_ids if one_id in self._before.numbers]
        people, names = [(number,) for number in self._gone], [(one_id,) for one_id in one_ids]
        self._connection.execute("CREATE INDEX former ON identifiers (former_one_id) WHERE former_one_id IS NOT NULL")
        self._remove_identifiers("person = ?", people)
        self._remove_identifiers("former_one_id = ?", names)
        self._connection.execute("DROP INDEX former")
        for table in PERSON_TABLES:
            run(f"DELETE FROM {table} WHERE person = ?", people)
        run("DELETE FROM redirects WHERE one_id = ?", names)

    def _remove_identifiers(self, condition: str, keys: Iterable[tuple[object, ...]]) -> None:
        keys = list(keys)
        run = self._connection.executemany
        chosen = f"FROM identifiers WHERE {condition}"
        run(f"DELETE FROM aliases WHERE target_key IN (SELECT key {chosen})", keys)
        run(f"DELETE FROM masks WHERE identifier IN (SELECT id {chosen})", keys)
        run(f"DELETE {chosen}", keys)

    def remove_identifier(self, row: Sequence[object]) -> None:
        """The row's period of its identifier is not there, nor any period of it that nobody owns."""
        key, valid_from = row[1], row[10]
        condition = "key = ? AND (valid_from_ms IS ? OR (person IS NULL AND former_one_id IS NULL))"
        self._remove_identifiers(condition, [(key, valid_from)])

    def remove_order(self, row: Sequence[object]) -> None:
        """The order of the row is not there."""
        self._connection.execute(
            "DELETE FROM orders WHERE order_id = ? AND platform = ? AND shop_id = ?", (row[2], row[0], row[1])
        )

    def collections(self, length: int) -> tuple[BitmapBuilder, FeatureArrays]:
        """Bitmaps and feature arrays of the snapshot before without the removed people; their tables are empty."""
        connection = self._connection
        rows = connection.execute("SELECT kind, name, value, bits FROM bitmaps").fetchall()
        bitmaps = BitmapBuilder({(kind, name, value): BitMap.deserialize(bits) for kind, name, value, bits in rows})
        bitmaps.remove(BitMap(self._gone))
        arrays = FeatureArrays(length)
        for name, (kind, numbers) in self._before.features.items():
            arrays.keep(name, kind=kind, numbers=numbers)
        arrays.clear(self._gone)
        connection.execute("DELETE FROM bitmaps")
        connection.execute("DELETE FROM feature_columns")
        return bitmaps, arrays

    def require_same_features(self, names: Iterable[str]) -> None:
        """UpdateRefusedError when the inputs bring features that the snapshot before did not have."""
        added = sorted(set(names) - set(self._before.features))
        if added and self._before.features:
            raise UpdateRefusedError(f"features {', '.join(added)} are new")

    def shorten_redirects(self) -> None:
        """Every redirect ends at a living OneID or at nothing, also where its target was retired just now."""
        self._connection.execute(
            "UPDATE redirects SET living = (SELECT n.living FROM redirects AS n WHERE n.one_id = redirects.living) "
            "WHERE living IN (SELECT one_id FROM redirects)"
        )
