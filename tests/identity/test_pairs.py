"""Which sightings link directly, and what ends a link."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.identity.conftest import Build, World

P = "phone::13912345670"
Q = "phone::13912345671"
K1 = "member_id:b:K1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def sha(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()


def md5(number: str) -> str:
    return hashlib.md5(number.encode()).hexdigest()


@pytest.mark.parametrize("role", ["verified", "buyer"])
def test_a_verified_or_buyers_number_links(role: str, world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}@{role}"), build.link("2", O1, f"{P}@verified"))
    assert w.groups() == [[K1, P, O1]]


@pytest.mark.parametrize("role", ["@recipient", "@staff", ""])
def test_a_recipients_or_staff_typed_number_links_nobody_and_belongs_to_nobody(
    role: str, world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, f"{P}{role}"), build.link("2", O1, f"{P}{role}"))
    assert w.groups() == [[K1], [O1]]
    assert w.resolver.one_id(P) is None


def test_a_hash_without_a_role_counts_as_the_recipients(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, f"phone_sha256::{sha('13912345670')}"))
    assert w.groups() == [[K1]]


def test_an_identifier_seen_alone_in_a_linking_role_has_a_oneid(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1), build.link("2", f"{P}@verified"), build.link("3", Q))
    assert w.groups() == [[P], [O1]]


def test_a_row_of_up_to_eight_links_all_pairs_and_a_longer_one_links_to_the_strongest(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("8", *(f"wx_openid:a:e{n}" for n in range(8))))
    w.feed(build.link("9", K1, *(f"wx_openid:a:n{n}" for n in range(8))))
    assert len(w.resolver.explain("wx_openid:a:e3", "wx_openid:a:e7")["path"]) == 1
    assert w.same(K1, *(f"wx_openid:a:n{n}" for n in range(8)))
    path = w.resolver.explain("wx_openid:a:n3", "wx_openid:a:n7")["path"]
    assert [step["to"] for step in path] == [K1, "wx_openid:a:n7"]


def test_a_namespace_that_never_identifies_is_refused_and_does_not_link(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, "tmall_oaid:s:x"), build.link("2", O2, "tmall_oaid:s:x"))
    assert w.groups() == [[O1], [O2]]
    assert w.resolver.one_id("tmall_oaid:s:x") is None


def test_a_weak_identifier_is_never_an_edge_and_explains_itself(world: Worlds, build: Build) -> None:
    w = world(namespaces={"wx_openid": {}, "device": {"strength": "weak"}})
    w.feed(build.link("1", O1, "device::d"), build.link("2", O2, "device::d"))
    assert w.groups() == [[O1], [O2]]
    assert w.refused(O1, O2) == [("weak", ["1"]), ("weak", ["2"])]


def test_an_unbind_ends_the_links_of_its_source_up_to_its_time(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.bind("1", O1, f"{P}@verified"), build.unbind("2", O1, P, day="2025-03-02"), day="2025-03-03")
    assert w.groups() == [[P], [O1]]
    assert w.refused(O1, P) == [("unbind", ["1"])]
    w.feed(build.bind("3", O1, f"{P}@verified", day="2025-03-03"), day="2025-03-03")
    assert w.same(O1, P)


def test_at_equal_time_the_ending_wins_whatever_arrives_first(world: Worlds, build: Build) -> None:
    bind, unbind = build.bind("1", O1, f"{P}@verified"), build.unbind("2", O1, P)
    for rows in ([bind, unbind], [unbind, bind]):
        w = world()
        w.feed(rows[0])
        w.feed(rows[1])
        assert not w.same(O1, P)


def test_an_unbind_leaves_other_sources_alone_and_reaches_those_of_its_group(world: Worlds, build: Build) -> None:
    d1 = "doudian_open_id:k:d1"
    rows = [
        build.link("1", d1, f"{P}@buyer", source="douyin_orders"),
        build.unbind("2", d1, P, source="douyin_members"),
    ]
    grouped, apart = world(), world(source_groups={"douyin": []})
    grouped.feed(*rows)
    apart.feed(*rows)
    assert not grouped.same(d1, P)
    assert apart.same(d1, P)


def test_a_source_that_has_the_name_of_a_group_is_not_of_it(world: Worlds, build: Build) -> None:
    d1 = "doudian_open_id:k:d1"
    w = world()
    w.feed(
        build.link("1", d1, f"{P}@buyer", source="douyin_orders"),
        build.unbind("2", d1, P, source="douyin"),
    )
    assert w.same(d1, P)


def test_of_several_endings_of_a_pair_the_latest_counts(world: Worlds, build: Build) -> None:
    endings = [build.unbind("u3", O1, P, day="2025-03-03"), build.unbind("u1", O1, P, day="2025-03-01")]
    for rows in (endings, endings[::-1]):
        w = world()
        w.feed(*rows, build.bind("b", O1, f"{P}@verified", day="2025-03-02"), day="2025-03-04")
        assert not w.same(O1, P)


def test_a_candidate_is_shown_with_the_stronger_end_first(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", f"{P}@recipient", O1), build.link("2", f"{Q}@verified"))
    assert w.resolver.explain(P, O1)["refused"][0]["link"] == [O1, P]
