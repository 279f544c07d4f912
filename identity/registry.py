"""The registry: which OneID a part keeps, which redirect to it, which are minted.

A pure function of the parts, the homes of their identifiers and the order of minting: running it again on its own
result changes nothing. It is local to a group: parts with the homes of their identifiers and the records of OneIDs
that are home to them or were founded by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from identity.identifier import Identifier
from identity.order import OrderKey, OrderValue
from identity.resolution import Member, Part
from identity.token import keyed_digest

OneIdStatus = Literal["living", "redirected", "retired"]
_ORDERS_PER_RUN = 1 << 32
_ONE_ID_LENGTH = 24


@dataclass(frozen=True, slots=True)
class OneIdRecord:
    """One OneID, for ever.

    `founder`: the identifier it was derived from, `ordinal`: how many it had founded before; `mint_seq`: order of
    minting over all runs (`mint_sequence`); `merged_into`: the living OneID it redirects to, empty for none.
    """

    one_id: str
    founder: Identifier
    ordinal: int
    mint_seq: int
    status: OneIdStatus = "living"
    merged_into: str = ""

    def to_row(self) -> dict[str, Any]:
        """The record as one flat row."""
        namespace, scope, value = self.founder
        return {
            "one_id": self.one_id,
            "founder_namespace": namespace,
            "founder_scope": scope,
            "founder_value": value,
            "ordinal": self.ordinal,
            "mint_seq": self.mint_seq,
            "status": self.status,
            "merged_into": self.merged_into,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> OneIdRecord:
        """The record of a row made by `to_row`."""
        founder = Identifier(row["founder_namespace"], row["founder_scope"], row["founder_value"])
        return cls(row["one_id"], founder, row["ordinal"], row["mint_seq"], row["status"], row["merged_into"])


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The home of every identifier ever placed, and all OneIDs by id."""

    homes: Mapping[Identifier, str] = field(default_factory=dict)
    records: Mapping[str, OneIdRecord] = field(default_factory=dict)

    def living(self, one_id: str) -> str:
        """The living OneID that a OneID, living or redirected, stands for now; empty when retired or unknown."""
        record = self.records.get(one_id)
        if record is None or record.status == "retired":
            return ""
        return record.merged_into or one_id

    def redirects(self) -> dict[str, str]:
        """Redirected OneIDs with the living one each leads to, in one hop."""
        return {one_id: record.merged_into for one_id, record in sorted(self.records.items()) if record.merged_into}


@dataclass(frozen=True, slots=True)
class RegistryOutcome:
    """The registry after a run: the OneID of every part, in their order, and of every identifier placed.

    `minted`: new OneIDs with (oldest sighting, order key) of their part, in the order of minting.
    """

    state: RegistryState
    one_ids: tuple[str, ...]
    placed: Mapping[Identifier, str]
    minted: tuple[tuple[str, tuple[int, OrderKey]], ...]


def mint_sequence(run: int, order: int) -> int:
    """The place of a OneID in the order of minting: by run, then by order inside the run."""
    return run * _ORDERS_PER_RUN + order


def assign(
    parts: Sequence[Part],
    registry_state: RegistryState,
    *,
    run: int,
    identity_key: str | bytes,
    order_value: OrderValue,
) -> RegistryOutcome:
    """The OneID of every part, and the registry after it.

    Each OneID belongs to the part holding most anchors and accounts at home in it, then most contacts, then what no
    decision detached, then the oldest first sighting, then the order key. A part that wins several keeps the one
    minted first, the others redirect to it; one that wins none mints. A OneID of which nothing is left is retired.
    """
    belongs = winners(parts, registry_state)
    won: dict[int, list[str]] = {}
    for one_id, place in belongs.items():
        won.setdefault(place, []).append(one_id)
    kept = {place: min(ids, key=lambda one_id: registry_state.records[one_id].mint_seq) for place, ids in won.items()}
    minted = _mint(parts, kept, registry_state, run=run, founding=(identity_key, order_value))
    one_ids = tuple(kept.get(place) or minted[place][0].one_id for place in range(len(parts)))
    records = dict(registry_state.records)
    for one_id, record in registry_state.records.items():
        records[one_id] = _record_after(record, one_ids[belongs[one_id]] if one_id in belongs else "")
    records |= {record.one_id: record for record, _ in minted.values()}
    state = RegistryState(_homes_after(parts, one_ids, minted.keys(), registry_state), flatten_redirects(records))
    placed = {identifier: one_ids[place] for place, part in enumerate(parts) for identifier in _names(part.members)}
    in_order = sorted(minted.values(), key=lambda item: item[1])
    return RegistryOutcome(state, one_ids, placed, tuple((record.one_id, rank) for record, rank in in_order))


def flatten_redirects(records: Mapping[str, OneIdRecord]) -> dict[str, OneIdRecord]:
    """Every redirect leads to a living OneID in one hop; one that leads nowhere any more is retired."""
    flat: dict[str, OneIdRecord] = {}
    for one_id, record in records.items():
        target, seen = record.merged_into, {one_id}
        while target and target not in seen and target in records and records[target].merged_into:
            seen.add(target)
            target = records[target].merged_into
        if record.merged_into and (target not in records or records[target].status != "living"):
            record = replace(record, status="retired", merged_into="")
        flat[one_id] = replace(record, merged_into=target) if record.merged_into else record
    return flat


def winners(parts: Sequence[Part], state: RegistryState) -> dict[str, int]:
    """By OneID the part it belongs to, for all OneIDs that are home to some identifier of the parts."""
    claims: dict[str, dict[int, list[Member]]] = {}
    for place, part in enumerate(parts):
        for member in part.members:
            for one_id in {state.homes[name] for name in (member.identifier, *member.aliases) if name in state.homes}:
                claims.setdefault(one_id, {}).setdefault(place, []).append(member)
    return {
        one_id: min(by_part, key=lambda place: _claim(by_part[place])) for one_id, by_part in sorted(claims.items())
    }


def _claim(at_home: Sequence[Member]) -> tuple[int, int, bool, int, OrderKey]:
    """The claim of a part on a OneID by its members at home there, the smaller the better."""
    persons = sum(member.person for member in at_home)
    return (
        -persons,
        persons - len(at_home),
        all(member.detached for member in at_home),
        min(member.first_ms for member in at_home),
        min(member.order for member in at_home),
    )


def _mint(
    parts: Sequence[Part],
    kept: Mapping[int, str],
    state: RegistryState,
    *,
    run: int,
    founding: tuple[str | bytes, OrderValue],
) -> dict[int, tuple[OneIdRecord, tuple[int, OrderKey]]]:
    """A new OneID for every part that won none, in order of oldest sighting, then order key."""
    founders = {place: _founder(part) for place, part in enumerate(parts) if place not in kept}
    ordinals: dict[Identifier, int] = {}
    for record in state.records.values():
        ordinals[record.founder] = max(record.ordinal + 1, ordinals.get(record.founder, 0))
    minted: dict[int, tuple[OneIdRecord, tuple[int, OrderKey]]] = {}
    identity_key, order_value = founding
    for order, (place, founder) in enumerate(sorted(founders.items(), key=lambda item: _seniority(item[1]))):
        ordinal = ordinals.get(founder.identifier, 0)
        one_id = derive_one_id(identity_key, founder.identifier, order_value(founder.identifier), ordinal)
        record = OneIdRecord(one_id, founder.identifier, ordinal, mint_sequence(run, order))
        minted[place] = (record, _seniority(founder))
    return minted


def derive_one_id(identity_key: str | bytes, founder: Identifier, value: str, ordinal: int) -> str:
    """A OneID: 24 hex characters of a keyed digest of its founder (`value`: its order value) and the ordinal."""
    digest = keyed_digest(identity_key, "one_id", founder.namespace, founder.scope, value, str(ordinal))
    return digest[:_ONE_ID_LENGTH]


def _seniority(member: Member) -> tuple[int, OrderKey]:
    return member.first_ms, member.order


def _founder(part: Part) -> Member:
    return min(part.members, key=_seniority)


def _record_after(record: OneIdRecord, holder: str) -> OneIdRecord:
    """`holder`: the OneID of the part the record belongs to, empty when nothing at home in it is left."""
    if holder == record.one_id:
        return replace(record, status="living", merged_into="")
    if holder:
        return replace(record, status="redirected", merged_into=holder)
    return record if record.merged_into else replace(record, status="retired")


def _homes_after(
    parts: Sequence[Part], one_ids: Sequence[str], minted: Iterable[int], state: RegistryState
) -> dict[Identifier, str]:
    """The first home stays; where a part minted, the new OneID becomes the home of all its identifiers."""
    homes = dict(state.homes)
    new = set(minted)
    for place, part in enumerate(parts):
        for name in _names(part.members):
            if place in new:
                homes[name] = one_ids[place]
            else:
                homes.setdefault(name, one_ids[place])
    return homes


def _names(members: Iterable[Member]) -> list[Identifier]:
    return [name for member in members for name in (member.identifier, *member.aliases)]
