"""Which identifiers link: identity.md, "Which identifiers link" and "Observations"."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.identity.conftest import Build, World

P, Q = "phone::13912345670", "phone::13912345671"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
O1, O2 = "wx_openid:a:o1", "wx_openid:a:o2"
U1, U2 = "wx_unionid:w:u1", "wx_unionid:w:u2"
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
    path = w.resolver.explain("wx_openid:a:n3", "wx_openid:a:n7")["path"]
    assert [step["to"] for step in path] == [K1, "wx_openid:a:n7"]


def test_a_row_with_two_values_of_one_anchor_links_nothing_and_its_identifiers_stay(
    world: Worlds, build: Build
) -> None:
    w = world()
    w.feed(build.link("1", K1, K2, O1))
    assert w.groups() == [[K1], [K2], [O1]]
    assert [(r["observation_id"], r["rule"]) for r in w.resolver.rejections()] == [("1", "two_anchor_values")]
    assert w.refused(K1, O1) == [("two_anchor_values", ["1"])]


def test_a_row_with_an_old_and_a_new_value_of_one_account_is_no_contradiction(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, K2, O1), build.replace("2", K1, K2))
    assert w.groups() == [[K1, K2, O1]]
    assert w.resolver.rejections() == []


def test_two_values_of_one_anchor_in_different_scopes_are_no_contradiction(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, "member_id:other:K9"))
    assert w.groups() == [[K1, "member_id:other:K9"]]


def test_a_bad_value_drops_that_identifier_only_and_is_listed_by_its_token(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, "phone::13800138000@verified", "member_id:b:null"))
    assert w.groups() == [[K1, O1]]
    rejected = {(r["observation_id"], r["source"], r["rule"]) for r in w.resolver.rejections()}
    assert rejected == {("1", "pos", "reject_value")}
    assert "13800138000" not in str(w.resolver.rejections())


def test_all_forms_of_a_number_are_one_node(world: Worlds, build: Build) -> None:
    w = world()
    forms = [
        f"phone_sha256::{sha('13912345670')}",
        f"phone_md5::{md5('13912345670')}",
        f"phone_md5::{md5('+8613912345670')}",
    ]
    accounts = [f"wx_openid:a:f{n}" for n in range(len(forms))]
    w.feed(build.link("0", K1, f"{P}@verified"))
    w.feed(*(build.link(f"f{n}", a, f"{f}@verified") for n, (a, f) in enumerate(zip(accounts, forms, strict=True))))
    assert w.groups() == [[K1, P, *accounts]]
    assert w.same(P, *forms)
    assert w.same(P, f"phone_sha256::{sha('+8613912345670').upper()}")


def test_a_form_seen_before_its_number_keeps_its_place(world: Worlds, build: Build) -> None:
    w = world()
    form = f"phone_sha256::{sha('13912345670')}"
    w.feed(build.link("1", f"{form}@verified"))
    placed = w.resolver.one_id(form)
    assert placed is not None
    assert w.same(form, P)
    assert w.feed(build.link("2", O1, f"{P}@verified", day="2025-03-02"), day="2025-03-02") == []
    assert {w.resolver.one_id(name) for name in (form, P, O1)} == {placed}
    assert w.resolver.one_id(form, known_at="2025-03-01") == placed
    assert w.resolver.rebuild() == []


def test_two_forms_of_one_number_meet_when_the_number_is_seen(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"phone_sha256::{sha('13912345670')}@buyer"))
    w.feed(build.link("2", O2, f"phone_md5::{md5('13912345670')}@buyer", day="2025-03-02"), day="2025-03-02")
    assert not w.same(O1, O2)
    older = w.resolver.one_id(O1)
    changes = w.feed(build.link("3", f"{P}@verified", day="2025-03-03"), day="2025-03-03")
    assert w.same(O1, O2, P)
    assert w.resolver.one_id(O2) == older
    assert [c["change"] for c in changes] == ["merge"]


def test_a_merchants_mix_of_a_number_is_the_same_node(policy: Callable[..., object], build: Build) -> None:
    from identity.policy import Policy

    w = World(Policy.from_dict({}), mix_keys={"shop": "demo_key"})
    w.feed(
        build.link("1", "tmall_ouid:s:x", "tmall_mix_mobile:s:52164cc782f7af83d62d2cfe07a910bb@verified"),
        build.link("2", O1, "phone::13912345678@verified"),
    )
    assert w.same("tmall_ouid:s:x", O1)


def test_foreign_numbers_are_never_taken_for_mainland_ones(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, "phone::+1 300 555 1234@verified"), build.link("2", O2, "phone::13005551234@verified"))
    assert not w.same(O1, O2)
    assert w.resolver.rejections() == []


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


def test_an_unlink_withdraws_the_observation_it_names_also_one_that_arrives_later(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"{P}@verified"), build.unlink("u2", "2"))
    w.feed(build.link("2", O2, f"{P}@verified"), build.link("3", O2))
    assert not w.same(O1, O2)
    w.feed(build.unlink("u1", "1"), day="2025-03-02")
    assert w.groups() == [[O2]]


def test_an_unlink_withdraws_its_own_sources_observation_only(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.unlink("u", "1", source="crm"))
    assert w.groups() == [[K1, O1]]


def test_a_withdrawn_unlink_withdraws_nothing(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1), build.unlink("u", "1"))
    one_id = w.resolver.one_id(K1)
    assert one_id is None
    w.feed(build.unlink("uu", "u"))
    assert w.groups() == [[K1, O1]]


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


def test_a_replaced_identifier_stays_under_the_same_oneid(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1))
    one_id = w.resolver.one_id(K1)
    w.feed(build.replace("2", K1, K2, day="2025-03-02"), day="2025-03-02")
    w.feed(build.replace("3", K2, "member_id:b:K3", day="2025-03-03"), day="2025-03-03")
    assert {w.resolver.one_id(x) for x in (K1, K2, "member_id:b:K3", O1)} == {one_id}
    assert w.resolver.explain(K1, "member_id:b:K3")["path"][0]["rule"] == "replace"


def test_a_cycle_of_replaces_is_refused_whatever_arrives_first(world: Worlds, build: Build) -> None:
    rows = [build.replace("1", K1, K2), build.replace("2", K2, K1, day="2025-03-02")]
    for feed in (rows, rows[::-1]):
        w = world()
        for row in feed:
            w.feed(row, day="2025-03-02")
        assert [r["rule"] for r in w.resolver.rejections()] == ["replace_cycle"]
        assert w.resolver.rejections()[0]["observation_id"] == "2"
        assert w.same(K1, K2)


def test_an_app_transfer_is_a_replace_between_two_scopes(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "wx_openid:old:x", U1), build.replace("2", "wx_openid:old:x", "wx_openid:new:y"))
    assert w.same("wx_openid:old:x", "wx_openid:new:y", U1)


def test_the_same_content_again_is_a_duplicate_and_other_content_is_refused(world: Worlds, build: Build) -> None:
    w = world()
    row = build.link("1", K1, O1)
    w.feed(row, row)
    assert w.feed(dict(reversed(list(row.items()))), day="2025-03-02") == []
    w.feed(build.link("1", K1, O2), day="2025-03-02")
    assert w.groups() == [[K1, O1]]
    assert w.resolver.rejections() == [
        {"observation_id": "1", "source": "pos", "identifier": "", "rule": "other_content"}
    ]


def test_the_same_id_of_another_source_is_another_observation(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("1", O1, source="crm"))
    assert w.groups() == [[K1], [O1]]


def test_a_row_that_is_no_observation_is_refused_alone(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("2", O1) | {"event_time": "soon"}, {"observation_id": 3, "kind": "link"})
    assert w.groups() == [[K1]]
    assert {r["rule"] for r in w.resolver.rejections()} == {"malformed_row:event_time", "malformed_row:ids"}


def test_event_times_beyond_the_runs_day_are_clamped_and_counted(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, day="2025-04-01"))
    assert w.resolver.report()["clamped"] == 1
    assert w.resolver.one_id(K1, at="2025-03-01") == w.resolver.one_id(K1)


def test_a_sole_accounts_recipient_number_is_inferred_only_when_asked_for(world: Worlds, build: Build) -> None:
    rows = [build.link(str(n), O1, f"{P}@recipient") for n in range(3)]
    off, on, few = (
        world(),
        world(inference={"promote_recipient_phone": True}),
        world(inference={"promote_recipient_phone": True}),
    )
    off.feed(*rows)
    on.feed(*rows)
    few.feed(*rows[:2])
    assert [w.same(O1, P) for w in (off, on, few)] == [False, True, False]
    assert on.resolver.explain(O1, P)["path"][0]["rule"] == "inferred"


def test_an_inferred_link_goes_when_a_second_account_appears_or_a_steward_says_so(world: Worlds, build: Build) -> None:
    rows = [build.link(str(n), O1, f"{P}@recipient") for n in range(3)]
    w = world(inference={"promote_recipient_phone": True})
    w.feed(*rows)
    decision = w.decide("cannot_link", O1, P)
    assert not w.same(O1, P)
    w.decide("revoke", decision)
    assert w.same(O1, P)
    w.feed(build.link("9", O2, f"{P}@recipient"))
    assert not w.same(O1, P)


def test_a_verified_number_is_never_inferred(world: Worlds, build: Build) -> None:
    w = world(inference={"promote_recipient_phone": True})
    w.feed(build.link("v", O2, f"{P}@verified"), *(build.link(str(n), O1, f"{P}@recipient") for n in range(3)))
    assert not w.same(O1, P)
    assert w.same(O2, P)


def test_identifiers_that_are_mobile_numbers_take_part_by_their_token(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "login_id:b:13912345670", "login_id:b:13912345670 ", O1))
    assert w.same("login_id:b:13912345670", O1)
    w.feed(build.link("2", "login_id::13912345670"))
    assert "13912345670" not in str(w.resolver.rejections())
