"""Whom a caller may see: everybody, or the people of the brands and guides that the key names."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyroaring import BitMap

from serving.lookup import UNKNOWN, Answer
from serving.security import Caller
from serving.store import Profile, Snapshot


@dataclass(frozen=True)
class View:
    """A snapshot as one caller may see it; whoever is out of sight is as if unknown."""

    snapshot: Snapshot
    visible: BitMap | None

    def sees(self, person: int) -> bool:
        """Whether the person is in sight."""
        return self.visible is None or person in self.visible

    def profile(self, one_id: str) -> tuple[Profile, str | None] | None:
        """The living profile behind a OneID and the retired OneID asked for (if it was one); None out of sight."""
        profile, redirected_from = self.snapshot.profile(one_id), None
        if profile is None:
            living = self.snapshot.living(one_id)
            profile, redirected_from = (self.snapshot.profile(living) if living else None), one_id
        return (profile, redirected_from) if profile is not None and self.sees(profile.person) else None

    def everyone(self) -> BitMap:
        """All people in sight, visitors left out."""
        active = self.snapshot.bitmaps("status", "oneid").get("active", BitMap())
        return active.copy() if self.visible is None else active & self.visible

    def narrowed(self, answer: Answer) -> Answer:
        """The answer without anybody out of sight; it is `unknown` when nobody is left."""
        if self.visible is None or answer.status == "refused":
            return answer
        candidates = tuple(one_id for one_id in answer.candidates if self._sees_id(one_id))
        if answer.one_id is not None and self._sees_id(answer.one_id):
            return replace(answer, candidates=candidates)
        if len(candidates) == 1 and answer.status == "ambiguous":
            return Answer("active", one_id=candidates[0])
        return replace(answer, candidates=candidates, one_id=None) if candidates else UNKNOWN

    def _sees_id(self, one_id: str) -> bool:
        profile = self.snapshot.profile(one_id)
        return profile is not None and self.sees(profile.person)


def view_of(snapshot: Snapshot, caller: Caller) -> View:
    """The snapshot as the caller may see it: people who fit every dimension the key names."""
    if not caller.restrict:
        return View(snapshot, None)
    parts = []
    for dimension, values in sorted(caller.restrict.items()):
        sets = snapshot.bitmaps("access", dimension)
        parts.append(BitMap.union(BitMap(), *(sets.get(value, BitMap()) for value in values)))
    return View(snapshot, BitMap.intersection(*parts))
