"""Which rows stand: withdrawn observations are left out, and rows that contradict themselves link nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from identity.decision import Decisions
from identity.evidence import Evidence, Row, expand
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.order import Order
from identity.replaces import Replaces, settle_replaces

Record = tuple[str, str]


class RowRefusal(NamedTuple):
    """A row whose links are refused although its identifiers stay: the rule and the identifier it shows at."""

    source: str
    observation_id: str
    identifier: Identifier
    rule: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The rows to resolve, in order of time.

    `contradicting`: records whose row holds two values of one anchor; `withdrawn`: rows an unlink took back.
    """

    rows: tuple[Row, ...]
    withdrawn: tuple[Row, ...]
    replaces: Replaces
    contradicting: frozenset[Record]
    refusals: tuple[RowRefusal, ...]


def sift(evidence: Iterable[Evidence], decisions: Decisions, order: Order) -> Standing:
    """The rows that stand, with replaces settled and contradicting rows marked."""
    rows = expand(evidence)
    gone = withdrawn_records(rows)
    standing = tuple(row for row in rows if row.kind != "unlink" and row.record not in gone)
    replaces = settle_replaces(standing, order, decisions.forbidding())
    contradictions = [refusal for row in standing for refusal in _contradictions(row, replaces, order)]
    return Standing(
        rows=standing,
        withdrawn=tuple(row for row in rows if row.kind != "unlink" and row.record in gone),
        replaces=replaces,
        contradicting=frozenset((one.source, one.observation_id) for one in contradictions),
        refusals=(*contradictions, *(_refused_replace(one.row, one.rule) for one in replaces.refused)),
    )


def withdrawn_records(rows: Sequence[Row]) -> set[Record]:
    """The observations that unlinks of their own source withdraw, whichever of the two arrived first.

    A withdrawn unlink withdraws nothing any more; of two unlinks that withdraw each other the earlier one stands.
    """
    against: dict[Record, list[Record]] = {}
    unlinks = [row.record for row in rows if row.kind == "unlink"]
    for row in rows:
        if row.kind == "unlink":
            against.setdefault((row.source, row.retracts), []).append(row.record)
    settled: dict[Record, bool] = {}
    for unlink in unlinks:
        _settle_unlink(unlink, against, settled)
    return {target for target, by in against.items() if any(settled[unlink] for unlink in by)}


def _settle_unlink(start: Record, against: dict[Record, list[Record]], settled: dict[Record, bool]) -> None:
    """Whether an unlink is effective: no effective unlink withdraws it. Depth first, without recursion."""
    path = [start]
    while path:
        here = path[-1]
        open_ones = [one for one in against.get(here, []) if one not in settled and one not in path]
        if here in settled or not open_ones:
            settled.setdefault(here, not any(settled.get(one, one != here) for one in against.get(here, [])))
            path.pop()
        else:
            path.append(open_ones[0])


def _contradictions(row: Row, replaces: Replaces, order: Order) -> list[RowRefusal]:
    """One refusal per anchor of which a row holds more values than a person may have; replaced ones are one account."""
    if row.kind not in ("link", "bind"):
        return []
    seen: dict[tuple[str, str], dict[Identifier, Identifier]] = {}
    for identifier in row.linking:
        spec = order.spec(identifier)
        if spec.strength is Strength.ANCHOR and spec.max_per_person is not None:
            seen.setdefault(identifier[:2], {}).setdefault(replaces.account(identifier), identifier)
    refusals = []
    for (namespace, _), values in sorted(seen.items()):
        if len(values) > (order.policy.namespaces[namespace].max_per_person or 0):
            shown = max(values.values(), key=order.key)
            refusals.append(RowRefusal(row.source, row.observation_id, shown, "two_anchor_values"))
    return refusals


def _refused_replace(row: Row, rule: str) -> RowRefusal:
    return RowRefusal(row.source, row.observation_id, row.linking[0], rule)
