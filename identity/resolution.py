"""The result of resolving a group of evidence: who belongs together, since when, why, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from identity.identifier import Identifier
from identity.order import OrderKey
from identity.pairs import CandidateSighting
from identity.standing import RowRefusal

Status = Literal["active", "contested", "held", "hub", "expired"]
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Member:
    """An identifier of a part, as the registry counts it.

    `person`: anchor or account; `first_ms`: first linking sighting in its present period, UTC epoch ms; `aliases`:
    other forms of it that were placed before; `detached`: a decision took it out of another cluster.
    """

    identifier: Identifier
    order: OrderKey
    person: bool
    anonymous: bool
    first_ms: int
    aliases: tuple[Identifier, ...] = ()
    detached: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Identifiers that are one person; members in the order key."""

    members: tuple[Member, ...]
    status: Status = "active"

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """Its identifiers in the order key."""
        return tuple(member.identifier for member in self.members)

    @property
    def visitor(self) -> bool:
        """Whether it holds anonymous identifiers only."""
        return all(member.anonymous for member in self.members)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an identifier stands: its part (`NOBODY`: none), status, and times as UTC epoch ms.

    `from_ms`: begin of its present period; `ended_ms`: when the validity of its sightings ended or ends; `candidates`:
    the parts a contested identifier stands between.
    """

    part: int
    status: Status
    first_ms: int
    last_ms: int
    from_ms: int
    ended_ms: int | None = None
    candidates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HeldPeriod:
    """One period of an identifier that has several, UTC epoch ms, with its holder; the last one has no end."""

    identifier: Identifier
    period: int
    from_ms: int
    to_ms: int | None
    part: int
    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A pair with all its evidence. `refusal` is empty for a live edge, else the rule that suspends, ends or drops it;
    `observations`: (source, observation) in order of time."""

    a: Identifier
    b: Identifier
    a_period: int
    b_period: int
    rule: str
    observations: tuple[tuple[str, str], ...]
    first_ms: int | None
    last_ms: int | None
    refusal: str = ""
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class Hub:
    """An identifier all of whose links are suspended, with the number of partners that made it one."""

    identifier: Identifier
    count: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """A group of evidence resolved. `oversize`: clusters over the size cap; `replaced`: superseded identifiers."""

    parts: tuple[Part, ...]
    placements: Mapping[Identifier, Placement]
    periods: tuple[HeldPeriod, ...]
    edges: tuple[Edge, ...]
    hubs: tuple[Hub, ...]
    oversize: tuple[tuple[Identifier, ...], ...]
    refusals: tuple[RowRefusal, ...]
    candidates: tuple[CandidateSighting, ...]
    replaced: frozenset[Identifier] = frozenset()

    def part_of(self, identifier: Identifier) -> int:
        """The part an identifier belongs to now, NOBODY when it is unknown or owned by nobody."""
        found = self.placements.get(identifier)
        return NOBODY if found is None else found.part
