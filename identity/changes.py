"""Changes of OneIDs between two runs: mint, merge, split, move, each with its cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from identity.identifier import Identifier
from identity.registry import RegistryState

ChangeKind = Literal["mint", "merge", "split", "move"]
CauseOf = Callable[[ChangeKind, tuple[Identifier, ...]], str]
_KINDS: tuple[ChangeKind, ...] = ("mint", "merge", "split", "move")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one OneID.

    mint: `one_id` is new, for `identifiers`. merge: `others` redirect to `one_id` now, `identifiers` came with them.
    split: `identifiers` left `one_id` for the new or revived `others`. move: `identifiers` came to `one_id` from the
    living `others`; without `others` they left `one_id` and belong to nobody now.
    """

    change: ChangeKind
    one_id: str
    others: tuple[str, ...]
    identifiers: tuple[Identifier, ...]
    cause: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The change as plain data."""
        return {
            "change": self.change,
            "one_id": self.one_id,
            "others": list(self.others),
            "identifiers": [str(identifier) for identifier in self.identifiers],
            "cause": self.cause,
        }


@dataclass(frozen=True, slots=True)
class World:
    """Who held which identifier at the end of a run, and the registry then."""

    placed: Mapping[Identifier, str]
    registry: RegistryState


def compare(before: World, after: World, cause_of: CauseOf) -> list[Change]:
    """What changed, by kind, OneID and others; an identifier's first joining of a living OneID is no change."""
    found = _Comparison(before, after).changes()
    caused = [Change(c.change, c.one_id, c.others, c.identifiers, cause_of(c.change, c.identifiers)) for c in found]
    return sorted(caused, key=lambda c: (_KINDS.index(c.change), c.one_id, c.others, c.identifiers))


class _Comparison:
    def __init__(self, before: World, after: World) -> None:
        self._before = before
        self._after = after
        self._lived = set(before.placed.values())
        self._flows: dict[tuple[str, str], list[Identifier]] = {}
        for identifier, one_id in before.placed.items():
            now = after.placed.get(identifier, "")
            if now != one_id:
                self._flows.setdefault((one_id, now), []).append(identifier)
        self._fresh: dict[str, list[Identifier]] = {}
        for identifier, one_id in after.placed.items():
            if identifier not in before.placed:
                self._fresh.setdefault(one_id, []).append(identifier)

    def changes(self) -> list[Change]:
        merged = self._merged()
        found = [
            self._change("merge", into, others, [i for one in others for i in self._flows.get((one, into), [])])
            for into, others in merged.items()
        ]
        splits: dict[str, list[str]] = {}
        moves: dict[str, list[str]] = {}
        for old, now in self._flows:
            if not now:
                found.append(self._change("move", old, (), self._flows[old, now]))
            elif old in merged.get(now, ()):
                continue
            elif self._came_apart(now):
                splits.setdefault(old, []).append(now)
            else:
                moves.setdefault(now, []).append(old)
        for old, new in splits.items():
            found.append(self._change("split", old, new, [i for one in new for i in self._flows[old, one]]))
        for now, sources in moves.items():
            found.append(self._change("move", now, sources, [i for one in sources for i in self._flows[one, now]]))
        return [*found, *self._mints()]

    def _came_apart(self, one_id: str) -> bool:
        """Whether a OneID lives anew from identifiers of others only; with new ones it was minted for those."""
        return one_id not in self._lived and (one_id in self._before.registry.records or one_id not in self._fresh)

    def _mints(self) -> list[Change]:
        sources = {now for _, now in self._flows}
        return [
            self._change("mint", one_id, (), fresh)
            for one_id, fresh in self._fresh.items()
            if one_id not in self._lived and not (one_id in sources and self._came_apart(one_id))
        ]

    def _merged(self) -> dict[str, list[str]]:
        """By surviving OneID those that lived before this run and redirect to it now."""
        merged: dict[str, list[str]] = {}
        for one_id in sorted(self._lived):
            into = self._after.registry.records[one_id].merged_into
            if into:
                merged.setdefault(into, []).append(one_id)
        return merged

    @staticmethod
    def _change(kind: ChangeKind, one_id: str, others: Iterable[str], identifiers: Iterable[Identifier]) -> Change:
        return Change(kind, one_id, tuple(sorted(others)), tuple(sorted(identifiers)))
