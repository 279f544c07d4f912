"""What holds for every history: guards, stability, independence of order, locality."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import strategies as st

from identity import Policy, Resolver
from identity.business_time import day_end_ms
from identity.decision import Decision
from identity.evidence import gather_evidence, raw_pairs
from identity.identifier import Identifier, parse_identifier
from identity.observation import NormalisedObservation, normalise_observation
from identity.resolution import NOBODY, Resolution
from identity.resolve import resolve_evidence
from tests.identity.histories import ACCOUNTS, NUMBERS, POLICIES, Row, day, decisions, play, runs
from tests.properties import property_of

Runs = list[tuple[str, list[Row]]]
some = partial(property_of, few=5, many=15)  # more by hand: CDP_EXAMPLES=2000


def partition(resolver: Resolver) -> list[list[str]]:
    return sorted(sorted(group) for group in resolver.clusters().values())


@some(runs(), decisions(), st.sampled_from(["hold", "last"]))
def test_no_oneid_ever_breaks_a_limit_a_cannot_link_or_the_size_cap(history: Runs, decided: Any, name: str) -> None:
    policy = POLICIES[name]
    resolver = play(history, policy, decided)
    replaced = {str(identifier) for identifier in resolver._view.resolution.replaced}
    for group in resolver.clusters().values():
        counts = Counter(tuple(x.split(":")[:2]) for x in group - replaced)
        for (namespace, _), count in counts.items():
            limit = policy.namespaces[namespace].max_per_person
            assert limit is None or count <= limit
    for decision in resolver.decisions():
        if decision.in_force and decision.kind == "cannot_link":
            a, b = resolver.one_id(str(decision.a)), resolver.one_id(str(decision.b))
            assert a is None or a != b
    for one_id, group in resolver.clusters().items():
        statuses = {resolver.lookup(x)["status"] for x in group}
        assert len(group) <= policy.size_cap or statuses == {"held"}, one_id


@some(runs(), decisions(), st.sampled_from(sorted(POLICIES)))
def test_recomputing_everything_changes_nothing_and_redirects_end_at_the_living(
    history: Runs, decided: Any, name: str
) -> None:
    resolver = play(history, POLICIES[name], decided)
    before = resolver.clusters()
    assert resolver.rebuild() == []
    assert resolver.clusters() == before
    living = set(before)
    for retired, now in resolver.redirects().items():
        assert now in living
        assert retired not in living


@some(runs(), decisions(), st.sampled_from(sorted(POLICIES)))
def test_what_was_resolved_run_by_run_is_what_everything_at_once_gives(history: Runs, decided: Any, name: str) -> None:
    """The whole result, every edge and refusal included, not only the partition."""
    resolver = play(history, POLICIES[name], decided)
    rows = resolver._journal.observations(POLICIES[name])
    at_once = resolver._engine.resolve(rows, resolver._decisions, POLICIES[name], as_of=resolver._as_of)
    assert resolver._view.resolution == at_once.resolution
    resolver.apply([], as_of=resolver._as_of)
    assert resolver._engine.cache.resolved == 0


@some(runs(), st.randoms(use_true_random=False), st.sampled_from(sorted(POLICIES)))
def test_the_order_of_rows_inside_a_run_changes_nothing(history: Runs, rng: Any, name: str) -> None:
    shuffled = [(as_of, rng.sample(batch, len(batch))) for as_of, batch in history]
    one, other = play(history, POLICIES[name]), play(shuffled, POLICIES[name])
    assert one.clusters() == other.clusters()
    assert one.changes() == other.changes()
    assert one.rejections() == other.rejections()
    assert one.review_queue() == other.review_queue()


@some(runs(), st.sampled_from(sorted(POLICIES)))
def test_batches_do_not_matter_for_who_is_one_person(history: Runs, name: str) -> None:
    """Event times lie before every run's day, so nothing is clamped: one run, daily runs and runs backwards agree."""
    last = history[-1][0]
    everything = [(last, [row for _, batch in history for row in batch])]
    backwards = [(last, batch) for _, batch in reversed(history)]
    found = [partition(play(one, POLICIES[name])) for one in (history, everything, backwards)]
    assert found[0] == found[1] == found[2]


@some(runs(), st.sampled_from(["hold", "last"]))
def test_undoing_a_row_restores_the_former_partition(history: Runs, name: str) -> None:
    resolver = play(history, POLICIES[name])
    last = history[-1][0]
    before = partition(resolver)
    ids = [{"namespace": "wx_openid", "scope": "a", "value": f"o{n}"} for n in range(3)]
    extra = {
        "observation_id": "extra",
        "source": "x",
        "kind": "link",
        "event_time": f"{day(0)}T12:00:00+08:00",
        "ids": ids,
    }
    resolver.apply([extra], as_of=last)
    resolver.apply([extra | {"observation_id": "undo", "kind": "unlink", "retracts": "extra"}], as_of=last)
    assert partition(resolver) == before


@some(runs(), decisions())
def test_a_policy_taken_back_restores_the_former_partition(history: Runs, decided: Any) -> None:
    resolver = play(history, POLICIES["hold"], decided)
    before = partition(resolver)
    last = history[-1][0]
    announced, owners = resolver.diff(POLICIES["last"]), resolver.diff_owners(POLICIES["last"])
    resolver.adopt(POLICIES["last"], as_of=last)
    silent = announced == {"merges": [], "splits": []} and not owners
    assert silent == (partition(resolver) == before)
    for found in owners:
        assert (found["before"] is None) != (found["after"] is None)
        assert resolver.one_id(found["identifier"]) == found["after"]
    resolver.rollback(as_of=last)
    assert partition(resolver) == before


@some(runs(), decisions(), st.sampled_from(sorted(POLICIES)))
def test_every_linked_pair_is_explained_by_live_links_and_every_other_by_a_refused_one(
    history: Runs, decided: Any, name: str
) -> None:
    resolver = play(history, POLICIES[name], decided)
    clusters = resolver.clusters()
    passed_on = {str(held.identifier) for held in resolver._view.resolution.periods}
    for one_id, group in clusters.items():
        first, *others = sorted(group)
        for other in others:
            found = resolver.explain(first, other)
            assert found["linked"]
            assert next(step["from"] for step in found["path"]) == first
            assert found["path"][-1]["to"] == other
            assert [s["to"] for s in found["path"][:-1]] == [s["from"] for s in found["path"][1:]]
            along = {
                step["to"] for step in found["path"]
            } - passed_on  # a number may have joined them for its time only
            assert {resolver.one_id(identifier) for identifier in along} <= {one_id}
    heads = sorted(min(group) for group in clusters.values())
    for a, b in itertools.pairwise(heads):
        found = resolver.explain(a, b)
        assert not found["linked"]
        assert found["path"] == []


@some(runs())
def test_without_guards_people_are_the_connected_components_of_what_stands(history: Runs) -> None:
    """An oracle that knows nothing of the engine: links only, no decisions, namespaces without limits or validity."""
    open_world = Policy.from_dict(
        {
            "hub": {"max_accounts": 99, "max_total": 99},
            "size_cap": 0,
            "reissue_days": 9999,
            "namespaces": {
                n: {"strength": "account", "scoped": True, "max_per_person": None, "valid_days": None}
                for n in ("member_id", "wx_unionid", "wx_openid", "mp_anonymous_id", "wecom_pending_id")
            },
        }
    )
    links = [(d, [r for r in batch if r["kind"] == "link" and "valid_to" not in r]) for d, batch in history]
    graph: nx.Graph[str] = nx.Graph()
    for _, batch in links:
        for row in batch:
            names = [f"{i['namespace']}:{i['scope']}:{i['value']}" for i in row["ids"] if i["namespace"] != "phone"]
            graph.add_nodes_from(names)
            nx.add_path(graph, names)
    assert partition(play(links, open_world)) == sorted(sorted(part) for part in nx.connected_components(graph))


@some(runs(), decisions(), st.integers(0, 400), st.sampled_from(sorted(POLICIES)))
def test_a_question_about_a_past_day_needs_only_the_rows_around_it(
    history: Runs, decided: Any, offset: int, name: str
) -> None:
    resolver = play(history, POLICIES[name], decided)
    rows = resolver._journal.observations(POLICIES[name])
    whole = resolver._engine.resolve(
        rows, resolver._decisions, POLICIES[name], as_of=resolver._as_of, until=day_end_ms(day(offset))
    ).resolution
    asked = [Identifier(*account) for account in ACCOUNTS] + [Identifier("phone", "", number) for number in NUMBERS]
    for identifier in asked:
        around = resolver._view_at(day(offset), None, [identifier]).resolution
        here, there = around.part_of(identifier), whole.part_of(identifier)
        assert (here == NOBODY) == (there == NOBODY)
        assert here == NOBODY or around.parts[here] == whole.parts[there]


# Locality


def _resolve(rows: Iterable[NormalisedObservation], decided: Iterable[Decision], policy: Policy) -> Resolution:
    return resolve_evidence(gather_evidence(rows), decided, policy, as_of="2026-01-01", order_value=lambda i: i.value)


def _summary(resolution: Resolution) -> dict[str, Any]:
    parts = [part.identifiers for part in resolution.parts]
    return {
        "parts": {(ids, part.status) for ids, part in zip(parts, resolution.parts, strict=True)},
        "status": {
            (i, p.status, p.first_ms, p.last_ms, p.from_ms, tuple(parts[c] for c in p.candidates))
            for i, p in resolution.placements.items()
        },
        "edges": set(resolution.edges),
        "hubs": set(resolution.hubs),
        "periods": {(p.identifier, p.period, p.from_ms, p.to_ms, p.status) for p in resolution.periods},
        "oversize": set(resolution.oversize),
        "refusals": set(resolution.refusals),
        "candidates": set(resolution.candidates),
    }


def _elsewhere(row: Row) -> Row:
    """The row in another world: other values, another source."""
    ids = [i | {"value": f"{i['value'][:-1]}9" if i["namespace"] == "phone" else f"z{i['value']}"} for i in row["ids"]]
    return row | {"ids": ids, "source": f"other_{row['source']}"}


def _decided(names: tuple[str, str], number: int) -> list[Decision]:
    a, b = (parse_identifier(name) for name in names)
    return [Decision(f"d{number}", "must_link" if number % 2 else "cannot_link", a, b, (), "x", "y", "2025-01-01")]


@some(runs(), runs(), st.integers(0, 1), st.sampled_from(sorted(POLICIES)))
def test_groups_that_share_no_identifier_resolve_to_the_union_of_their_results(
    one: Runs, other: Runs, number: int, name: str
) -> None:
    policy = POLICIES[name]
    here = [normalise_observation(row, policy, d) for d, batch in one for row in batch]
    there = [normalise_observation(_elsewhere(row), policy, d) for d, batch in other for row in batch]
    decided_here = _decided(("wx_openid:a:o1", "member_id:b:K1"), number)
    decided_there = _decided(("wx_openid:a:zo1", "member_id:b:zK1"), 1 - number)
    both = _summary(_resolve([*there, *here], [*decided_here, *decided_there], policy))
    apart = [_summary(_resolve(here, decided_here, policy)), _summary(_resolve(there, decided_there, policy))]
    assert both == {key: apart[0][key] | apart[1][key] for key in both}


@some(runs(), st.sampled_from(sorted(POLICIES)))
def test_components_of_the_raw_pairs_can_be_resolved_one_by_one(history: Runs, name: str) -> None:
    policy = POLICIES[name]
    rows = [normalise_observation(row, policy, d) for d, batch in history for row in batch]
    graph: nx.Graph[Identifier] = nx.Graph(raw_pairs(gather_evidence(rows), candidates=True))
    graph.add_nodes_from(stated.identifier for row in rows for stated in row.ids)
    group = {i: n for n, part in enumerate(nx.connected_components(graph)) for i in part}
    targets = {(row.source, row.observation_id): group[row.ids[0].identifier] for row in rows if row.ids}
    groups: dict[int, list[NormalisedObservation]] = {}
    for row in rows:
        if row.ids and row.kind != "unlink":
            groups.setdefault(group[row.ids[0].identifier], []).append(row)
    for row in rows:
        if row.kind == "unlink":
            for batch in groups.values():
                batch.append(row)
    assert targets.keys() >= set()
    whole = _summary(_resolve(rows, [], policy))
    apart = [_summary(_resolve(batch, [], policy)) for batch in groups.values()]
    for key in whole:
        assert whole[key] == set().union(*(one[key] for one in apart)), key


# Hash seeds

SCRIPT = """
import json, random, sys
from identity import Policy, Resolver
rng = random.Random(5)
pool = [("member_id", "b", f"K{n}") for n in range(6)] + [("wx_openid", "a", f"o{n}") for n in range(12)]
resolver = Resolver(Policy.from_dict({"hub": {"max_accounts": 4}}))
for d in range(1, 6):
    rows = []
    for n in range(30):
        ids = [dict(zip(("namespace", "scope", "value"), x)) for x in rng.sample(pool, 2)]
        ids.append({"namespace": "phone", "value": f"1391234567{rng.randrange(8)}", "role": "verified"})
        rows.append({"observation_id": f"{d}-{n}", "source": "pos", "kind": "link",
                     "event_time": f"2025-03-0{d}T10:00:00+08:00", "ids": ids[rng.randrange(2):]})
    resolver.apply(rows, as_of=f"2025-03-0{d}")
groups = {k: sorted(v) for k, v in resolver.clusters().items()}
out = [groups, resolver.changes(), resolver.review_queue(), resolver.hubs(), resolver.report(), resolver.rejections(),
       [resolver.explain(a[0], b[0]) for a in groups.values() for b in groups.values()]]
sys.stdout.write(json.dumps(out))
"""


@pytest.mark.e2e
@pytest.mark.parametrize("script", [SCRIPT])
def test_hash_seeds_change_nothing(script: str) -> None:
    root = Path(__file__).resolve().parents[2]
    outputs = set()
    for seed in ("0", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True, cwd=root)
        assert len(json.loads(done.stdout)[1]) > 20
        outputs.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(outputs) == 1
