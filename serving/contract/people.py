"""The people of one snapshot: which OneIDs live, which lead elsewhere, and the dense number of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from serving.contract.inputs import SnapshotInputs, read_columns
from serving.errors import InputsDisagreeError

LIVING = frozenset({"active", "visitor"})
_VECTOR_FROM = 20_000


@dataclass(frozen=True)
class Person:
    """A living OneID as the registry has it."""

    one_id: str
    status: str
    minted_on: str | None


@dataclass(frozen=True)
class Registry:
    """Living people in order of their OneID, and retired OneIDs with the one they lead to (None: nothing is left)."""

    living: tuple[Person, ...]
    retired: Mapping[str, str | None]


def read_registry(inputs: SnapshotInputs) -> Registry:
    """The registry of the inputs; a chain of redirects is already shortened to one hop."""
    living: list[Person] = []
    retired: dict[str, str | None] = {}
    for columns in read_columns(inputs, "oneids"):
        names = ("one_id", "status", "minted_at", "merged_into")
        for one_id, status, minted, target in zip(*(columns[name].to_pylist() for name in names), strict=True):
            if status in LIVING:
                living.append(Person(one_id, status, minted))
            else:
                retired[one_id] = target if status == "merged" else None
    return Registry(tuple(sorted(living, key=lambda person: person.one_id)), _shortened(retired))


def _shortened(retired: Mapping[str, str | None]) -> dict[str, str | None]:
    """Redirects that end at a living OneID or at nothing, whatever hops lay between."""
    result: dict[str, str | None] = {}
    for one_id, target in retired.items():
        seen = {one_id}
        while target is not None and target in retired and target not in seen:
            seen.add(target)
            target = retired[target]
        result[one_id] = target
    return result


class Numbering:
    """Dense numbers of the living OneIDs of one file; arrays of OneIDs become arrays of numbers."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._numbers = dict(numbers)
        self._columns: tuple[pa.Array, pa.Array] | None = None

    @property
    def length(self) -> int:
        """One more than the greatest number: the length of a feature column."""
        return max(self._numbers.values(), default=-1) + 1

    def __getitem__(self, one_id: str) -> int:
        return self._numbers[one_id]

    def get(self, one_id: str | None) -> int | None:
        """The number of a OneID; None when it does not live."""
        return None if one_id is None else self._numbers.get(one_id)

    def numbers_of(self, one_ids: pa.Array) -> pa.Array:
        """The number of each OneID of a column (int64), null where it does not live or is null."""
        if len(one_ids) < _VECTOR_FROM:
            return pa.array([self.get(one_id) for one_id in one_ids.to_pylist()], pa.int64())
        if self._columns is None:
            names = pa.array(list(self._numbers), pa.string())
            self._columns = (names, pa.array(list(self._numbers.values()), pa.int64()))
        names, values = self._columns
        return values.take(pc.index_in(one_ids, value_set=names))

    def owners_of(self, table: str, one_ids: pa.Array) -> list[int | None]:
        """Like `numbers_of` as a list, but a OneID that does not live raises InputsDisagreeError; nulls stay None."""
        numbers = self.numbers_of(one_ids)
        strangers = numbers.null_count - one_ids.null_count
        if strangers:
            raise InputsDisagreeError(table, strangers=strangers)
        owners: list[int | None] = numbers.to_pylist()
        return owners


def number_people(one_ids: Iterable[str], *, start: int = 0) -> dict[str, int]:
    """Consecutive numbers for OneIDs in the order given, from `start`."""
    return {one_id: number for number, one_id in enumerate(one_ids, start)}
