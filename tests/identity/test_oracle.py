"""The engine agrees with the rules written out a second time, history by history, ids included."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from identity import DecisionRefused, Policy, Resolver
from identity.decision import Decision
from identity.identifier import Identifier
from tests.identity.histories import ACCOUNTS, NUMBERS, Row, decide, decisions, runs
from tests.identity.oracle import Oracle, SlowRegistry
from tests.properties import property_of

SPACES: dict[str, Any] = {name: {"valid_days": None} for name in sorted({account[0] for account in ACCOUNTS})}
GUARDS = {"hub": {"max_accounts": 3, "max_total": 5}, "reissue_days": 9999}
POLICIES = {
    "hold": Policy.from_dict(GUARDS | {"size_cap": 7, "namespaces": SPACES | {"phone": {}}}),
    "last": Policy.from_dict(GUARDS | {"size_cap": 7, "policy": "last", "namespaces": SPACES | {"phone": {}}}),
    "wide": Policy.from_dict(
        {"reissue_days": 9999, "hub": {"max_accounts": 99, "max_total": 99}, "size_cap": 0}
        | {"namespaces": SPACES | {"member_id": {"max_per_person": 2}, "phone": {"max_per_person": 2}}}
    ),
    "mixed": Policy.from_dict(
        GUARDS
        | {"hub": {"max_accounts": 4, "max_total": 9, "window_days": 40}}
        | {"namespaces": SPACES | {"member_id": {"priority": 8, "policy": "last"}, "phone": {}}}
    ),
}


class Pairing:
    """The engine and the oracle side by side."""

    def __init__(self, policy: Policy) -> None:
        self.resolver = Resolver(policy, "test key")
        order_value = self.resolver._engine.order_value(policy)
        numbers = [Identifier("phone", "", number) for number in NUMBERS]
        self.oracle = Oracle(policy, {number: order_value(number) for number in numbers})
        self.registry = SlowRegistry(self.oracle)
        self.names: dict[int, str] = {}

    def compare(self) -> None:
        """The same groups under the same OneIDs as ever, redirects, hubs and rivals included."""
        standing: list[Decision] = [one for one in self.resolver.decisions() if one.in_force]
        told = self.oracle.tell(self.resolver._journal.observations(self.resolver.policy), standing)
        slow = self.registry.run(told, standing)
        clusters = {frozenset(group): one_id for one_id, group in self.resolver.clusters().items()}
        assert {frozenset(map(str, group)) for group in slow.values()} == clusters.keys()
        for number, group in slow.items():
            one_id = clusters[frozenset(map(str, group))]
            assert self.names.setdefault(number, one_id) == one_id
        assert len(set(self.names.values())) == len(self.names) == len(self.registry.ids)
        into = {self.names[n]: self.names[one.into] for n, one in enumerate(self.registry.ids) if one.into is not None}
        assert self.resolver.redirects() == into
        assert {hub["identifier"] for hub in self.resolver.hubs()} == {str(hub) for hub in told.hubs}
        contested = {q["identifier"]: q["candidates"] for q in self.resolver.review_queue() if q["kind"] == "contested"}
        assert contested.keys() == {str(one) for one in told.rivals}
        for one, rivals in told.rivals.items():
            owners = {self.resolver.one_id(str(rival)) for rival in rivals} - {None}
            assert contested[str(one)] == sorted(map(str, owners))


def plain(batch: list[Row]) -> list[Row]:
    """The rows the oracle knows about."""
    return [{k: v for k, v in row.items() if k != "valid_to"} for row in batch]


@property_of(runs(), decisions(), st.sampled_from(sorted(POLICIES)), few=5, many=15)
def test_people_ids_redirects_hubs_and_rivals_are_those_of_the_rules_written_out_again(
    history: list[tuple[str, list[Row]]], decided: list[tuple[str, int, int, int]], name: str
) -> None:
    both = Pairing(POLICIES[name])
    taken: list[str] = []
    for place, (as_of, batch) in enumerate(history, start=1):
        both.resolver.apply(plain(batch), as_of=as_of)
        both.compare()
        for kind, a, b, _ in (one for one in decided if one[3] == place):
            try:
                taken.append(decide(both.resolver, kind, a, b, as_of=as_of, taken=taken))
            except DecisionRefused:
                continue
            both.compare()
