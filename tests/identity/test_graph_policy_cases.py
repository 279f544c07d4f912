"""Identity-graph cases that other products document, restated as rows: the policy `last` meets their known answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from identity import Policy, Resolver

Case = dict[str, Any]


def _cases(folder: Path) -> list[Case]:
    text = (folder / "identity" / "graph_policy_cases.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _policy(case: Case) -> Policy:
    """Unique namespaces are anchors with one value per person; the others never conflict."""
    declared = case.get("namespaces") or [
        {"ns": n} for n in sorted({i["ns"] for e in case["events"] for i in e["ids"]})
    ]
    namespaces = {
        one["ns"]: {
            "strength": "anchor" if one.get("unique") else "account",
            "scoped": False,
            "priority": one.get("priority", 1),
            "max_per_person": 1 if one.get("unique") else None,
        }
        for one in declared
    }
    return Policy.from_dict({"policy": "last", "namespaces": namespaces})


def _rows(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "observation_id": f"{case['id']}-{n}",
            "source": "case",
            "kind": "link",
            "event_time": 1_700_000_000_000 + event["t"] * 1000,
            "ids": [{"namespace": one["ns"], "value": one["v"]} for one in event["ids"]],
        }
        for n, event in enumerate(case["events"])
    ]


def _shown(resolver: Resolver) -> list[list[str]]:
    groups = (sorted(x.replace("::", ":", 1) for x in group) for group in resolver.clusters().values())
    return sorted(groups)


@pytest.mark.reference
def test_documented_cases_give_their_documented_clusters(shared_data: Path) -> None:
    cases = _cases(shared_data)
    assert len(cases) >= 12
    for case in cases:
        daily, at_once = Resolver(_policy(case)), Resolver(_policy(case))
        for row in _rows(case):
            daily.apply([row], as_of="2023-11-15")
        at_once.apply(reversed(_rows(case)), as_of="2023-11-15")
        assert _shown(daily) == _shown(at_once), case["id"]
        if "expected_clusters" in case:
            assert _shown(daily) == sorted(sorted(group) for group in case["expected_clusters"]), case["id"]
        for a, b in case.get("must_link", []):
            assert daily.one_id(a.replace(":", "::", 1)) == daily.one_id(b.replace(":", "::", 1)), case["id"]
        for a, b in case.get("cannot_link", []):
            assert daily.one_id(a.replace(":", "::", 1)) != daily.one_id(b.replace(":", "::", 1)), case["id"]
