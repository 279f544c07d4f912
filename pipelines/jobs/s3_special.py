"""Groups that the rules must look at: rows become evidence, `identity` decides, its answers become rows again.

One group at a time, on the executors; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from identity.causes import Causes
from identity.changes import Change, World, compare
from identity.decision import Decision
from identity.evidence import Evidence, Sighting, rename
from identity.identifier import Identifier, key64
from identity.namespace import Strength
from identity.observation import StatedId
from identity.policy import Policy
from identity.registry import OneIdRecord, OneIdStatus, RegistryOutcome, RegistryState, assign
from identity.resolution import Part, Resolution
from identity.resolve import resolve_evidence

Row = dict[str, Any]
PARTING = ("split", "move")
STATUS_OF: dict[str, OneIdStatus] = {
    "active": "living",
    "visitor": "living",
    "merged": "redirected",
    "retired": "retired",
}


@dataclass(frozen=True)
class SpecialSettings:
    """What a task needs: policy, key, the run's number and day, the day of the run before, all decisions, and which of
    them are new in this run.

    `trigger`: what caused every change of the run (`configuration:...`), empty when evidence or decisions did.
    """

    policy: Policy
    identity_key: str
    run: int
    as_of: str
    last_as_of: str
    decisions: tuple[Decision, ...] = ()
    new_decisions: frozenset[str] = frozenset()
    trigger: str = ""


@dataclass
class GroupRows:
    """The rows of one group."""

    evidence: list[Row] = field(default_factory=list)
    homes: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    placed: list[Row] = field(default_factory=list)
    aliases: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """A group resolved: by the rules, and by the registry before and after."""

    resolution: Resolution
    outcome: RegistryOutcome
    before: World
    changes: Sequence[Change]
    minted: Mapping[str, OneIdRecord]


class SpecialResolver:
    """Resolves groups one by one under fixed settings."""

    def __init__(self, settings: SpecialSettings) -> None:
        self._settings = settings
        self._by_identifier: dict[Identifier, list[Decision]] = {}
        for decision in settings.decisions:
            for end in {decision.a, *(other for pair in decision.pairs for other in pair)}:
                self._by_identifier.setdefault(end, []).append(decision)

    def answer(self, group: GroupRows) -> Answer:
        """The group's resolution, its OneIDs and what changed."""
        names = _names(group.aliases)
        evidence = rename(list(read_evidence(group.evidence, self._settings.policy)), names)
        decisions = [_renamed(decision, names) for decision in self._decisions(evidence, names)]
        resolution = resolve_evidence(
            evidence, decisions, self._settings.policy, as_of=self._settings.as_of, order_value=_stored_value
        )
        known = _identifiers(evidence, names)
        registry = read_registry(group, known)
        outcome = assign(
            [_with_aliases(part, group.aliases, registry) for part in resolution.parts],
            registry,
            run=self._settings.run,
            identity_key=self._settings.identity_key,
            order_value=_stored_value,
        )
        before = World(_placed(group, known, registry), registry)
        after = World(outcome.placed, outcome.state)
        new = _new_rows(group.evidence, names, self._settings.policy)
        trigger = self._trigger(decisions)
        changes = compare(before, after, Causes(resolution, resolution, new, trigger).of)
        if not trigger and any(change.change in PARTING for change in changes):
            earlier = self._earlier(group, names, decisions)
            changes = compare(before, after, Causes(earlier, resolution, new).of)
        minted = {one_id: outcome.state.records[one_id] for one_id, _ in outcome.minted}
        return Answer(resolution, outcome, before, changes, minted)

    def _earlier(
        self, group: GroupRows, names: Mapping[Identifier, Identifier], decisions: Iterable[Decision]
    ) -> Resolution:
        """What the rules said before this run; asked for only where people came apart, to name the new refusal."""
        known = [row for row in group.evidence if not row["is_new"]]
        evidence = rename(list(read_evidence(known, self._settings.policy)), names)
        return resolve_evidence(
            evidence, decisions, self._settings.policy, as_of=self._settings.last_as_of, order_value=_stored_value
        )

    def _decisions(self, evidence: Iterable[Evidence], names: Mapping[Identifier, Identifier]) -> list[Decision]:
        present = {stated.identifier for one in evidence for stated in one.ids} | set(names)
        found = {one.decision_id: one for name in present for one in self._by_identifier.get(name, ())}
        return [found[decision_id] for decision_id in sorted(found)]

    def _trigger(self, decisions: Iterable[Decision]) -> str:
        new = sorted(one.decision_id for one in decisions if one.decision_id in self._settings.new_decisions)
        return self._settings.trigger or (f"decision:{new[-1]}" if new else "")


def read_evidence(rows: Iterable[Row], policy: Policy) -> Iterator[Evidence]:
    """Rows of observations as evidence, equal statements gathered; what links is decided by the policy of the run."""
    found: dict[tuple[Any, ...], list[Sighting]] = {}
    for row in rows:
        ids = [_stated(stated, row["kind"], policy) for stated in row["ids"] or ()]
        signature = tuple(ids if row["kind"] == "replace" else sorted(ids))
        key = (row["source"], row["kind"], signature, row["retracts"] or "", row["valid_to_ms"], row["rule"] or "")
        found.setdefault(key, []).append(Sighting(row["event_ms"], row["observation_id"], row["interval"]))
    for (source, kind, ids, retracts, valid_to, rule), sightings in sorted(found.items(), key=_evidence_order):
        yield Evidence(source, kind, ids, tuple(sorted(sightings)), retracts, valid_to, rule)


def _evidence_order(item: tuple[tuple[Any, ...], list[Sighting]]) -> tuple[Any, ...]:
    (source, kind, *_), sightings = item
    return source, min(sightings), kind


def _stated(row: Mapping[str, Any], kind: str, policy: Policy) -> StatedId:
    identifier = Identifier(row["namespace"], row["scope"], row["value"])
    spec = policy.spec(identifier.namespace)
    linking = spec is not None and (spec.strength < Strength.WEAK if kind == "replace" else spec.links(row["role"]))
    return StatedId(identifier, row["role"], linking)


def _stored_value(identifier: Identifier) -> str:
    """Values in the lake are tokens already where they are personal."""
    return identifier.value


def key_of(identifier: Identifier) -> int:
    """The surrogate key of a stored identifier."""
    return key64(*identifier)


def _names(aliases: Iterable[Row]) -> dict[Identifier, Identifier]:
    return {form_of(row): Identifier(row["namespace"], row["scope"], row["value"]) for row in aliases}


def form_of(row: Row) -> Identifier:
    """The hashed form that an alias row is about."""
    return Identifier(row["form_namespace"], row["form_scope"], row["form_value"])


def _renamed(decision: Decision, names: Mapping[Identifier, Identifier]) -> Decision:
    return replace(
        decision,
        a=names.get(decision.a, decision.a),
        b=None if decision.b is None else names.get(decision.b, decision.b),
        others=tuple(names.get(other, other) for other in decision.others),
    )


def _identifiers(evidence: Iterable[Evidence], names: Mapping[Identifier, Identifier]) -> dict[int, Identifier]:
    present = {stated.identifier for one in evidence for stated in one.ids} | set(names) | set(names.values())
    return {key_of(identifier): identifier for identifier in present}


def read_registry(group: GroupRows, known: Mapping[int, Identifier]) -> RegistryState:
    """The part of the registry that belongs to a group; identifiers without evidence left keep their key as name."""
    homes = {_named(row["key"], known): row["home"] for row in group.homes}
    records = {
        row["one_id"]: OneIdRecord(
            one_id=row["one_id"],
            founder=_named(row["founder_key"], known),
            ordinal=row["ordinal"],
            mint_seq=row["mint_seq"],
            status=STATUS_OF[row["status"]],
            merged_into=row["merged_into"] or "",
        )
        for row in group.records
    }
    return RegistryState(homes, records)


def _named(key: int, known: Mapping[int, Identifier]) -> Identifier:
    return known.get(key) or Identifier("", "", str(key))


def _placed(group: GroupRows, known: Mapping[int, Identifier], registry: RegistryState) -> dict[Identifier, str]:
    """Who held what before the run; a form that never had a place of its own is no identifier of its own, and a
    OneID that was never minted (somebody wrote to the map) held nothing."""
    placed = {_named(row["key"], known): row["one_id"] for row in group.placed}
    records = registry.records
    return {i: one_id for i, one_id in placed.items() if i in registry.homes and one_id in records}


def _with_aliases(part: Part, aliases: Sequence[Row], registry: RegistryState) -> Part:
    forms: dict[Identifier, list[Identifier]] = {}
    for row in aliases:
        number = Identifier(row["namespace"], row["scope"], row["value"])
        if form_of(row) in registry.homes:
            forms.setdefault(number, []).append(form_of(row))
    members = [replace(m, aliases=tuple(sorted(forms.get(m.identifier, ())))) for m in part.members]
    return replace(part, members=tuple(members)) if forms else part


def _new_rows(
    rows: Iterable[Row], names: Mapping[Identifier, Identifier], policy: Policy
) -> dict[tuple[str, str], list[Identifier]]:
    """The new records in order of time, each with the identifiers it links."""
    new = sorted(
        (row for row in rows if row["is_new"]), key=lambda r: (r["event_ms"], r["source"], r["observation_id"])
    )
    stated: dict[tuple[str, str], list[Identifier]] = {}
    for row in new:
        read = [_stated(one, row["kind"], policy) for one in row["ids"] or ()]
        linked = [names.get(one.identifier, one.identifier) for one in read if one.linking]
        stated.setdefault((row["source"], row["observation_id"]), []).extend(linked)
    return stated
