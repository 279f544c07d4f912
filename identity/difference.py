"""What another policy or decision would merge and split, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from identity.identifier import Identifier
from identity.registry import RegistryOutcome
from identity.resolution import Part


def partition_difference(
    before: Sequence[Part], now: RegistryOutcome, after: Sequence[Part], then: RegistryOutcome
) -> dict[str, Any]:
    """`merges`: OneIDs whose people would be one, under the id that would be kept; `splits`: OneIDs whose identifiers
    would come apart, with the parts (identifiers that would belong to nobody are parts of their own)."""
    held = {
        identifier: one_id for one_id, part in zip(now.one_ids, before, strict=True) for identifier in part.identifiers
    }
    merges = []
    for one_id, part in zip(then.one_ids, after, strict=True):
        joined = sorted({held[identifier] for identifier in part.identifiers if identifier in held})
        kept = one_id if one_id in joined else min(joined, key=lambda one: now.state.records[one].mint_seq, default="")
        if len(joined) > 1:
            merges.append({"one_id": kept, "others": [one for one in joined if one != kept]})
    goes = {identifier: place for place, part in enumerate(after) for identifier in part.identifiers}
    splits = []
    for one_id, part in zip(now.one_ids, before, strict=True):
        parts: dict[object, list[Identifier]] = {}
        for identifier in part.identifiers:
            parts.setdefault(goes.get(identifier, identifier), []).append(identifier)
        if len(parts) > 1:
            splits.append(
                {"one_id": one_id, "parts": sorted([str(i) for i in sorted(group)] for group in parts.values())}
            )
    return {
        "merges": sorted(merges, key=lambda one: str(one["one_id"])),
        "splits": sorted(splits, key=lambda one: str(one["one_id"])),
    }
