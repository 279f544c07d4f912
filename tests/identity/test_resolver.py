"""Stable ids, time and history: identity.md, "Stable ids"."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
O3 = "wx_openid:a:o3"
Worlds = Callable[..., World]


def test_a_oneid_says_nothing_about_whom_it_stands_for(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"))
    one_id = w.resolver.one_id(K1) or ""
    assert re.fullmatch("[0-9a-f]{24}", one_id)
    assert "13912345670" not in one_id


def test_two_lakes_fed_alike_mint_alike_and_another_key_mints_otherwise(world: Worlds, build: Build) -> None:
    from identity import Resolver

    w, other = world(), world()
    rows = [build.link("1", K1, O1), build.link("2", O2)]
    for lake in (w, other):
        lake.feed(*rows)
    assert w.resolver.clusters() == other.resolver.clusters()
    stranger = Resolver(w.resolver.policy, identity_key="another")
    stranger.apply(rows, as_of="2025-03-01")
    assert not set(stranger.clusters()) & set(w.resolver.clusters())


def test_the_order_of_rows_in_a_run_changes_nothing(world: Worlds, build: Build) -> None:
    w, other = world(), world()
    rows = [build.link(str(n), f"wx_openid:a:r{n % 3}", f"login_id:b:l{n % 5}") for n in range(9)]
    w.feed(*rows)
    other.feed(*rows[::-1])
    assert w.resolver.clusters() == other.resolver.clusters()


def test_intervals_fed_in_another_order_give_the_same_partition(world: Worlds, build: Build) -> None:
    days = {"2025-03-01": build.link("1", O1, O2), "2025-03-02": build.link("2", O2, O3, day="2025-03-02")}
    w, other = world(), world()
    for day, row in days.items():
        w.feed(row, day=day)
    for day, row in reversed(days.items()):
        other.feed(row, day=day)
    assert w.groups() == other.groups()


def test_a_merge_keeps_the_older_id_and_the_other_redirects_in_one_hop(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1))
    w.feed(build.link("2", O2, day="2025-03-02"), day="2025-03-02")
    w.feed(build.link("3", O3, day="2025-03-03"), day="2025-03-03")
    ids = [w.resolver.one_id(x) for x in (O1, O2, O3)]
    changes = w.feed(build.link("4", O2, O3, day="2025-03-04"), day="2025-03-04")
    assert changes == [
        {
            "change": "merge",
            "one_id": ids[1],
            "others": [ids[2]],
            "identifiers": [O3],
            "cause": "observation:pos/4",
        }
    ]
    w.feed(build.link("5", O1, O2, day="2025-03-05"), day="2025-03-05")
    assert w.resolver.redirects() == {ids[1]: ids[0], ids[2]: ids[0]}


def test_an_undone_merge_gives_both_ids_back(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1))
    w.feed(build.link("2", O2, day="2025-03-02"), day="2025-03-02")
    before = {x: w.resolver.one_id(x) for x in (O1, O2)}
    w.feed(build.link("3", O1, O2, day="2025-03-03"), day="2025-03-03")
    changes = w.feed(build.unlink("4", "3", day="2025-03-04"), day="2025-03-04")
    assert {x: w.resolver.one_id(x) for x in (O1, O2)} == before
    assert w.resolver.redirects() == {}
    assert [(c["change"], c["one_id"], c["others"], c["identifiers"]) for c in changes] == [
        ("split", before[O1], [before[O2]], [O2])
    ]
    assert changes[0]["cause"] == "rule:unlink"


def test_detaching_the_founder_leaves_the_id_with_the_rest(world: Worlds, build: Build) -> None:
    for rest in ([O2], [O2, O3], [O2, f"{P}@verified"]):
        w = world()
        w.feed(build.link("1", O1))
        w.feed(build.link("2", O1, *rest, day="2025-03-02"), day="2025-03-02")
        one_id = w.resolver.one_id(O1)
        w.decide("detach", O1, day="2025-03-03")
        assert w.resolver.one_id(O2) == one_id
        assert w.resolver.one_id(O1) not in (one_id, None)
        assert w.resolver.rebuild() == []


def test_a_second_id_from_the_same_founder_differs_and_is_stable(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2, O3))
    seen = {w.resolver.one_id(O1)}
    for day in ("2025-03-02", "2025-03-03"):
        decision = w.decide("detach", O1, day=day)
        seen.add(w.resolver.one_id(O1))
        w.decide("revoke", decision, day=day)
    assert len(seen) == 2
    assert w.same(O1, O2, O3)


def test_a_split_is_won_by_most_accounts_then_contacts_then_age_then_order(world: Worlds, build: Build) -> None:
    def keeper(*rows: dict[str, object]) -> list[str]:
        w = world()
        w.feed(*rows, build.link("bridge", O1, O2))
        one_id = w.resolver.one_id(O1)
        w.feed(build.unlink("u", "bridge"), day="2025-03-09")
        return [x for x in (O1, O2) if w.resolver.one_id(x) == one_id]

    old = {"day": "2025-02-01"}
    assert keeper(build.link("1", O1, **old), build.link("2", O2, O3)) == [O2]
    assert keeper(build.link("1", O1, **old), build.link("2", O2, f"{P}@verified")) == [O2]
    assert keeper(build.link("1", O1), build.link("2", O2, **old)) == [O2]
    assert keeper(build.link("1", O1), build.link("2", O2)) == [O1]


def test_a_oneid_of_which_nothing_is_left_is_retired_without_redirect_and_comes_back(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", O1))
    one_id = w.resolver.one_id(O1)
    changes = w.feed(build.unlink("2", "1"), day="2025-03-02")
    assert (w.resolver.one_id(O1), w.resolver.redirects(), w.groups()) == (None, {}, [])
    assert [(c["change"], c["one_id"], c["others"]) for c in changes] == [("move", one_id, [])]
    w.feed(build.link("3", O1, day="2025-03-03"), day="2025-03-03")
    assert w.resolver.one_id(O1) == one_id


def test_no_id_passes_to_a_stranger(world: Worlds, build: Build) -> None:
    """The number that founded an id moves to its next holder; the id stays with the account it was shared with."""
    w = world()
    w.feed(build.link("1", f"{P}@verified", day="2024-01-01"), day="2024-01-01")
    w.feed(build.link("2", K1, f"{P}@verified", day="2024-01-02"), day="2024-01-02")
    one_id = w.resolver.one_id(K1)
    changes = w.feed(build.link("3", K2, f"{P}@verified", day="2024-09-01"), day="2024-09-01")
    assert w.resolver.one_id(K1) == one_id
    assert w.resolver.one_id(P) == w.resolver.one_id(K2) != one_id
    assert [(c["change"], c["identifiers"]) for c in changes] == [("mint", [K2]), ("move", [P])]
    assert changes[1]["others"] == [one_id]


def test_within_a_run_the_oldest_sighting_mints_first_so_that_its_id_survives_a_merge(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", O2, day="2025-02-01"))
    older = w.resolver.one_id(O2)
    w.feed(build.link("3", O1, O2))
    assert w.resolver.one_id(O1) == older


def test_recomputing_everything_changes_nothing(world: Worlds, build: Build) -> None:
    w = world()
    for n, day in enumerate(["2025-03-01", "2025-03-02", "2025-03-03", "2025-03-04"]):
        w.feed(build.link(f"a{n}", f"wx_openid:a:x{n}", f"login_id:b:y{n // 2}", day=day), day=day)
    w.decide("must_link", "wx_openid:a:x0", "wx_openid:a:x3", day="2025-03-04")
    w.decide("detach", "wx_openid:a:x1", day="2025-03-04")
    before = w.resolver.clusters()
    assert w.resolver.rebuild() == []
    assert w.resolver.clusters() == before


def test_a_damaged_map_is_found_and_healed_by_a_rebuild(world: Worlds, build: Build) -> None:
    from dataclasses import replace

    from identity.identifier import parse_identifier

    w = world()
    w.feed(build.link("1", O1, O2), build.link("2", O3))
    outcome = w.resolver._outcome
    damaged = dict(outcome.placed) | {parse_identifier(O2): outcome.placed[parse_identifier(O3)]}
    w.resolver._outcome = replace(outcome, placed=damaged)
    assert not w.same(O1, O2)
    assert [c["identifiers"] for c in w.resolver.rebuild()] == [[O2]]
    assert w.same(O1, O2)


def test_one_run_over_all_days_gives_the_partition_of_the_daily_runs(world: Worlds, build: Build) -> None:
    rows = [
        build.link("1", K1, f"{P}@verified"),
        build.link("2", O1, f"{P}@verified", day="2025-03-02"),
        build.link("3", K2, f"{P}@verified", day="2025-03-03"),
        build.unlink("4", "1", day="2025-03-04"),
    ]
    daily, once = world(), world()
    for n, row in enumerate(rows, start=1):
        daily.feed(row, day=f"2025-03-0{n}")
    once.feed(*rows, day="2025-03-04")
    assert daily.groups() == once.groups() == [[K2, P, O1]]
    assert daily.resolver.rebuild() == []


def test_known_at_answers_what_the_run_of_that_day_answered(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1))
    w.feed(build.link("2", O2, day="2025-03-03"), day="2025-03-03")
    second = w.resolver.one_id(O2)
    w.feed(build.link("3", O1, O2, day="2025-02-01"), day="2025-03-05")
    assert w.resolver.one_id(O2, known_at="2025-03-03") == second
    assert w.resolver.one_id(O2, known_at="2025-03-04") == second
    assert w.resolver.one_id(O2, known_at="2025-03-05") == w.resolver.one_id(O1)
    assert w.resolver.one_id(O2, known_at="2025-03-01") is None
    assert w.resolver.one_id(O1, known_at="2025-02-28") is None


def test_at_asks_what_was_valid_on_a_day_by_todays_knowledge(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.bind("1", O1, f"{P}@verified"), build.unbind("2", O1, P, day="2025-03-05"), day="2025-03-05")
    assert w.resolver.one_id(P, at="2025-03-02") == w.resolver.one_id(O1)
    assert w.resolver.one_id(P, at="2025-03-05") == w.resolver.one_id(P) != w.resolver.one_id(O1)
    assert w.resolver.one_id(O1, at="2025-02-28") is None
    w.feed(build.link("late", O1, O2, day="2025-02-01"), day="2025-03-06")
    assert w.resolver.one_id(O1, at="2025-02-28") == w.resolver.one_id(O2)


def test_at_and_known_at_together_ask_what_a_run_knew_of_a_day(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified", day="2025-03-01"), day="2025-03-01")
    w.feed(build.link("2", O2, O1, day="2025-02-01"), build.link("3", O1, K1, day="2025-02-02"), day="2025-03-04")
    assert w.resolver.one_id(P, at="2025-03-01", known_at="2025-03-01") == w.resolver.one_id(K1, known_at="2025-03-01")
    assert w.resolver.one_id(O1, at="2025-03-01", known_at="2025-03-01") is None
    assert w.resolver.one_id(O1, at="2025-03-01", known_at="2025-03-04") == w.resolver.one_id(K1)


def test_a_late_run_of_an_earlier_day_answers_for_its_own_day(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, day="2025-03-05"), day="2025-03-05")
    w.feed(build.link("2", O2, day="2025-03-02"), day="2025-03-02")
    assert w.resolver.one_id(O2, known_at="2025-03-02") == w.resolver.one_id(O2)
    assert w.resolver.one_id(O2, known_at="2025-03-05") is None


def test_every_change_is_kept_with_its_run_and_cause(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, O2))
    decision = w.decide("detach", O1, day="2025-03-02")
    log = w.resolver.changes()
    assert [(c["change"], c["run"], c["as_of"], c["cause"]) for c in log] == [
        ("mint", 1, "2025-03-01", "observation:pos/1"),
        ("split", 2, "2025-03-02", f"decision:{decision}"),
    ]
    assert w.feed(day="2025-03-03") == [{k: v for k, v in log[1].items() if k not in ("run", "as_of")}]
    assert w.feed(day="2025-03-04") == []


def test_a_member_moves_when_a_newer_link_wins_it(world: Worlds, build: Build) -> None:
    w = world(policy="last")
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2))
    changes = w.feed(build.link("3", K2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    ids = [w.resolver.one_id(k) for k in (K2, K1)]
    assert [(c["change"], c["one_id"], c["others"], c["identifiers"]) for c in changes] == [
        ("move", ids[0], [ids[1]], [P])
    ]
    assert changes[0]["cause"] == "rule:limit:member_id; observation:pos/3"


def test_adopting_a_policy_and_rolling_back_gives_ids_and_partition_back(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(*(build.link(str(n), f"wx_openid:a:z{n}", f"{P}@verified") for n in range(4)))
    before = w.resolver.clusters()
    strict = world(hub={"max_accounts": 2}).resolver.policy
    shown = w.resolver.diff(strict)
    assert w.resolver.clusters() == before
    changes = w.resolver.adopt(strict, as_of="2025-03-02")
    assert {c["cause"] for c in changes} == {f"configuration:{strict.digest()}"}
    assert shown["merges"] == []
    assert [sorted(p) for p in shown["splits"][0]["parts"]] == [[P], *([f"wx_openid:a:z{n}"] for n in range(4))]
    assert len(w.groups()) == 4
    w.resolver.rollback(as_of="2025-03-03")
    assert w.resolver.clusters() == before
    assert w.resolver.rebuild() == []


def test_an_adopted_blocklist_reads_all_history_again(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"{P}@verified"), build.link("2", O2, f"{P}@verified"))
    blocked = world(reject={"by_namespace": {"phone": {"values": ["13912345670"]}}}).resolver.policy
    w.resolver.adopt(blocked, as_of="2025-03-02")
    assert w.groups() == [[O1], [O2]]
    assert {r["rule"] for r in w.resolver.rejections()} == {"reject_value"}
    assert w.resolver.explain(O1, P)["refused"][0]["rule"] == "reject_value"


def test_rolling_back_what_was_never_adopted_is_refused(world: Worlds) -> None:

    from identity import DecisionRefused

    with pytest.raises(DecisionRefused, match="no policy was adopted"):
        world().resolver.rollback(as_of="2025-03-01")


@pytest.mark.parametrize("day", ["2025-3-1", "20250301", "", "2025-02-30"])
def test_a_day_that_is_none_is_refused_before_anything_changes(day: str, world: Worlds, build: Build) -> None:
    from identity.errors import BusinessDateError

    w = world()
    w.feed(build.link("1", O1, O2))
    strict = world(size_cap=1).resolver.policy
    w.resolver.adopt(strict, as_of="2025-03-01")
    before = (w.groups(), w.resolver.changes(), w.resolver.report(), w.resolver.policy)
    tries: list[Callable[[], object]] = [
        lambda: w.resolver.apply([], as_of=day),
        lambda: w.resolver.apply([build.link("2", O3)], as_of=day),
        lambda: w.resolver.adopt(strict, as_of=day),
        lambda: w.resolver.rollback(as_of=day),
        lambda: w.decide("cannot_link", O1, O2, day=day),
        lambda: w.resolver.one_id(O1, known_at=day),
        lambda: w.resolver.one_id(O1, at=day),
        lambda: w.resolver.explain(O1, O2, at=day),
    ]
    for attempt in tries:
        with pytest.raises(BusinessDateError):
            attempt()
    assert (w.groups(), w.resolver.changes(), w.resolver.report(), w.resolver.policy) == before
    w.resolver.rollback(as_of="2025-03-02")
    assert w.same(O1, O2)
