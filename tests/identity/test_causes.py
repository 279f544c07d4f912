"""Every change says why: the observation, the rule, the decision or the configuration."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, Row, World

P = "phone::13912345670"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
O1, O2 = "wx_openid:a:o1", "wx_openid:a:o2"
Worlds = Callable[..., World]


def causes(changes: list[Row]) -> dict[str, str]:
    """The cause by kind of change."""
    return {change["change"]: change["cause"] for change in changes}


def test_a_mint_and_a_merge_name_the_observation(world: Worlds, build: Build) -> None:
    w = world()
    minted = w.feed(build.link("1", O1), build.link("2", O2, source="crm"))
    assert {c["cause"]: c["identifiers"] for c in minted} == {"observation:pos/1": [O1], "observation:crm/2": [O2]}
    assert causes(w.feed(build.link("3", O1, O2))) == {"merge": "observation:pos/3"}


def test_a_split_names_the_rule_and_the_observation_that_set_it_off(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 2})
    w.feed(build.link("1", O1, f"{P}@verified"), build.link("2", O2, f"{P}@verified"))
    changes = w.feed(build.link("3", "wx_openid:a:o3", f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    assert causes(changes) == {
        "mint": "observation:pos/3",
        "split": "rule:hub",
        "move": "rule:hub; observation:pos/3",
    }


def test_a_withdrawal_names_its_rule(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O1, O2))
    assert causes(w.feed(build.unlink("3", "2"))) == {"move": "rule:unlink"}
    w.feed(build.bind("4", O1, O2))
    assert causes(w.feed(build.unbind("5", O1, O2))) == {"split": "rule:unbind; observation:pos/5"}


def test_what_vanishes_without_any_pair_is_withdrawn_evidence(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1))
    assert causes(w.feed(build.unlink("2", "1"))) == {"move": "rule:evidence_withdrawn"}


def test_a_limit_names_the_namespace_and_a_decision_its_id(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.link("2", O1, O2))
    changes = w.feed(build.link("3", K2, O1))
    assert causes(changes)["split"] == "rule:contested:member_id; observation:pos/3"
    w.feed(build.unlink("4", "3"))
    decision = w.decide("cannot_link", K1, O2)
    assert causes(w.feed()) == {"split": f"decision:{decision}"}


def test_evidence_that_meets_a_decision_names_rule_and_decision(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"{P}@verified"), build.link("2", O2))
    decision = w.decide("cannot_link", O1, O2)
    w.feed()
    changes = w.feed(build.link("3", O2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    assert causes(changes) == {"move": f"rule:cannot_link; decision:{decision}; observation:pos/3"}
