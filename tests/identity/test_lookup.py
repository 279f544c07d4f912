"""Questions are read like rows, and answered with status and candidates."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
K2 = "member_id:b:K2"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_identifiers_are_read_like_rows_in_every_question(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "wecom_external_userid:ww01:wmA", f"{P}@verified"))
    assert w.resolver.one_id("wecom_external_userid:WW01: wmA ") == w.resolver.one_id("phone:any:+86 139-1234-5670")
    assert w.resolver.one_id("phone::13800138000") is None
    assert w.resolver.one_id("phone") is None
    assert w.resolver.explain("phone::+86 139 1234 5670", "wecom_external_userid:WW01:wmA")["linked"]


def test_a_look_up_says_status_and_candidates(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified"))
    ids = sorted(w.resolver.clusters())
    assert w.resolver.lookup(P) == {"one_id": None, "status": "contested", "candidates": ids}
    assert w.resolver.lookup(K1) == {"one_id": w.resolver.one_id(K1), "status": "active", "candidates": []}
    assert w.resolver.lookup("member_id:b:K9") == {"one_id": None, "status": "unknown", "candidates": []}


def test_the_graph_of_an_identifier_holds_its_cluster_and_what_is_refused_around_it(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.link("2", O1, f"{P}@verified"), build.link("3", K2, f"{P}@verified"))
    graph = w.resolver.export_graph(K1)
    assert {name: data["inside"] for name, data in graph.nodes(data=True)} == {K1: True, O1: True, P: False}
    edges = {(min(a, b), max(a, b)): data["refusal"] for a, b, data in graph.edges(data=True)}
    assert edges == {(K1, O1): "", (P, O1): "limit:member_id"}
    assert [data["observations"] for _, _, data in graph.edges(data=True)] == [["pos/1"], ["pos/2"]]
    assert list(w.resolver.export_graph("wx_openid:a:unseen").nodes) == ["wx_openid:a:unseen"]
    assert list(w.resolver.export_graph("nonsense").nodes) == []


def test_what_nobody_owned_on_a_day_has_no_holder_then(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.link("1", K1, f"{P}@verified"), build.link("2", K2, f"{P}@verified", day="2025-03-03"), day="2025-03-03"
    )
    assert w.resolver.one_id(P, at="2025-03-02") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2025-03-03") is None


def test_a_day_before_its_account_went_to_somebody_else_is_answered_with_who_had_it_then(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.bind("1", K1, O1), build.bind("2", K1, O2), day="2025-03-02")
    first = w.resolver.one_id(K1)
    w.feed(build.unbind("3", K1, O1, day="2025-03-05"), build.unbind("4", K1, O2, day="2025-03-05"), day="2025-03-05")
    w.feed(build.bind("5", K2, O1, day="2025-03-09"), build.bind("6", K2, O2, day="2025-03-09"), day="2025-03-09")
    assert w.resolver.one_id(K1) == first != w.resolver.one_id(K2)
    assert {w.resolver.one_id(one, at="2025-03-02") for one in (K1, O1, O2)} == {first}
    assert {w.resolver.one_id(one, at="2025-03-09") for one in (K2, O1, O2)} == {w.resolver.one_id(K2)}


def test_a_number_that_was_given_to_somebody_else_is_answered_with_the_holder_of_its_period(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(
        build.link("1", f"{P}@verified", day="2025-01-01"),
        build.link("2", K1, f"{P}@verified", day="2025-01-03"),
        build.link("3", K2, f"{P}@verified", day="2025-06-01"),
        day="2025-06-01",
    )
    first, second = w.resolver.one_id(K1), w.resolver.one_id(K2)
    assert w.resolver.one_id(P, at="2024-12-31") is None
    assert [w.resolver.one_id(P, at=f"2025-{day}") for day in ("01-01", "01-03", "05-31")] == [first] * 3
    assert w.resolver.one_id(P, at="2025-06-01") == w.resolver.one_id(P) == second


def test_a_number_nobody_was_bound_to_before_it_was_given_away_had_no_holder(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(
        build.bind("1", K1, f"{P}@verified", day="2025-01-01"),
        build.unbind("2", K1, f"{P}@verified", day="2025-01-05"),
        build.bind("3", K2, f"{P}@verified", day="2025-06-10"),
        day="2025-06-10",
    )
    assert w.resolver.one_id(P, at="2025-01-03") == w.resolver.one_id(K1)
    assert w.resolver.one_id(P, at="2025-02-01") is None
