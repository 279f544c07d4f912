"""The report of a run: how many people, how sure, what was refused, and how far channels reach into each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from identity.identifier import Identifier
from identity.policy import Policy
from identity.resolution import Part, Resolution

LARGEST = 10
_CHANNELS = {
    "doudian": "douyin",
    "douyin": "douyin",
    "tmall": "tmall",
    "wx": "mini_program",
    "mp": "mini_program",
    "wecom": "wecom",
    "login": "login",
    "member": "member",
    "phone": "phone",
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a report is made from besides the resolution: the OneIDs of its parts, who held what before and after the
    run, how often each rule refused an identifier or a row, and how many event times of the run were clamped."""

    run: int
    as_of: str
    one_ids: Sequence[str]
    before: Mapping[Identifier, str]
    after: Mapping[Identifier, str]
    refusals: Mapping[str, int]
    clamped: int = 0


def build_report(resolution: Resolution, facts: RunFacts) -> dict[str, Any]:
    """The report as plain data.

    `one_ids` counts all living OneIDs, `persons` those that are no visitors; `identifiers_per_one_id` by size how many
    OneIDs have it; `churn` the share of identifiers known before whose OneID changed; `reach` by pair of channels the
    persons in both and the share of the persons of either.
    """
    placements = resolution.placements.values()
    status = Counter(placement.status for placement in placements)
    sizes = Counter(len(part.members) for part in resolution.parts)
    visitors = sum(part.visitor for part in resolution.parts)
    return {
        "run": facts.run,
        "as_of": facts.as_of,
        "identifiers": len(resolution.placements),
        "one_ids": len(resolution.parts),
        "persons": len(resolution.parts) - visitors,
        "visitors": visitors,
        "identifiers_per_one_id": {size: sizes[size] for size in sorted(sizes)},
        "largest_clusters": _largest(resolution.parts, facts.one_ids),
        "refusals": dict(sorted(facts.refusals.items())),
        "hubs": len(resolution.hubs),
        "contested": status["contested"],
        "held": status["held"],
        "expired": status["expired"],
        "oversize": len(resolution.oversize),
        "clamped": facts.clamped,
        "churn": churn(facts.before, facts.after),
        "reach": reach(resolution.parts),
    }


def churn(before: Mapping[Identifier, str], after: Mapping[Identifier, str]) -> float:
    """The share of the identifiers known before whose OneID is another one now, 0 where none was known.

    >>> a, b = Identifier("x", "", "a"), Identifier("x", "", "b")
    >>> churn({a: "p", b: "q"}, {a: "p", b: "p"})
    0.5
    """
    return (
        sum(after.get(identifier) != one_id for identifier, one_id in before.items()) / len(before) if before else 0.0
    )


def channel(identifier: Identifier) -> str:
    """The channel an identifier speaks for: by the family of its namespace, else the namespace itself.

    >>> channel(Identifier("doudian_open_id", "key", "1@#x")), channel(Identifier("pos_card", "", "1"))
    ('douyin', 'pos_card')
    """
    return _CHANNELS.get(identifier.namespace.split("_", 1)[0], identifier.namespace)


def reach(parts: Sequence[Part]) -> dict[str, dict[str, float]]:
    """By pair of channels `a+b`: persons in both, and their share of the persons in `a` and in `b`."""
    persons: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for part in parts:
        if part.visitor:
            continue
        channels = sorted({channel(member.identifier) for member in part.members})
        persons.update(channels)
        both.update(combinations(channels, 2))
    pairs = combinations(sorted(persons), 2)
    return {
        f"{a}+{b}": {
            "persons": both[a, b],
            "share_of_first": both[a, b] / persons[a],
            "share_of_second": both[a, b] / persons[b],
        }
        for a, b in pairs
    }


def _largest(parts: Sequence[Part], one_ids: Sequence[str]) -> list[dict[str, Any]]:
    ranked = sorted(zip(one_ids, parts, strict=True), key=lambda item: (-len(item[1].members), item[0]))
    return [{"one_id": one_id, "identifiers": len(part.members)} for one_id, part in ranked[:LARGEST]]


def broken_gates(report: Mapping[str, Any], policy: Policy) -> list[str]:
    """The bounds of the configuration that a run's report breaks, as texts; publishing needs an empty list."""
    largest = max((one["identifiers"] for one in report["largest_clusters"]), default=0)
    figures = {
        "max_oversize": report["oversize"],
        "max_churn": report["churn"],
        "max_hubs": report["hubs"],
        "max_contested": report["contested"],
        "max_held": report["held"],
        "max_refused": sum(report["refusals"].values()),
        "max_largest_cluster": largest,
    }
    bounds = {"max_oversize": float(policy.max_oversize), **policy.gates}
    return [f"{gate}: {figures[gate]:g} is above {bound:g}" for gate, bound in bounds.items() if figures[gate] > bound]
