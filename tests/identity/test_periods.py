from __future__ import annotations

from collections.abc import Callable

import pytest

from identity.business_time import day_start_ms
from identity.identifier import Identifier, parse_identifier
from identity.periods import Seen, reissue_starts, validity_starts
from tests.identity.conftest import Build, World

K, L, U = Identifier("k", "", "1"), Identifier("k", "", "2"), Identifier("u", "", "1")
P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
U1 = "wx_unionid:w:u1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def seen(*sightings: tuple[int, Identifier | None]) -> list[Seen]:
    return [Seen(at, () if anchor is None else ((anchor[:2], anchor),)) for at, anchor in sightings]


@pytest.mark.parametrize(
    ("sightings", "starts"),
    [
        ([], []),
        ([(0, K), (5, L)], []),
        ([(0, K), (10, L)], []),
        ([(0, K), (11, L)], [11]),
        ([(0, K), (11, K)], []),
        ([(0, K), (11, U)], []),
        ([(0, K), (11, None)], []),
        ([(0, None), (11, L)], []),
        ([(0, K), (11, None), (12, L)], [11]),
        ([(0, K), (11, None), (30, L)], [11]),
        ([(0, K), (11, None), (30, K), (45, L)], [45]),
        ([(0, K), (11, U), (30, L)], [30]),
        ([(0, K), (11, L), (12, K)], []),
        ([(0, K), (11, L), (30, K)], [11, 30]),
        ([(0, K), (5, U), (20, U), (40, L)], [40]),
    ],
)
def test_a_number_changes_hands_at_a_long_gap_with_a_known_and_other_anchor(
    sightings: list[tuple[int, Identifier | None]], starts: list[int]
) -> None:
    assert reissue_starts(seen(*sightings), 10) == starts


def test_one_namespace_that_differs_is_enough() -> None:
    both = [Seen(0, ((K[:2], K), (U[:2], U))), Seen(20, ((L[:2], L), (U[:2], U)))]
    assert reissue_starts(both, 10) == [20]


@pytest.mark.parametrize(
    ("spans", "starts"),
    [
        ([], []),
        ([(0, None), (90, 95)], []),
        ([(0, 10), (9, 20)], []),
        ([(0, 10), (10, 20)], [10]),
        ([(0, 30), (5, 10), (20, 40)], []),
        ([(0, 10), (20, None), (90, None)], [20]),
        ([(0, 10), (20, 30), (40, 50)], [20, 40]),
    ],
)
def test_sightings_meet_only_while_an_earlier_one_is_valid(
    spans: list[tuple[int, int | None]], starts: list[int]
) -> None:
    assert validity_starts(spans) == starts


def test_a_number_changes_hands_after_a_long_gap_with_another_anchor(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", K2, f"{P}@verified", day="2024-06-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1], [K2, P]]
    assert w.resolver.one_id(P, at="2024-02-01") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2024-05-31") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2024-06-01") == w.resolver.one_id(K2)
    assert w.resolver.one_id(P, at="2023-12-31") is None
    assert w.refused(K1, P) == [("reissued", ["1"])]


def test_a_gap_of_exactly_the_limit_is_no_break(world: Worlds, build: Build) -> None:
    w = world(reissue_days=90)
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2025-01-01"),
        build.link("2", K2, f"{P}@verified", day="2025-04-01"),
        day="2025-04-01",
    )
    assert w.resolver.one_id(P) is None


def test_an_anchor_the_holder_did_not_have_before_continues_the_period(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", U1, f"{P}@verified", day="2024-06-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1, P, U1]]


def test_sightings_between_the_gap_and_the_first_new_anchor_belong_to_the_new_holder(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", O2, f"{P}@verified", day="2024-06-01"),
        build.link("3", K2, f"{P}@verified", day="2024-06-20"),
        day="2024-06-20",
    )
    assert w.groups() == [[K1], [K2, P, O2]]


def test_a_new_id_of_the_same_account_is_no_new_holder(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", K2, f"{P}@verified", day="2024-06-01"),
        build.replace("3", K1, K2, day="2024-05-01"),
        day="2024-06-01",
    )
    assert w.groups() == [[K1, K2, P]]


def test_sightings_that_never_overlap_do_not_meet(world: Worlds, build: Build) -> None:
    pending = "wecom_pending_id:s:p"
    w = world()
    w.feed(
        build.link("1", pending, "wecom_external_userid:c:e1", day="2025-01-01"),
        build.link("2", pending, "wecom_external_userid:c:e2", day="2025-04-02"),
        day="2025-04-02",
    )
    assert not w.same("wecom_external_userid:c:e1", "wecom_external_userid:c:e2")
    assert w.same(pending, "wecom_external_userid:c:e2")
    assert w.resolver.one_id(pending, at="2025-02-01") == w.resolver.one_id("wecom_external_userid:c:e1")
    assert ("expired", ["1"]) in w.refused("wecom_external_userid:c:e1", "wecom_external_userid:c:e2")


def test_joins_made_while_valid_stay(world: Worlds, build: Build) -> None:
    pending = "wecom_pending_id:s:p"
    w = world()
    w.feed(
        build.link("1", pending, "wecom_external_userid:c:e1", day="2025-01-01"),
        build.link("2", pending, "wecom_external_userid:c:e2", day="2025-03-31"),
        day="2025-03-31",
    )
    assert w.feed(day="2026-01-01") == []
    assert w.same(pending, "wecom_external_userid:c:e1", "wecom_external_userid:c:e2")
    assert w.resolver.lookup(pending)["status"] == "expired"


def test_valid_to_frees_the_weaker_end_and_leaves_the_stronger_what_it_is(world: Worlds, build: Build) -> None:
    w = world()
    until = "2025-03-05T00:00:00+08:00"
    w.feed(
        build.link("1", K1, f"{P}@verified", valid_to=until),
        build.link("2", K2, f"{P}@verified", day="2025-03-10"),
        build.link("3", K1, O1, day="2025-03-10"),
        build.link("4", K1, f"{Q}@verified", valid_to=until),
        day="2025-03-10",
    )
    assert w.groups() == [[K1, Q, O1], [K2, P]]
    assert w.resolver.one_id(P, at="2025-03-03") == w.resolver.one_id(K1)


def test_a_link_that_ended_before_it_began_joins_nobody(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, valid_to="2025-02-01T00:00:00+08:00"))
    assert w.groups() == [[K1], [O1]]
    assert w.refused(K1, O1) == [("expired", ["1"])]


def test_every_period_says_when_it_began_and_ended_and_the_whole_time_stays_known(world: Worlds, build: Build) -> None:
    w = world()
    days = ["2024-01-01", "2024-01-05", "2024-06-01", "2024-06-03"]
    rows = [build.link(str(n), K1 if n < 2 else K2, f"{P}@verified", day=day) for n, day in enumerate(days)]
    w.feed(*rows, day="2024-06-03")
    at = [day_start_ms(day) + 10 * 3_600_000 for day in days]
    resolution = w.resolver._view.resolution
    assert [(held.from_ms, held.to_ms, held.reason) for held in resolution.periods] == [
        (at[0], at[2], ""),
        (at[2], None, "reissued"),
    ]
    found = resolution.placements[parse_identifier(P)]
    assert (found.first_ms, found.last_ms, found.from_ms) == (at[0], at[3], at[2])


def test_a_withdrawn_sighting_is_shown_in_the_period_it_was_in(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified", day="2024-01-01"),
        build.link("2", O1, f"{P}@verified", day="2024-01-02"),
        build.link("3", K2, f"{P}@verified", day="2024-06-01"),
        build.unlink("u", "2"),
        build.link("4", O1),
        day="2024-06-01",
    )
    assert w.refused(O1, K1) == [("unlink", ["2"])]
    edges = [edge for edge in w.resolver._view.resolution.edges if edge.refusal == "unlink"]
    assert [(edge.b_period, edge.observations) for edge in edges] == [(0, (("pos", "2"),))]
