"""The answer for a group as rows of the identity tables, staged until the whole run is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from identity.changes import Change
from identity.identifier import Identifier
from identity.resolution import NOBODY, Edge, Resolution
from pipelines.jobs.s3_screen import GROUP
from pipelines.jobs.s3_special import Answer, GroupRows, Row, form_of, key_of

Rows = dict[str, list[Row]]
NO_EDGE = ("weak", "candidate:")
WITHDRAWN = ("unlink", "unbind")
SUSPENDED = ("hub", "size_cap", "contested", "detach", "cannot_link", "two_anchor_values")


def answer_rows(component: int, group: GroupRows, answer: Answer) -> Rows:
    """The answer for one group as rows, by the name under which they are staged."""
    return {
        "map": _map_rows(component, group, answer),
        "edges": _edge_rows(answer.resolution.edges),
        "homes": _home_rows(group, answer),
        "mints": _mint_rows(component, answer),
        "people": _people_rows(answer),
        "records": _record_rows(answer),
        "changes": [_change_row(change) for change in answer.changes],
        "hubs": [_hub_row(hub.identifier, hub.count) for hub in answer.resolution.hubs],
        "refusals": _refusal_rows(group, answer.resolution),
        "questions": _question_rows(answer),
        "candidates": _candidate_rows(answer),
    }


def _identity(identifier: Identifier) -> Row:
    namespace, scope, value = identifier
    return {"identifier_key": key_of(identifier), "namespace": namespace, "scope": scope, "value": value}


def _map_rows(component: int, group: GroupRows, answer: Answer) -> list[Row]:
    one_ids = {NOBODY: None} | dict(enumerate(answer.outcome.one_ids))
    rows = []
    for identifier, placed in answer.resolution.placements.items():
        rows.append(
            _identity(identifier)
            | {
                "one_id": one_ids[placed.part],
                "status": placed.status,
                "from_ms": placed.from_ms,
                "to_ms": None,
                "first_ms": placed.first_ms,
                "last_ms": placed.last_ms,
                GROUP: component,
                "candidates": sorted({answer.outcome.one_ids[part] for part in placed.candidates}) or None,
            }
        )
    current = {row["identifier_key"]: row for row in rows}
    for held in answer.resolution.periods:
        if held.to_ms is not None:
            last = current[key_of(held.identifier)]
            times = {"from_ms": held.from_ms, "to_ms": held.to_ms, "status": held.status, "one_id": one_ids[held.part]}
            rows.append(last | times | {"candidates": None})
    return rows + _form_rows(rows, group.aliases)


def _form_rows(rows: Sequence[Row], aliases: Iterable[Row]) -> list[Row]:
    by_key: dict[int, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row["identifier_key"], []).append(row)
    return [row | _identity(form_of(alias)) for alias in aliases for row in by_key.get(alias["key"], ())]


def _edge_rows(edges: Iterable[Edge]) -> list[Row]:
    """One row per pair: a live link shows its own evidence, a pair without one its newest refusal."""
    by_pair: dict[tuple[int, int], list[Edge]] = {}
    for edge in edges:
        if not edge.refusal.startswith(NO_EDGE) and edge.a != edge.b:
            a, b = sorted((key_of(edge.a), key_of(edge.b)))
            by_pair.setdefault((a, b), []).append(edge)
    return [_edge_row(pair, same) for pair, same in by_pair.items()]


def _edge_row(pair: tuple[int, int], same: Sequence[Edge]) -> Row:
    live = [edge for edge in same if not edge.refusal]
    shown = live or [max(same, key=lambda edge: (edge.last_ms or 0, edge.refusal))]
    names = {key_of(end): str(end) for end in (shown[0].a, shown[0].b)}
    seen = [(edge.first_ms, edge.last_ms, edge) for edge in shown if edge.first_ms is not None]
    first = min(seen, key=lambda item: item[0] or 0)[2] if seen else None
    last = max(seen, key=lambda item: item[1] or 0)[2] if seen else None
    return {
        "a_key": pair[0],
        "b_key": pair[1],
        "a_identifier": names[pair[0]],
        "b_identifier": names[pair[1]],
        "status": _edge_status(shown[0].refusal),
        "rule": shown[0].refusal or (first or shown[0]).rule,
        "sources": sorted({source for edge in shown for source, _ in edge.observations}),
        "first_ms": first.first_ms if first else None,
        "last_ms": last.last_ms if last else None,
        "sightings": sum(len(edge.observations) for edge in shown),
        "first_observation": "/".join(first.observations[0]) if first else None,
        "last_observation": "/".join(last.observations[-1]) if last else None,
    }


def _edge_status(refusal: str) -> str:
    if not refusal:
        return "live"
    if refusal in WITHDRAWN:
        return "withdrawn"
    if refusal == "expired":
        return "expired"
    return "suspended" if refusal.startswith(SUSPENDED) else "dropped"


def _home_rows(group: GroupRows, answer: Answer) -> list[Row]:
    before = {row["key"]: row["home"] for row in group.homes}
    homes = ((key_of(i), home) for i, home in answer.outcome.state.homes.items() if i.namespace)
    return [{"identifier_key": key, "home": home} for key, home in homes if before.get(key) != home]


def _mint_rows(component: int, answer: Answer) -> list[Row]:
    rows = []
    for one_id, (first_ms, order) in answer.outcome.minted:
        record = answer.minted[one_id]
        strength, priority, *_ = order
        rows.append(
            {
                GROUP: component,
                "one_id": one_id,
                "founder_key": key_of(record.founder),
                "ordinal": record.ordinal,
                "first_ms": first_ms,
                "strength": strength,
                "priority": priority,
                "namespace": record.founder.namespace,
                "scope": record.founder.scope,
                "value": record.founder.value,
            }
        )
    return rows


def _people_rows(answer: Answer) -> list[Row]:
    parts = zip(answer.outcome.one_ids, answer.resolution.parts, strict=True)
    return [
        {"one_id": one_id, "status": "visitor" if part.visitor else "active", "identifiers": len(part.members)}
        for one_id, part in parts
    ]


def _record_rows(answer: Answer) -> list[Row]:
    """OneIDs of the group that nobody holds any more."""
    gone = [record for record in answer.outcome.state.records.values() if record.status != "living"]
    return [
        {
            "one_id": record.one_id,
            "status": "merged" if record.status == "redirected" else "retired",
            "merged_into": record.merged_into or None,
        }
        for record in gone
    ]


def _change_row(change: Change) -> Row:
    return {
        "change": change.change,
        "one_id": change.one_id,
        "others": list(change.others),
        "identifiers": [str(identifier) for identifier in change.identifiers],
        "cause": change.cause,
    }


def _hub_row(identifier: Identifier, partners: int) -> Row:
    return _identity(identifier) | {"partners": partners}


def _refusal_rows(group: GroupRows, resolution: Resolution) -> list[Row]:
    intervals = {(row["source"], row["observation_id"]): row["interval"] for row in group.evidence}
    return [
        _identity(one.identifier)
        | {
            "source": one.source,
            "observation_id": one.observation_id,
            "rule": one.rule,
            "interval": intervals[one.source, one.observation_id],
        }
        for one in resolution.refusals
    ]


def _question_rows(answer: Answer) -> list[Row]:
    """Contested identifiers and clusters over the size cap."""
    one_ids, placed = answer.outcome.one_ids, answer.outcome.placed
    rows = []
    for identifier, placement in answer.resolution.placements.items():
        if placement.status == "contested":
            records = _suspended_records(identifier, answer.resolution.edges)
            candidates = sorted({one_ids[part] for part in placement.candidates})
            rows.append(_question("contested", identifier, candidates, {"observations": records}))
    for identifiers in answer.resolution.oversize:
        candidates = sorted({placed[identifier] for identifier in identifiers if identifier in placed})
        rows.append(_question("held", identifiers[0], candidates, {"identifiers": len(identifiers)}))
    return rows


def _suspended_records(identifier: Identifier, edges: Iterable[Edge]) -> list[str]:
    return [
        f"{source}/{observation}"
        for edge in edges
        if identifier in (edge.a, edge.b) and edge.refusal.startswith(("contested", "cannot_link"))
        for source, observation in edge.observations
    ]


def _question(kind: str, identifier: Identifier, candidates: list[str], evidence: Row) -> Row:
    return {
        "kind": kind,
        "identifier": str(identifier),
        "identifier_key": key_of(identifier),
        "candidates": candidates,
        "evidence": json.dumps(evidence, sort_keys=True, ensure_ascii=False),
    }


def _candidate_rows(answer: Answer) -> list[Row]:
    """How often each number was seen in a candidate's role with each person that it does not belong to."""
    placed = answer.outcome.placed
    seen: dict[tuple[Identifier, str, str], dict[tuple[str, str], int]] = {}
    for one in answer.resolution.candidates:
        kind = "staff_phone" if one.role == "staff" else "recipient"
        for one_id in sorted({placed[p] for p in one.partners if p in placed} - {placed.get(one.identifier)}):
            seen.setdefault((one.identifier, kind, one_id), {})[one.source, one.observation_id] = one.event_ms
    return [
        {
            "key": key_of(identifier),
            "kind": kind,
            "namespace": identifier.namespace,
            "scope": identifier.scope,
            "value": identifier.value,
            "sightings": len(records),
            "first_ms": min(records.values()),
            "last_ms": max(records.values()),
            "one_id": one_id,
        }
        for (identifier, kind, one_id), records in sorted(seen.items(), key=lambda item: item[0])
    ]


def frames(rows: Rows) -> dict[str, pl.DataFrame]:
    """Rows as frames with the columns and types of `SCHEMAS`; names without rows are left out."""
    return {name: pl.DataFrame(given, schema=SCHEMAS[name]) for name, given in rows.items() if given}


_INT, _TEXT, _TEXTS = pl.Int64, pl.String, pl.List(pl.String)
_NAMES = {"namespace": _TEXT, "scope": _TEXT, "value": _TEXT}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "map": {"identifier_key": _INT}
    | _NAMES
    | {"one_id": _TEXT, "status": _TEXT, "from_ms": _INT, "to_ms": _INT, "first_ms": _INT, "last_ms": _INT}
    | {GROUP: _INT, "candidates": _TEXTS},
    "edges": {
        "a_key": _INT,
        "b_key": _INT,
        "a_identifier": _TEXT,
        "b_identifier": _TEXT,
        "rule": _TEXT,
        "sources": _TEXTS,
        "first_ms": _INT,
    }
    | {"sightings": _INT, "first_observation": _TEXT, "last_ms": _INT, "last_observation": _TEXT, "status": _TEXT},
    "homes": {"identifier_key": _INT, "home": _TEXT},
    "mints": {GROUP: _INT, "one_id": _TEXT, "founder_key": _INT, "ordinal": pl.Int32, "first_ms": _INT}
    | {"strength": _INT, "priority": _INT}
    | _NAMES,
    "people": {"one_id": _TEXT, "status": _TEXT, "identifiers": _INT},
    "records": {"one_id": _TEXT, "status": _TEXT, "merged_into": _TEXT},
    "changes": {"change": _TEXT, "one_id": _TEXT, "others": _TEXTS, "identifiers": _TEXTS, "cause": _TEXT},
    "hubs": {"identifier_key": _INT} | _NAMES | {"partners": _INT},
    "refusals": {"identifier_key": _INT}
    | _NAMES
    | {"source": _TEXT, "observation_id": _TEXT, "rule": _TEXT, "interval": _TEXT},
    "questions": {"kind": _TEXT, "identifier": _TEXT, "identifier_key": _INT, "candidates": _TEXTS, "evidence": _TEXT},
    "candidates": {"key": _INT, "kind": _TEXT}
    | _NAMES
    | {"sightings": _INT, "first_ms": _INT, "last_ms": _INT, "one_id": _TEXT},
}
