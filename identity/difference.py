"""What another policy or decision would merge, split, and give to or take from an owner, as plain data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from identity.identifier import Identifier
from identity.registry import RegistryOutcome
from identity.resolution import Part, Resolution

Holders = Mapping[Identifier, str]


def partition_difference(
    before: Resolution, now: RegistryOutcome, after: Resolution, then: RegistryOutcome
) -> dict[str, Any]:
    """`merges`: OneIDs whose people would be one, under the id that would be kept; `splits`: OneIDs whose identifiers
    would come apart, with the parts (identifiers that would belong to nobody are parts of their own); `owners`:
    identifiers that belong to nobody now and would to somebody, or the reverse.
    """
    held, would = _holders(before.parts, now), _holders(after.parts, then)
    return {
        "merges": _merges(held, now, after.parts, then),
        "splits": _splits(before, now, after),
        "owners": _owners(held, would, known=before.placements),
    }


def _holders(parts: Sequence[Part], outcome: RegistryOutcome) -> dict[Identifier, str]:
    return {
        identifier: one_id
        for one_id, part in zip(outcome.one_ids, parts, strict=True)
        for identifier in part.identifiers
    }


def _merges(held: Holders, now: RegistryOutcome, after: Sequence[Part], then: RegistryOutcome) -> list[dict[str, Any]]:
    merges = []
    for one_id, part in zip(then.one_ids, after, strict=True):
        joined = sorted({held[identifier] for identifier in part.identifiers if identifier in held})
        kept = one_id if one_id in joined else min(joined, key=lambda one: now.state.records[one].mint_seq, default="")
        if len(joined) > 1:
            merges.append({"one_id": kept, "others": [one for one in joined if one != kept]})
    return sorted(merges, key=lambda one: str(one["one_id"]))


def _splits(before: Resolution, now: RegistryOutcome, after: Resolution) -> list[dict[str, Any]]:
    goes = {identifier: place for place, part in enumerate(after.parts) for identifier in part.identifiers}
    splits = []
    for one_id, part in zip(now.one_ids, before.parts, strict=True):
        parts: dict[object, list[Identifier]] = {}
        for identifier in part.identifiers:
            parts.setdefault(goes.get(identifier, identifier), []).append(identifier)
        if len(parts) > 1:
            splits.append(
                {"one_id": one_id, "parts": sorted([str(i) for i in sorted(group)] for group in parts.values())}
            )
    return sorted(splits, key=lambda one: str(one["one_id"]))


def _owners(held: Holders, would: Holders, *, known: Collection[Identifier]) -> list[dict[str, Any]]:
    """Who is nobody's on one side only; what is not known today is new, and nobody's question."""
    turned = sorted(identifier for identifier in held.keys() ^ would.keys() if identifier in known)
    return [{"identifier": str(one), "before": held.get(one), "after": would.get(one)} for one in turned]
